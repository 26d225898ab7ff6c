"""The lecture's figures, on the lecture's list.

Where the lecture contradicts itself, the tests have the figures that hold.
"""

import hashlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import MAKEMORE_SHA256, OPTIMISED

from mmjax import (
    Predictor,
    bigram,
    corpus,
    counts,
    data,
    diagnostics,
    evaluate,
    members,
    mlp,
    sample,
    train,
    vocab,
)
from mmjax.data import context_table
from mmjax.diagnostics import snapshot


@pytest.fixture(scope="module")
def letters(makemore_names):
    return vocab.build(makemore_names)


@pytest.fixture(scope="module")
def table(makemore_names, letters):
    return counts.bigrams(corpus.encode(letters, makemore_names), letters.size)


def test_it_is_the_lectures_list(makemore_path, makemore_names, letters, table):
    assert hashlib.sha256(makemore_path.read_bytes()).hexdigest() == MAKEMORE_SHA256
    assert len(makemore_names) == 32_033
    assert len(set(makemore_names)) == 29_494
    assert letters.characters == "abcdefghijklmnopqrstuvwxyz"
    assert table.sum() == 228_146
    assert (table == 0).sum() == 102


@pytest.mark.parametrize(
    ("shuffles", "examples"), [(2, [182_580, 22_767, 22_799]), (1, [182_625, 22_655, 22_866])]
)
def test_splits(makemore_names, letters, shuffles, examples):
    splits = corpus.split(makemore_names, shuffles=shuffles)
    assert [len(part) for part in splits] == [25_626, 3_203, 3_204]
    assert [len(corpus.encode(letters, part)) - 1 for part in splits] == examples


def test_398_validation_names_also_stand_in_the_training_part(makemore_names):
    splits = corpus.split(makemore_names)
    assert len(splits.val) - len(corpus.unseen(splits.val, {*splits.train})) == 398


def test_the_floor_and_the_smoothed_table(table):
    assert counts.entropy_floor(table) == pytest.approx(2.454014, abs=5e-7)
    smoothed = counts.probabilities(table, smoothing=1)
    assert counts.nll(smoothed, table) == pytest.approx(2.454577, abs=5e-7)


def test_almajq(table, letters):
    rows = counts.spell("almajq", counts.probabilities(table, smoothing=1), letters)
    assert [f"{row.pair}: {row.probability:.3f}" for row in rows] == [
        ".a: 0.138",
        "al: 0.075",
        "lm: 0.004",
        "ma: 0.389",
        "aj: 0.005",
        "jq: 0.000",
        "q.: 0.097",
    ]
    assert np.mean([row.nll for row in rows]) == pytest.approx(3.7908, abs=5e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learning_rate", "steps", "loss", "nll", "within"),
    [
        # The lecture's own settings, from N(0, 1) weights, end far above its 2.425.
        (0.1, 100, 3.67, 3.66, 0.1),
        (50.0, 100, 2.4891, 2.4737, 0.003),
        (50.0, 5_000, 2.4804, 2.4604, 0.0001),
    ],
)
def test_the_neural_bigram(table, learning_rate, steps, loss, nll, within):
    """Losses with and without the penalty are means over three seeds."""
    config = bigram.Bigram()
    penalised = partial(bigram.loss, config, penalty=0.01)
    optimizer = train.sgd(lambda _: learning_rate)
    ends = []
    for seed in range(3):
        params, _ = bigram.init(config, jax.random.key(seed))
        params, _ = train.minimize(penalised, optimizer, params, jnp.asarray(table), steps=steps)
        probs = np.asarray(bigram.probabilities(config, params), np.float64)
        ends.append([float(penalised(params, jnp.asarray(table))), counts.nll(probs, table)])
    assert np.mean(ends, axis=0) == pytest.approx([loss, nll], abs=within)
    assert np.min(ends) > 2.425 + 0.02


