import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import InputError, Predictor, bigram, corpus, counts, evaluate, mlp, sample, train, vocab
from mmjax.evaluate import pieces

MODEL = mlp.MLP(vocab_size=27, embedding_dim=7, hidden_size=61, hidden_layers=3)


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return corpus.encode(vocab.build(shipped_names), shipped_names[::11])


@pytest.fixture(scope="module")
def trained(tokens):
    state, _ = train.run(
        MODEL, train.Recipe(steps=4_000, drop_step=2_000), jax.random.key(0), tokens
    )
    return Predictor(MODEL, state.params, state.stats)


def all_at_once(predictor, tokens):
    """Return (contexts, targets, logits) of all examples as one batch."""
    index = jnp.arange(len(tokens) - 1)
    contexts, targets = corpus.windows(jnp.asarray(tokens), index, predictor.model.block_size)
    return contexts, targets, predictor.logits(contexts)


@pytest.mark.parametrize("examples", [1, 8_191, 8_192, 20_000])
def test_loss_is_the_mean_over_every_example(trained, tokens, examples):
    part = tokens[: examples + 1]
    assert len(part) == examples + 1
    _, targets, logits = all_at_once(trained, part)
    naive = -np.asarray(jax.nn.log_softmax(logits))[np.arange(examples), targets].mean()
    assert evaluate.loss(trained, part) == pytest.approx(float(naive), rel=1e-5)


def test_loss_of_the_counted_bigram_is_countings(tokens):
    table = counts.bigrams(tokens, 27)
    predictor = Predictor(bigram.Bigram(), bigram.from_counts(table, smoothing=1), ())
    expected = counts.nll(counts.probabilities(table, smoothing=1), table)
    assert evaluate.loss(predictor, tokens) == pytest.approx(expected, rel=1e-6)


def test_loss_over_nothing_is_nan(trained):
    assert math.isnan(evaluate.loss(trained, np.zeros(1, np.uint8)))


def test_perplexity():
    assert evaluate.perplexity(math.log(27)) == pytest.approx(27)
    assert evaluate.perplexity(1e6) == math.inf
    assert math.isnan(evaluate.perplexity(math.nan))


def test_calibrate_gives_the_whole_sets_moments(trained, tokens):
    """The expected moments are computed layer by layer in float64.

    Each layer is normalised by the moments of all examples.
    """
    calibrated = evaluate.calibrate(trained, tokens)
    contexts, _, _ = all_at_once(trained, tokens)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), trained.params)
    x = np.tanh(p.embedding[contexts].reshape(len(contexts), -1) @ p.input.weight + p.input.bias)
    blocks = [*p.hidden, p.output]
    for block, moments in zip(
        blocks, [*calibrated.stats.hidden, calibrated.stats.output], strict=True
    ):
        x = x @ block.linear.weight + block.linear.bias
        mean, var = x.mean(0), x.var(0, ddof=1)
        np.testing.assert_allclose(moments.mean, mean, atol=1e-5)
        np.testing.assert_allclose(moments.var, var, rtol=1e-5)
        x = np.tanh(block.norm.gamma * (x - mean) / np.sqrt(var + 1e-5) + block.norm.beta)
    assert calibrated.params is trained.params
    assert calibrated.model == trained.model


def test_calibrate_equals_one_batch_of_the_whole_list(trained, tokens):
    contexts, _, _ = all_at_once(trained, tokens)
    model = dataclasses.replace(MODEL, momentum=1.0)
    _, whole = model.apply(trained.params, trained.stats, contexts, train=True)
    calibrated = evaluate.calibrate(trained, tokens)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), calibrated.stats, whole
    )


@pytest.mark.parametrize("examples", [999, 1_000, 1_001, 2_500])
def test_calibrate_works_in_pieces(monkeypatch, trained, tokens, examples):
    part = tokens[: examples + 1]
    whole = evaluate.calibrate(trained, part).stats
    monkeypatch.setattr(pieces, "CHUNK", 500)
    piecewise = evaluate.calibrate(trained, part).stats
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), piecewise, whole
    )


def test_calibrate_refuses_what_it_cannot(trained, tokens):
    with pytest.raises(InputError, match="at least two examples"):
        evaluate.calibrate(trained, tokens[:2])
    other = dataclasses.replace(trained, stats=(jnp.zeros(3),))
    with pytest.raises(InputError, match=r"cannot recalibrate the MLP: .* layers.Moments"):
        evaluate.calibrate(other, tokens)


def test_calibrate_mends_statistics_that_were_lost(trained, tokens):
    lost = jax.tree.map(lambda leaf: jnp.full_like(leaf, 3.0), trained.stats)
    broken = Predictor(MODEL, trained.params, lost)
    mended = evaluate.calibrate(broken, tokens)
    assert evaluate.loss(broken, tokens) > evaluate.loss(trained, tokens) + 0.1
    assert evaluate.loss(mended, tokens) == pytest.approx(evaluate.loss(trained, tokens), abs=0.02)


def test_calibrate_leaves_a_model_without_statistics(tokens):
    predictor = Predictor(bigram.Bigram(), bigram.from_counts(np.ones((27, 27))), ())
    assert evaluate.calibrate(predictor, tokens) is predictor


