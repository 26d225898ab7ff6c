"""Conditions, exact draws, filters and the likeliest names, each beside brute force.

The vocabulary has three letters, so that all names up to a length can be listed.
"""

import re
from fnmatch import fnmatchcase
from itertools import islice, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein
from scipy.stats import chisquare

from mmjax import InputError, Predictor, Vocab, corpus, evaluate, kneser_ney, lookup, mlp, sample
from mmjax.generate import beam, conditional, conditions
from mmjax.generate.conditions import Conditions
from mmjax.generate.filters import filter_logits, options_of

ABC = Vocab("abc")
KEY = jax.random.key(7)
LONGEST = 7
EVERY = ["".join(letters) for n in range(LONGEST + 1) for letters in product("abc", repeat=n)]


def holds(name, c):
    """Return whether a name meets conditions, by Python's own means."""
    return (
        name.startswith(c.prefix)
        and name.endswith(c.suffix)
        and c.contains in name
        and (not c.pattern or fnmatchcase(name, c.pattern))
        and c.min_length <= len(name) <= (c.max_length or LONGEST)
        and (not c.like or Levenshtein.distance(name, c.like) <= c.edits)
    )


PATTERNS = st.text(st.sampled_from("ab?*"), max_size=5) | st.sampled_from(["[ab]*", "?[!a]*c", "*"])
SOME = st.builds(
    Conditions,
    prefix=st.text("ab", max_size=2),
    suffix=st.text("bc", max_size=3),
    contains=st.text("ac", max_size=3),
    pattern=PATTERNS,
    min_length=st.integers(0, 3),
    max_length=st.none() | st.integers(3, 6),
    like=st.text("abz", max_size=4),
    edits=st.integers(0, 2),
)


@given(SOME)
def test_an_automaton_accepts_the_names_that_meet_the_conditions(c):
    expected = [name for name in EVERY if holds(name, c)]
    try:
        found = conditions.automaton(c, ABC)
        conditions.span(c, found, np.zeros(0, np.int32), LONGEST)
    except InputError:  # test_impossible_conditions_are_named sees the message
        found = None
    assert bool(found) == bool(expected)
    if found is None:
        return
    rows = np.zeros((len(EVERY), LONGEST), np.int32)
    for row, name in zip(rows, EVERY, strict=True):
        row[: len(name)] = ["abc".index(letter) + 1 for letter in name]
    accepted = found.accepts(rows)
    short = [c.max_length is None or len(name) <= c.max_length for name in EVERY]
    assert [name for name, ok in zip(EVERY, accepted & short, strict=True) if ok] == expected
    # Every state but the dead one leads to a name, so that no search is in vain.
    alive = np.unique(found.next_state[found.next_state > 0])
    assert all(found.lengths(int(state), 60) for state in alive)


def counted():
    rng = np.random.default_rng(3)
    names = ["".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(97)]
    return kneser_ney.fit(corpus.encode(ABC, names), 4, 2)


def network():
    config = mlp.MLP(vocab_size=4, block_size=2, hidden_size=11, hidden_layers=1, output_gamma=0.5)
    return Predictor(config, *mlp.init(config, KEY))


MODELS = {"counted": counted(), "network": network()}


def probabilities(predictor, c, **filters):
    """Return the probability of every name that meets the conditions, letter by letter."""
    contexts = [*product(range(4), repeat=2)]
    logits = filter_logits(predictor.logits(jnp.array(contexts)), **filters)
    rows = dict(zip(contexts, np.asarray(jax.nn.softmax(logits), np.float64), strict=True))
    found = {}
    for name in EVERY:
        if holds(name, c):
            tokens = [0, 0, *("abc".index(letter) + 1 for letter in name), 0]
            steps = zip(tokens, tokens[1:], tokens[2:], strict=False)
            found[name] = np.prod([rows[(one, two)][three] for one, two, three in steps])
    return found


