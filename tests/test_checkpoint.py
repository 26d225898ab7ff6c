"""Checkpoints: a complete file loads bitwise the same, a damaged one is refused."""

import itertools
import json
import os
import struct
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import AS_USERS
from tampered import contents, rewrite

from mmjax import InputError, Predictor, Vocab, checkpoint, members, mlp, train, weights
from mmjax.data import context_table
from mmjax.runs.checkpoint import Checkpoint

VOCAB = Vocab("abcd")
MODEL = mlp.MLP(vocab_size=5, block_size=2, embedding_dim=3, hidden_size=7, hidden_layers=2)
SLOW, FAST = (
    train.Recipe(steps=40, batch_size=5),
    replace(train.RECIPES["fast"], steps=40, batch_size=5, warmup_steps=3),
)
TOKENS = np.array([0, 1, 2, 0, 3, 4, 1, 0, 2, 2, 0], np.uint8)


def data(recipe):
    if recipe is SLOW:
        return jnp.asarray(TOKENS)
    return context_table.collect(TOKENS, MODEL.vocab_size, MODEL.block_size)


def key_data(state):
    """Return the state with its key as numbers, for comparison."""
    return state._replace(key=jax.random.key_data(state.key))


def start(recipe, seeds=1):
    if seeds == 1:
        return train.init(MODEL, recipe, jax.random.key(3))
    return members.init(MODEL, recipe, jax.random.split(jax.random.key(3), seeds))


def of(state, recipe=SLOW, **notes):
    names = checkpoint.checksum(["ab", "c"])
    return Checkpoint(MODEL, recipe, VOCAB, names, state, notes)


@pytest.fixture
def path(tmp_path):
    state, _ = train.advance(MODEL, SLOW, start(SLOW), data(SLOW), steps=4)
    checkpoint.save(tmp_path / "c.safetensors", of(state))
    return tmp_path / "c.safetensors"


@pytest.mark.parametrize(
    ("recipe", "seeds"),
    [
        pytest.param(*p, marks=pytest.mark.slow)
        for p in [(FAST, 1), (SLOW, 1), (SLOW, 3), (FAST, 3)]
    ],
)
def test_a_run_goes_on_from_a_checkpoint_as_if_never_stopped(tmp_path, recipe, seeds):
    go = jax.jit(
        train.advance if seeds == 1 else members.advance,
        static_argnums=(0, 1),
        static_argnames="steps",
        compiler_options=AS_USERS,
    )
    with jax.numpy_dtype_promotion("standard"):  # optax.nadamw raises a float to an int power
        whole, losses = go(MODEL, recipe, start(recipe, seeds), data(recipe), steps=20)
        state, first = go(MODEL, recipe, start(recipe, seeds), data(recipe), steps=8)
        checkpoint.save(tmp_path / "c", of(state, recipe, seconds=1.5))
        loaded = checkpoint.load(tmp_path / "c")
        assert loaded.notes == {"seconds": 1.5}
        assert loaded[:4] == of(state, recipe)[:4]
        jax.tree.map(np.testing.assert_array_equal, key_data(loaded.state), key_data(state))
        assert loaded.state.key.dtype == state.key.dtype
        state, rest = go(MODEL, recipe, loaded.state, data(recipe), steps=12)
    assert jax.tree.structure(state) == jax.tree.structure(whole)
    jax.tree.map(np.testing.assert_array_equal, key_data(state), key_data(whole))
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=-1), losses)


@pytest.mark.slow
def test_an_optimizer_of_optax_is_kept_too(tmp_path):
    adam = optax.adam(0.01)
    with jax.numpy_dtype_promotion("standard"):
        state = train.init(MODEL, SLOW, jax.random.key(0), optimizer=adam)
        state, _ = train.advance(MODEL, SLOW, state, data(SLOW), steps=4, optimizer=adam)
        checkpoint.save(tmp_path / "c", of(state))
        loaded = checkpoint.load(tmp_path / "c", optimizer=adam).state
    assert jax.tree.structure(loaded) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, key_data(loaded), key_data(state))
    for other in (None, optax.sgd(0.1, momentum=0.9)):
        with pytest.raises(InputError) as error:
            checkpoint.load(tmp_path / "c", optimizer=other)
        assert str(error.value).endswith(
            "; give the optimizer it was trained with: checkpoint.load(path, optimizer=...)"
        )


