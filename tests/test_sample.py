from collections import Counter
from fractions import Fraction
from functools import partial
from itertools import accumulate, islice

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmjax import InputError, Predictor, Vocab, bigram, corpus, counts, mlp, sample, vocab
from mmjax.generate.categorical import categorical
from mmjax.generate.filters import filter_logits

LOGITS = st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=7, max_size=7, unique=True)
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def letters(shipped_names):
    return vocab.build(shipped_names)


@pytest.fixture(scope="module")
def table(shipped_names, letters):
    return counts.bigrams(corpus.encode(letters, shipped_names), 27)


@pytest.fixture(scope="module")
def counted(table):
    return Predictor(bigram.Bigram(), bigram.from_counts(table), ())


def filtered(logits, **options):
    return np.asarray(filter_logits(jnp.asarray([logits], jnp.float32), **options)[0])


@given(LOGITS, st.integers(1, 9))
def test_top_k_keeps_the_k_likeliest(logits, k):
    kept = np.isfinite(filtered(logits, top_k=k))
    assert set(np.flatnonzero(kept)) == set(np.argsort(logits)[-k:])


@given(LOGITS, st.floats(0.01, 1.0))
def test_top_p_keeps_the_smallest_set_with_that_probability(logits, p):
    probs = np.exp(np.array(logits)) / np.exp(logits).sum()
    totals, expected = [0.0], set()
    for token in np.argsort(-probs):  # the naive loop: likeliest first until there is enough
        expected.add(int(token))
        totals.append(totals[-1] + probs[token])
        if totals[-1] >= p:
            break
    assume(min(abs(total - p) for total in totals) > 1e-5)  # else rounding decides
    assert set(np.flatnonzero(np.isfinite(filtered(logits, top_p=p)))) == expected


def test_temperature_divides_and_the_filters_follow_it():
    logits = [0.0, 1.0, 3.0]
    np.testing.assert_allclose(filtered(logits, temperature=0.5), [0, 2, 6])
    assert np.isfinite(filtered(logits, temperature=0.1, top_p=0.9)).tolist() == [
        False,
        False,
        True,
    ]
    assert np.isfinite(filtered(logits, temperature=9.0, top_p=0.9)).all()


def test_top_p_of_one_and_top_k_of_all_change_nothing():
    logits = [0.0, -jnp.inf, 3.0]
    np.testing.assert_array_equal(filtered(logits, top_p=1.0), logits)
    np.testing.assert_array_equal(filtered(logits, top_k=3), logits)
    # The same holds if the likely tokens already sum to 1 in float32 before the last one.
    many = jnp.asarray(np.random.default_rng(0).normal(size=(300, 97)) * 6, jnp.float32)
    np.testing.assert_array_equal(filter_logits(many, top_p=1.0), many)


@pytest.mark.slow
@given(st.data())
def test_first_temperature_then_top_k_then_top_p_of_what_that_left(data):
    """The expected tokens are computed in fractions.

    Whole weights stay whole at temperatures of 1 and 1/2, so a sum can equal `top_p` exactly.
    """
    weights = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=27))
    temperature, k = data.draw(st.sampled_from([1.0, 0.5])), data.draw(st.integers(1, 30))
    warm = [weight ** int(1 / temperature) for weight in weights]
    left = sorted(w for w in warm if w >= sorted(warm)[-k:][0])[::-1]
    total = sum(left)
    p = data.draw(
        st.integers(1, total).map(lambda i: Fraction(i, total))
        | st.integers(1, 100).map(lambda i: Fraction(i, 100))
    )
    last = next(
        w for w, reached in zip(left, accumulate(left), strict=True) if reached >= p * total
    )
    logits = np.log(weights)
    kept = np.isfinite(filtered(logits, temperature=temperature, top_k=k, top_p=float(p)))
    assert kept.tolist() == [w >= last for w in warm]


def test_the_order_and_the_renormalisation_by_example():
    logits = np.log([0.4, 0.3, 0.2, 0.1])

    def kept(**options):
        return np.isfinite(filtered(logits, **options)).sum()

    assert kept(top_p=0.5) == 2
    assert kept(top_p=0.5, top_k=2) == 1  # 0.4 of 0.7 is more than a half
    assert kept(top_p=0.5, temperature=0.5) == 1  # 0.16 of 0.3 is more than a half
    assert kept(top_p=0.7) == 2  # 0.4 + 0.3 is exactly enough
    assert kept(top_p=1e-9) == 1


