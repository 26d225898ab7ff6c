"""The measurements and the checks of health, beside brute force and on both sides of a limit."""

import math
import random
from collections import Counter
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.faultbench import injections
from mmjax import Predictor, bigram, corpus, diagnostics, mlp, train, vocab
from mmjax.diagnostics import Evidence, running
from mmjax.diagnostics.finding import Finding, option
from mmjax.diagnostics.lists import list_figures, log_p
from mmjax.diagnostics.probe import probe
from mmjax.diagnostics.record import record
from mmjax.runs.examine import counters, non_finite, repeated_rows
from mmjax.train.optimizers import OPTIMIZERS

MODEL = mlp.MLP(vocab_size=27, embedding_dim=3, hidden_size=17, hidden_layers=3)
RECIPE = train.Recipe()


@pytest.fixture(scope="module")
def names(shipped_names):
    return shipped_names[:1_009]


@pytest.fixture(scope="module")
def tokens(shipped_names, names):
    return corpus.encode(vocab.build(shipped_names), names)


@pytest.fixture(scope="module")
def network():
    return MODEL.init(jax.random.key(0))


@pytest.fixture(scope="module")
def contexts(tokens):
    return corpus.windows(jnp.asarray(tokens), jnp.arange(997), 3)[0]


def symptoms(**evidence):
    return [finding.symptom for finding in diagnostics.health(Evidence(**evidence))]


# Running statistics.


def with_moments(model, params, stats, contexts):
    """Return statistics that are those of one batch: a momentum of 1."""
    ahead = mlp.MLP(**{**model.__dict__, "momentum": 1.0})
    return ahead.apply(params, stats, contexts, train=True)[1]


def test_gaps_are_those_of_numpy_and_0_for_the_batchs_own_moments(network, contexts):
    params, stats = network
    outputs = record(MODEL, params, stats, contexts, train=True)[1]
    found = running.gaps(MODEL, params, stats, contexts)
    assert [gap.name for gap in found] == ["hidden.0.norm", "hidden.1.norm", "output.norm"]
    for gap in found:
        x = np.asarray(outputs[gap.name.replace("norm", "linear")], np.float64)
        mean, std = x.mean(axis=0), x.std(axis=0, ddof=1)
        assert gap.mean == pytest.approx(np.sqrt(np.mean((mean / std) ** 2)), rel=1e-4)
        assert gap.log_std == pytest.approx(np.sqrt(np.mean(np.log(std) ** 2)), rel=1e-4)
        assert gap.untouched
    own = with_moments(MODEL, params, stats, contexts)
    for gap in running.gaps(MODEL, params, own, contexts):
        assert gap.size < 1e-3
        assert (gap.untouched, gap.other) == (False, "")


def test_exchanged_statistics_are_recognised_by_the_layer_they_fit(network, contexts):
    params, stats = network
    own = with_moments(MODEL, params, stats, contexts)
    exchanged = own._replace(hidden=own.hidden[::-1])
    first, second, _ = running.gaps(MODEL, params, exchanged, contexts)
    assert (first.other, second.other) == ("hidden.1.norm", "hidden.0.norm")
    found = symptoms(running=[first, second], steps=1_000)
    assert found == ["running statistics of another layer"]


@pytest.mark.parametrize(("size", "expected"), [(0.11, []), (0.13, ["running statistics off"])])
def test_statistics_of_one_batch_of_32_are_off_by_more_than_the_limit(size, expected):
    gap = running.Gap("a.norm", size, 0.0, untouched=False, other="")
    assert symptoms(running=[gap], steps=1_000) == expected
    assert 1 / 32**0.5 > 0.12  # the standard error of a mean of 32, in standard deviations


def test_a_model_without_statistics_has_no_gaps(contexts):
    model = mlp.MLP(vocab_size=27, hidden_size=5, hidden_layers=2, norm="layer")
    assert running.gaps(model, *model.init(jax.random.key(0)), contexts) == []


# The probe.


