"""Losses of single names, and the difference of two models on the same names."""

import numpy as np
import pytest

from mmjax import InputError, Predictor, bigram, corpus, evaluate
from mmjax.data.vocab import Vocab

LETTERS = Vocab("abcd")
RNG = np.random.default_rng(0)
NAMES = ["".join(RNG.choice(list("abcd"), RNG.integers(1, 9))) for _ in range(211)]
TOKENS = corpus.encode(LETTERS, NAMES)


def model(seed):
    table = np.random.default_rng(seed).random((5, 5)) + 0.1
    return Predictor(bigram.Bigram(5), bigram.from_counts(table), ())


def test_the_losses_of_names_are_their_own_and_add_up():
    losses = evaluate.name_losses(model(0), TOKENS)
    assert losses.shape == (211,)
    assert losses.sum() / (len(TOKENS) - 1) == pytest.approx(evaluate.loss(model(0), TOKENS))
    for i in (0, 97, 210):
        alone = corpus.encode(LETTERS, [NAMES[i]])
        expected = evaluate.loss(model(0), alone) * (len(alone) - 1)
        assert losses[i] == pytest.approx(expected, rel=1e-5)


def test_the_difference_is_that_of_the_losses():
    found = evaluate.paired_difference(model(0), model(1), TOKENS)
    losses = [evaluate.loss(model(seed), TOKENS) for seed in (0, 1)]
    assert found.mean == pytest.approx(losses[0] - losses[1], abs=1e-6)
    assert found.low < found.mean < found.high
    same = evaluate.paired_difference(model(0), model(0), TOKENS)
    assert same == (0, 0, 0)


def test_the_interval_has_the_width_of_the_spread_between_lists():
    """It is about 4 standard errors wide, the error taken from many lists of the same source."""
    gaps = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        names = ["".join(rng.choice(list("abcd"), rng.integers(1, 9))) for _ in range(211)]
        tokens = corpus.encode(LETTERS, names)
        gaps.append(evaluate.loss(model(0), tokens) - evaluate.loss(model(1), tokens))
    found = evaluate.paired_difference(model(0), model(1), TOKENS)
    assert found.high - found.low == pytest.approx(4 * np.std(gaps, ddof=1), rel=0.3)


def test_without_a_name_there_is_nothing_to_compare():
    with pytest.raises(InputError, match="there is no name to compare on"):
        evaluate.paired_difference(model(0), model(1), TOKENS[:1])