def test_ties_are_all_kept():
    assert np.isfinite(filtered([0.0] * 4, top_p=0.5)).all()
    assert np.isfinite(filtered([0.0] * 4, top_k=2)).all()
    kept = np.isfinite(filtered([2.0, 1.0, 1.0, 0.0], top_k=2))
    assert kept.tolist() == [True, True, True, False]


def test_draws_follow_the_probabilities():
    """Counts of 200,000 draws differ from their expectation by at most 5 sigma."""
    logits = np.array([-1.0, 2.0, -np.inf, 0.5, 1.0, -np.inf, 0.0], np.float32)
    drawn = categorical(KEY, jnp.broadcast_to(logits, (200_000, 7)))
    p = np.exp(logits) / np.exp(logits).sum()
    counted = np.bincount(drawn, minlength=7)
    assert counted[[2, 5]].tolist() == [0, 0]
    z = (counted - 200_000 * p)[p > 0] / np.sqrt(200_000 * p * (1 - p))[p > 0]
    assert abs(z).max() < 5


@pytest.mark.parametrize("size", [101, 999, 1_000, 3_001])
def test_a_token_is_the_inverse_of_the_cumulative_distribution(size):
    """The distribution is summed again in float64.

    If the uniform number is at a step, within rounding, both sides are correct.
    """
    logits = jax.random.normal(KEY, (257, size)) * 2
    drawn = np.asarray(categorical(KEY, logits))
    uniform = np.asarray(jax.random.uniform(KEY, (257, 1)), np.float64)
    probs = np.asarray(jax.nn.softmax(logits), np.float64)
    after = np.cumsum(probs, axis=1)[np.arange(257), drawn]
    before = after - probs[np.arange(257), drawn]
    assert (before - 1e-5 <= uniform[:, 0]).all()
    assert (uniform[:, 0] <= after + 1e-5).all()


