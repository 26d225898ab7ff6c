"""Data parallelism: a batch that is spread over devices trains as on one device."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from programs import command

from experiments.processes import free_address
from mmjax import InputError, data, diagnostics, mlp, train
from mmjax.models import layers
from mmjax.train import members
from mmjax.train.steps import scan

MODEL = mlp.MLP(vocab_size=7, embedding_dim=5, hidden_size=11, hidden_layers=2)
TOKENS = np.random.default_rng(0).integers(7, size=1_009).astype(np.uint8)


@pytest.mark.parametrize("kind", ["windows", "contexts"])
def test_two_devices_train_as_one(kind):
    """Also BatchNorm's statistics, which are those of the whole batch."""
    recipe = train.Recipe(steps=50, batch_size=26, data=kind)
    examples = data.of(kind, TOKENS, MODEL)
    alone, losses = train.run(MODEL, recipe, jax.random.key(0), examples)
    shared, together = train.run(MODEL, recipe, jax.random.key(0), data.sharded(examples, 2))
    assert len(together.sharding.device_set) == 2
    np.testing.assert_allclose(losses, together, rtol=1e-6)
    for one, two in zip(jax.tree.leaves(alone.stats), jax.tree.leaves(shared.stats), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


VARIANTS = {
    "dropout": ({"dropout": 0.3}, {}),
    "layer norm": ({"norm": "layer"}, {}),
    "norms everywhere": ({"norm_input": True, "residual": True}, {}),
    "weights": ({}, {"data": "all-contexts"}),
    "noise": ({}, {"noise": 0.2}),
    "adam": ({}, {"optimizer": "nadamw", "schedule": "cosine", "learning_rate": 0.01}),
    "penalty": ({}, {"penalty": 0.1, "ema_decay": 0.9, "clip_norm": 0.5}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_option_trains_on_two_devices_as_on_one(variant):
    """Random layers, weighted losses and each optimizer see the whole batch."""
    network, settings = VARIANTS[variant]
    model, recipe = replace(MODEL, **network), train.Recipe(steps=20, batch_size=26, **settings)
    recipe = replace(recipe, data="contexts") if variant == "adam" else recipe
    examples = even(data.of(recipe.data, TOKENS, model, noise=recipe.noise))
    advance = partial(train.advance, model, recipe, steps=20, observe=diagnostics.update_sizes)
    with jax.numpy_dtype_promotion("standard"):
        start = train.init(model, recipe, jax.random.key(0))
        one = advance(train.copied(start), examples)
        two = advance(train.copied(start), data.sharded(examples, 2))
    assert len(two[1][0].sharding.device_set) == 2
    np.testing.assert_allclose(one[1][0], two[1][0], rtol=1e-6)
    if variant != "adam":  # it divides the gradients of biases before BatchNorm, which are rounding
        for a, b in zip(*map(jax.tree.leaves, (plain_keys(one), plain_keys(two))), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def even(examples):
    """Return a dataset of all contexts with an even number of them; others as they are."""
    if not isinstance(examples, data.AllContexts):
        return examples
    number = len(examples.table.contexts)
    return jax.tree.map(lambda x: x[: number - number % 2], examples)


def plain_keys(tree):
    def plain(x):
        return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x

    return jax.tree.map(plain, tree)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_step_sends_two_messages_per_batch_norm_and_one_more(norm):
    """Each message takes about 50 microseconds between two cores."""
    model, recipe = replace(MODEL, norm=norm), train.Recipe(batch_size=26)
    examples = data.sharded(data.of("windows", TOKENS, model), 2)
    state = train.init(model, recipe, jax.random.key(0))
    step = jax.jit(lambda state: scan(model, recipe, state, examples, steps=1))
    norms = len(model.layer_sizes) - 2 if norm == "batch" else 0
    compiled = step.lower(state).compile().as_text() or ""
    assert compiled.count(" all-reduce(") == 2 * norms + 1


def test_the_moments_of_parts_are_those_of_the_whole():
    """Also with a mean that is large against the deviation, where sums of squares would cancel."""
    x = 1_000 + np.random.default_rng(0).normal(size=(26, 5))
    mesh = data.sharded(data.of("windows", TOKENS, MODEL), 2).mesh
    spec = jax.P("data")
    moments = jax.shard_map(layers.moments, mesh=mesh, in_specs=spec, out_specs=jax.P())
    got = moments(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got.mean, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(got.var, x.var(axis=0, ddof=1), rtol=1e-3)


class OwnNorm(mlp.MLP):
    """A model whose statistics are those of its part of the batch."""

    def apply(self, params, stats, contexts, **kwargs):
        logits, _ = super().apply(params, stats, contexts, **kwargs)
        return logits, stats._replace(output=layers.Moments(*2 * [jnp.mean(logits, axis=0)]))


def test_statistics_that_would_differ_between_devices_are_refused():
    model = OwnNorm(vocab_size=7)
    examples = data.sharded(data.of("windows", TOKENS, model), 2)
    with pytest.raises(InputError, match="statistics of OwnNorm would differ between the devices"):
        train.run(model, train.Recipe(steps=2, batch_size=26), jax.random.key(0), examples)


def test_the_batches_are_those_of_the_dataset():
    examples = data.of("windows", TOKENS, MODEL)
    shared, key = data.sharded(examples, 2), jax.random.key(0)
    batch, same = (each.batch(each.draw(key, 26)) for each in (shared, examples))
    np.testing.assert_array_equal(batch.contexts, same.contexts)


def test_the_state_of_a_member_is_on_one_device():
    """So what is measured after a chunk is computed once."""
    recipe = train.Recipe(steps=2, batch_size=26)
    examples = data.sharded(data.of("windows", TOKENS, MODEL), 2)
    state, _ = train.run(MODEL, recipe, jax.random.key(0), examples)
    (one,) = members.states(state)
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(one)} == {1}
    placed = data.everywhere(one, examples.mesh)
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(placed)} == {2}
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(placed), strict=True):
        assert np.asarray(before == after).all()


def test_a_state_of_numpy_arrays_is_trained():
    """Such as one that comes from a file of one's own."""
    recipe = train.Recipe(steps=4, batch_size=26)
    state = train.init(MODEL, recipe, jax.random.key(0))
    own = state._replace(params=jax.tree.map(np.asarray, state.params))
    for examples in (TOKENS, data.sharded(data.of("windows", TOKENS, MODEL), 2)):
        fitted = train.fit(MODEL, recipe, own, examples, chunk=2)
        assert fitted.progress.step == 4


def test_uneven_parts_and_missing_devices_are_refused():
    examples = data.of("windows", TOKENS, MODEL)
    for devices in (0, jax.device_count() + 1):
        with pytest.raises(InputError, match=f"devices must be 1 to .*, not {devices}"):
            data.sharded(examples, devices)
    shared, small = data.sharded(examples, 2), mlp.MLP(vocab_size=5)
    with pytest.raises(InputError):
        data.of("windows", shared, small)
    recipe = train.Recipe(steps=2, batch_size=25)
    with pytest.raises(InputError, match="batch_size must be a multiple of the 2 devices, not 25"):
        train.run(MODEL, recipe, jax.random.key(0), data.sharded(examples, 2))


def figures(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


def run(out, steps, devices, *process):
    arguments = map(str, (out, steps, devices, *process))
    program = [sys.executable, str(ROOT / "tests/sharded_run.py"), *arguments]
    return subprocess.Popen(program, cwd=ROOT)


@pytest.mark.slow
def test_eight_devices_train_as_one(tmp_path):
    """The lecture's network, 1,000 steps, on 1, 2 and 8 devices."""
    for devices in (1, 2, 8):
        assert run(tmp_path / f"{devices}.npz", 1_000, devices).wait(timeout=300) == 0
    losses, *stats = figures(tmp_path / "1.npz")
    for devices in (2, 8):
        other, *other_stats = figures(tmp_path / f"{devices}.npz")
        np.testing.assert_allclose(losses, other, rtol=1e-6)
        for one, two in zip(stats, other_stats, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    """Each with four devices; on two cores, a step takes a quarter of a second."""
    steps = 60
    assert run(tmp_path / "alone.npz", steps, 1).wait(timeout=300) == 0
    address = free_address()
    both = [run(tmp_path / "both.npz", steps, 4, address, i, 2) for i in range(2)]
    assert [process.wait(timeout=600) for process in both] == [0, 0]
    (losses, *stats), (other, *other_stats) = (
        figures(tmp_path / f"{name}.npz") for name in ("alone", "both")
    )
    np.testing.assert_allclose(losses, other, rtol=1e-6)
    for one, two in zip(stats, other_stats, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_program_takes_devices(tmp_path):
    """The metrics are those of one device; a resumed run may have another number of them."""
    plain = ("--no-report", "--no-watch")
    runs = {
        "one": [("--steps", 120)],
        "two": [("--steps", 100, "--devices", 2), ("--steps", 120, "--resume")],
    }
    losses = {}
    for name, parts in runs.items():
        for options in parts:
            process = command("experiments.mlp", *plain, *options, "--out", tmp_path / name)
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
        lines = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        losses[name] = {line["step"]: line["loss_batch"] for line in lines}
    shared = sorted({*losses["one"]} & {*losses["two"]})
    assert len(shared) > 10
    for step in shared:
        assert losses["one"][step] == pytest.approx(losses["two"][step], rel=1e-6)
    for options, said in (
        (("--devices", 3), "--batch-size must be a multiple of --devices 3, not 32"),
        (("--devices", 2, "--seeds", 2), "give one of them"),
    ):
        process = command("experiments.mlp", *options, "--out", tmp_path / "refused")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert said in errors