@pytest.mark.parametrize("optimizer", [optax.contrib.reduce_on_plateau(), optax.lbfgs()])
def test_an_optimizer_whose_state_is_infinite_at_first_is_kept(tmp_path, optimizer):
    """For example, the best loss so far is infinite before the first loss."""
    with jax.numpy_dtype_promotion("standard"):
        state = train.init(MODEL, SLOW, jax.random.key(0), optimizer=optimizer)
        checkpoint.save(tmp_path / "c", of(state))
        loaded = checkpoint.load(tmp_path / "c", optimizer=optimizer).state
    jax.tree.map(np.testing.assert_array_equal, key_data(loaded), key_data(state))
    assert any(np.isinf(leaf).any() for leaf in jax.tree.leaves(loaded.opt_state))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_state_has_the_floating_type_that_was_saved(tmp_path, dtype, seeds):
    with jax.enable_x64(dtype == "float64"):
        state = start(SLOW, seeds)
        cast = jax.tree.map(lambda x: x.astype(dtype), (state.params, state.stats))
        state = state._replace(params=cast[0], stats=cast[1])
        checkpoint.save(tmp_path / "c", of(state))
        loaded = checkpoint.load(tmp_path / "c").state
        assert {str(leaf.dtype) for leaf in jax.tree.leaves(loaded.params)} == {dtype}
        jax.tree.map(np.testing.assert_array_equal, key_data(loaded), key_data(state))


@pytest.mark.slow
def test_a_float32_run_goes_on_under_x64_and_a_float64_run_asks_for_it(tmp_path, path):
    saved = key_data(checkpoint.load(path).state)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        loaded = checkpoint.load(path).state
        jax.tree.map(np.testing.assert_array_equal, key_data(loaded), saved)
        state, losses = train.advance(MODEL, SLOW, loaded, data(SLOW), steps=2)
        assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype("float32")}
        assert np.isfinite(losses).all()
        checkpoint.save(tmp_path / "wide", of(start(SLOW)))
    with pytest.raises(InputError, match=r"float64, .* with JAX_ENABLE_X64=1; set it"):
        checkpoint.load(tmp_path / "wide")


@pytest.mark.parametrize("part", ["params", "stats", "opt_state"])
def test_a_state_with_nan_is_not_saved_and_the_old_file_stands(path, part):
    before = path.read_bytes()
    state = start(FAST)
    bad = jax.tree.map(
        lambda x: x.at[...].set(jnp.nan) if x.dtype == jnp.float32 else x, getattr(state, part)
    )
    with pytest.raises(InputError, match=rf"c.safetensors: not saved: the tensor {part}\..* holds"):
        checkpoint.save(path, of(state._replace(**{part: bad})))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_metadata_says_what_the_run_is(path):
    _, metadata = contents(path)
    assert json.loads(metadata["step"]) == 4
    assert json.loads(metadata["recipe"])["batch_size"] == 5
    assert json.loads(metadata["config"])["hidden_size"] == 7
    assert metadata["vocab"] == "abcd"
    assert metadata["names"] == checkpoint.checksum(["ab", "c"])
    assert json.loads(metadata["key"])["kind"] == "threefry2x32"


def test_a_checkpoints_network_can_be_used(path):
    predictor, vocab = weights.load(path)
    state = checkpoint.load(path).state
    assert vocab == VOCAB
    expected = Predictor(MODEL, state.params, state.stats)
    jax.tree.map(np.testing.assert_array_equal, predictor, expected)


def test_lists_that_differ_have_another_checksum():
    lists = [["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"], ["ab", "c", ""], []]
    assert len({checkpoint.checksum(names) for names in lists}) == len(lists)


def test_one_flipped_bit_is_refused_wherever_it_is(path):
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(InputError, match=r"^\S*c.safetensors: .*"):
            checkpoint.load(path)
    path.write_bytes(whole)
    checkpoint.load(path)


def test_a_checkpoint_cut_off_or_with_something_behind_it_is_refused(path):
    whole = path.read_bytes()
    for size in [*range(0, 300, 7), *range(300, len(whole), 97)]:
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a complete safetensors file"):
            checkpoint.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(InputError, match="not a complete safetensors file"):
        checkpoint.load(path)


@pytest.mark.parametrize("size", [2**60, 2**63, 2**64 - 1, 100_000_001, 0, 1])
def test_a_header_of_another_size_is_refused(path, size):
    path.write_bytes(struct.pack("<Q", size) + path.read_bytes()[8:])
    with pytest.raises(InputError, match="not a complete safetensors file"):
        checkpoint.load(path)


