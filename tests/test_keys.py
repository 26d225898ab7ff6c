"""Random keys: each use has its own stream of numbers.

With every kind of key, a run is the same in one piece, in several pieces, and beside others, up to
rounding.
"""

from functools import partial
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import Predictor, Vocab, bigram, data, keys, members, mlp, sample, train
from mmjax.diagnostics.snapshot import contexts_to_measure

MODEL = mlp.MLP(vocab_size=11, block_size=2, embedding_dim=97, hidden_size=97, hidden_layers=3)
RECIPE = train.Recipe(steps=24, batch_size=1_024, drop_step=9)
SMALL = train.Recipe(steps=24, batch_size=13, drop_step=9)
TINY = mlp.MLP(vocab_size=11, block_size=2, embedding_dim=3, hidden_size=13, hidden_layers=2)
WIDE = Vocab("".join(chr(0x4E00 + i) for i in range(2_000)))
BIGRAM = bigram.Bigram(2_001)


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(0).integers(0, 11, 4_999).astype(np.uint8)


def streams(key):
    """Yield (name, 1,024 random numbers) for each use of a key."""
    state = train.init(MODEL, RECIPE, key)
    for path, leaf in jax.tree.leaves_with_path(state.params):
        if np.ndim(leaf) == 2 and np.size(leaf) >= 1_024 and np.std(leaf):
            yield f"initial{jax.tree_util.keystr(path)}", np.ravel(leaf)[:1_024]
    # Every place in this list has a different context, which shows that the place was drawn.
    places = data.of("windows", jnp.arange(2_001, dtype=jnp.uint16), BIGRAM)
    yield "batch", train.draw_batch(BIGRAM, RECIPE, state, places).contexts[:, 0]
    noisy = data.noised(places, np.arange(2_001), BIGRAM, [1.0])
    yield "noise", noisy.draw(jax.random.fold_in(state.key, 0), 1_024).letters[:, 0]
    yield "instrument", contexts_to_measure(BIGRAM, state, places, 1_024)[:, 0]
    layers = jax.random.fold_in(jax.random.fold_in(state.key, 0), keys.LAYERS)
    yield "layers", jax.random.uniform(layers, (1_024,))
    # All letters are equally likely, so the first letter shows its uniform random number.
    uniform = Predictor(BIGRAM, bigram.Params(jnp.zeros((2_001, 2_001))), ())
    names = islice(sample.stream(uniform, WIDE, key, max_length=1), 1_024)
    yield "names", [ord(drawn.name or "\0") for drawn in names]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_no_two_uses_of_a_key_see_the_same_numbers(seed):
    """The ranks of different streams do not correlate.

    For independent streams of 1,024 numbers, the rank correlation has a standard deviation of 1/32.
    It exceeds five of these less than once in a million times.
    """
    found = dict(streams(jax.random.key(seed)))
    assert len(found) == 10
    ranks = np.array([np.argsort(np.argsort(np.asarray(x))) for x in found.values()])
    correlations = np.corrcoef(ranks) - np.eye(len(ranks))
    worst = np.unravel_index(np.argmax(abs(correlations)), correlations.shape)
    assert abs(correlations).max() < 5 / 32, [[*found][i] for i in worst]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rbg", "threefry2x32"])
def test_every_kind_of_key_gives_the_same_run_in_pieces_and_beside_others(tokens, kind):
    """Under plain `vmap`, rbg keys would draw all numbers from the first key."""
    both = jax.vmap(partial(jax.random.key, impl=kind))(jnp.arange(2))
    alone = [train.run(TINY, SMALL, key, tokens)[1] for key in both]
    assert not np.array_equal(alone[0], alone[1])
    state = train.init(TINY, SMALL, both[1])
    state, first = train.advance(TINY, SMALL, state, tokens, steps=10)
    _, second = train.advance(TINY, SMALL, state, tokens, steps=14)
    np.testing.assert_allclose(np.append(first, second), alone[1], rtol=1e-4)
    states = members.init(TINY, SMALL, both)
    _, losses = members.advance(TINY, SMALL, states, tokens, steps=24)
    np.testing.assert_allclose(losses, alone, rtol=1e-4)
