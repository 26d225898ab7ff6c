"""The lecture's exercises, each with its answer.

The exercises are those below the videos of parts 1 to 3 of the lecture series. That BatchNorm can
be folded into the layer before it is shown in `test_architecture`.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import bigram, corpus, counting, evaluate, lookup, mlp, train, vocab
from mmjax.counting import smoothing
from mmjax.data import context_table
from mmjax.model import Predictor, named


@pytest.fixture(scope="module")
def letters(shipped_names):
    return vocab.build(shipped_names)


@pytest.fixture(scope="module")
def parts(letters, shipped_names):
    return [corpus.encode(letters, part) for part in corpus.split(shipped_names)]


def smoothed(tokens, vocab_size, block_size, more):
    """Return the table of counted contexts with `more` added to every count."""
    model = lookup.Table(vocab_size, block_size)
    rows = context_table.examples(tokens, block_size).astype(np.int64)
    index = np.asarray(lookup.index(model, jnp.asarray(rows[:, :-1])))
    counted = np.zeros((lookup.size(model), vocab_size))
    np.add.at(counted, (index, rows[:, -1]), 1)
    logits = np.log(counted + more)
    return Predictor(model, lookup.Params(jnp.asarray(logits, jnp.float32)), ())


def test_a_trigram_is_better_than_a_bigram(parts):
    """Two letters of context say more than one: about 0.22 nats per character."""
    train_part, val, _ = parts
    bigrams, trigrams = (smoothed(train_part, 27, block, 1.0) for block in (1, 2))
    gain = evaluate.loss(bigrams, val) - evaluate.loss(trigrams, val)
    assert gain == pytest.approx(0.22, abs=0.01)


@pytest.mark.slow
def test_a_trained_trigram_is_the_counted_one(letters, shipped_names):
    """Gradient descent over all contexts comes to the frequencies."""
    tokens = corpus.encode(letters, shipped_names[:300])
    model = lookup.Table(27, 2)
    recipe = train.Recipe(
        steps=4_000, data="all-contexts", learning_rate=100.0, schedule="constant"
    )
    state, losses = train.run(model, recipe, jax.random.key(0), tokens)
    floor = evaluate.loss(smoothed(tokens, 27, 2, 1e-6), tokens)
    assert float(losses[-1]) == pytest.approx(floor, abs=0.02)
    assert float(losses[-1]) > floor - 1e-4
    assert train.predictor(model, state).logits(jnp.zeros((1, 2), jnp.int32)).shape == (1, 27)


def test_smoothing_is_tuned_on_validation_names(parts):
    """On training names less smoothing is always better; on others there is a best amount."""
    train_part, val, test = parts
    amounts = (0.01, 0.1, 0.3, 1.0, 10.0)
    tables = [smoothed(train_part, 27, 2, more) for more in amounts]
    own, others = ([evaluate.loss(table, part) for table in tables] for part in (train_part, val))
    assert own == sorted(own)
    best = int(np.argmin(others))
    assert 0 < best < len(amounts) - 1
    assert evaluate.loss(tables[best], test) < min(
        evaluate.loss(tables[i], test) for i in (0, len(amounts) - 1)
    )


def first_losses(model, tokens, steps):
    state = train.init(model, train.Recipe(), jax.random.key(0))
    _, losses = train.advance(model, train.Recipe(), state, tokens, steps=steps)
    return np.asarray(losses)


@pytest.mark.slow
def test_a_first_loss_of_ln_27_spares_the_hockey_stick(parts):
    """With large logits, the first steps only make them small.

    So the loss starts far above ln 27 = 3.30 and falls at once, to where the other is after as many
    steps.
    """
    right = mlp.MLP(hidden_size=31, hidden_layers=2, norm="none")
    wrong = replace(right, output_gamma=10.0)
    good, bad = (first_losses(model, parts[0], 200) for model in (right, wrong))
    assert good[0] == pytest.approx(np.log(27), abs=0.05)
    assert bad[0] > 10
    assert good.max() < np.log(27) + 0.3
    assert bad[-20:].mean() > good[-20:].mean()


def test_from_all_zeros_only_the_last_bias_moves(parts):
    """Every other gradient is a product with a weight or an output that is 0."""
    model = mlp.MLP(hidden_size=31, hidden_layers=2, norm="none")
    recipe = train.Recipe(steps=20)
    state = train.init(model, recipe, jax.random.key(0))
    state = state._replace(params=jax.tree.map(jnp.zeros_like, state.params))
    state, losses = train.advance(model, recipe, state, parts[0], steps=20)
    moved = [name for name, leaf in named(state.params).items() if np.asarray(leaf).any()]
    assert moved == ["output.linear.bias"]
    # It learns how often each letter occurs, and nothing else.
    assert losses[-1] < losses[0]


def test_names_that_stand_in_the_list_twice_flatter_the_loss(letters, shipped_names):
    """Some of the validation names stand in the training part, too.

    The list has girls' and boys' names. Each name once, the loss on validation names is that on
    unseen names of the whole list, within 0.02.
    """
    losses = {}
    for title, names in (("all", shipped_names), ("once", [*dict.fromkeys(shipped_names)])):
        splits = corpus.split(names)
        tree = counting.grow(corpus.encode(letters, splits.train), letters.size, 4)
        table = smoothing.table(tree)
        unseen = corpus.unseen(splits.val, {*splits.train})
        losses[title] = [
            smoothing.nll(tree, table, corpus.encode(letters, part))
            for part in (splits.val, unseen)
        ]
        assert (len(unseen) < len(splits.val)) == (title == "all")
    assert losses["all"][0] < losses["all"][1] - 0.02
    assert losses["once"][0] == pytest.approx(losses["all"][1], abs=0.02)


def test_one_hot_times_a_matrix_is_a_row(letters):
    """So the bigram looks its row up."""
    model = bigram.Bigram(letters.size)
    params, _ = model.init(jax.random.key(0))
    tokens = jnp.arange(letters.size)
    product = jax.nn.one_hot(tokens, letters.size) @ params.weight
    logits, _ = model.apply(params, (), tokens[:, None], train=True)
    np.testing.assert_allclose(logits, product, rtol=1e-6)


def test_cross_entropy_is_the_negative_log_of_the_softmax():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(13, 7)), jnp.float32)
    targets = jnp.asarray(np.random.default_rng(1).integers(7, size=13))
    by_hand = -jnp.log(jax.nn.softmax(logits))[jnp.arange(13), targets].mean()
    assert float(train.cross_entropy(logits, targets)) == pytest.approx(float(by_hand), rel=1e-5)
