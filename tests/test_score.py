"""Scores of names, beside the model's logits read one letter at a time."""

import csv
import io
import json
import math
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import run

from mmjax import Predictor, Vocab, bigram, corpus, counting, evaluate, lookup, mlp, weights
from mmjax.commands import score_rows
from mmjax.commands.score_rows import Ranking
from mmjax.evaluate.nearest import nearest
from mmjax.io.text import Table, aligned, width

LETTERS = Vocab(' ",aé')
LISTED = ["a", "éa", "a,é", 'a" a', "éé", "aaaa", "a", "é,,", "aé aé", 'é"', "aé", ",a"]
NAMES = ["", "aé", "é, a", '"', "aaaaaaa", "a", "é"]


def network():
    model = mlp.MLP(vocab_size=6, block_size=2, embedding_dim=3, hidden_size=7, hidden_layers=1)
    params, stats = model.init(jax.random.key(3))
    sharper = jax.tree.map(lambda x: 2 * x, params)
    return Predictor(model, sharper, stats)


def counted(order):
    return counting.fit(corpus.encode(LETTERS, LISTED), LETTERS.size, order)


PREDICTORS = {
    "network": network,
    "table": lambda: lookup.tabulate(network()),
    "counted": lambda: counted(3),
    "mixture": lambda: counting.ensemble([counted(1), network()]),
}


@pytest.fixture(scope="module")
def predictors():
    return {kind: make() for kind, make in PREDICTORS.items()}


def spelled(predictor, name):
    """Return the logarithms of all probabilities at each place, one context after the other."""
    size = predictor.model.block_size
    tokens = [0] * size + [LETTERS.characters.index(letter) + 1 for letter in name] + [0]
    rows = []
    for at in range(size, len(tokens)):
        logits = np.asarray(predictor.logits(jnp.array([tokens[at - size : at]])), np.float64)[0]
        rows.append((logits - np.logaddexp.reduce(logits), tokens[at]))
    return rows


@pytest.mark.parametrize("kind", PREDICTORS)
def test_a_score_is_the_models_probabilities_one_letter_at_a_time(predictors, kind):
    predictor = predictors[kind]
    scores = evaluate.score(predictor, LETTERS, NAMES)
    for name, found in zip(NAMES, scores, strict=True):
        rows = spelled(predictor, name)
        assert (found.name, found.unknown) == (name, None)
        assert [each.letter for each in found.letters] == [*name, "."]
        for each, (log_probs, token) in zip(found.letters, rows, strict=True):
            assert each.probability == pytest.approx(math.exp(log_probs[token]), rel=1e-4)
            assert each.surprise == pytest.approx(-log_probs[token], rel=1e-4, abs=1e-5)
            others = np.exp(np.delete(log_probs, token))
            assert each.other_probability == pytest.approx(others.max(), rel=1e-4)
            other = LETTERS.labels.index(each.other)
            assert other != token
            assert math.exp(log_probs[other]) == pytest.approx(others.max(), rel=1e-4)
        total = sum(log_probs[token] for log_probs, token in rows)
        assert found.log_probability == pytest.approx(total, rel=1e-5, abs=1e-4)
        assert found.nats_per_character == pytest.approx(-total / (len(name) + 1), rel=1e-4)
    nats = evaluate.nats_per_name(predictor, LETTERS, NAMES)
    assert -nats == pytest.approx([found.log_probability for found in scores], rel=1e-5)


def test_the_probabilities_of_all_names_sum_to_one():
    """Those of all names up to a length sum to 1 minus the probability of longer ones."""
    logits = jnp.array([[0.5, 1.0, -0.3], [0.7, 0.2, 0.1], [1.1, -0.4, 0.6]])
    predictor = Predictor(bigram.Bigram(vocab_size=3), bigram.Params(logits), ())
    letters, probs = Vocab("ab"), np.asarray(jax.nn.softmax(logits), np.float64)
    unfinished, total = np.array([1.0, 0, 0]), 0.0
    for length in range(10):
        names = ["".join(letters) for letters in product("ab", repeat=length)]
        total += np.exp(-evaluate.nats_per_name(predictor, letters, names)).sum()
        unfinished = unfinished @ probs
        unfinished[0] = 0
        assert total == pytest.approx(1 - unfinished.sum(), abs=1e-5)
    assert 0.98 < total < 1


def test_an_unknown_letter_gives_a_score_that_names_it():
    predictor = network()
    names = ["a", "axy", "é", "z", ""]
    scores = evaluate.score(predictor, LETTERS, names)
    assert [found.unknown for found in scores] == [None, "x", None, "z", None]
    for found in (scores[1], scores[3]):
        assert found[1:4] == ([], -math.inf, math.inf)
    nats = evaluate.nats_per_name(predictor, LETTERS, names)
    assert np.isinf(nats).tolist() == [False, True, False, True, False]
    known = evaluate.nats_per_name(predictor, LETTERS, ["a", "é", ""])
    np.testing.assert_array_equal(nats[[0, 2, 4]], known)
    assert evaluate.nats_per_name(predictor, LETTERS, ["z"]).tolist() == [math.inf]
    assert evaluate.nats_per_name(predictor, LETTERS, []).tolist() == []
    assert evaluate.score(predictor, LETTERS, []) == []


