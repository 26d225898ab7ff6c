"""What training does when numbers stop being numbers, and what it says of it."""

import json
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import NAMES, contents, run, summary

from experiments import training
from experiments.program import Interruption
from mmjax import checkpoint, mlp, train

MODEL = mlp.MLP(vocab_size=5, block_size=2, embedding_dim=3, hidden_size=7, hidden_layers=3)
RECIPE = train.Config(steps=40, batch_size=5)
TOKENS = jnp.asarray(np.array([0, 1, 2, 0, 3, 4, 1, 0, 2, 2, 0], np.uint8))


def beginning():
    return train.init(MODEL, RECIPE, jax.random.key(0))


def block(params, name):
    return params.hidden[0] if name == "hidden.0" else getattr(params, name)


@pytest.mark.parametrize("name", ["input", "hidden.0", "output"])
def test_the_layer_whose_output_is_the_first_to_overflow_is_named(name):
    state = beginning()
    params = state.params
    if name == "input":
        params = params._replace(
            input=params.input._replace(weight=jnp.sign(params.input.weight) * 2e38)
        )
    else:
        one = block(params, name)
        one = one._replace(linear=one.linear._replace(weight=jnp.sign(one.linear.weight) * 2e38))
        whole = {"output": one} if name == "output" else {"hidden": (one, *params.hidden[1:])}
        params = params._replace(**whole)
    there = training.origin(MODEL, RECIPE, state._replace(params=params), TOKENS, 0)
    # Sums of numbers as large as can be: the linear layer, or the variance of what it gives.
    assert there in (f"{name}.linear", f"{name}.norm")


def test_an_update_that_overflows_is_named():
    """The gradients are finite, the learning rate times them is not."""
    recipe = train.Config(steps=40, batch_size=5, learning_rate=1e6)
    state = train.init(MODEL, recipe, jax.random.key(0))
    state = state._replace(opt_state=state.opt_state._replace(factor=jnp.asarray(3e38)))
    after, losses = train.advance(MODEL, recipe, train.copied(state), TOKENS, steps=4)
    bad = training.first_bad(after, np.asarray(losses))
    assert bad == 1  # the second step is the first to see it
    assert training.origin(MODEL, recipe, state, TOKENS, bad).startswith("the update of ")


def test_a_state_that_is_no_number_is_found_behind_losses_that_are():
    state = beginning()
    good = np.zeros(4)
    assert training.first_bad(state, good) is None
    assert training.first_bad(state, np.array([0, 0, np.inf, np.nan])) == 2
    for spoilt in (
        state._replace(params=jax.tree.map(lambda x: x * np.nan, state.params)),
        state._replace(stats=jax.tree.map(lambda x: x * np.nan, state.stats)),
        state._replace(opt_state=state.opt_state._replace(factor=jnp.asarray(jnp.inf))),
    ):
        assert training.first_bad(spoilt, good) == 4


@pytest.mark.parametrize("seeds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_diverges_says_where_and_keeps_its_last_finite_state(
    monkeypatch, capsys, tmp_path, seeds
):
    (tmp_path / "names").write_text(NAMES)
    out = tmp_path / "run"
    options = ("--names", tmp_path / "names", "--out", out, "--steps", 400, "--hidden-size", 7)
    rate = ("--recipe", "fast", "--learning-rate", 1e6, "--warmup", 0, "--batch-size", 8)
    with jax.numpy_dtype_promotion("standard"):
        status, _, err = run(monkeypatch, capsys, "mlp", *options, *rate, "--seeds", seeds)
    assert status == 1
    line = r"the loss of step {}.* is no finite number; it began in {}; stopped and kept the state of step {:,}; start"
    assert len(err.splitlines()) == seeds
    for seed in range(seeds):
        found = summary(out / f"seed-{seed}" if seeds > 1 else out)
        expected = line.format(found["stopped_at_step"], found["stopped_in"], found["steps"])
        assert re.search(expected, err)
        assert 0 <= found["stopped_at_step"] - found["steps"] <= 8  # within one chunk
    steps = {path.name for path in contents(out) if path.parent.name == "checkpoints"}
    assert steps
    for path in (out / "checkpoints").iterdir():
        assert training.finite(training.trained(checkpoint.load(path).state))


def test_chunks_are_even_and_metrics_bounded():
    for steps in (0, 1, 2, 49, 99, 100, 1_000, 50_000, 200_000, 2_000_000, 10**7 + 1, 2**31 - 1):
        chunk = training.chunk_size(train.Config(steps=steps), 47_351)
        assert chunk % 2 == 0
        assert chunk > 0
        assert steps / chunk <= 5_001
        if 100 <= steps <= 5_000_000:
            assert steps / chunk >= 49 or chunk == 1_000
    heavy = training.chunk_size(train.Config(batch_size=2**20), 47_351)
    assert heavy == 40  # so that it does not take hours to interrupt


@pytest.mark.parametrize("steps", [0, 37, 100, 151])
def test_the_final_loss_is_the_mean_of_the_last_100_steps(monkeypatch, steps):
    """Also where a chunk is shorter than that, and where another run goes on from a checkpoint."""
    monkeypatch.setattr(training, "chunk_size", lambda recipe, parameters: 16)
    advance, losses, kept = training.advance, [], []

    def recorded(*args):
        chunk = advance(*args)
        losses.extend(chunk.losses[0].tolist())
        return chunk

    def final_loss(steps, start=None):
        run: Any = training.fit(
            *(MODEL, train.Config(steps=steps, batch_size=8), [0], TOKENS, np.asarray(TOKENS)),
            *(lambda records: None, Interruption()),
            watch=False,
            keep=lambda states, progress, best: kept.append((train.copied(states), progress)),
            start=start,
        )
        return run[0][1].final_loss

    monkeypatch.setattr(training, "advance", recorded)
    half = final_loss(steps // 2)
    assert half == (pytest.approx(np.mean(losses[-100:])) if losses else None)
    states, progress = kept[-1]
    saved = training.Progress.of(json.loads(json.dumps(progress._asdict())), 1)
    whole = final_loss(steps, (states, saved))
    assert len(losses) == steps
    assert whole == (pytest.approx(np.mean(losses[-100:])) if losses else None)
