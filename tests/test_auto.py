"""Settings that follow the list: candidates, their mixture, and the recipe auto."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import run, summary

from experiments.bench.lists import KINDS, names_of
from mmjax import Predictor, counting, evaluate
from mmjax.commands import auto as command
from mmjax.commands.auto_options import AutoOptions, BlendedLists
from mmjax.counting import cross_fit
from mmjax.data import corpus
from mmjax.data.vocab import BOUNDARY
from mmjax.runs import lists, weights
from mmjax.runs.folder import RunFolder
from mmjax.runs.reading import read_config
from mmjax.search import auto


@pytest.fixture(scope="module")
def known():
    return lists.split_and_encode(names_of("kana"), seed=42, shuffles=2)


@pytest.fixture(scope="module")
def counted(known):
    return list(auto.counted(known))


def test_made_up_lists_are_distinct_and_the_same_each_time():
    for kind, (_, size) in KINDS.items():
        names = names_of(kind)
        assert len(names) == len({*names}) == size
        assert names == names_of(kind) != names_of(kind, 1)


@pytest.mark.slow
def test_counting_stops_at_the_first_longer_context_that_is_worse(known, counted):
    losses = [candidate.loss_val for candidate in counted]
    assert losses == [evaluate.loss(each.predictor, known.tokens["val"]) for each in counted]
    assert all(np.diff(losses)[:-1] < 0)
    assert losses[-1] > losses[-2] or len(losses) == auto.MOST_ORDERS - 1


def halves_of(tokens):
    """Return the even and the odd names as flat tokens."""
    names = np.split(tokens[1:], np.flatnonzero(tokens[1:] == BOUNDARY) + 1)[:-1]
    return [np.concatenate([[BOUNDARY], *names[i::2]]).astype(tokens.dtype) for i in (0, 1)]


@pytest.mark.slow
def test_the_cross_fitted_loss_is_that_of_each_half_by_the_other(known, counted):
    """By hand: fit on one half of the names, score the other, and the other way round."""
    models = [each.predictor for each in counted]
    tokens = known.tokens["val"]
    found = cross_fit.geometric(models, tokens, positions=(2,), spreads=(0.3,))
    total = 0.0
    for fit, held_out in (halves_of(tokens), halves_of(tokens)[::-1]):
        fitted = counting.geometric(models, fit, positions=2, spread=0.3)
        total += evaluate.loss(fitted, held_out) * (len(held_out) - 1)
    assert found.loss == pytest.approx(total / (len(tokens) - 1), abs=2e-3)
    whole = counting.geometric(models, tokens, positions=2, spread=0.3)
    assert found.predictor.model == whole.model
    np.testing.assert_allclose(found.predictor.params.weights, whole.params.weights, atol=1e-5)


@pytest.mark.slow
def test_the_setting_with_the_lowest_cross_fitted_loss_is_taken(known, counted):
    models, tokens = [each.predictor for each in counted], known.tokens["val"]
    options = [((p,), (s,)) for p in (1, 3) for s in (0.1, 1.0)]
    losses = [cross_fit.geometric(models, tokens, positions=p, spreads=s).loss for p, s in options]
    best = cross_fit.geometric(models, tokens, positions=(1, 3), spreads=(0.1, 1.0))
    assert best.loss == pytest.approx(min(losses), abs=1e-6)


def test_sizes_and_steps_follow_the_list(known):
    small = auto.kinds(known)
    many = replace(known, tokens={**known.tokens, "train": np.zeros(auto.LARGE + 1, np.uint8)})
    for few, more in zip(small, auto.kinds(many), strict=True):
        assert few.recipe.steps < more.recipe.steps
        assert few.model.hidden_size < more.model.hidden_size
        assert min(few.differ[1]) > min(more.differ[1])
    assert {kind.recipe.steps for kind in auto.kinds(known, steps=48)} == {48}


@pytest.mark.slow
def test_a_blend_is_the_weighted_product_of_the_models(counted):
    """The logarithms of the probabilities add up with the weights, up to a constant."""
    models = [counted[0].predictor, counted[-1].predictor]
    blended = command.blend(models, (1.0, 3.0))
    contexts = jnp.zeros((1, blended.model.block_size), jnp.int32)
    logits = jax.jit(Predictor.logits)
    a, b = (
        jax.nn.log_softmax(logits(each, contexts[:, -each.model.block_size :])) for each in models
    )
    expected = jax.nn.log_softmax(0.25 * a + 0.75 * b)
    np.testing.assert_allclose(logits(blended, contexts), expected, atol=1e-5)
    assert command.blend(models[:1], ()) is models[0]


def test_the_config_of_a_run_with_its_own_number_of_steps_is_read(tmp_path):
    options = AutoOptions(BlendedLists())
    RunFolder(tmp_path, options)
    assert read_config(tmp_path)["steps"] == 0


@pytest.fixture
def adamw_as_outside_of_tests():
    """Optax's adamw raises a float to the power of its step, which strict promotion forbids."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def kana(tmp_path):
    path = tmp_path / "kana.txt"
    path.write_text("\n".join(names_of("kana")) + "\n", encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("adamw_as_outside_of_tests")
def test_auto_finds_a_model_that_beats_its_candidates(monkeypatch, capsys, tmp_path, kana):
    out = tmp_path / "run"
    options = ("--recipe", "auto", "--names", kana, "--out", out, "--steps", 96)
    status, text, _ = run(monkeypatch, capsys, "mlp", *options, report=True)
    assert status == 0
    figures = summary(out)
    tried = dict(line.rsplit(": ", 1) for line in figures["candidates"])
    assert figures["chosen"] == min(tried, key=lambda name: float(tried[name]))
    assert "all of these together" in tried
    assert f"Chosen by validation loss: {figures['chosen']}." in text
    predictor, letters = weights.load(out / "model.safetensors")
    known = lists.split_and_encode(corpus.read_names(kana), seed=42, shuffles=2)
    assert letters == known.vocab
    assert evaluate.loss(predictor, known.tokens["test"]) == pytest.approx(
        figures["loss_test"], abs=1e-6
    )
    assert figures["loss_test"] < figures["kneser_ney_loss_test"]
    assert (out / "report.html").exists()
    assert (out / "playground.html").exists()
    # The same command gives the same figures.
    again = tmp_path / "again"
    run(monkeypatch, capsys, "mlp", *options[:-3], again, "--steps", 96, report=False)
    assert summary(again)["candidates"] == figures["candidates"]


@pytest.mark.slow
@pytest.mark.usefixtures("adamw_as_outside_of_tests")
def test_a_list_of_one_name_ends_with_pages_and_a_verdict(monkeypatch, capsys, tmp_path):
    """No name is unseen, so the losses of those parts are empty."""
    path = tmp_path / "one.txt"
    path.write_text("anna\n" * 50)
    out = tmp_path / "run"
    options = ("--recipe", "auto", "--names", path, "--out", out, "--steps", 24)
    status, text, _ = run(monkeypatch, capsys, "mlp", *options, report=True)
    assert status == 0
    assert summary(out)["loss_val_unseen"] is None
    assert "The list has too few names" in text or "learned how these names" in text
    assert (out / "report.html").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("adamw_as_outside_of_tests")
def test_two_lists_are_blended(monkeypatch, capsys, tmp_path, kana):
    other = tmp_path / "other.txt"
    other.write_text("\n".join(names_of("kana", 3)) + "\n", encoding="utf-8")
    options = ("--names", kana, "--others", other, "--weights", 1, 2, "--steps", 24)
    out = tmp_path / "run"
    status, _, _ = run(monkeypatch, capsys, "mlp", "--recipe", "auto", *options, "--out", out)
    assert status == 0
    figures = summary(out)
    assert {"loss_val", "list_2_loss_val"} <= figures.keys()
    assert read_config(out)["others"] == [str(other)]
    predictor, _ = weights.load(out / "model.safetensors")
    np.testing.assert_allclose(predictor.params.weights, [[1 / 3, 2 / 3]], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--others", "OTHER"), "OTHER: has no character of KANA; blend lists in the same script"),
        (("--weights", 1, 2), "--weights gives 2 numbers for 1 lists; give one for each list"),
        (("--weights", 0), "--weights must be above 0; leave out the list that should not count"),
        (("--steps", 1), "steps must be a whole number from 24"),
        (("--hidden-size", 7), "--hidden-size"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    monkeypatch, capsys, tmp_path, kana, options, said
):
    other = tmp_path / "other.txt"
    other.write_text("\n".join("abcdefghij") + "\n")
    given = [other if option == "OTHER" else option for option in options]
    out = tmp_path / "run"
    options = ("--recipe", "auto", "--names", kana, *given, "--out", out)
    status, _, err = run(monkeypatch, capsys, "mlp", *options)
    assert (status, len(err.splitlines())) == (2, 1)
    assert said.replace("OTHER", str(other)).replace("KANA", str(kana)) in err
    assert not out.exists()