def test_the_neural_bigrams_first_loss_is_half_a_nat_above_ln_27(table):
    """Weights from N(0, 1) add about half their variance to the loss.

    A start at 3.3 needs zero weights.
    """
    config, device_counts = bigram.Bigram(), jnp.asarray(table)
    losses = [
        float(bigram.loss(config, bigram.init(config, key)[0], device_counts, penalty=0.0))
        for key in jax.random.split(jax.random.key(0), 31)
    ]
    print(f"first loss of the bigram: mean {np.mean(losses):.4f}, std {np.std(losses, ddof=1):.4f}")
    assert np.mean(losses) == pytest.approx(np.log(27) + 0.5, abs=0.05)
    zero = bigram.Params(jnp.zeros((27, 27)))
    assert float(bigram.loss(config, zero, device_counts, penalty=0.0)) == pytest.approx(np.log(27))


def test_the_first_loss_is_near_ln_27(makemore_names, letters):
    """The lecture's 3.2972 is one draw.

    Ours, over 31 seeds, are spread around ln 27 = 3.2958.
    """
    tokens = corpus.encode(letters, corpus.split(makemore_names).train)
    recipe = train.Recipe(steps=1)
    keys = jax.random.split(jax.random.key(0), 31)
    _, losses = jax.vmap(lambda key: train.run(mlp.MLP(), recipe, key, tokens))(keys)
    mean, std = float(losses.mean()), float(losses.std(ddof=1))
    print(f"first loss: mean {mean:.4f}, std {std:.4f}")
    assert mean == pytest.approx(np.log(27), abs=0.01)
    assert abs(3.2972 - mean) < 3 * std < 0.06


@pytest.mark.slow
def test_the_full_recipe(makemore_names, letters):
    """The validation loss is 2.085 within 0.01, and the network agrees with counting.

    The loss is the mean over 3 seeds after 200,000 steps. Only the saturation of the first layer,
    which has no BatchNorm, is worth a note.
    """
    splits = corpus.split(makemore_names)
    parts = [corpus.encode(letters, names) for names in splits]
    config, recipe = mlp.MLP(), train.Recipe()
    ends = []
    run = jax.jit(partial(train.run, config, recipe), compiler_options=OPTIMISED)
    for seed in range(3):
        state, _ = run(jax.random.key(seed), jnp.asarray(parts[0]))
        predictor = Predictor(config, state.params, state.stats)
        ends.append([evaluate.loss(predictor, part) for part in parts])
        names = sample.names(predictor, letters, jax.random.key(seed), 20_000)
        check = evaluate.count_check(predictor, parts[0], corpus.encode(letters, names), parts[1])
        assert check.kl_predicted < 0.01
        assert check.kl_sampled < 0.02
        examples = data.of("windows", jnp.asarray(parts[0]), config)
        seen = snapshot.take(config, recipe, state, examples)
        print([f"{row.saturation:.1f} ± {row.saturation_error:.1f}" for row in seen.activations])
        (finding,) = diagnostics.health(diagnostics.Evidence(seen.activations, seen.gradients))
        assert (finding.grade, finding.where) == ("note", "layer 1 (input.tanh)")
    ends = np.array(ends)
    print(f"train, val, test: mean {ends.mean(axis=0)}, std {ends.std(axis=0, ddof=1)}")
    assert ends.mean(axis=0) == pytest.approx([2.002, 2.085, 2.089], abs=0.01)
    assert ends.std(axis=0, ddof=1).max() < 0.01