def counted(before, after):
    """Return the bigram of pairs of tokens, counted with 1 added."""
    table = np.zeros((27, 27))
    np.add.at(table, (before, after), 1)
    return Predictor(bigram.Bigram(), bigram.from_counts(table, smoothing=1), ())


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(1, []), (2, ["targets one later"]), (0, ["targets one earlier"])],
)
def test_a_model_of_shifted_targets_is_recognised(tokens, ahead, expected):
    targets = tokens[ahead : len(tokens) - 2 + ahead]
    predictor = counted(tokens[:-2], targets)
    seen = probe(predictor, tokens)
    assert seen is not None
    probs = bigram.probabilities(bigram.Bigram(), predictor.params)
    log_probs = np.log(np.asarray(probs, np.float64))
    for name, shift in (("as they are", 1), ("targets one later", 2), ("targets one earlier", 0)):
        pairs = tokens[:-2], tokens[shift : len(tokens) - 2 + shift]
        assert seen.losses[name] == pytest.approx(-log_probs[pairs].mean(), rel=1e-5)
    counts_of = Counter(tokens[1:-1].tolist())
    np.testing.assert_allclose(seen.observed, [counts_of[i] / seen.examples for i in range(27)])
    np.testing.assert_allclose(
        seen.predicted, np.exp(log_probs)[tokens[:-2]].mean(axis=0), rtol=1e-4
    )
    assert symptoms(probe=seen) == expected


def test_a_model_worse_than_guessing_tells_nothing_of_its_reading(tokens):
    seen = probe(counted(tokens[:-2], tokens[2:]), tokens)
    assert seen is not None
    worse = seen._replace(losses={name: loss + 9 for name, loss in seen.losses.items()})
    assert symptoms(probe=worse) == []
    assert symptoms(probe=seen) == ["targets one later"]
    assert symptoms(probe=seen._replace(examples=199)) == []


def test_reversed_contexts_are_recognised(tokens):
    """A network of one letter, whose letter is the oldest of the context instead of the newest."""

    class Oldest(mlp.MLP):
        def apply(self, params, stats, contexts, **how):
            return super().apply(params, stats, contexts[:, ::-1], **how)

    model = mlp.MLP(vocab_size=27, hidden_size=31, hidden_layers=1, block_size=2)
    state, _ = train.run(model, train.Recipe(steps=300), jax.random.key(0), tokens)
    wrong = Predictor(Oldest(**model.__dict__), state.params, state.stats)
    for predictor, expected in (
        (Predictor(model, state.params, state.stats), []),
        (wrong, ["contexts reversed"]),
    ):
        assert symptoms(probe=probe(predictor, tokens)) == expected


def test_tokens_that_are_never_predicted_are_found(tokens):
    """Counted without the boundary, as if the list were one long name."""
    letters = tokens[tokens != 0]
    seen = probe(counted(letters[:-1], letters[1:]), tokens)
    assert symptoms(probe=seen, steps=1_000) == ["missing token"]
    assert symptoms(probe=seen, steps=10) == []


def test_predictions_that_depend_on_the_batch_are_found(tokens, network):
    class Training(mlp.MLP):
        def apply(self, params, stats, contexts, **how):
            return super().apply(params, stats, contexts, **{**how, "train": True})

    right = probe(Predictor(MODEL, *network), tokens)
    wrong = probe(Predictor(Training(**MODEL.__dict__), *network), tokens)
    assert right is not None
    assert wrong is not None
    assert right.dependence < 1e-5 < wrong.dependence
    assert symptoms(probe=wrong) == ["evaluation in training mode"]


# The list.


def figures_of(train_names, val_names):
    letters = vocab.build([*train_names, *val_names])
    found = list_figures(*(corpus.encode(letters, part) for part in (train_names, val_names)))
    assert found is not None
    return found


def test_figures_of_a_list_are_those_of_sets(names):
    """Names that occur once to four times, in random order."""
    draw = random.Random(0)
    listed = [name for name in names for _ in range(draw.choice((1, 1, 2, 4)))]
    draw.shuffle(listed)
    known, held = listed[:1_500], listed[1_500:]
    found = figures_of(known, held)
    assert (found.names_train, found.names_val) == (len(known), len(held))
    assert found.shared == np.mean([name in {*known} for name in held])
    rest = [known[:i] + known[i + 1 :] for i in range(len(known))]
    assert found.shared_expected == np.mean([n in r for n, r in zip(known, rest, strict=True)])
    assert found.repeats == 1
    assert symptoms(lists=found) == []


def test_a_list_joined_with_itself_is_found_and_is_no_leak(names):
    listed = names * 3
    random.Random(0).shuffle(listed)
    found = figures_of(listed[:2_400], listed[2_400:])
    assert found.repeats == 3
    assert symptoms(lists=found) == ["repeated list"]