@pytest.mark.parametrize("size", [97, pytest.param(1_001, marks=pytest.mark.slow)])
def test_what_has_no_probability_is_never_drawn(size):
    """Rounding of the sums never selects an impossible token.

    Most tokens here are impossible, and there are many draws.
    """
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1_000, size)).astype(np.float32)
    logits[rng.random(logits.shape) < 0.9] = -np.inf
    logits[:, 41] = 0.0  # at least one token is possible
    many = jnp.repeat(jnp.asarray(logits), 30_000 // size, axis=0)
    drawn = categorical(KEY, many)
    assert np.isfinite(np.asarray(many)[np.arange(len(many)), drawn]).all()


def test_a_network_is_sampled_as_its_table(monkeypatch, letters):
    config = mlp.MLP(hidden_size=13, hidden_layers=2)
    network = Predictor(config, *mlp.init(config, KEY))
    names = sample.names(network, letters, KEY, 500)
    monkeypatch.setattr("mmjax.models.lookup.fits", lambda _: False)
    same = [a == b for a, b in zip(names, sample.names(network, letters, KEY, 500), strict=True)]
    # The logits of a context differ in the last bit, which may change one draw.
    assert sum(same) >= 499


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_samples_follow_the_table(counted, letters, table, dtype):
    """Pairs in 20,000 names differ from their expectation by at most 5 sigma."""
    rounded = jax.tree.map(lambda x: x.astype(dtype), counted)
    names = sample.names(rounded, letters, KEY, 20_000)
    drawn = counts.bigrams(corpus.encode(letters, names), 27)
    p = np.asarray(jax.nn.softmax(rounded.params.weight.astype(jnp.float32)), np.float64)
    expected = drawn.sum(axis=1, keepdims=True) * p
    often = expected > 20
    z = (drawn - expected)[often] / np.sqrt(expected * (1 - p))[often]
    assert often.sum() > 300
    assert abs(z).max() < 5
    assert 0.9 < z.std() < 1.1
    assert not drawn[table == 0].any()


def test_the_same_key_gives_the_same_names_and_more_of_them_begin_the_same(counted, letters):
    few = sample.names(counted, letters, KEY, 7)
    assert sample.names(counted, letters, KEY, 2_500)[:7] == few
    assert sample.names(counted, letters, jax.random.key(4), 7) != few


def test_the_network_sees_its_own_letters(letters):
    """At temperature 0, each letter is the likeliest after the letters before it.

    The expected letters come from the forward pass, one at a time.
    """
    config = mlp.MLP(hidden_size=13, block_size=5)
    params, stats = mlp.init(config, jax.random.key(0))
    predictor = Predictor(config, params, stats)
    (name,) = sample.names(predictor, letters, KEY, 1, temperature=0, max_length=12)
    context, greedy = [0] * 5, []
    while len(greedy) < 12:
        token = int(predictor.logits(jnp.array([context])).argmax())
        if token == 0:
            break
        greedy.append(token)
        context = [*context[1:], token]
    assert name == vocab.decode(letters, np.array(greedy))


@pytest.mark.parametrize("prefix", ["q", "mari", "zzzzz"])
def test_a_prefix_begins_every_name_and_conditions_it(counted, letters, table, prefix):
    names = sample.names(counted, letters, KEY, 3_000, prefix=prefix)
    assert all(name.startswith(prefix) for name in names)
    after = Counter(name[len(prefix) : len(prefix) + 1] for name in names)
    last = letters.labels.index(prefix[-1])
    p = counts.probabilities(table)[last]
    likeliest = int(p.argmax())
    counted_of_it = after["" if likeliest == 0 else letters.labels[likeliest]]
    sd = np.sqrt(3_000 * p[likeliest] * (1 - p[likeliest]))
    assert abs(counted_of_it - 3_000 * p[likeliest]) < 5 * sd


def endless():
    """Return a bigram over a and b that never ends a name."""
    return Predictor(
        bigram.Bigram(vocab_size=3),
        bigram.Params(jnp.array([[-jnp.inf, 0.0, 0.0]] * 3)),
        (),
    )


@pytest.mark.parametrize("max_length", [1, 7, 64])
def test_no_name_is_endless_and_one_that_is_cut_counts(max_length):
    options = {"max_length": max_length}
    drawn = list(islice(sample.stream(endless(), Vocab("ab"), KEY, **options), 9))
    assert all(len(name) == max_length and not ended for name, ended in drawn)
    assert sample.names(endless(), Vocab("ab"), KEY, 9, **options) == [name for name, _ in drawn]


def test_a_name_of_the_greatest_length_may_end_by_itself():
    """A name of two letters fits into a maximum of two and is not cut.

    After a comes b, and after b the end.
    """
    inf = jnp.inf
    weight = jnp.array([[-inf, 0.0, -inf], [-inf, -inf, 0.0], [0.0, -inf, -inf]])
    predictor = Predictor(bigram.Bigram(vocab_size=3), bigram.Params(weight), ())
    for max_length, expected in ((1, ("a", False)), (2, ("ab", True)), (3, ("ab", True))):
        stream = sample.stream(predictor, Vocab("ab"), KEY, max_length=max_length)
        assert set(islice(stream, 5)) == {expected}


@pytest.mark.parametrize("temperature", [0, 1e-9, 1e-6, 1e-3])
def test_a_cold_draw_is_the_greedy_one(counted, letters, temperature):
    assert set(sample.names(counted, letters, KEY, 5, prefix="q", temperature=temperature)) == {
        sample.names(counted, letters, KEY, 1, prefix="q", top_k=1)[0]
    }


def test_temperature_makes_names_likelier_or_stranger(counted, letters, table):
    logp = np.log(counts.probabilities(table, smoothing=1))

    def mean_log_p(temperature):
        names = sample.names(counted, letters, KEY, 500, temperature=temperature)
        tokens = corpus.encode(letters, names)
        return logp[tokens[:-1], tokens[1:]].mean()

    assert mean_log_p(0) > mean_log_p(0.5) > mean_log_p(1.0) > mean_log_p(2.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"temperature": float("inf")}, "temperature must be"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "top_p must be above 0"),
        ({"max_length": 0}, "max_length must be from 1 to 10,000"),
        ({"max_length": 10_001}, "max_length must be from 1 to 10,000"),
        ({"prefix": "Zoë"}, "has the character 'Z'"),
        ({"prefix": "anna", "max_length": 4}, "the prefix has 4 characters"),
    ],
)
def test_bad_options(counted, letters, options, message):
    with pytest.raises(InputError, match=message):
        sample.stream(counted, letters, KEY, **options)


def test_a_negative_number_of_names(counted, letters):
    with pytest.raises(InputError, match="0 or more"):
        sample.names(counted, letters, KEY, -1)
    assert sample.names(counted, letters, KEY, 0) == []


@pytest.mark.parametrize("characters", ["", "abc", "abcdefghijklmnopqrstuvwxyzé"])
def test_a_vocabulary_of_another_size_is_refused_before_anything_is_drawn(counted, characters):
    size = len(characters) + 1
    message = f"the vocabulary has {size} tokens with the boundary, but the model has 27; give"
    for draw in (sample.stream, partial(sample.names, n=0)):
        with pytest.raises(InputError, match=message) as error:
            draw(counted, Vocab(characters), KEY)
        assert "\n" not in str(error.value)
