from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import AS_USERS

from mmjax import InputError, bigram, corpus, evaluate, members, mlp, train, vocab
from mmjax.data import Batch, Windows, context_table, dataset
from mmjax.model import Predictor, require_model

MODEL = mlp.MLP(vocab_size=27, embedding_dim=3, hidden_size=17, hidden_layers=2)
RECIPE = train.Recipe(steps=23, batch_size=13)
KEY = jax.random.key(5)


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return jnp.asarray(corpus.encode(vocab.build(shipped_names), shipped_names[:997]))


def leaves(state):
    """Return everything in a state as NumPy arrays, the key as its data."""
    return jax.tree.leaves(
        jax.tree.map(np.asarray, state._replace(key=jax.random.key_data(state.key)))
    )


def assert_equal(a, b):
    for x, y in zip(leaves(a), leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_step_decay_is_the_lectures_line():
    schedule = train.step_decay(train.Recipe())
    for step in (0, 1, 99_999, 100_000, 100_001, 199_999):
        lr = 0.1 if step < 100_000 else 0.01
        assert float(jnp.asarray(schedule(step))) == pytest.approx(lr)


def test_sgd_is_optax_sgd_with_its_schedule():
    schedule = train.step_decay(train.Recipe(drop_step=2))
    ours, theirs = train.sgd(schedule), optax.sgd(schedule)
    params = {"a": jnp.arange(5.0), "b": jnp.ones((2, 3))}
    grads = jax.tree.map(lambda p: jnp.sin(p) + 1, params)
    our_state, their_state = ours.init(params), theirs.init(params)
    for _ in range(4):
        updates, our_state = ours.update(grads, our_state, params)
        expected, their_state = theirs.update(grads, their_state, params)
        jax.tree.map(np.testing.assert_allclose, updates, expected)


def test_a_loop_of_steps_is_the_scan(tokens):
    step = jax.jit(train.train_step, static_argnames=("model", "recipe"))
    looped, losses = train.init(MODEL, RECIPE, KEY), []
    for _ in range(RECIPE.steps):
        key = jax.random.fold_in(looped.key, looped.step)
        index = jax.random.randint(key, (RECIPE.batch_size,), 0, len(tokens) - 1)
        batch = Batch(*corpus.windows(tokens, index, MODEL.block_size))
        looped, loss = step(MODEL, RECIPE, looped, batch)
        losses.append(loss)
    scanned, scanned_losses = train.run(MODEL, RECIPE, KEY, tokens)
    np.testing.assert_allclose(losses, scanned_losses, rtol=1e-5)
    for x, y in zip(leaves(looped), leaves(scanned), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


@partial(jax.jit, static_argnames="steps", compiler_options=AS_USERS)
def advance(state, tokens, steps):
    return train.advance(MODEL, RECIPE, state, tokens, steps=steps)


EVEN = [[2] * 12, [2, 22], [10, 14], [0, 24, 0]]
ODD = [[1] * 24, [7, 7, 7, 3]]


@pytest.mark.parametrize(
    "pieces",
    [pytest.param(p, marks=pytest.mark.slow) for p in (*EVEN, *ODD)],
)
def test_chunk_boundaries_change_nothing(tokens, pieces):
    """Even pieces give bitwise the same run; odd pieces differ by rounding.

    The reason is that two steps are compiled as one.
    """
    whole, whole_losses = advance(train.init(MODEL, RECIPE, KEY), tokens, 24)
    state, losses = train.init(MODEL, RECIPE, KEY), []
    for steps in pieces:
        state, chunk = advance(state, tokens, steps)
        losses.append(chunk)
    if pieces in EVEN:
        np.testing.assert_array_equal(np.concatenate(losses), whole_losses)
        assert_equal(state, whole)
    np.testing.assert_allclose(np.concatenate(losses), whole_losses, rtol=1e-5)
    for x, y in zip(leaves(state), leaves(whole), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "at_most", "steps"),
    [
        ("TOGETHER", 6, 6),
        ("TOGETHER", 22, 22),
        ("DRAWN", 5 * 13 * 4, 4),  # room for 5 batches of 13 windows of 4 tokens
        ("DRAWN", 1, 2),
    ],
)
def test_batches_drawn_together_are_those_drawn_one_by_one(
    tokens, monkeypatch, limit, at_most, steps
):
    whole = advance(train.init(MODEL, RECIPE, KEY), tokens, 22)
    monkeypatch.setattr(dataset, limit, at_most)
    assert train.together(RECIPE.batch_size, MODEL.block_size) == steps
    jax.clear_caches()
    blocks = advance(train.init(MODEL, RECIPE, KEY), tokens, 22)
    np.testing.assert_array_equal(blocks[1], whole[1])
    assert_equal(blocks[0], whole[0])


def test_no_step_holds_the_list(tokens):
    """A step that holds the list takes longer on a long list.

    XLA counts such a list as read by every step.
    """
    state = train.init(MODEL, RECIPE, KEY)
    run = partial(train.scan, MODEL, RECIPE, steps=6, optimizer=None)
    windows = Windows(tokens, MODEL.block_size)
    (loop,) = (
        eqn for eqn in jax.make_jaxpr(run)(state, windows).eqns if eqn.primitive.name == "scan"
    )
    assert tokens.shape not in [var.aval.shape for var in loop.invars]


@pytest.mark.slow
def test_resumed_from_saved_numbers_is_uninterrupted(tokens):
    half, _ = advance(train.init(MODEL, RECIPE, KEY), tokens, 10)
    saved = jax.tree.map(np.asarray, half._replace(key=jax.random.key_data(half.key)))
    loaded = jax.tree.map(jnp.asarray, saved)
    loaded = loaded._replace(key=jax.random.wrap_key_data(loaded.key))
    resumed, _ = advance(loaded, tokens, 12)
    whole, _ = advance(train.init(MODEL, RECIPE, KEY), tokens, 22)
    assert_equal(resumed, whole)


def test_the_same_key_gives_the_same_run_and_another_key_another(tokens):
    first, _ = train.run(MODEL, RECIPE, KEY, tokens)
    again, _ = train.run(MODEL, RECIPE, KEY, tokens)
    assert_equal(first, again)
    other, _ = train.run(MODEL, RECIPE, jax.random.key(6), tokens)
    assert not np.array_equal(first.params.embedding, other.params.embedding)


def test_zero_steps_are_the_identity(tokens):
    recipe = train.Recipe(steps=0)
    state, losses = train.run(MODEL, recipe, KEY, tokens)
    assert losses.shape == (0,)
    assert_equal(state, train.init(MODEL, recipe, KEY))


def test_without_a_learning_rate_only_the_statistics_move(tokens):
    recipe = train.Recipe(steps=5, learning_rate=0.0)
    before = train.init(MODEL, recipe, KEY)
    after, _ = train.run(MODEL, recipe, KEY, tokens)
    jax.tree.map(np.testing.assert_array_equal, before.params, after.params)
    assert all(
        (a != b).all()
        for a, b in zip(*map(jax.tree.leaves, (before.stats, after.stats)), strict=True)
    )


def test_advance_is_traced_once_for_all_chunks_of_a_length(tokens):
    traces = []

    class Counted(mlp.MLP):
        def apply(self, *args, train, **options):
            traces.append(train)
            return super().apply(*args, train=train, **options)

    model = Counted(embedding_dim=3, hidden_size=17, hidden_layers=2)
    state = train.init(model, RECIPE, KEY)
    state, _ = train.advance(model, RECIPE, state, tokens, steps=3)
    assert traces
    first = len(traces)
    for _ in range(3):
        state, _ = train.advance(model, RECIPE, state, tokens, steps=3)
    assert len(traces) == first


def test_advance_gives_the_states_buffers_to_the_new_state(tokens):
    state = train.init(MODEL, RECIPE, KEY)
    train.advance(MODEL, RECIPE, state, tokens, steps=1)
    assert state.params.embedding.is_deleted()


@pytest.mark.slow
def test_jit_changes_nothing(tokens):
    batch = Batch(*corpus.windows(tokens, jnp.arange(13), MODEL.block_size))
    state = train.init(MODEL, RECIPE, KEY)
    step = jax.jit(train.train_step, static_argnames=("model", "recipe"))
    jitted, loss = step(MODEL, RECIPE, state, batch)
    plain, plain_loss = train.train_step(MODEL, RECIPE, state, batch)
    np.testing.assert_allclose(loss, plain_loss, rtol=1e-5)
    for x, y in zip(leaves(jitted), leaves(plain), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_vmap_over_keys_is_the_single_runs(tokens):
    keys = jax.random.split(KEY, 3)
    states, losses = jax.vmap(lambda key: train.run(MODEL, RECIPE, key, tokens))(keys)
    assert losses.shape == (3, 23)
    for i, key in enumerate(keys):
        state, single = train.run(MODEL, RECIPE, key, tokens)
        np.testing.assert_allclose(losses[i], single, rtol=1e-4)
        for each, one in zip(leaves(states), leaves(state), strict=True):
            np.testing.assert_allclose(each[i], one, rtol=1e-3, atol=1e-5)


def test_overfits_one_batch():
    """The network learns ten examples by heart; no two contradict each other."""
    names = ["abcdefghi"]
    v = vocab.build(names)
    tokens = corpus.encode(v, names)
    config = mlp.MLP(vocab_size=v.size, hidden_size=17, hidden_layers=3)
    state, losses = train.run(config, train.Recipe(steps=1_000, batch_size=31), KEY, tokens)
    assert losses[0] > 1
    assert losses[-1] < 0.05
    assert evaluate.loss(Predictor(config, state.params, state.stats), tokens) < 0.05


def test_every_example_is_drawn_equally_often(tokens):
    """Counts of the draws, first and last example included, are within 5 sigma."""
    few = tokens[:12]
    draws = [
        jax.random.randint(jax.random.fold_in(KEY, step), (991,), 0, len(few) - 1)
        for step in range(11)
    ]
    histogram = np.bincount(np.concatenate(draws), minlength=11)
    assert len(histogram) == 11
    assert abs(histogram - 991).max() < 5 * 991**0.5


@pytest.mark.parametrize("model", [MODEL, bigram.Bigram()], ids=["mlp", "bigram"])
def test_any_model_and_any_optax_optimizer(tokens, model):
    recipe = train.Recipe(steps=300, batch_size=61)
    with jax.numpy_dtype_promotion("standard"):  # adam raises a float to the power of its step
        _, losses = train.run(model, recipe, KEY, tokens, optimizer=optax.adam(0.01))
    assert losses[-50:].mean() < losses[:50].mean() - 0.3


@pytest.mark.parametrize(
    ("option", "value"),
    [("steps", -1), ("steps", 2**31), ("batch_size", 1), ("learning_rate", float("nan"))],
)
def test_options_out_of_range(option, value):
    with pytest.raises(InputError, match=f"{option} must be a"):
        train.Recipe(**{option: value})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array([], np.uint8), "0 tokens holds no example; encode at least one name"),
        (np.array([0], np.uint8), "1 tokens holds no example"),
        (np.array([0, 27, 0], np.uint8), "the token 27, but the model's tokens end at 26; .*=28"),
        (jnp.array([0, 52, 0]), "the token 52, but the model's tokens end at 26"),
        (
            context_table.collect(np.array([0, 5, 0], np.uint8), 28, 3),
            "block_size 3 and vocab_size 28, .* 3 and 27",
        ),
        (
            context_table.collect(np.array([0, 5, 0], np.uint8), 27, 2),
            "block_size 2 and vocab_size 27, .* 3 and 27",
        ),
    ],
)
def test_data_that_do_not_fit_the_model_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        train.run(MODEL, RECIPE, KEY, data)
    with pytest.raises(InputError, match=message):
        train.advance(MODEL, RECIPE, train.init(MODEL, RECIPE, KEY), data, steps=2)
    with pytest.raises(InputError, match=message):
        members.advance(MODEL, RECIPE, members.init(MODEL, RECIPE, KEY[None]), data, steps=2)


def test_what_is_not_a_model_is_refused():
    class Unfrozen:
        vocab_size, block_size, init, apply = 27, 3, mlp.init, mlp.apply
        __hash__ = None  # pyright: ignore[reportAssignmentType]

    for model, message in [
        (mlp, r"module mmjax.models.mlp is not a model: it has no vocab_size, block_size; give"),
        (mlp.MLP, r"MLP is a class; give an instance, MLP\(...\)"),
        (Unfrozen(), r"Unfrozen is not hashable; make it a @dataclass\(frozen=True\)"),
    ]:
        with pytest.raises(InputError, match=message):
            require_model(model)


def test_a_copied_state_outlives_the_training_that_goes_on(tokens):
    state = train.init(MODEL, RECIPE, KEY)
    best = train.copied(state)
    train.advance(MODEL, RECIPE, state, tokens, steps=2)
    assert_equal(best, train.init(MODEL, RECIPE, KEY))
