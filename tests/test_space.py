"""The space of a search: its file, its trials, the values of its options."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from test_search import TWO_SHAPES

from mmjax import InputError, search
from mmjax.search import Choice, Range

SPACE = TWO_SHAPES.replace("trials = 11", "trials = 64")


def written(tmp_path, text):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return path


def test_sobol_trials_are_spread_evenly_over_each_option(tmp_path):
    trials, refused = search.trials(search.read(written(tmp_path, SPACE)), 27, seed=0)
    assert (len(trials), refused) == (64, [])
    rates = np.array([trial.options["learning_rate"] for trial in trials])
    # Each eighth of the logarithmic range has an eighth of the trials: a Sobol sequence's law.
    eighths = np.minimum((np.log(rates / 0.01) / math.log(1000) * 8).astype(int), 7)
    assert all(abs(count - 8) <= 1 for count in np.bincount(eighths))
    assert Counter(trial.options["hidden_size"] for trial in trials) == {3: 32, 5: 32}
    for trial in trials:
        assert trial.recipe.learning_rate == trial.options["learning_rate"]
        assert trial.model.hidden_size == trial.options["hidden_size"]
        assert (trial.model.embedding_dim, trial.recipe.steps) == (3, 12)


def test_a_grid_has_every_possible_combination_once(tmp_path):
    text = """
    [space]
    hidden_layers = [1, 2, 3]
    residual = [false, true]
    norm = ["batch", "layer", "batch"]
    dropout = { low = 0.0, high = 0.2, points = 3 }
    [search]
    method = "grid"
    """
    trials, refused = search.trials(search.read(written(tmp_path, text)), 27, seed=0)
    every = itertools.product((1, 2, 3), (False, True), ("batch", "layer"), (0.0, 0.1, 0.2))
    possible = [each for each in every if not (each[0] == 1 and each[1])]
    assert [tuple(trial.options.values()) for trial in trials] == possible
    assert [trial.number for trial in trials] == [*range(len(possible))]
    assert len(refused) == 6
    assert "residual needs two hidden layers" in refused[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[space", "is not TOML"),
        ("[spaces]\nx = 1", "spaces is not known here"),
        ("[space]", "has no options"),
        ("[space]\nsize = [1]", "size: is no setting of the network or the recipe"),
        ("[space]\nvocab_size = [1]", "vocab_size: is no setting"),
        ("[[space]]\ngain = [1.0]", r"space must be a table: write \[space\]"),
        ("[space]\nrecipe = ['fast']", "cannot have recipe; name one in"),
        ("[space]\nwidths = [100, 200]", r"each value must be a list of whole numbers such as"),
        ("[space]\nhidden_size = { low = 1, high = 1" + 40 * "0" + " }", "a number is too large"),
        ("[space]\nhidden_size = 7", "must be a list of values or a range"),
        ("[space]\nhidden_size = []", "must be a list of values or a range"),
        ("[space]\nhidden_size = [7.5]", "each value must be a whole number, not 7.5"),
        ("[space]\nresidual = [1]", "each value must be true or false, not 1"),
        ("[space]\nnorm = [true]", "each value must be text, not True"),
        ("[space]\nwidths = [[1, 2.5]]", "a list of whole numbers"),
        ("[space]\nnorm = { low = 1, high = 2 }", "has no range"),
        ("[space]\ngain = { low = 1 }", "a range has low, high"),
        ("[space]\ngain = { low = 2, high = 1 }", "low must be below high"),
        ("[space]\ngain = { low = nan, high = 1 }", "low must be below high"),
        ("[space]\ngain = { low = 0, high = 1, log = true }", "must begin above 0"),
        ("[space]\ngain = { low = 0, high = 1, points = -1 }", "points must be"),
        ("[space]\ngain = [1.0]\n[fixed]\ngain = 2", "stands in both"),
        ("[space]\ngain = [1.0]\n[fixed]\nrecipe = 'slow'", "recipe must be one of"),
        ("[space]\ngain = [1.0]\n[search]\ntrial = 2", r"\[search\] has no trial"),
        ("[space]\ngain = [1.0]\n[search]\ntrials = 0", "trials must be a whole number"),
        ("[space]\ngain = [1.0]\n[search]\nfirst_rung = 3", "must be an even number"),
        ("[space]\ngain = [1.0]\n[search]\nmethod = 'tpe'", "method must be sobol or grid"),
        ("[space]\ngain = [-1.0]", "no combination of the options is possible: gain must be"),
        ("[space]\nearly_stopping = [true]", "no combination .* early_stopping does not go"),
        (
            "[space]\ngain = { low = 1, high = 2 }\n[search]\nmethod = 'grid'",
            r"\[space\] gain: a grid needs points",
        ),
    ],
)
def test_a_wrong_space_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        search.trials(search.read(written(tmp_path, text)), 27, seed=0)
    assert "\n" not in str(error.value)


def test_every_whole_number_of_a_range_is_equally_likely():
    values = [Range(2, 6, whole=True).at(float(u)) for u in (np.arange(1000) + 0.5) / 1000]
    assert np.bincount(values).tolist() == [0, 0, 200, 200, 200, 200, 200]
    grid = Range(2, 6, whole=True, points=5)
    assert grid.values() == [2, 3, 4, 5, 6]


def test_a_value_and_its_place_are_inverse():
    for option in (Range(0.01, 10.0, log=True), Range(2, 5), Choice((7, 3, 5)), Choice(("a", "b"))):
        for value in option.choices if isinstance(option, Choice) else (option.low, option.high):
            place = option.place(value)
            assert 0 <= place <= 1
            if isinstance(option, Range):
                assert option.at(place) == value
    assert [Choice((7, 3, 5)).place(value) for value in (3, 5, 7)] == [0, 0.5, 1]
