"""The network against PyTorch, over 50 steps of SGD.

Both have the same weights and batches, and every figure is compared: in float32, and again in
float64, where the tolerance is too small for a match by chance. Without torch the figures come from
`oracle.npz`, which `python tests/oracle.py` writes.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import corpus, mlp, train, vocab
from mmjax.data import Batch

STORED = Path(__file__).parent / "oracle.npz"
SMALL = mlp.MLP(vocab_size=11, block_size=5, embedding_dim=3, hidden_size=7, hidden_layers=3)
STEPS, BATCH, LEARNING_RATE = 50, 13, 0.1
TOLERANCE = {"float32": 2e-4, "float64": 1e-11}


def trained(config, params, stats, batches, dtype):
    """Return what `oracle.train` returns, by this library, in the given precision."""
    recipe = train.Recipe(learning_rate=LEARNING_RATE)
    cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (params, stats))
    state = train.init(config, recipe, jax.random.key(0))
    state = state._replace(params=cast[0], stats=cast[1])
    contexts, targets = map(jnp.asarray, batches)

    def loss(params):
        logits, stats = mlp.apply(config, params, cast[1], contexts[0], train=True)
        return train.cross_entropy(logits, targets[0]), (logits, stats)

    grads, (logits, first_stats) = jax.jit(jax.grad(loss, has_aux=True))(cast[0])

    def step(state, batch):
        return train.train_step(config, recipe, state, Batch(*batch))

    state, losses = jax.jit(lambda state: jax.lax.scan(step, state, (contexts, targets)))(state)
    return {
        "logits": logits,
        "grads": jax.tree.leaves(grads),
        "first_stats": jax.tree.leaves(first_stats),
        "params": jax.tree.leaves(state.params),
        "stats": jax.tree.leaves(state.stats),
        "losses": losses,
    }


def assert_same(ours, theirs, dtype):
    assert ours["logits"].dtype == ours["losses"].dtype == dtype
    assert all(leaf.dtype == dtype for leaf in ours["params"] + ours["stats"])
    for what in theirs:
        for ours_leaf, their_leaf in zip(
            *map(jax.tree.leaves, (ours[what], theirs[what])), strict=True
        ):
            np.testing.assert_allclose(
                ours_leaf, their_leaf, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype], err_msg=what
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stored_figures(dtype):
    arrays = np.load(STORED, allow_pickle=False)

    def stored(prefix):
        named = {name: arrays[name] for name in arrays.files if name.startswith(prefix + ".")}
        return [named[name] for name in sorted(named, key=lambda n: int(n.rsplit(".", 1)[1]))]

    shapes = jax.eval_shape(lambda: mlp.init(SMALL, jax.random.key(0)))
    params, stats = (
        jax.tree.unflatten(jax.tree.structure(tree), stored(f"problem.{what}"))
        for tree, what in zip(shapes, ("params", "stats"), strict=True)
    )
    theirs = {
        what: stored(f"result.{what}") for what in ("grads", "first_stats", "params", "stats")
    }
    theirs |= {what: arrays[f"result.{what}"] for what in ("logits", "losses")}
    with jax.enable_x64(dtype == "float64"):
        ours = trained(SMALL, params, stats, stored("problem.batches"), dtype)
    assert_same(ours, theirs, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pytorch_on_the_lectures_network(dtype, shipped_names):
    pytest.importorskip("torch", reason="needs the extra 'parity'")
    import oracle

    config = mlp.MLP()
    v = vocab.build(shipped_names)
    tokens = jnp.asarray(corpus.encode(v, shipped_names))
    index = jax.random.randint(jax.random.key(1), (STEPS * 32,), 0, len(tokens) - 1)
    contexts, targets = corpus.windows(tokens, index, 3)
    batches = np.asarray(contexts).reshape(STEPS, 32, 3), np.asarray(targets).reshape(STEPS, 32)
    params, stats = jax.tree.map(
        lambda leaf: np.asarray(leaf, dtype), mlp.init(config, jax.random.key(0))
    )
    theirs = oracle.train(config, params, stats, batches, LEARNING_RATE)
    with jax.enable_x64(dtype == "float64"):
        ours = trained(config, params, stats, batches, dtype)
    assert len(ours["grads"]) == 23
    assert_same(ours, theirs, dtype)


@pytest.mark.slow
def test_evaluation_against_pytorch():
    torch = pytest.importorskip("torch", reason="needs the extra 'parity'")
    import oracle

    params, stats, (contexts, _) = oracle.small_problem()
    torch_params, torch_stats = jax.tree.map(torch.tensor, (params, stats))
    theirs, kept = oracle.forward(
        SMALL, torch_params, torch_stats, torch.tensor(contexts[0]), train=False
    )
    with jax.enable_x64(True):
        jax_params, jax_stats = jax.tree.map(jnp.asarray, (params, stats))
        ours, _ = mlp.apply(SMALL, jax_params, jax_stats, jnp.asarray(contexts[0]), train=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    jax.tree.map(np.testing.assert_array_equal, oracle.numpy_tree(kept), stats)
