import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file
from tampered import rewrite

from mmjax import InputError, Predictor, Vocab, bigram, mlp, weights

VOCAB = Vocab("-abcdeéfg李")
MODEL = mlp.MLP(vocab_size=11, embedding_dim=3, hidden_size=13, hidden_layers=3)


@pytest.fixture
def predictor():
    params, stats = mlp.init(MODEL, jax.random.key(0))
    stats = jax.tree.map(lambda leaf: leaf + jnp.arange(leaf.size, dtype=leaf.dtype), stats)
    return Predictor(MODEL, params, stats)


@pytest.fixture
def path(tmp_path, predictor):
    weights.save(tmp_path / "model.safetensors", predictor, VOCAB)
    return tmp_path / "model.safetensors"


def test_round_trip(path, predictor):
    loaded, vocab = weights.load(path)
    assert vocab == VOCAB
    assert loaded.model == MODEL
    assert jax.tree.structure(loaded) == jax.tree.structure(predictor)
    jax.tree.map(np.testing.assert_array_equal, loaded, predictor)


def test_round_trip_of_a_bigram(tmp_path):
    config = bigram.Bigram(vocab_size=11)
    predictor = Predictor(config, *bigram.init(config, jax.random.key(0)))
    weights.save(tmp_path / "b", predictor, VOCAB)
    loaded, _ = weights.load(tmp_path / "b")
    np.testing.assert_array_equal(loaded.params.weight, predictor.params.weight)
    assert (loaded.model, loaded.stats) == (config, ())


def test_tensors_are_named_by_their_place(path, predictor):
    tensors = load_file(path)
    assert set(tensors) == {
        "params.embedding",
        *(f"params.input.{leaf}" for leaf in ("weight", "bias")),
        *(
            f"params.{block}.{leaf}"
            for block in ("hidden.0", "hidden.1", "output")
            for leaf in ("linear.weight", "linear.bias", "norm.gamma", "norm.beta")
        ),
        *(f"stats.{b}.{m}" for b in ("hidden.0", "hidden.1", "output") for m in ("mean", "var")),
    }
    expected = predictor.params.hidden[1].linear.weight
    np.testing.assert_array_equal(tensors["params.hidden.1.linear.weight"], expected)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("float32")}


def test_a_file_cut_off_anywhere_is_refused(path):
    whole = path.read_bytes()
    for size in [0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"model.safetensors: no whole safetensors file"):
            weights.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params.embedding": None}, "the tensor params.embedding is missing"),
        ({"extra": np.zeros(3, np.float32)}, "has a tensor extra that its model does not have"),
        (
            {"params.embedding": np.zeros((11, 5), np.float32)},
            r"params.embedding is float32 \(11, 5\), not float32 \(11, 3\)",
        ),
        ({"params.embedding": np.zeros((11, 3), np.int32)}, r"params.embedding is int32"),
        ({"metadata": {"format": "other"}}, "was not written by mmjax"),
        ({"metadata": {"model": "gpt"}}, "unusable metadata"),
        ({"metadata": {"config": "{"}}, "unusable metadata"),
        ({"metadata": {"config": "[]"}}, "unusable metadata"),
        ({"metadata": {"config": '{"depth": 3}'}}, "unusable metadata: .*depth"),
        ({"metadata": {"config": '{"vocab_size": 11, "hidden_layers": -1}'}}, "hidden_layers must"),
        ({"metadata": {"vocab": "abc"}}, "the vocabulary has another size"),
        ({"metadata": {"config": json.dumps({"vocab_size": 11})}}, r"is missing|is float32"),
    ],
)
def test_files_of_another_kind_or_shape_are_refused(path, change, message):
    rewrite(path, **change)
    with pytest.raises(InputError, match=f"model.safetensors: .*{message}"):
        weights.load(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        weights.load(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="is a folder"):
        weights.load(tmp_path)


def test_a_failed_save_leaves_the_old_file_and_no_other(path, predictor, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(InputError, match=r"cannot be written: No space left on device"):
        weights.save(
            path,
            predictor,
            Vocab(VOCAB.characters[::-1]),
        )
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@dataclasses.dataclass(frozen=True)
class Own(mlp.MLP):
    """A model that the library does not know."""


def test_a_model_of_ones_own_is_loaded_by_giving_it(tmp_path, predictor):
    fields: dict[str, Any] = dataclasses.asdict(MODEL)
    weights.save(tmp_path / "x", dataclasses.replace(predictor, model=Own(**fields)), VOCAB)
    loaded, _ = weights.load(tmp_path / "x", model=Own(**fields))
    assert loaded.model == Own(**fields)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, predictor.params)
    with pytest.raises(InputError, match=r"model 'Own' is not one of bigram, mlp; .*model=\.\.\."):
        weights.load(tmp_path / "x")
    with pytest.raises(InputError, match="holds another model: model Own, not mlp; give that one"):
        weights.load(tmp_path / "x", model=MODEL)
    with pytest.raises(InputError, match=r"gain 1\.66.*, not 2\.0"):
        weights.load(tmp_path / "x", model=dataclasses.replace(Own(**fields), gain=2.0))