def test_validation_names_from_training_are_found(names):
    assert symptoms(lists=figures_of(names, names[:101])) == ["training names in validation"]
    assert symptoms(lists=figures_of(names[101:], names[:101])) == []


@pytest.mark.parametrize("order", [str, len])
def test_a_list_that_is_not_shuffled_is_found(names, order):
    listed = sorted(names, key=order)
    assert symptoms(lists=figures_of(listed[:807], listed[807:])) == ["parts that differ"]


def test_the_p_value_of_equal_parts_is_uniform():
    """In 400 splits, a twentieth of the p-values is below 0.05; by chance between 0.02 and 0.09."""
    draw = random.Random(0)
    values = [draw.choice("aaaabbbccdefghij") for _ in range(700)]
    found = []
    for _ in range(400):
        draw.shuffle(values)
        found.append(10 ** log_p(Counter(values[:560]), Counter(values[560:])))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
    assert 0.4 < np.mean(found) < 0.6


# The state.


@pytest.mark.slow
def test_counters_are_those_of_every_optimizer(network):
    with jax.numpy_dtype_promotion("standard"):
        for optimizer in OPTIMIZERS:
            recipe = train.Recipe(optimizer=optimizer, clip_norm=1.0)
            tokens = jnp.asarray([0, 1, 2, 0, 3, 0])
            state = train.init(MODEL, recipe, jax.random.key(0))
            state, _ = train.advance(MODEL, recipe, state, tokens, steps=2)
            found = counters(state)
            assert len(found) > 1
            assert {*found.values()} == {2}


@pytest.mark.parametrize(
    ("counted_steps", "expected"),
    [
        ({"step": 7, "of the optimizer (count)": 7}, []),
        ({"step": 7, "of the optimizer (count)": 2}, ["lost optimizer state"]),
        ({"step": 9, "of the optimizer (count)": 9}, ["schedule out of step"]),
    ],
)
def test_counters_are_compared_with_the_trained_steps(counted_steps, expected):
    assert symptoms(counters=counted_steps, steps=7) == expected


def test_non_finite_numbers_are_named_with_their_row():
    state = train.init(MODEL, RECIPE, jax.random.key(0))
    assert non_finite(state) == []
    embedding = state.params.embedding.at[5, 1].set(jnp.nan)
    bad = state._replace(params=state.params._replace(embedding=embedding))
    assert non_finite(bad) == ["embedding[5]"]
    first = diagnostics.health(Evidence(non_finite=non_finite(bad), final_loss=math.nan))[0]
    assert (first.symptom, first.where) == ("non-finite numbers", "embedding[5]")


def test_half_precision_is_a_cause_of_numbers_that_are_not_finite():
    assert symptoms(dtypes=["float16"], final_loss=2.0) == []
    assert symptoms(dtypes=["float16"], final_loss=math.nan) == ["overflow"]


# Settings, on both sides of their limit.


def recipe_of(**changes):
    return SimpleNamespace(**{**RECIPE.__dict__, **changes})


@pytest.mark.parametrize(
    ("evidence", "symptom", "changes"),
    [
        ({"recipe": {"batch_size": 7}}, "small batch", {"batch_size": 32}),
        ({"recipe": {"batch_size": 8}}, None, None),
        (
            {"recipe": {"weight_decay": 0.06, "learning_rate": 0.1}},
            "strong weight decay",
            {"weight_decay": 0.01},
        ),
        ({"recipe": {"weight_decay": 0.04, "learning_rate": 0.1}}, None, None),
        (
            {"recipe": {"clip_norm": 0.1}, "gradient_norm": 1.1},
            "clipped gradients",
            {"clip_norm": 1.0},
        ),
        ({"recipe": {"clip_norm": 0.1}, "gradient_norm": 0.9}, None, None),
        ({"recipe": {"noise": 0.8}}, "strong noise", {"noise": 0.1}),
        ({"recipe": {"noise": 0.6}}, None, None),
        ({"recipe": {"warmup_steps": 60}, "steps": 100}, "long warm-up", {"warmup_steps": 10}),
        ({"recipe": {"warmup_steps": 40}, "steps": 100}, None, None),
        (
            {"recipe": {"steps": 100}, "steps": 100, "learning_rates": [(50, 0.004)]},
            "early drop",
            {"drop_step": 50},
        ),
        (
            {"recipe": {"steps": 100}, "steps": 100, "learning_rates": [(51, 0.004)]},
            None,
            None,
        ),
    ],
)
def test_settings_are_found_from_their_limit_on(evidence, symptom, changes):
    evidence = {**evidence, "recipe": recipe_of(**evidence["recipe"])}
    found = diagnostics.health(Evidence(model=MODEL, **evidence))
    if symptom is None:
        assert found == []
    else:
        assert [(each.symptom, each.changes) for each in found] == [(symptom, changes)]


