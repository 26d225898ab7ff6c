"""Losses by position and letter, and reliability, by counting one example at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mmjax import InputError, Predictor, bigram, corpus, evaluate, mlp, vocab
from mmjax.evaluate import pieces
from mmjax.evaluate.breakdown import by_letter, by_position, reliability

NAMES = ["anna", "bo", "cy", "neil", "eve", "bob", "a"]
LETTERS = vocab.build([*NAMES, "q"])  # no name has the q
TOKENS = corpus.encode(LETTERS, NAMES)


@pytest.fixture(params=[3, 8192], ids=["in pieces", "at once"])
def predictor(request, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK", request.param)
    model = mlp.MLP(LETTERS.size, 2, 3, widths=(5,), norm="none", output_gamma=3.0)
    return Predictor(model, *model.init(jax.random.key(0)))


def examples(predictor):
    """Yield (place, token, probabilities) of each example, one at a time."""
    for name in NAMES:
        tokens = [*vocab.encode(LETTERS, name).tolist(), 0]
        for place, token in enumerate(tokens):
            context = [0, 0, *tokens[:place]][-2:]
            logits = predictor.logits(jnp.asarray([context]))
            yield place, token, np.asarray(jax.nn.softmax(logits)[0], np.float64)


def test_the_groups_are_those_of_a_loop(predictor):
    positions, letters = by_position(predictor, TOKENS), by_letter(predictor, TOKENS)
    found = [(place, token, -np.log(probs[token])) for place, token, probs in examples(predictor)]
    assert len(positions) == 5
    assert len(letters) == LETTERS.size
    for groups, which in ((positions, 0), (letters, 1)):
        for value, group in enumerate(groups):
            losses = [each[2] for each in found if each[which] == value]
            assert group.examples == len(losses)
            if losses:
                assert group.loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert np.isnan(letters[LETTERS.characters.index("q") + 1].loss)
    whole = sum(group.examples * group.loss for group in positions) / (len(TOKENS) - 1)
    assert whole == pytest.approx(evaluate.loss(predictor, TOKENS), rel=1e-5)


def test_reliability_is_that_of_a_loop(predictor):
    bins = reliability(predictor, TOKENS, bins=7)
    pairs = [
        (p, i == token) for _, token, probs in examples(predictor) for i, p in enumerate(probs)
    ]
    assert sum(each.predictions for each in bins) == len(pairs)
    for number, each in enumerate(bins):
        here = [(p, hit) for p, hit in pairs if min(int(p * 7), 6) == number]
        assert each.predictions == len(here)
        if here:
            predicted, observed = np.mean(np.array(here, float), axis=0)
            assert each.predicted == pytest.approx(predicted, rel=1e-4)
            assert each.observed == pytest.approx(observed, rel=1e-6)
    assert max(each.predictions for each in bins) < len(pairs)


def test_a_counted_model_is_calibrated_on_its_own_list():
    """Contexts with the same probability: what is predicted is what was counted."""
    table = np.zeros((LETTERS.size, LETTERS.size))
    np.add.at(table, (TOKENS[:-1], TOKENS[1:]), 1)
    table[LETTERS.characters.index("q") + 1, 0] = 1  # any, since no name has it
    model = Predictor(bigram.Bigram(LETTERS.size), bigram.from_counts(table), ())
    for each in reliability(model, TOKENS, bins=5):
        if each.predictions:
            assert each.observed == pytest.approx(each.predicted, abs=1e-6)
    with pytest.raises(InputError, match="at least 1 bin, not 0"):
        reliability(model, TOKENS, bins=0)
