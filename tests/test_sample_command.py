"""The options of `sample`: conditions, formats, order, spelling, and what ends it early."""

import csv
import io
import json
import re
import sys
import unicodedata

import pytest
from programs import run
from rapidfuzz.distance import Levenshtein

from mmjax import corpus, evaluate, kneser_ney, vocab, weights
from mmjax.cli.program import main
from mmjax.commands import sample as command
from mmjax.runs.folder import RunFolder
from mmjax.runs.samples import read_samples

LISTED = ["Llanfair", "Llanelli", "Llandudno", "Bangor", "Bala", "Barry", "Conwy", "Neath", "Tenby"]
LISTED += [unicodedata.normalize("NFD", "Tŷ-coch"), "Zoe\u200cy", "a", "Llanharan", "Balanelli"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a run folder with a counted model of the list."""
    out = tmp_path_factory.mktemp("run")
    (out / "names.txt").write_text("\n".join(LISTED), encoding="utf-8")
    letters = vocab.build(LISTED)
    predictor = kneser_ney.fit(corpus.encode(letters, LISTED), letters.size, 2)
    weights.save(out / "model.safetensors", predictor, letters)
    (out / "config.json").write_text(json.dumps({"names": str(out / "names.txt")}))
    return out


@pytest.fixture
def draw(monkeypatch, capsys, folder):
    def drawn(*options, of=folder):
        status, out, err = run(monkeypatch, capsys, "sample", of, *options)
        return status, out.splitlines(), err

    return drawn


def test_names_meet_the_conditions(draw):
    conditions = ("--contains", "an", "--min-length", 6, "--max-length", 9)
    status, names, err = draw("-n", 50, *conditions, "--pattern", "[LB]*")
    assert (status, len(names), err) == (0, 50, "")
    assert all(re.fullmatch(r"[LB].{5,8}", name) and "an" in name for name in names)
    _, names, _ = draw("-n", 30, "--like", "Bala", "--edits", 1, "--unique")
    assert all(Levenshtein.distance(name, "Bala") == 1 for name in names)
    assert "a" not in draw("-n", 30, "--like", "A", "--edits", 1)[1]  # the list has "a" alone
    assert len(set(names)) == len(names)


def test_new_names_only_and_none_of_another_list(draw, tmp_path):
    _, first, _ = draw("-n", 20, "--suffix", "y", "--new-only", "--unique")
    assert not set(first) & set(LISTED)
    (tmp_path / "avoid").write_text("\n".join(first), encoding="utf-8")
    options = ("-n", 20, "--suffix", "y", "--new-only", "--unique", "--avoid", tmp_path / "avoid")
    _, second, _ = draw(*options)
    assert len(second) == 20
    assert not set(second) & set(first + LISTED)


def test_an_empty_name_is_never_shown(draw, folder, tmp_path):
    """Most names of this model are empty."""
    letters = vocab.build(["ab"])
    predictor = kneser_ney.fit(corpus.encode(letters, ["", "", "", "", "a", "ab"]), 3, 1)
    weights.save(tmp_path / "model.safetensors", predictor, letters)
    status, names, _ = draw("-n", 40, of=tmp_path / "model.safetensors")
    assert (status, len(names)) == (0, 40)
    assert "" not in names
    _, names, _ = draw("--likeliest", 3, of=tmp_path / "model.safetensors")
    assert len(names) == 3
    assert "" not in names


@pytest.mark.parametrize(
    ("typed", "meant", "said"),
    [
        ("llan", "Llan", "--prefix 'llan' is taken as 'Llan', the spelling of the list"),
        ("BANG", "Bang", "is taken as 'Bang'"),
        ("Llan", "Llan", ""),
        (unicodedata.normalize("NFC", "Tŷ"), unicodedata.normalize("NFD", "Tŷ"), ""),
        ("tŷ", unicodedata.normalize("NFD", "Tŷ"), "is taken as"),
    ],
)
def test_a_prefix_is_spelled_as_in_the_list(draw, typed, meant, said):
    status, names, err = draw("-n", 5, "--prefix", typed)
    assert status == 0
    assert all(name.startswith(meant) for name in names)
    assert said in err if said else err == ""
    assert len(err.splitlines()) == bool(said)


def test_a_value_that_begins_with_a_dash_needs_an_equals_sign(draw):
    status, _, err = draw("--suffix", "-coch")
    assert status == 2
    assert "write --suffix=-coch if -coch is a value" in err
    assert draw("--suffix=-coch", "-n", 3)[0] == 0


def test_formats_tell_what_the_library_tells(draw, folder):
    predictor, letters = weights.load(folder / "model.safetensors")
    options = ("-n", 7, "--unique", "--seed", 5)
    _, names, _ = draw(*options)
    _, lines, _ = draw(*options, "--format", "jsonl")
    records = [json.loads(line) for line in lines]
    assert [record["name"] for record in records] == names
    losses = evaluate.name_losses(predictor, corpus.encode(letters, names))
    for record, loss in zip(records, losses, strict=True):
        assert record["log_probability"] == pytest.approx(-loss, abs=1e-3)
        assert record["new"] == (record["name"] not in LISTED)
        edits = min(Levenshtein.distance(record["name"], listed) for listed in LISTED)
        assert record["edits"] == edits == Levenshtein.distance(record["name"], record["nearest"])
    assert json.loads("\n".join(draw(*options, "--format", "json")[1])) == records
    rows = list(csv.DictReader(draw(*options, "--format", "csv")[1]))
    assert [row["name"] for row in rows] == names
    assert [float(row["log_probability"]) for row in rows] == [
        each["log_probability"] for each in records
    ]
    assert [row["new"] for row in rows] == [str(int(each["new"])) for each in records]
    _, lines, _ = draw(*options, "--format", "text")
    marks = ["new" if record["new"] else "in the list" for record in records]
    assert lines == [f"{name}\t{mark}" for name, mark in zip(names, marks, strict=True)]
    assert draw("-n", 0, "--format", "json")[1] == ["[", "", "]"]


def test_names_are_sorted(draw):
    options = ("-n", 30, "--unique", "--format", "jsonl", "--sort")
    sort = {each: [json.loads(line) for line in draw(*options, each)[1]] for each in ORDERS}
    assert len({frozenset(record["name"] for record in found) for found in sort.values()}) == 1
    for order, key in ORDERS.items():
        assert sort[order] == sorted(sort[order], key=key), order


ORDERS = {
    "likelihood": lambda record: -record["log_probability"],
    "length": lambda record: len(record["name"]),
    "alphabet": lambda record: record["name"].casefold(),
}


def test_the_likeliest_names(draw):
    options = ("--likeliest", 30, "--format", "jsonl", "--prefix", "B")
    records = [json.loads(line) for line in draw(*options)[1]]
    logs = [record["log_probability"] for record in records]
    assert logs == sorted(logs, reverse=True)
    new = [record["name"] for record in records if record["new"]]
    assert draw("--likeliest", len(new), "--new-only", "--prefix", "B")[1] == new
    diverse = draw("--likeliest", 5, "--prefix", "B", "--diverse", 20)[1]
    assert diverse[0] == records[0]["name"]
    assert len(set(diverse)) == 5
    assert diverse != [record["name"] for record in records[:5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--likeliest", 3, "--top-k", 2], "leave the filters out"),
        (["--diverse", 3], "give --likeliest too"),
        (["--min-length", 5, "--max-length", 4], "at least 5 letters and at most 4"),
        (["--suffix", "Q7"], "has the character 'Q'"),
        (["--avoid", "/no/list"], "no such file"),
    ],
)
def test_wrong_options_print_nothing(draw, options, message):
    status, out, err = draw(*options, "--format", "csv")
    assert (status, out) == (2, [])
    assert message in err
    assert len(err.splitlines()) == 1


def test_what_is_found_is_shown_if_there_is_no_more(draw, monkeypatch):
    monkeypatch.setattr(command, "GIVE_UP", 3_000)
    status, names, err = draw("--temperature", 0, "--cut", 5_000, "--unique")
    assert (status, len(names)) == (0, 1)
    assert "1 of 20 names: the last 3,000 names drawn are all shown already; raise" in err
    assert draw("--temperature", 0, "-n", 7)[1] == names * 7
    status, lines, err = draw("--pattern", "Ba?", "-n", 500, "--unique", "--format", "json")
    found = [record["name"] for record in json.loads("\n".join(lines))]
    assert status == 0
    assert f"{len(found)} of 500 names: the last 3,000" in err
    assert len(set(found)) == len(found) > 3


def test_a_file_alone_is_drawn_from_without_marks(draw, folder, tmp_path):
    alone = tmp_path / "best.safetensors"
    alone.write_bytes((folder / "model.safetensors").read_bytes())
    status, names, err = draw("-n", 5, "--format", "text", of=alone)
    assert (status, err) == (0, "")
    assert not any("\t" in name for name in names)
    assert names == draw("-n", 5)[1]
    (line,) = draw("-n", 1, "--format", "jsonl", of=alone)[1]
    assert json.loads(line)["new"] is json.loads(line)["nearest"] is None
    status, _, err = draw("--new-only", of=alone)
    assert status == 2
    assert "give the list with --names; --new-only needs it" in err
    assert draw("--new-only", "--names", folder / "names.txt", of=alone)[0] == 0
    marked = draw("-n", 5, "--format", "text", of=folder / "model.safetensors")[1]
    assert [line.split("\t")[0] for line in marked] == names


def test_the_terminal_tells_how_rare_the_condition_is(draw, monkeypatch):
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    status, lines, err = draw("-n", 4, "--suffix", "anelli")
    assert status == 0
    assert re.match(r"1 in [\d,]+ names of this model end with 'anelli'\n", err)
    assert all(re.search(" +(new|in the list)$", line) for line in lines)
    assert draw("-n", 4, "--prefix", "B")[2] == ""


def test_a_pipe_gets_the_characters_themselves_whatever_the_locale(monkeypatch, folder):
    pipe = io.BytesIO()
    arguments = ["sample", str(folder), "--prefix", "Z", "-n", "40"]
    with io.TextIOWrapper(pipe, encoding="ascii") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit):
            main("sample", command.Options, command.program)
        stream.flush()
        written = pipe.getvalue()
    assert "\u200c" in written.decode()
    assert b"\\" not in written


def test_samples_of_a_run_hold_the_characters_themselves(tmp_path):
    samples = [("a\u200cb\x1b", "new"), ("a\tb", "in the list, cut"), ("ü", "new")]
    run_folder = RunFolder(tmp_path, command.Options(tmp_path))
    run_folder.write_samples(samples)
    assert "a\u200cb\x1b\tnew\n" in (tmp_path / "samples.txt").read_text(encoding="utf-8")
    assert read_samples(tmp_path) == samples