def test_expected_bigrams_are_sums_of_predictions(trained, tokens):
    part = tokens[:9_001]
    contexts, _, logits = all_at_once(trained, part)
    naive = np.zeros((27, 27))
    np.add.at(naive, np.asarray(contexts[:, -1]), np.asarray(jax.nn.softmax(logits), np.float64))
    np.testing.assert_allclose(
        evaluate.expected_bigrams(trained, part), naive, rtol=1e-4, atol=1e-4
    )
    some = np.array([1, 9, 17, 26])
    np.testing.assert_array_equal(
        evaluate.expected_bigrams(trained, part, some),
        evaluate.expected_bigrams(trained, part)[some],
    )
    previous = np.bincount(part[:-1], minlength=27)
    np.testing.assert_allclose(naive.sum(axis=1), previous, rtol=1e-4)


def check(predictor, names, tokens):
    v = vocab.build(names)
    sampled = corpus.encode(v, sample.names(predictor, v, jax.random.key(1), 5_000))
    return evaluate.count_check(predictor, tokens, sampled, tokens[: len(tokens) // 8])


def test_counting_itself_passes_the_count_check(shipped_names, tokens):
    params = bigram.from_counts(counts.bigrams(tokens, 27))
    result = check(Predictor(bigram.Bigram(), params, ()), shipped_names, tokens)
    assert result.kl_predicted < 1e-6
    assert result.kl_sampled < 0.03
    assert result.passed


def test_a_trained_model_passes_the_count_check(shipped_names, tokens, trained):
    result = check(trained, shipped_names, tokens)
    assert result.passed, result


@pytest.mark.slow
def test_broken_models_fail_the_count_check(shipped_names, tokens, trained):
    untrained = Predictor(MODEL, *mlp.init(MODEL, jax.random.key(0)))
    no_statistics = Predictor(MODEL, trained.params, untrained.stats)
    nans = Predictor(MODEL, jax.tree.map(lambda x: x * jnp.nan, trained.params), trained.stats)
    for broken in (untrained, no_statistics, nans):
        result = check(broken, shipped_names, tokens)
        assert not result.kl_predicted < evaluate.MAX_KL
        assert not result.kl_sampled < evaluate.MAX_KL
        assert not result.passed


def many_characters(size, names):
    """Return random names in an alphabet of `size` characters.

    At most twelve different characters follow each one. They are chosen with probabilities
    proportional to 1 / rank.
    """
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, size + 1)
    after = rng.choice(size, (size + 1, 12), p=weights / weights.sum())
    made = []
    for length in rng.geometric(0.2, names):
        at, name = size, ""
        for successor in rng.integers(12, size=length):
            at = after[at, successor]
            name += chr(0x4E00 + at)
        made.append(name)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 900])
def test_on_a_large_alphabet_counting_passes_and_broken_models_fail(size):
    names = many_characters(size, 8_000)
    letters = vocab.build(names)
    tokens = corpus.encode(letters, names)
    table = counts.bigrams(tokens, letters.size)

    def of_table(table, smoothing=0.0):
        params = bigram.from_counts(table, smoothing=smoothing)
        return check(Predictor(bigram.Bigram(letters.size), params, ()), names, tokens)

    counted = of_table(table)
    assert counted.passed
    assert counted.kl_sampled == pytest.approx(counted.kl_reference, abs=0.02)
    assert size == 100 or counted.kl_sampled > 4 * evaluate.MAX_KL  # noise, not a fault
    uniform = of_table(np.zeros_like(table), smoothing=1)
    shifted = of_table(np.roll(table, 1, axis=1))
    unigram = of_table(np.broadcast_to(table.sum(axis=0), table.shape))
    for broken in (uniform, shifted, unigram):
        assert not broken.kl_predicted < evaluate.MAX_KL
        assert not broken.kl_sampled < evaluate.MAX_KL + broken.kl_reference
        assert not broken.passed


def test_the_validation_kl_is_of_the_predictions_there(trained, shipped_names, tokens):
    val = corpus.encode(vocab.build(shipped_names), shipped_names[5::97])
    result = evaluate.count_check(trained, tokens, tokens, val)
    table = counts.bigrams(val, 27)
    naive = counts.kl(table, evaluate.expected_bigrams(trained, val))
    assert result.kl_val == pytest.approx(naive, abs=1e-6)
    naive = counts.kl(counts.bigrams(tokens, 27), evaluate.expected_bigrams(trained, tokens))
    assert result.kl_predicted == pytest.approx(naive, abs=1e-6)
    assert math.isnan(evaluate.count_check(trained, tokens, tokens, np.zeros(1, np.uint8)).kl_val)


def test_a_large_alphabet_is_looked_at_in_smaller_pieces(monkeypatch, trained, tokens):
    part = tokens[:9_001]
    whole = evaluate.loss(trained, part), evaluate.expected_bigrams(trained, part)
    monkeypatch.setattr(pieces, "LOGITS", 27 * 1_000)
    assert evaluate.loss(trained, part) == pytest.approx(whole[0], rel=1e-6)
    np.testing.assert_allclose(
        evaluate.expected_bigrams(trained, part), whole[1], rtol=1e-4, atol=1e-4
    )