CASES = [
    (Conditions(suffix="ca"), {}),
    (Conditions(prefix="b", contains="cc", max_length=5), {"temperature": 0.7}),
    (Conditions(min_length=3, max_length=5), {"top_k": 3}),
    (Conditions(pattern="?[!a]*b"), {"top_p": 0.9}),
    (Conditions(like="abc", edits=1), {"min_p": 0.05}),
    (Conditions(suffix="b", min_length=2), {"typical": 0.9}),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("c", "filters"), CASES)
def test_exact_draws_have_the_probabilities_of_brute_force(model, c, filters):
    """The product of the probabilities of the draws is that of the name, given the conditions."""
    expected = probabilities(MODELS[model], c, **filters)
    total = sum(expected.values())
    found = conditional.probability(MODELS[model], ABC, c, max_length=LONGEST, **filters)
    assert found == pytest.approx(total, rel=1e-5)
    accepted = conditions.automaton(c, ABC)
    prefix = np.array(["abc".index(letter) + 1 for letter in c.prefix], np.int32)
    _, longest = conditions.span(c, accepted, prefix, LONGEST)
    plan = conditional.plan(MODELS[model], accepted, prefix, longest, filters)
    assert plan
    for name, p in expected.items():
        node, drawn = 0, 1.0
        rest = ["abc".index(letter) + 1 for letter in name[len(prefix) :]]
        for i, token in enumerate([*rest, 0]):
            left = min(plan.letters - i, len(plan.hope) - 1)
            if plan.hope[left][node] == 0:  # the filters exclude a letter
                drawn = 0.0
                break
            weight = plan.probs[plan.graph.context[node], token]
            after = plan.graph.following[node, token]
            ahead = plan.hope[max(left - 1, 0)][after] if token else 1.0
            drawn *= weight * ahead / plan.hope[left][node]
            node = after
        assert drawn == pytest.approx(p / total, rel=1e-5, abs=1e-9), name


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("c", "filters"), [CASES[0], pytest.param(*CASES[5], marks=pytest.mark.slow)]
)
def test_both_ways_draw_from_the_conditional_distribution(monkeypatch, exact, model, c, filters):
    if not exact:
        monkeypatch.setattr(lookup, "fits", lambda _: False)
    drawn = sample.names(
        MODELS[model], ABC, KEY, 5_003, conditions=c, max_length=LONGEST, **filters
    )
    expected = probabilities(MODELS[model], c, **filters)
    total = sum(expected.values())
    assert set(drawn) <= {name for name, p in expected.items() if p > 0}
    often = [name for name, p in expected.items() if p / total > 0.002]
    counts = np.array([drawn.count(name) for name in often])
    p = np.array([expected[name] / total for name in often])
    observed = [*counts, len(drawn) - counts.sum()]
    assert chisquare(observed, np.array([*p, 1 - p.sum()]) * len(drawn)).pvalue > 1e-3


def test_a_table_that_is_too_large_is_drawn_from_by_rejection(monkeypatch):
    c = Conditions(suffix="ab")
    exact = sample.names(MODELS["counted"], ABC, KEY, 50, conditions=c)
    monkeypatch.setattr("mmjax.generate.graph.MAX_PAIRS", 5)
    drawn = sample.names(MODELS["counted"], ABC, KEY, 50, conditions=c)
    assert drawn != exact
    assert all(name.endswith("ab") for name in drawn)


def test_too_few_names_meet_the_conditions(monkeypatch):
    monkeypatch.setattr(lookup, "fits", lambda _: False)
    monkeypatch.setattr("mmjax.generate.rejection.DRAWS", 1_500)
    stream = sample.stream(MODELS["counted"], ABC, KEY, conditions=Conditions(suffix="abccba" * 2))
    message = r"0 of the last 2,048 draws end with 'abccbaabccba'; loosen"
    with pytest.raises(InputError, match=message):
        next(stream)