WEIGHT = "params.output.linear.weight"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({WEIGHT: None}, f"the tensor {WEIGHT} is missing"),
        ({"opt_state.step": None}, r"the tensor opt_state\.step is missing"),
        ({"more": np.zeros(3, np.float32)}, "has a tensor more that"),
        ({WEIGHT: np.zeros((7, 5), np.float64)}, r"is float64, .* with JAX_ENABLE_X64=1"),
        ({WEIGHT: np.zeros((7, 5), np.int32)}, "is int32"),
        ({WEIGHT: np.zeros((7, 5), np.bool_)}, "is bool"),
        ({WEIGHT: np.zeros((5, 7), np.float32)}, r"is float32 \(5, 7\)"),
        ({WEIGHT: np.full((7, 5), np.nan, np.float32)}, f"{WEIGHT} holds a number that is not"),
        ({WEIGHT: np.full((7, 5), np.inf, np.float32)}, f"{WEIGHT} holds a number that is not"),
    ],
)
def test_other_tensors_are_refused_whatever_the_checksum(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(InputError, match=rf"c.safetensors: .*{message}"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", None, "was not written by mmjax"),
        ("format", "mmjax 2", "has the format 'mmjax 2', but this version of mmjax reads"),
        ("step", None, "unusable metadata: 'step' is missing"),
        ("step", "-1", "the step is not a number of steps"),
        ("step", "1.5", "the step is not a number of steps"),
        ("step", "2147483648", "the step is not a number of steps"),
        ("step", "[4, 4]", "the numbers of steps and of keys differ"),
        ("step", "[]", "the step is not a number of steps"),
        ("step", '"4"', "the step is not a number of steps"),
        ("step", "[[1], [2, 3]]", "unusable metadata"),
        ("key", "3", "unusable metadata"),
        ("key", '{"kind": "mine", "data": [0, 1]}', "random key of the kind 'mine'"),
        ("key", '{"kind": "threefry2x32", "data": [0, 1, 2]}', "unusable metadata"),
        ("key", '{"kind": "threefry2x32", "data": [0, -1]}', "the random key is malformed"),
        ("recipe", '{"optimizer": "mine"}', "optimizer must be one of sgd"),
        ("recipe", '{"optimizer": ["sgd"]}', "unusable metadata"),
        ("recipe", '{"learning_rate": NaN}', "learning_rate must be"),
        ("recipe", '{"momentum": 1}', "unusable metadata"),
        ("recipe", "[]", "unusable metadata"),
        ("hyper", '["steps"]', "steps cannot differ between members"),
        ("hyper", "3", "unusable metadata"),
        ("config", '{"vocab_size": 5, "hidden_size": true}', "hidden_size must be"),
        ("config", "[" * 100_000, "unusable metadata"),
        ("notes", "[]", "the notes are not a JSON object"),
        ("names", "", "the checksum of the list is malformed"),
        ("vocab", "abcde", "another size"),
    ],
)
def test_other_metadata_is_refused_whatever_the_checksum(path, key, value, message):
    rewrite(path, metadata={key: value})
    with pytest.raises(InputError, match=f"c.safetensors: .*{message}") as error:
        checkpoint.load(path)
    assert len(str(error.value)) < 600


def test_a_network_too_large_to_be_there_is_refused_without_being_made(path):
    large = {"vocab_size": 5, "hidden_size": 65_536, "hidden_layers": 20}
    rewrite(path, metadata={"config": json.dumps(large)})
    with pytest.raises(InputError, match="is float32"):
        checkpoint.load(path)


class Crash(BaseException):
    """A power failure."""


def test_a_crash_at_any_call_to_the_system_leaves_a_whole_checkpoint(path, monkeypatch):
    """The file is always the old one or the new one, and never missing.

    Writing stops before each of its calls to the system, in turn.
    """
    old = checkpoint.load(path)
    new = of(old.state._replace(params=jax.tree.map(lambda x: x + 1, old.state.params)))
    saved = path.read_bytes()
    seen = []
    for fatal in itertools.count(1):
        path.write_bytes(saved)
        calls = 0

        def count(call):
            def counted(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls == fatal:  # noqa: B023
                    raise Crash
                return call(*args, **kwargs)

            return counted

        with monkeypatch.context() as patch:
            for name in ("fsync", "replace", "open", "close"):
                patch.setattr(os, name, count(getattr(os, name)))
            patch.setattr("pathlib.Path.open", count(type(path).open))
            # A dead process does not remove its files.
            patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
            try:
                checkpoint.save(path, new)
            except Crash:
                pass
            else:
                break
        shown = checkpoint.load(path).state.params.embedding
        [which] = [i for i, c in enumerate((old, new)) if (shown == c.state.params.embedding).all()]
        seen.append(which)
    assert seen == sorted(seen)  # the old one up to some call, then the new one
    assert set(seen) == {0, 1}
    assert len(seen) >= 5


def test_the_moving_average_and_the_members_numbers_are_kept(tmp_path):
    recipe = replace(SLOW, ema_decay=0.9)
    keys = jax.random.split(jax.random.key(3), 2)
    state = members.init(MODEL, recipe, keys, hyper={"learning_rate": np.array([0.1, 0.2])})
    state, _ = members.advance(MODEL, recipe, state, TOKENS, steps=4)
    checkpoint.save(tmp_path / "c", of(state, recipe))
    loaded = checkpoint.load(tmp_path / "c").state
    jax.tree.map(np.testing.assert_array_equal, key_data(loaded), key_data(state))
