"""Over how many devices a run spreads its batches, by default and by option."""

import pytest

from mmjax import InputError, mlp
from mmjax.cli.options import parse
from mmjax.commands import spreading
from mmjax.commands.train_options import Options, of_recipe


def options_of(*arguments) -> Options:
    options = parse("mlp", of_recipe(arguments), list(arguments))
    assert isinstance(options, Options)
    return options


def devices(monkeypatch, *arguments, cores=2):
    monkeypatch.setattr(spreading, "cores", lambda: cores)
    options = options_of(*arguments)
    model = mlp.MLP(**{name: getattr(options.model, name) for name in ("widths", "hidden_size")})
    return spreading.number_of_devices(options, model)


LARGE = ("--batch-size", "1024")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), 1),
        (LARGE, 2),
        ((*LARGE, "--steps", "4999"), 1),
        ((*LARGE, "--seeds", "2"), 1),
        ((*LARGE, "--devices", "1"), 1),
        ((*LARGE, "--data", "all-contexts"), 1),
        (("--batch-size", "1023"), 1),
        (("--batch-size", "500"), 1),
        (("--batch-size", "512"), 2),
        ((*LARGE, "--hidden-size", "50"), 1),
        ((*LARGE, "--hidden-size", "300"), 1),
        ((*LARGE, "--widths", "10", "500", "10"), 2),
        (("--mesh", "data=2"), 2),
        (("--devices", "2"), 2),
    ],
)
def test_two_devices_are_taken_where_they_pay(monkeypatch, arguments, expected):
    """By batch and largest product, 1,024 x 100 x 100; or as the options say."""
    assert devices(monkeypatch, *arguments) == expected


def test_one_core_is_one_device(monkeypatch):
    assert devices(monkeypatch, *LARGE, cores=1) == 1


def test_a_mesh_is_another_word_for_devices():
    """It is saved as the number."""
    assert options_of("--mesh", "data=4").devices == 4
    for wrong in ("model=2", "data=", "data=2.5", "two"):
        with pytest.raises(InputError, match="must be a number such as 2, or data=2"):
            options_of("--mesh", wrong)