@pytest.mark.parametrize(
    ("c", "message"),
    [
        ({"min_length": 5, "max_length": 4}, "at least 5 letters and at most 4"),
        ({"max_length": 0}, "max_length must be a whole number from 1"),
        ({"edits": 10}, "edits must be"),
        ({"suffix": "ax"}, "'ax' has the character 'x'"),
        ({"pattern": "a[bx]?"}, "has the character 'x'"),
        ({"pattern": "a[b"}, "the pattern 'a\\[b' has a \\[ without its \\]"),
        ({"pattern": "b*", "prefix": "a"}, "no name for all conditions: begin with 'a' and match"),
        ({"pattern": "????", "max_length": 3}, "no name of at most 3 letters .* match '\\?\\?"),
        ({"suffix": "abcabcabc"}, "no name of at most 7 letters for all conditions: end with"),
    ],
)
def test_impossible_conditions_are_named(c, message):
    with pytest.raises(InputError, match=message):
        sample.stream(MODELS["counted"], ABC, KEY, conditions=Conditions(**c), max_length=7)


def test_a_condition_that_the_filters_exclude():
    """At a temperature of 0 there is one name, and it does not end with all letters."""
    for suffix in ("ab", "bc", "ca", "bb"):
        c = Conditions(suffix=suffix)
        (name,) = set(sample.names(MODELS["counted"], ABC, KEY, 9, temperature=0))
        if not name.endswith(suffix):
            with pytest.raises(InputError, match=f"can end with '{suffix}'"):
                sample.stream(MODELS["counted"], ABC, KEY, conditions=c, temperature=0)


def test_an_automaton_of_too_many_states(monkeypatch):
    monkeypatch.setattr("mmjax.generate.automaton.MAX_STATES", 50)
    with pytest.raises(InputError, match="more than 50 states"):
        conditions.automaton(Conditions(min_length=51), ABC)


def test_one_name_is_drawn_at_a_temperature_of_zero(monkeypatch):
    sizes = []

    def generate(*args, batch=sample.BATCH, **options):
        sizes.append(batch)
        return original(*args, batch=batch, **options)

    original = sample.generate
    monkeypatch.setattr(sample, "generate", generate)
    assert len(set(sample.names(MODELS["network"], ABC, KEY, 5_000, temperature=0))) == 1
    assert sizes == [1]


LOGITS = st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=7, max_size=7, unique=True)


def kept(logits, **options):
    filtered = filter_logits(jnp.asarray([logits], jnp.float32), **options)[0]
    return set(np.flatnonzero(np.isfinite(filtered)).tolist())


@given(LOGITS, st.floats(0, 1))
def test_min_p_keeps_what_is_not_much_less_likely_than_the_likeliest(logits, min_p):
    p = np.exp(logits) / np.exp(logits).sum()
    found = kept(logits, min_p=min_p)
    assert {i for i in range(7) if p[i] > min_p * p.max() * (1 + 1e-5)} <= found
    assert {i for i in range(7) if p[i] >= min_p * p.max() * (1 - 1e-5)} >= found


@given(LOGITS, st.floats(0.01, 1))
def test_typical_keeps_the_tokens_whose_information_is_nearest_to_the_entropy(logits, mass):
    p = np.exp(logits) / np.exp(logits).sum()
    distance = abs(-np.log(p) + (p * np.log(p)).sum())
    order = np.argsort(distance)
    reached = np.cumsum(p[order])
    few, many = (int(np.searchsorted(reached, mass + slack)) + 1 for slack in (-1e-5, 1e-5))
    found = kept(logits, typical=mass)
    assert set(order[:few].tolist()) <= found <= set(order[: many + 1].tolist())
    if few == many and np.diff(np.sort(distance)).min() > 1e-5:  # else rounding decides
        assert found == set(order[:few].tolist())