def test_the_percentile_counts_the_less_probable_names():
    listed = evaluate.per_character(evaluate.nats_per_name(network(), LETTERS, LISTED), LISTED)
    ranking = Ranking(network(), LETTERS, LISTED)
    names = [*NAMES, *LISTED, "x"]
    found = ranking.of(names)
    for per_character, rank in zip(found.nats_per_character, found.percentiles, strict=True):
        higher = sum(other > per_character + 1e-6 for other in listed.tolist())
        assert rank == pytest.approx(100 * higher / len(LISTED))
    assert found.percentiles[-1] == 0
    assert evaluate.percentile(
        np.array([2.0, 1.0, 5.0]), np.array([1.0, 2.0, 2.0, 3.0])
    ).tolist() == [
        *(25, 75, 0),
    ]


def rows_of(kind, text):
    """Return the rows of an output as dicts of text, numbers and None."""
    if kind == "json":
        return json.loads(text)
    if kind == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    rows = csv.DictReader(io.StringIO(text))
    numbers = ("log_probability", "nats_per_character", "percentile")
    return [
        {
            **row,
            "unknown": row["unknown"] or None,
            **{name: float(row[name]) if row[name] else None for name in numbers},
        }
        for row in rows
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a run folder with a network and its list."""
    path = tmp_path_factory.mktemp("runs") / "run"
    path.mkdir()
    (path / "names").write_text("\n".join(LISTED), encoding="utf-8")
    (path / "config.json").write_text(json.dumps({"names": str(path / "names"), "lower": True}))
    weights.save(path / "model.safetensors", network(), LETTERS)
    return path


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_the_output_for_a_file_equals_single_scores(monkeypatch, capsys, tmp_path, folder, kind):
    """Chunks do not show, CSV and JSON round-trip, and unknown letters are reported in place."""
    monkeypatch.setattr(score_rows, "CHUNK", 3)
    names = ["aé", "é, a", 'a"a', "A,É", "a#a", "aaaaaaa", "e\u0301", "a"]
    text = "\r\n\r\n".join(names)
    (tmp_path / "file").write_bytes(f"\ufeff{text}\r".encode())
    options = ("--file", tmp_path / "file", "--format", kind, "--nearest", 2)
    status, out, err = run(monkeypatch, capsys, "score", folder, *options)
    assert (status, err) == (0, "")
    rows = rows_of(kind, out)
    tidied = ["aé", "é, a", 'a"a', "a,é", "a#a", "aaaaaaa", "é", "a"]  # the list is in lower case
    assert [row["name"] for row in rows] == tidied
    ranks = Ranking(network(), LETTERS, LISTED).of(tidied).percentiles
    for row, found, rank in zip(
        rows, evaluate.score(network(), LETTERS, tidied), ranks, strict=True
    ):
        assert row["unknown"] == found.unknown
        near = [f"{n} ({edits})" for n, edits in nearest(found.name, [*dict.fromkeys(LISTED)], 2)]
        assert row["nearest"] == ("; ".join(near) if kind == "csv" else near)
        numbers = [row[name] for name in ("log_probability", "nats_per_character", "percentile")]
        if found.unknown:
            assert numbers == [None] * 3
        else:
            expected = [found.log_probability, found.nats_per_character, rank]
            assert numbers == pytest.approx(expected, abs=0.0051)
    with (tmp_path / "file").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert run(monkeypatch, capsys, "score", folder, "--file", "-", *options[2:])[1] == out


def test_a_name_is_shown_letter_by_letter(monkeypatch, capsys, folder):
    status, out, err = run(monkeypatch, capsys, "score", folder, "aé", "ax", "", "--nearest", 1)
    assert (status, err) == (0, "")
    table, strange, empty = out.rstrip().split("\n\n")
    found = evaluate.score(network(), LETTERS, ["aé"])[0]
    rows = [line.split() for line in table.splitlines()[1:4]]
    assert rows == [
        f"{letter} {p:.4f} {surprise:.4f} {repr(other) if other == ' ' else other} {rest:.4f}".split()
        for letter, p, surprise, other, rest in found.letters
    ]
    assert f'"aé": log-probability {found.log_probability:.4f}, ' in table
    assert f"{found.nats_per_character:.4f} nats per character" in table
    assert "percentile: more probable per character than " in table
    assert " % of the 12 listed names" in table
    assert "nearest listed names, with edits: aé (0)" in table
    assert "\"ax\" has the letter 'x' (U+0078), which is not among the 5 letters" in strange
    assert empty.splitlines()[1].split()[0] == "."
    status, out, _ = run(monkeypatch, capsys, "score", folder, "aé", "ax", "--format", "json")
    known, unknown = json.loads(out)
    assert [each["letter"] for each in known["letters"]] == ["a", "é", "."]
    assert known["letters"][0]["surprise"] == pytest.approx(found.letters[0].surprise)
    assert (unknown["letters"], unknown["unknown"], "nearest" in known) == ([], "x", False)


def test_an_impossible_name_is_told_from_one_with_an_unknown_letter(tmp_path):
    """Its letters are known, but a pair of them has the probability 0."""
    letters = Vocab("ab")
    with np.errstate(divide="ignore"):
        logits = jnp.log(jnp.array([[0, 1, 0], [1, 0, 1], [1, 0, 0]], jnp.float32))
    predictor = Predictor(bigram.Bigram(vocab_size=3), bigram.Params(logits), ())
    [found] = evaluate.score(predictor, letters, ["ba"])
    assert found.unknown is None
    assert found.log_probability == -math.inf
    assert [each.probability for each in found.letters] == pytest.approx([0, 0, 0.5])
    ranking = Ranking(predictor, letters, ["a", "ab", "b"])
    assert "".join(score_rows.texts("csv", ranking, [["ba", "x"]], None)).splitlines()[1:] == [
        *("ba,-inf,inf,0.00,", "x,,,,x"),
    ]
    by_name = {"ba": found.letters, "x": []}
    texts = score_rows.texts("json", ranking, [["ba", "x"]], None, by_name)
    impossible, unknown = json.loads("".join(texts))
    assert (impossible["log_probability"], impossible["unknown"]) == (None, None)
    assert (unknown["log_probability"], unknown["unknown"]) == (None, "x")
    assert impossible["letters"][0]["surprise"] is None


def test_a_file_that_cannot_be_scored_is_refused(monkeypatch, capsys, tmp_path, folder):
    (tmp_path / "bad").write_bytes(b"a\n" * 5 + b"\xe9\n")
    for file, message in (
        (tmp_path / "bad", "bad: line 6 is not UTF-8; save it as UTF-8"),
        (tmp_path / "none", "none: cannot be read: No such file or directory; give a text"),
        (tmp_path, "cannot be read: Is a directory"),
        ("a\0b", "cannot be read: embedded null byte"),
    ):
        status, out, err = run(monkeypatch, capsys, "score", folder, "--file", file)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err
    for options in ((), ("a", "--file", "b")):
        status, _, err = run(monkeypatch, capsys, "score", folder, *options)
        assert status == 2
        assert "give names to score, or a file of names with --file; one of them" in err


@pytest.mark.parametrize(
    ("kind", "empty"),
    [
        ("text", "name\tlog probability\tnats per character\tpercentile\n"),
        ("csv", "name,log_probability,nats_per_character,percentile,unknown\n"),
        ("json", "[]\n"),
        ("jsonl", ""),
    ],
)
def test_an_empty_file_has_no_rows(monkeypatch, capsys, tmp_path, folder, kind, empty):
    (tmp_path / "empty").write_text("\n\n")
    options = ("--file", tmp_path / "empty", "--format", kind)
    assert run(monkeypatch, capsys, "score", folder, *options) == (0, empty, "")


def test_a_file_that_is_not_there_is_reported_before_a_model_is_loaded(
    monkeypatch, capsys, tmp_path
):
    options = ("--file", tmp_path / "none")
    status, out, err = run(monkeypatch, capsys, "score", tmp_path / "no run", *options)
    assert (status, out) == (2, "")
    assert f"{tmp_path / 'none'}: cannot be read" in err


def test_a_table_is_not_made_into_a_table_again():
    table = lookup.tabulate(network())
    assert lookup.for_many(table, 10**9) is table
    assert isinstance(lookup.for_many(network(), 10**9).model, lookup.Table)


@pytest.mark.parametrize("column", [7, 31])
def test_tabs_of_narrow_text_are_those_of_python(column):
    text = "a\tb\tc\n\nabcdef\tx\n" + 24 * "y" + "\tz\n" + 80 * "n" + "\tz"
    assert aligned(text, column) == text.expandtabs(max(column, 26))  # the y and two spaces
    lines = aligned("李李\tx\nabcd\tx\ne\u0301e\tx", column).split("\n")
    assert {width(line) for line in lines} == {column + 1}


def test_columns_are_aligned_by_what_a_terminal_shows():
    assert [
        width(text) for text in ("", "ab", "é", "e\u0301", "李", "ｱ", "\uff21", "हु", "a\u20dd")
    ] == [
        *(0, 2, 1, 1, 2, 1, 2, 1, 1),
    ]
    rows = [("李", "x", 1), ("e\u0301e", "李李", 22), ("abcd", "y", 333)]
    lines = str(Table(["", "b", "c"], rows)).splitlines()
    assert len({width(line) for line in lines}) == 1
    assert lines == [
        *("         b    c", "李       x    1", "e\u0301e    李李   22", "abcd     y  333"),
    ]
