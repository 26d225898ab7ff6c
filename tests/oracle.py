"""The network again in PyTorch, from its formula, with torch's autograd.

`python tests/oracle.py` writes what it computes for a small network to `oracle.npz`, for people
without torch. Parameters are those of `mmjax.mlp`, with torch tensors as leaves.
"""

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from test_parity import BATCH, LEARNING_RATE, SMALL, STEPS, STORED

from mmjax import layers, mlp


def forward(config, params, stats, contexts, *, train):
    """Return (logits, new running moments), with the unbiased variance everywhere."""
    x = params.embedding[contexts].flatten(start_dim=1)
    x = torch.tanh(x @ params.input.weight + params.input.bias)
    new = []
    for i, block in enumerate([*params.hidden, params.output]):
        x = x @ block.linear.weight + block.linear.bias
        running = [*stats.hidden, stats.output][i]
        mean, var = (x.mean(0), x.var(0, unbiased=True)) if train else running
        x = block.norm.gamma * (x - mean) / torch.sqrt(var + config.eps) + block.norm.beta
        m = config.momentum
        new.append(
            layers.Moments(
                ((1 - m) * running.mean + m * mean).detach() if train else running.mean,
                ((1 - m) * running.var + m * var).detach() if train else running.var,
            )
        )
        if i < len(params.hidden):
            x = torch.tanh(x)
    return x, mlp.Stats(tuple(new[:-1]), new[-1])


def train(config, params, stats, batches, learning_rate):
    """Train with manual SGD over `batches`, as in the lecture.

    Return the arrays that the test compares: losses of all steps; logits, gradients and running
    moments of the first step; parameters and moments after the last.
    """
    params = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf), requires_grad=True), params)
    stats = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf)), stats)
    leaves = jax.tree.leaves(params)
    losses, first = [], {}
    for step, (contexts, targets) in enumerate(zip(*batches, strict=True)):
        contexts, targets = (torch.tensor(np.asarray(a, np.int64)) for a in (contexts, targets))
        logits, stats = forward(config, params, stats, contexts, train=True)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        for leaf in leaves:
            leaf.grad = None
        loss.backward()
        if step == 0:
            first = numpy_tree(
                {
                    "logits": logits,
                    "grads": [leaf.grad for leaf in leaves],
                    "first_stats": jax.tree.leaves(stats),
                }
            )
        for leaf in leaves:
            leaf.data -= learning_rate * leaf.grad
        losses.append(loss.item())
    last = {"params": jax.tree.leaves(params), "stats": jax.tree.leaves(stats)}
    return first | numpy_tree(last) | {"losses": np.array(losses)}


def numpy_tree(tree):
    return jax.tree.map(lambda leaf: leaf.detach().numpy().copy(), tree)


def small_problem():
    """Return float64 parameters, moments and batches of a network with prime sizes."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: mlp.init(SMALL, jax.random.key(0)))
    params, stats = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)
    stats = jax.tree.map(np.exp, stats)
    contexts = rng.integers(0, SMALL.vocab_size, (STEPS, BATCH, SMALL.block_size))
    targets = rng.integers(0, SMALL.vocab_size, (STEPS, BATCH))
    return params, stats, (contexts, targets)


if __name__ == "__main__":
    params, stats, batches = small_problem()
    problem = {
        "params": jax.tree.leaves(params),
        "stats": jax.tree.leaves(stats),
        "batches": batches,
    }
    result = train(SMALL, params, stats, batches, LEARNING_RATE)
    arrays = jax.tree.leaves_with_path({"problem": problem, "result": result})
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in arrays}
    np.savez_compressed(STORED, **named)
    print(f"{STORED.name}: {len(named)} arrays, {STORED.stat().st_size:,} bytes")