def test_the_new_filters_follow_the_others():
    logits = np.log([0.4, 0.3, 0.2, 0.1])
    assert kept(logits, min_p=0.5) == {0, 1, 2}
    assert kept(logits, min_p=0.5, temperature=0.5) == {0, 1}  # 0.16, 0.09, 0.04
    assert kept(logits, min_p=0) == kept(logits, typical=1.0) == {0, 1, 2, 3}
    # The information is 0.92, 1.20, 1.61 and 2.30 nats, the entropy 1.28; of the first two
    # alone, it is 0.56, 0.85 and 0.68.
    assert kept(logits, typical=0.2) == {1}
    assert kept(logits, typical=0.2, top_k=2) == {0}
    assert kept([0.0] * 4, typical=0.2) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"min_p": 1.1}, "min_p must be"), ({"typical": 0.0}, "typical must be above 0")],
)
def test_filters_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        sample.stream(MODELS["counted"], ABC, KEY, **options)
    assert options_of(0)["top_k"] == 1


@pytest.mark.parametrize("is_table", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("c", [None, CASES[1][0], CASES[3][0]])
def test_the_likeliest_names_are_those_of_the_whole_list(monkeypatch, is_table, model, c):
    if not is_table:
        monkeypatch.setattr(lookup, "fits", lambda _: False)
    monkeypatch.setattr(beam, "BATCH", 5)
    every = probabilities(MODELS[model], c or Conditions())
    expected = sorted(every, key=lambda name: -every[name])
    found = beam.likeliest(MODELS[model], ABC, 61, conditions=c, max_length=LONGEST)
    np.testing.assert_allclose(
        np.exp([each.log_prob for each in found]),
        [every[name] for name in expected[:61]],
        rtol=1e-5,
    )
    assert len({each.name for each in found}) == len(found)
    for each in found:
        assert np.exp(each.log_prob) == pytest.approx(every[each.name], rel=1e-5)
    losses = evaluate.name_losses(MODELS[model], corpus.encode(ABC, [e.name for e in found]))
    np.testing.assert_allclose(losses, [-each.log_prob for each in found], rtol=1e-5)


def test_the_search_ends_at_its_bound(monkeypatch):
    monkeypatch.setattr(beam, "MAX_PREFIXES", 40)
    names = beam.ranked(MODELS["network"], ABC)
    found = []
    with pytest.raises(InputError, match=r"the \d+ likeliest names are found; the next one takes"):
        found.extend(names)
    assert len(found) > 3
    monkeypatch.undo()
    assert found == list(islice(beam.ranked(MODELS["network"], ABC), len(found)))


def test_a_diverse_list_follows_the_rule():
    names = [("abab", -1.0), ("abac", -1.1), ("cccc", -2.0), ("bb", -2.5)]
    scored = [beam.Scored(*each) for each in names]
    assert [e.name for e in beam.spread(iter(scored), 3, 0)] == ["abab", "abac", "cccc"]
    # "abac" is similar by 0.75, "cccc" not at all, "bb" by 0.5.
    assert [e.name for e in beam.spread(iter(scored), 3, 2)] == ["abab", "cccc", "abac"]
    assert [e.name for e in beam.spread(iter(scored), 3, 4)] == ["abab", "cccc", "abac"]
    assert [e.name for e in beam.spread(iter(scored), 3, 9)] == ["abab", "cccc", "bb"]
    with pytest.raises(InputError, match="penalty must be"):
        beam.spread(iter(scored), 3, float("nan"))
    found = beam.likeliest(MODELS["counted"], ABC, 5, diverse=3.0)
    pool = beam.likeliest(MODELS["counted"], ABC, 50)
    assert found == beam.spread(iter(pool), 5, 3.0)


def test_what_conditions_say():
    c = Conditions(prefix="a", suffix="b", contains="c", pattern="*", min_length=2, max_length=9)
    said = "begin with 'a' and end with 'b' and contain 'c' and match '*' and have at least 2"
    assert str(c) == f"{said} letters and have at most 9 letters"
    assert str(Conditions(like="abc", edits=1)) == "are at most 1 edit from 'abc'"
    assert re.fullmatch("are not empty", str(Conditions(min_length=1)))
