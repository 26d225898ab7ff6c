import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mmjax import InputError, bigram, corpus, diagnostics, members, mlp, train, vocab

MODEL = mlp.MLP(vocab_size=27, embedding_dim=3, hidden_size=17, hidden_layers=2)
RECIPE = train.Recipe(steps=24, batch_size=13, drop_step=9)
KEYS = jax.random.split(jax.random.key(5), 5)


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return jnp.asarray(corpus.encode(vocab.build(shipped_names), shipped_names[:997]))


def assert_close(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        np.testing.assert_allclose(x, y, rtol=1e-3, atol=2e-5)


def test_there_are_devices_to_spread_over():
    assert jax.device_count() == 2


# On two devices: 1 uses one of them, 4 divide evenly, 5 do not. True trains as on an accelerator.
@pytest.mark.parametrize(
    ("count", "at_once"),
    [(5, False), (5, True), *(pytest.param(n, False, marks=pytest.mark.slow) for n in (1, 4))],
)
def test_each_member_is_its_own_single_run(tokens, monkeypatch, count, at_once):
    monkeypatch.setattr(members, "at_once", lambda: at_once)
    states = members.init(MODEL, RECIPE, KEYS[:count])
    states, losses = members.advance(MODEL, RECIPE, states, tokens, steps=12)
    states, more = members.advance(MODEL, RECIPE, states, tokens, steps=12)
    assert more.shape == (count, 12)
    for i, member in enumerate(members.unstack(states)):
        alone, alone_losses = train.run(MODEL, RECIPE, KEYS[i], tokens)
        np.testing.assert_allclose(np.append(losses[i], more[i]), alone_losses, rtol=1e-4)
        assert_close(member, alone)


def test_members_of_other_seeds_differ(tokens):
    states = members.init(MODEL, RECIPE, KEYS)
    _, losses = members.advance(MODEL, RECIPE, states, tokens, steps=12)
    assert len(set(np.asarray(losses)[:, 1].tolist())) == len(KEYS)


@pytest.mark.slow
def test_each_learning_rate_is_its_own_single_run(tokens):
    rates = np.array([0.03, 0.1, 0.7], np.float32)
    same = jnp.broadcast_to(KEYS[:1], 3)
    states = members.init(MODEL, RECIPE, same, hyper={"learning_rate": rates})
    states, losses = members.advance(MODEL, RECIPE, states, tokens, steps=RECIPE.steps)
    for i, rate in enumerate(rates):
        recipe = train.Recipe(steps=24, batch_size=13, drop_step=9, learning_rate=float(rate))
        alone, alone_losses = train.run(MODEL, recipe, KEYS[0], tokens)
        np.testing.assert_allclose(losses[i], alone_losses, rtol=1e-4)
        assert_close(members.unstack(states)[i].params, alone.params)


def test_hyper_takes_numbers_of_the_recipe_one_for_each_key():
    ones = np.ones(len(KEYS), np.float32)
    for hyper, optimizer, message in [
        ({"learning_rate": ones}, optax.adam(1e-3), "your own optimizer does not see"),
        ({"weight_decay": ones}, None, "sgd has no weight decay that could differ"),
        ({"steps": ones}, None, "steps cannot differ between members: learning_rate, "),
        ({"penalty": ones[1:]}, None, r"penalty has the shape \(4,\), not one number for each"),
    ]:
        with pytest.raises(InputError, match=message):
            members.init(MODEL, RECIPE, KEYS, hyper=hyper, optimizer=optimizer)


@pytest.mark.slow
def test_watching_says_the_same_of_each_member(tokens):
    def fresh():
        return members.init(MODEL, RECIPE, KEYS[:2])

    ratios = diagnostics.update_ratios
    watched, (losses, said) = members.advance(
        MODEL, RECIPE, fresh(), tokens, steps=6, observe=ratios
    )
    plain, plain_losses = members.advance(MODEL, RECIPE, fresh(), tokens, steps=6)
    np.testing.assert_allclose(losses, plain_losses, rtol=1e-4)
    assert_close(watched, plain)
    alone = train.init(MODEL, RECIPE, KEYS[1])
    _, (_, said_alone) = train.advance(MODEL, RECIPE, alone, tokens, steps=6, observe=ratios)
    for name, ratio in said_alone.items():
        np.testing.assert_allclose(said[name][1], ratio, atol=1e-3)


def test_any_model_and_any_optimizer(tokens):
    config, optimizer = bigram.Bigram(vocab_size=27), optax.sgd(0.5, momentum=0.9)
    states = members.init(config, RECIPE, KEYS[:3], optimizer=optimizer)
    states, losses = members.advance(config, RECIPE, states, tokens, steps=20, optimizer=optimizer)
    state = train.init(config, RECIPE, KEYS[2], optimizer=optimizer)
    alone, alone_losses = train.advance(
        config, RECIPE, state, tokens, steps=20, optimizer=optimizer
    )
    np.testing.assert_allclose(losses[2], alone_losses, rtol=1e-4)
    assert_close(members.unstack(states)[2], alone)


@pytest.mark.parametrize("count", [1, pytest.param(4, marks=pytest.mark.slow), 5])
def test_all_chunks_of_a_length_are_compiled_once(tokens, count, caplog):
    """States are placed on the devices the same way before and after a chunk."""
    config = mlp.MLP(vocab_size=27, embedding_dim=2, hidden_size=11 + count, hidden_layers=1)
    states = members.init(config, RECIPE, KEYS[:count])
    with jax.log_compiles(), caplog.at_level("WARNING"):
        for _ in range(3):
            states, _ = members.advance(config, RECIPE, states, tokens, steps=4)
    compiled = [r for r in caplog.messages if "Finished XLA compilation of jit(_advance)" in r]
    assert len(compiled) == 1
