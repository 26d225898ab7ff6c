"""The page in which a model runs: what is in the file, and what no page can hold.

What the page does in a browser is in test_playground_browser.py.
"""

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass

import jax
import numpy as np
import pytest

from mmjax import Predictor, Vocab, bigram, corpus, counting, mlp, vocab
from mmjax.model import named
from mmjax.report import playground
from mmjax.report.playground import listed, models, page
from mmjax.report.playground.stored import stored

NAMES = ["ann", "bob", "zoe", "neil", "anna", "ives", "lili", "bo", "cy", "dee", "eve", "fay"]
MARKUP = (
    """</script><!--<script>alert("1")</script>'"><img src=x onerror=alert(1)>\u2028\u202e\x7f"""
)


def predictor_of(model, seed=0):
    return Predictor(model, *model.init(jax.random.key(seed)))


def data_of(text):
    """Return the JSON in a page."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return json.loads(found)


def render(predictor, letters, names=NAMES, held_out=NAMES[:3], title="a title"):
    return page.render(predictor, letters, listed=names, held_out=held_out, title=title)


def decoded(array):
    """Return the array that a JSON object stands for, by the description in stored.py."""
    numbers = np.frombuffer(
        base64.b64decode(array["data"]), np.dtype(array["type"]).newbyteorder("<")
    )
    numbers = numbers.reshape(array["shape"])
    if "step" not in array:
        return numbers
    return np.where(numbers == -(2**15), -np.inf, numbers * array["step"])


def test_every_parameter_and_statistic_is_in_the_page_bitwise():
    letters = vocab.build(NAMES)
    predictor = predictor_of(mlp.MLP(letters.size, hidden_size=7, position=True, tied=True))
    found = data_of(render(predictor, letters))["model"]
    wanted = named({"params": predictor.params, "stats": predictor.stats})
    assert found["arrays"].keys() == wanted.keys()
    for name, array in found["arrays"].items():
        np.testing.assert_array_equal(decoded(array), wanted[name])


def test_rounding_moves_no_number_by_more_than_half_a_step():
    numbers = np.random.default_rng(0).normal(size=(31, 37)).astype(np.float32)
    numbers[3, 5] = -np.inf
    array = stored(numbers, rounded=True)
    assert array["step"] == pytest.approx(abs(numbers[np.isfinite(numbers)]).max() / 32767)
    finite = np.isfinite(numbers)
    assert decoded(array)[3, 5] == -np.inf
    moved = abs(decoded(array)[finite] - numbers[finite])
    assert 0 < moved.max() <= 0.5001 * array["step"]


@pytest.mark.parametrize("kind", ["formula", "tuned"])
@pytest.mark.parametrize("rounded", [False, True])
def test_the_tree_of_a_counted_model_has_every_probability(kind, rounded):
    letters = vocab.build(NAMES)
    tokens = corpus.encode(letters, NAMES)
    discounts = counting.tune(tokens, tokens, letters.size, 3) if kind == "tuned" else None
    predictor = counting.fit(tokens, letters.size, 3, discounts)
    levels = models.described(predictor, rounded=rounded)["levels"]
    lower, rebuilt = np.full((1, letters.size), -np.log(letters.size)), []
    for level in ({name: decoded(array) for name, array in level.items()} for level in levels):
        parents = np.repeat(np.arange(len(lower)), level["children"])
        row = lower[parents] + level["shares"][:, None]
        row[np.repeat(np.arange(len(row)), level["entries"]), level["next"]] = level["logProbs"]
        rebuilt.append(row)
        lower = row
    entries = sum(len(decoded(level["next"])) for level in levels)
    wanted = np.asarray(predictor.params.log_probs)
    assert entries < wanted.size / 3  # or the tree saves nothing
    np.testing.assert_allclose(np.concatenate(rebuilt), wanted, atol=2e-3 if rounded else 5e-5)


def test_a_filter_has_every_name_and_few_others():
    names = [f"name {i}" for i in range(3_000)]
    found = listed.as_filter(names)
    bits = np.unpackbits(decoded(found["bits"]), bitorder="little")

    def has(name):
        first, second = (listed.hashed(name.encode("utf-16-le"), seed) for seed in (0, 1))
        return all(bits[(first + i * second) % len(bits)] for i in range(found["hashes"]))

    assert all(map(has, names))
    wrong = sum(has(f"other {i}") for i in range(20_000))
    assert 2 <= wrong <= 50  # 20 expected
    assert found["names"] == 3_000


def test_a_list_is_text_then_a_filter_then_nothing(monkeypatch):
    letters = vocab.build(NAMES)
    predictor = predictor_of(bigram.Bigram(letters.size))
    whole = data_of(render(predictor, letters))
    assert whole["listed"] == {"kind": "text", "text": "\n".join(sorted(NAMES))}
    assert whole["notes"] == []
    long = [f"{name}{i}" for name in NAMES for i in range(1_000)]
    monkeypatch.setattr(page, "LIMIT", len(render(predictor, letters)) + 40_000)
    short = data_of(render(predictor, letters, long))
    assert short["listed"]["kind"] == "filter"
    assert "12,000" in short["notes"][0]
    monkeypatch.setattr(listed, "MOST_BITS", 1_000)
    none = data_of(render(predictor, letters, long))
    assert none["listed"] is None
    assert none["heldOut"] == []  # a drawn name may be real, so there can be no quiz
    assert none["notes"] == [page.NO_LIST]


def test_held_out_names_are_distinct_and_from_the_whole_list():
    some = listed.some([f"{i}" for i in range(2_500)] * 2)
    assert len(some) == len({*some}) <= listed.HELD_OUT
    assert int(some[-1]) > 2_400


def test_markup_in_names_and_title_stays_text():
    letters = vocab.build([*NAMES, MARKUP])
    text = render(
        predictor_of(bigram.Bigram(letters.size)), letters, [*NAMES, MARKUP], [MARKUP], MARKUP
    )
    assert text.count("<script") == text.count("</script") == 2
    assert "<!--" not in text
    assert not set(text) & set("\u2028\u202e\x7f")
    data = data_of(text)
    assert data["heldOut"] == [MARKUP]
    assert MARKUP in data["listed"]["text"].split("\n")
    assert data["characters"] == letters.characters


def test_the_policy_allows_the_pages_own_script_and_style_alone():
    letters = vocab.build(NAMES)
    text = render(predictor_of(bigram.Bigram(letters.size)), letters)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    allowed = re.findall(r"'sha256-(.*?)'", html.unescape(policy))
    inline = re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", text, re.DOTALL)
    sums = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in inline]
    assert sorted(allowed) == sorted(sums)
    assert len(sums) == 2
    assert policy.startswith("default-src &#39;none&#39;")
    assert not re.findall(r' (?:on\w+|style)="', text.split("<script>")[0])
    assert set(re.findall(r'(?:src|href)="(.*?)"', text)) == {"data:,"}


def test_the_lectures_network_and_a_list_as_long_fit_into_a_page(shipped_names):
    letters = vocab.build(shipped_names)
    text = render(predictor_of(mlp.MLP(letters.size)), letters, shipped_names, shipped_names)
    assert len(text.encode()) <= playground.LIMIT
    assert data_of(text)["listed"]["kind"] == "text"
    assert data_of(text)["notes"] == []


def test_a_large_network_is_rounded_and_a_larger_one_refused():
    letters = Vocab("abc")
    wide = mlp.MLP(4, widths=(400, 400))
    data = data_of(render(predictor_of(wide), letters, ["abc"], ["abc"]))
    assert data["notes"] == [page.ROUNDED]
    assert data["model"]["arrays"]["params.embedding"]["type"] == "int16"
    with pytest.raises(playground.Unfit, match=r"takes [\d,]+ bytes or more, and a page at most"):
        render(predictor_of(mlp.MLP(4, widths=(800, 800))), letters)


def test_a_mixture_too_large_for_a_page_gives_its_largest_part_that_fits():
    letters = Vocab("abc")
    parts = [predictor_of(mlp.MLP(4, widths=widths)) for widths in ((800, 800), (50,), (100,))]
    data = data_of(render(counting.ensemble(parts), letters, ["abc"], ["abc"]))
    assert data["model"]["arrays"]["params.input.bias"]["shape"] == [100]
    assert data["notes"] == [page.PART.format("3 models")]
    assert data["embedding"] is not None  # of the part, so the page can look inside
    # A part that sees more letters comes first, even if it is smaller.
    parts.append(predictor_of(mlp.MLP(4, block_size=4, widths=(30,))))
    data = data_of(render(counting.ensemble(parts), letters, ["abc"], ["abc"]))
    assert data["model"]["arrays"]["params.input.bias"]["shape"] == [30]


@dataclass(frozen=True)
class Constant:
    """A model of one's own."""

    vocab_size: int = 4
    block_size: int = 1

    def init(self, key):
        return (), ()

    def apply(self, params, stats, contexts, *, train, key=None, tap=lambda name, x: x):
        return jax.numpy.zeros((len(contexts), 4)), stats


def test_a_model_that_the_page_does_not_know_is_refused():
    with pytest.raises(playground.Unfit, match="no code for the model Constant"):
        render(predictor_of(Constant()), Vocab("abc"))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_map_of_an_embedding_keeps_what_it_can(size):
    """In two dimensions all distances stay in proportion, and the shares sum to 1."""
    found = models.embedding(predictor_of(mlp.MLP(13, embedding_dim=size, hidden_size=3)))
    vectors = np.asarray(
        predictor_of(mlp.MLP(13, embedding_dim=size, hidden_size=3)).params.embedding
    )
    points = np.array(found["points"])
    assert points.shape == (13, 2)
    assert abs(points).max() == pytest.approx(1, abs=1e-3)
    assert (sum(found["shares"]) == pytest.approx(1, abs=1e-3)) == (size <= 2)
    if size <= 2:
        apart = [np.linalg.norm(x[:, None] - x[None], axis=-1) for x in (points, vectors)]
        ratio = apart[0].max() / apart[1].max()
        np.testing.assert_allclose(apart[0], ratio * apart[1], atol=2e-3)