DOCUMENT_ACTIVATIONS = {  # layer: mean, std, saturation in percent
    1: (0.02, 0.77, 24.81),
    4: (-0.01, 0.63, 3.34),
    7: (0.01, 0.64, 2.88),
    10: (0.00, 0.64, 2.47),
    13: (-0.00, 0.65, 1.75),
}
DOCUMENT_GRADIENTS = {1: 3.23e-03, 4: 3.01e-03, 7: 2.70e-03, 10: 2.47e-03, 13: 2.44e-03}
DOCUMENT_WEIGHTS = {  # gradient std, grad:data ratio
    "embedding": (8.86e-03, 8.62e-03),
    "input.weight": (9.04e-03, 2.93e-02),
    "hidden.0.linear.weight": (6.78e-03, 4.07e-02),
    "hidden.1.linear.weight": (6.11e-03, 3.65e-02),
    "hidden.2.linear.weight": (5.82e-03, 3.46e-02),
    "hidden.3.linear.weight": (5.12e-03, 3.04e-02),
    "output.linear.weight": (9.08e-03, 5.32e-02),
}


@pytest.mark.slow
def test_the_lectures_three_tables_after_1_000_steps(makemore_names, letters):
    """The lecture's one run is compared with 5 of our seeds.

    The tables are of the batch of step 1,000. The lecture's output weights have a std of
    9.08e-3 / 5.32e-2 = 0.171, so they had the gain of 5/3 too.
    """
    tokens = jnp.asarray(corpus.encode(letters, corpus.split(makemore_names).train))
    config, recipe = mlp.MLP(), train.Recipe(steps=1_000)
    inspect = jax.jit(diagnostics.inspect, static_argnums=0)
    ours: dict[str, list[list[float]]] = {}
    for seed in range(5):
        state, _ = train.run(config, recipe, jax.random.key(seed), tokens)
        batch = train.draw_batch(config, recipe, state, tokens)
        inside = inspect(config, state.params, state.stats, batch)
        for a in diagnostics.activations(config, inside.outputs):
            ours.setdefault(f"layer {a.layer}", []).append([a.mean, a.std, a.saturation])
        for g in diagnostics.gradients(config, inside):
            ours.setdefault(f"gradient {g.layer}", []).append([g.std])
        for w in diagnostics.weight_gradients(state.params, inside.grads):
            ours.setdefault(w.name, []).append([w.std, w.ratio])
    document = {f"layer {layer}": row for layer, row in DOCUMENT_ACTIVATIONS.items()}
    document |= {f"gradient {layer}": (std,) for layer, std in DOCUMENT_GRADIENTS.items()}
    document |= DOCUMENT_WEIGHTS
    assert set(ours) == set(document)
    for name, theirs in document.items():
        mean, std = np.mean(ours[name], axis=0), np.std(ours[name], axis=0, ddof=1)
        figures = " | ".join(
            f"{t:.3g} | {m:.3g} ± {s:.2g}" for t, m, s in zip(theirs, mean, std, strict=True)
        )
        print(f"| {name} | {figures} |")
        assert (abs(np.array(theirs) - mean) < 3.5 * std).all(), name


@pytest.mark.slow
def test_the_fast_recipe_is_better_than_the_lectures_in_its_own_measure(makemore_names, letters):
    """The mean validation loss over 5 seeds is below 2.075.

    The lecture's recipe reaches 2.084; the best published figure is 2.0822.
    """
    splits = corpus.split(makemore_names)
    found = context_table.collect(corpus.encode(letters, splits.train), 27, 3)
    config, recipe = mlp.MLP(), train.RECIPES["fast"]
    keys = jax.vmap(jax.random.key)(np.arange(5, dtype=np.uint32))
    with jax.numpy_dtype_promotion("standard"):  # nadamw raises a float to the power of its step
        states = members.init(config, recipe, keys)
        advance = partial(members.advance, config, recipe, steps=recipe.steps)
        states, _ = jax.jit(advance, compiler_options=OPTIMISED)(states, found)
    val = corpus.encode(letters, splits.val)
    losses = [
        evaluate.loss(Predictor(config, state.params, state.stats), val)
        for state in members.unstack(states)
    ]
    print(f"validation loss {np.mean(losses):.4f} ± {np.std(losses, ddof=1):.4f}")
    assert np.mean(losses) < 2.075
    assert max(losses) < 2.083
