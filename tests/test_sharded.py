"""Data parallelism: a batch that is spread over devices trains as on one device."""

import json
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from conftest import ROOT
from programs import command

from mmjax import InputError, data, mlp, train
from mmjax.train import members

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


def test_each_device_has_half_of_the_batch():
    examples = data.sharded(data.of("windows", TOKENS, MODEL), 2)
    batch = jax.jit(lambda key: examples.batch(examples.draw(key, 26)))(jax.random.key(0))
    assert [part.data.shape for part in batch.contexts.addressable_shards] == [(13, 3), (13, 3)]
    same = examples.data.batch(examples.data.draw(jax.random.key(0), 26))
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


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


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
