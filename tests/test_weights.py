import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file
from tampered import rewrite

from mmjax import InputError, Predictor, Vocab, bigram, lookup, mlp, weights

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


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_a_network_has_the_floating_type_that_was_saved(tmp_path, predictor, dtype):
    def cast(leaf):
        return leaf.astype(dtype)

    with jax.enable_x64(dtype == "float64"):
        saved = jax.tree.map(cast, predictor)
        weights.save(tmp_path / "x", saved, VOCAB)
        for model in (None, MODEL):
            loaded, _ = weights.load(tmp_path / "x", model=model)
            assert {str(leaf.dtype) for leaf in jax.tree.leaves(loaded)} == {dtype}
            jax.tree.map(np.testing.assert_array_equal, loaded, saved)
    if dtype == "float64":
        with pytest.raises(InputError, match=r"is float64, .* with JAX_ENABLE_X64=1; set it"):
            weights.load(tmp_path / "x")


def test_a_float32_network_is_itself_under_x64(path, predictor):
    with jax.enable_x64(True):
        loaded, _ = weights.load(path)
        assert {leaf.dtype for leaf in jax.tree.leaves(loaded)} == {np.dtype("float32")}
        jax.tree.map(np.testing.assert_array_equal, loaded, predictor)


@dataclasses.dataclass(frozen=True)
class Counting(bigram.Bigram):
    """A bigram with a counter of JAX's widest integer type."""

    def init(self, key) -> Any:
        params, _ = super().init(key)
        return params, (jnp.zeros((), int),)


@pytest.mark.parametrize("wide", [False, True])
def test_integers_are_of_the_models_own_type_and_a_line_names_the_flag(tmp_path, wide):
    model = Counting(11)
    with jax.enable_x64(wide):
        weights.save(tmp_path / "x", Predictor(model, *model.init(jax.random.key(0))), VOCAB)
        weights.load(tmp_path / "x", model=model)
    advice = "set it" if wide else "unset it"
    with jax.enable_x64(not wide), pytest.raises(InputError, match=f"JAX_ENABLE_X64.*; {advice}$"):
        weights.load(tmp_path / "x", model=model)


INF = np.inf


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize(
    ("row", "right"),
    [
        ([0.0, -INF, -INF], True),
        ([0.0, INF, 0.0], False),
        ([0.0, np.nan, 0.0], False),
        ([-INF, -INF, -INF], False),
    ],
)
@pytest.mark.parametrize("model", [bigram.Bigram(3), lookup.Table(3, 1)])
def test_minus_infinity_is_a_probability_of_0_and_other_infinities_are_none(
    tmp_path, model, row, right, dtype
):
    path, logits = tmp_path / "x", jnp.array([row, [0, 1, 2], [3, 4, 5]], dtype)
    kind = bigram.Params if isinstance(model, bigram.Bigram) else lookup.Params
    weights.save(path, Predictor(model, kind(jnp.zeros_like(logits)), ()), Vocab("ab"))
    before = path.read_bytes()
    predictor = Predictor(model, kind(logits), ())
    if right:
        weights.save(path, predictor, Vocab("ab"))
        loaded, _ = weights.load(path, model=model)
        np.testing.assert_array_equal(loaded.params[0], logits)
    else:
        with pytest.raises(InputError, match=r"x: not saved: the tensor params\..* holds NaN"):
            weights.save(path, predictor, Vocab("ab"))
        assert path.read_bytes() == before
        if dtype != "bfloat16":  # `tampered` cannot read it
            [name] = load_file(path)
            rewrite(path, **{name: np.asarray(logits)})
            with pytest.raises(InputError, match=rf"x: the tensor {name} holds NaN"):
                weights.load(path, model=model)


@pytest.mark.parametrize("bad", [np.nan, INF, -INF])
def test_a_network_that_is_not_finite_is_not_saved(tmp_path, predictor, bad):
    params = predictor.params._replace(embedding=predictor.params.embedding.at[3, 1].set(bad))
    with pytest.raises(InputError, match=r"x: not saved: the tensor params\.embedding holds"):
        weights.save(tmp_path / "x", dataclasses.replace(predictor, params=params), VOCAB)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (jnp.zeros((11, 5)), r"is float32 \(11, 5\), not float32 \(11, 3\)"),
        (jnp.zeros((11, 3), int), "is int32"),
        (jnp.zeros((11, 3), jnp.complex64), "is complex64; use one of"),
        (jnp.zeros((11, 3), jnp.float8_e4m3fn), "is float8_e4m3fn; use one of"),
        (jax.random.key(0), "is key<fry>; use one of"),
        ("text", "is str; use one of"),
    ],
)
def test_what_would_not_be_loaded_is_not_saved(tmp_path, predictor, embedding, message):
    params = predictor.params._replace(embedding=embedding)
    with pytest.raises(InputError, match=rf"not saved: the tensor params\.embedding {message}"):
        weights.save(tmp_path / "x", dataclasses.replace(predictor, params=params), VOCAB)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("characters", "message"),
    [("abc", "the vocabulary has another size"), ("abcdefghi\ud800", "surrogates not allowed")],
)
def test_a_vocabulary_that_would_not_be_loaded_is_not_saved(
    tmp_path, predictor, characters, message
):
    with pytest.raises(InputError, match=message):
        weights.save(tmp_path / "x", predictor, Vocab(characters))
    assert not [*tmp_path.iterdir()]


def test_arrays_of_numpy_are_saved_whatever_their_order_in_memory(tmp_path, predictor):
    params = jax.tree.map(np.asfortranarray, predictor.params)
    weights.save(tmp_path / "x", dataclasses.replace(predictor, params=params), VOCAB)
    loaded, _ = weights.load(tmp_path / "x")
    jax.tree.map(np.testing.assert_array_equal, loaded.params, predictor.params)


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
        with pytest.raises(InputError, match=r"model.safetensors: not a complete safetensors file"):
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
    with pytest.raises(InputError, match=r"model 'Own' is not one of bigram, mlp, .*model=\.\.\."):
        weights.load(tmp_path / "x")
    with pytest.raises(
        InputError, match="holds another model: model Own, not mlp; give the model that was saved"
    ):
        weights.load(tmp_path / "x", model=MODEL)
    with pytest.raises(InputError, match=r"gain 1\.66.*, not 2\.0"):
        weights.load(tmp_path / "x", model=dataclasses.replace(Own(**fields), gain=2.0))
