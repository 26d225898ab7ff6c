"""Training that starts from the weights of another run."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import NAMES, run, summary

from mmjax import InputError, Predictor, corpus, evaluate, mlp, train, weights
from mmjax.models.transfer import transferred
from mmjax.train import Recipe

OPTIONS = {
    "the lecture's": {},
    "tied": {"tied": True, "norm": "layer", "norm_input": True, "norm_output": False},
    "with position": {"position": True, "embedded": 2, "activation": "gelu", "norm": "none"},
    # Every size is that of one of the vocabularies: an axis is known by what it belongs to.
    "sizes of the vocabularies": {"embedding_dim": 7, "widths": (7, 11), "block_size": 7},
}


def network(size, options, seed):
    """Return a network whose every number, running statistics too, is drawn at random."""
    sizes = {"vocab_size": size, "embedding_dim": 3, "widths": (5, 5), "block_size": 2} | options
    model = mlp.MLP(**sizes)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    rng = np.random.default_rng(seed)
    leaves = jax.tree.map(lambda x: jnp.asarray(rng.uniform(0.5, 1.5, x.shape), x.dtype), shapes)
    return Predictor(model, *leaves)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_known_letters_keep_their_logits_and_new_ones_start_anew(options):
    """In contexts of known letters, the logits of known letters are those of the trained network."""
    trained, fresh = network(7, options, 1), network(11, options, 2)
    tokens = [0, -1, 3, 5, -1, 1, -1, -1, 2, 6, -1]
    carried = transferred(trained, fresh, tokens)
    known = np.flatnonzero(np.array(tokens) >= 0)
    contexts = np.random.default_rng(3).choice(known, (13, trained.model.block_size))
    old = trained.logits(jnp.asarray(np.array(tokens)[contexts]))
    new = carried.logits(jnp.asarray(contexts))
    np.testing.assert_allclose(new[:, known], old[:, np.array(tokens)[known]], rtol=2e-5)
    unknown = np.array(tokens) < 0
    np.testing.assert_array_equal(
        carried.params.embedding[unknown], fresh.params.embedding[unknown]
    )
    np.testing.assert_array_equal(
        carried.params.output.linear.bias[unknown], fresh.params.output.linear.bias[unknown]
    )


def test_networks_that_do_not_fit_are_refused():
    trained, fresh = network(7, {}, 1), network(7, {"widths": (5, 5, 5)}, 2)
    with pytest.raises(InputError, match="do not fit"):
        transferred(trained, fresh, range(7))
    for tokens in ([0, 1], [7, *range(1, 7)], [-2, *range(1, 7)]):
        with pytest.raises(InputError, match="tokens must be 7 numbers from -1 to 6"):
            transferred(trained, network(7, {}, 2), tokens)


def test_training_goes_on_from_the_weights():
    """The state is that of `init`, except the weights; the moving average begins with them, too."""
    recipe = Recipe(steps=10, optimizer="momentum", ema_decay=0.9, batch_size=4)
    start = network(7, {}, 1)
    state = train.init(start.model, recipe, jax.random.key(5))
    begun = train.starting_from(state, start)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, begun.params, start.params))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, begun.ema, start.params))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, begun.stats, start.stats))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, begun.opt_state, state.opt_state))
    tokens = np.random.default_rng(0).integers(0, 7, 101)
    after, _ = train.advance(start.model, recipe, begun, tokens, steps=10)  # donates each buffer
    assert int(after.step) == 10


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    """Return the folder of a small network of the recipe fast, and options for another one."""
    (tmp_path / "names").write_text(NAMES)
    small = ("--recipe", "fast", "--steps", 60, "--no-early-stopping")
    small = (*small, "--hidden-size", 7, "--hidden-layers", 2)
    options = ("--names", tmp_path / "names", "--out", tmp_path / "first")
    with jax.numpy_dtype_promotion("standard"):  # optax's NAdamW promotes
        status, *_ = run(monkeypatch, capsys, "mlp", *small, *options)
        assert status == 0
        yield tmp_path / "first"


@pytest.mark.slow
def test_a_run_starts_from_another_runs_weights(tmp_path, monkeypatch, capsys, trained):
    """Its first loss is the other run's, and it takes that network's sizes from it."""
    names = [*NAMES.split() * 5, "zoé", "žofie"]
    (tmp_path / "more").write_text("\n".join(names))
    out = tmp_path / "second"
    given = ("--recipe", "fast", "--steps", 20, "--names", tmp_path / "more", "--out", out)
    status, _, err = run(monkeypatch, capsys, "mlp", *given, "--init-from", trained, "--seeds", 2)
    assert status == 0
    assert f"{trained}: has not seen " in err
    assert "é" in err
    settings = json.loads((out / "config.json").read_text())
    assert settings["hidden_size"] == 7
    assert settings["learning_rate"] == pytest.approx(train.RECIPES["fast"].learning_rate / 400)
    assert settings["init_from"] == str(trained)
    with_start = [summary(out / f"seed-{seed}")["initial_loss"] for seed in (0, 1)]
    status, *_ = run(
        *(monkeypatch, capsys, "mlp", *given, "--overwrite"),
        *("--hidden-size", 7, "--hidden-layers", 2, "--seeds", 2),
    )
    assert status == 0
    without = [summary(out / f"seed-{seed}")["initial_loss"] for seed in (0, 1)]
    assert max(with_start) < min(without) - 0.3
    assert with_start[0] != with_start[1]  # the new letters start as the seed says


@pytest.mark.slow
def test_a_run_without_a_step_keeps_the_weights(tmp_path, monkeypatch, capsys, trained):
    out = tmp_path / "second"
    names = ("--names", tmp_path / "names", "--recipe", "lecture")
    status, *_ = run(
        *(monkeypatch, capsys, "mlp", *names, "--steps", 0, "--init-from", trained, "--out", out)
    )
    assert status == 0
    assert (out / "samples.txt").read_text()
    first, letters = weights.load(trained / "model.safetensors")
    second, same = weights.load(out / "model.safetensors")
    assert letters == same
    tokens = corpus.encode(letters, NAMES.split())
    assert float(evaluate.loss(first, tokens)) == float(evaluate.loss(second, tokens))


@pytest.mark.slow
def test_what_cannot_be_started_from_is_one_line(tmp_path, monkeypatch, capsys, trained):
    (tmp_path / "greek").write_text("\n".join(["αλφα", "βητα", "γαμμα"] * 9))
    table = tmp_path / "table"
    assert (
        run(*(monkeypatch, capsys, "bigram", "--names", tmp_path / "names", "--out", table))[0] == 0
    )
    names = ("--recipe", "fast", "--names", tmp_path / "names", "--steps", 20)
    out = ("--out", tmp_path / "out")
    cases = [
        ((*names, *out, "--init-from", tmp_path / "none"), "none"),
        ((*names, *out, "--init-from", table), "holds no network, only counts"),
        ((*names, *out, "--init-from", trained, "--widths", 7, 5), "other --widths; leave that"),
        ((*names, "--out", trained, "--init-from", trained), "would be overwritten"),
        (
            (*names, "--names", tmp_path / "greek", *out, "--init-from", trained),
            "knows no letter of this list",
        ),
    ]
    before = (trained / "model.safetensors").read_bytes()
    for options, says in cases:
        status, _, err = run(monkeypatch, capsys, "mlp", *options)
        assert status == 2
        assert len(err.splitlines()) == 1
        assert says in err
    assert not (tmp_path / "out").exists()
    assert (trained / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_auto_tries_the_networks_of_another_run_too(tmp_path, monkeypatch, capsys, trained):
    """They begin where that run ended, which is better than networks after a few steps."""
    out, again = tmp_path / "auto", tmp_path / "again"
    given = ("--recipe", "auto", "--names", tmp_path / "names", "--steps", 24)
    status, *_ = run(monkeypatch, capsys, "mlp", *given, "--init-from", trained, "--out", out)
    assert status == 0
    losses = {
        name: float(loss)
        for name, loss in (line.rsplit(": ", 1) for line in summary(out)["candidates"])
    }
    started = [loss for name, loss in losses.items() if name.startswith("from first, rate")]
    assert len(started) == 2
    assert max(started) < min(loss for name, loss in losses.items() if name.startswith("network"))
    # The networks in the mixture of that run are four, and two were made from its first one.
    status, said, _ = run(monkeypatch, capsys, "mlp", *given, "--init-from", out, "--out", again)
    networks = 6 if "all of these" in summary(out)["chosen"] else 1
    assert status == 0
    tried = [line.split(",")[0] for line in said.splitlines() if line.startswith("from auto")]
    assert len(tried) == 2 * len({*tried}) == 2 * networks
    status, _, err = run(
        *(monkeypatch, capsys, "mlp", *given, "--init-from", trained, "--out", trained.parent)
    )
    assert (status, len(err.splitlines())) == (2, 1)
    assert "would be overwritten" in err
