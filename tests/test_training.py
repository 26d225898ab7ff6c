"""What training does and says if a number is not finite.

Also the size of its chunks, and its final loss.
"""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import NAMES, contents, run, summary

from mmjax import checkpoint, mlp, train
from mmjax.commands import training
from mmjax.diagnostics import divergence
from mmjax.runs.saver import progress_of
from mmjax.train.loop import finite, first_bad

MODEL = mlp.MLP(vocab_size=5, block_size=2, embedding_dim=3, hidden_size=7, hidden_layers=3)
RECIPE = train.Recipe(steps=40, batch_size=5)
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
    there = divergence.origin(MODEL, RECIPE, state._replace(params=params), TOKENS, 0)
    # Sums of very large numbers overflow in the linear layer, or in the variance of its output.
    assert there in (f"{name}.linear", f"{name}.norm")


@pytest.mark.slow
def test_an_update_that_overflows_is_named():
    """The gradients are finite, but the learning rate times them is not."""
    recipe = train.Recipe(steps=40, batch_size=5, learning_rate=1e6)
    state = train.init(MODEL, recipe, jax.random.key(0))
    state = state._replace(hyper={"learning_rate": jnp.asarray(jnp.inf)})
    after, losses = train.advance(MODEL, recipe, train.copied(state), TOKENS, steps=4)
    bad = first_bad(after, np.asarray(losses))
    assert bad == 1  # the second step is the first to see it
    assert divergence.origin(MODEL, recipe, state, TOKENS, bad).startswith("the update of ")


def test_a_state_that_is_no_number_is_found_behind_losses_that_are():
    state = beginning()
    good = np.zeros(4)
    assert first_bad(state, good) is None
    assert first_bad(state, np.array([0, 0, np.inf, np.nan])) == 2
    for spoilt in (
        state._replace(params=jax.tree.map(lambda x: x * np.nan, state.params)),
        state._replace(stats=jax.tree.map(lambda x: x * np.nan, state.stats)),
        state._replace(opt_state=(state.opt_state, jnp.asarray(jnp.inf))),
    ):
        assert first_bad(spoilt, good) == 4


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_run_that_diverges_says_where_and_keeps_its_last_finite_state(
    monkeypatch, capsys, tmp_path, seeds
):
    (tmp_path / "names").write_text(NAMES)
    out = tmp_path / "run"
    options = ("--names", tmp_path / "names", "--out", out, "--steps", 400, "--hidden-size", 7)
    options += ("--hidden-layers", 3)
    rate = ("--recipe", "fast", "--learning-rate", 1e6, "--warmup-steps", 0, "--batch-size", 8)
    with jax.numpy_dtype_promotion("standard"):
        status, _, err = run(monkeypatch, capsys, "mlp", *options, *rate, "--seeds", seeds)
    assert status == 1
    line = r"the loss of step {}.* is not finite; the first non-finite numbers are in {}; kept the state of step {:,}; start"
    assert len(err.splitlines()) == seeds
    for seed in range(seeds):
        found = summary(out / f"seed-{seed}" if seeds > 1 else out)
        expected = line.format(found["stopped_at_step"], found["stopped_in"], found["steps"])
        assert re.search(expected, err)
        assert 0 <= found["stopped_at_step"] - found["steps"] <= 8  # within one chunk
    steps = {path.name for path in contents(out) if path.parent.name == "checkpoints"}
    assert steps
    for path in (out / "checkpoints").iterdir():
        state = checkpoint.load(path).state
        assert finite((state.params, state.stats, state.opt_state))


def test_chunks_are_even_and_metrics_bounded():
    for steps in (0, 1, 2, 49, 99, 100, 1_000, 50_000, 200_000, 2_000_000, 10**7 + 1, 2**31 - 1):
        chunk = training.chunk_size(train.Recipe(steps=steps), 47_351)
        assert chunk % 2 == 0
        assert chunk > 0
        assert steps / chunk <= 5_000
        if 100 <= steps <= 5_000_000:
            assert steps / chunk >= 49 or chunk == 1_000
    heavy = training.chunk_size(train.Recipe(batch_size=2**20), 47_351)
    assert heavy == 40  # so that an interruption does not take hours
    # Where the bound on the lines takes effect, the chunk is rounded up to an even number.
    assert 14_999 / training.chunk_size(train.Recipe(14_999, 2**20), 4_735_100) <= 5_000
    assert 9_995_000 / training.chunk_size(train.Recipe(steps=9_995_000), 47_351) <= 5_000


@pytest.mark.parametrize(
    "steps", [0, *(pytest.param(steps, marks=pytest.mark.slow) for steps in (37, 100, 151))]
)
def test_the_final_loss_is_the_mean_of_the_last_100_steps(steps):
    """The mean is right even if a chunk is shorter than 100 steps.

    It is also right if another run resumes from a checkpoint.
    """
    losses = []

    def fit(steps, state, progress=None):
        return train.fit(
            *(MODEL, train.Recipe(steps=steps, batch_size=8), state, TOKENS),
            chunk=16,
            sinks=[lambda records, chunk: losses.extend(chunk.losses[0].tolist())],
            progress=progress,
        )

    half = fit(steps // 2, beginning())
    assert half.progress.final_loss == [pytest.approx(np.mean(losses[-100:])) if losses else None]
    saved = progress_of(json.loads(json.dumps(half.progress._asdict())), 1)
    whole = fit(steps, half.state, saved)
    assert len(losses) == steps
    assert whole.progress.final_loss == [pytest.approx(np.mean(losses[-100:])) if losses else None]