def test_a_learning_rate_is_advised_by_the_update_ratios():
    """Ratios of -5.7 are a thousandth of the healthy -2.7."""
    recipe = recipe_of(learning_rate=0.0002)
    ratios = {"a": -5.8, "b": -5.7, "c": -5.6}
    found = diagnostics.health(Evidence(recipe=recipe, update_ratios=ratios))
    assert {each.symptom for each in found} == {"updates too small"}
    assert found[0].changes == {"learning_rate": 0.2}
    faster = recipe_of(learning_rate=2.0)
    (found,) = diagnostics.health(Evidence(recipe=faster, update_ratios=dict.fromkeys("ab", -1.7)))
    assert (found.symptom, found.changes) == ("updates too large", {"learning_rate": 0.2})


def test_a_falling_schedule_may_begin_with_large_updates():
    ratios = dict.fromkeys("ab", -1.8)
    falling = recipe_of(schedule="linear")
    assert symptoms(recipe=RECIPE, update_ratios=ratios) == ["updates too large"]
    assert symptoms(recipe=falling, update_ratios=ratios) == []


def test_a_warm_up_is_compared_with_the_steps_that_were_trained():
    """Not with the step of the best weights, from which early stopping took them."""
    trained = {"recipe": recipe_of(warmup_steps=100), "learning_rates": [(300, 0.1)]}
    assert symptoms(**trained, steps=120) == []


def test_a_rare_token_may_be_missing(tokens):
    """In few examples a token of one percent occurs once, by chance."""
    letters = tokens[tokens != 0]
    seen = probe(counted(letters[:-1], letters[1:]), tokens[:60])
    assert seen is not None
    assert seen.observed[0] > 0.1
    assert symptoms(probe=seen, steps=1_000) == []


def test_frozen_weights_have_updates_of_0():
    found = symptoms(update_ratios={"embedding": -math.inf, "input.weight": -3.0})
    assert found == ["frozen weights"]


def test_a_difference_that_statistics_explain_is_no_fault_of_the_batches():
    losses = {"final_loss": 2.4, "loss_train": 2.9, "steps": 1_000}
    assert symptoms(**losses) == ["few examples in the batches"]
    gap = running.Gap("a.norm", 0.5, 0.0, untouched=True, other="")
    assert symptoms(**losses, running=[gap]) == ["running statistics never updated"]


def test_a_batch_that_repeats_is_found_before_what_it_does_to_the_statistics(tokens):
    """With a dataset whose draws ignore their key, beside the same one whose draws do not."""
    model, recipe = mlp.MLP(hidden_size=7), train.Recipe(batch_size=13)
    state = train.init(model, recipe, jax.random.key(0))
    gap = running.Gap("a.norm", 0.5, 0.0, untouched=False, other="")
    for same, found in (
        (True, ["few examples in the batches", "running statistics off"]),
        (False, []),
    ):
        data = injections.Misread(jnp.asarray(tokens), model.block_size, same_key=same)
        share = repeated_rows(model, recipe, state, data)
        assert share is not None
        assert share == 1 if same else share < 0.5
        gaps = [gap] * same
        assert symptoms(repeated_rows=share, running=gaps, steps=1_000) == found
    data = injections.Misread(jnp.asarray(tokens), model.block_size, same_key=True)
    for other in (train.Recipe(batch_size=7), train.Recipe(data="all-contexts")):
        assert repeated_rows(model, other, state, data) is None


def test_options_are_written_as_they_are_typed():
    changes = {"learning_rate": 0.01, "norm": "batch", "residual": True, "watch": False}
    assert option(changes) == "--learning-rate 0.01 --norm batch --residual --no-watch"
    finding = Finding("slow", "training", 1.0, 2.0, "a higher learning rate", changes=changes)
    assert finding.advice.startswith("try a higher learning rate (--learning-rate 0.01 ")
