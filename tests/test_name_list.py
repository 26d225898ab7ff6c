"""Lists as people have them: what is noticed, what is read, and what is said about it."""

import csv
import io
import json
import shlex
import tracemalloc
import unicodedata
from contextlib import suppress

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from programs import contents, run

from mmjax import InputError, corpus, weights
from mmjax.cli.options import parse
from mmjax.commands import name_list
from mmjax.commands.name_list import NameList

TOWNS = [(f"Town {chr(97 + i)}", "Shire", i * 7) for i in range(23)]
TEXT = st.text("aé ,;\t\"'\n-", min_size=1, max_size=7).map(lambda s: " ".join(s.split("\n")))
CELL = TEXT.map(str.strip).filter(bool)


def written(folder, data, name="towns.txt"):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def table(rows, **kind):
    text = io.StringIO()
    csv.writer(text, **kind).writerows(rows)
    return text.getvalue()


def read(path, **options):
    """Return the names and the notes, each without the path."""
    notes = []
    names = corpus.read_names(path, note=notes.append, **options)
    assert all(note.startswith(f"{path}: ") for note in notes)
    return names, [note.removeprefix(f"{path}: ") for note in notes]


# Tables

HEADED = [("name", "county", "population"), *TOWNS]
NOTICED = {
    "CSV": (table(HEADED), "CSV with the columns name, county, population", "name"),
    "semicolons": (table(HEADED, delimiter=";"), "CSV with the columns name, county", "name"),
    "TSV": (table(HEADED, delimiter="\t"), "TSV with the columns name, county", "name"),
    "a title above": (
        "All of them\n" + table(TOWNS),
        "CSV with a first line of Town a, Shire",
        "1",
    ),
    "unheaded": ("Mary,F,7065\nAnna,F,2604\nEmma,F,2003\n", "first line of Mary, F, 7065", "1"),
    "number first": (
        table([("no", "called"), (1, "a b"), (2, "c")]),
        "columns no, called",
        "called",
    ),
    "a space in the header": (table([("x", "full name", "y"), *TOWNS]), "", "'full name'"),
    "commas alone": ("Smith,John\nDoe,Jane\nPoe,Joe\n", "a first line of Smith, John", "1"),
    "quoted": ('"ann"\n"bo"\n"cy"\n', "CSV with a first line of ann", "1"),
    "quoted commas": ('"Smith, J",x\n"Doe, J",y\n', "CSV with a first line of Smith, J, x", "1"),
    "array": ('["ann", "bo"]', "a JSON array", "1"),
    "arrays": ('[["ann"], ["bo"]]', "a JSON array of arrays", "1"),
    "objects": ('[{"id": 3, "name": "ann"}]', "JSON with the keys id, name", "name"),
    "JSON lines": ('{"id": 3, "town": "a"}\n\n{"town": "b"}\n', "the keys id, town", "town"),
    "an object": ('{"about": "x", "names": ["a", "b"]}', "the keys about, names", "names"),
}


@pytest.mark.parametrize("kind", NOTICED)
def test_a_table_is_noticed_and_the_proposed_column_reads_it(tmp_path, kind):
    text, what, proposed = NOTICED[kind]
    path = written(tmp_path, text)
    with pytest.raises(InputError) as raised:
        corpus.read_names(path)
    said = str(raised.value)
    assert said.startswith(f"{path}: looks like ")
    assert what in said
    assert f"; give --column {proposed}, or --column 0 if each line is a name" in said
    [column] = shlex.split(proposed)
    names, notes = read(path, column=column)
    assert names
    assert notes == []
    assert not {"name", "town", "names", "called"} & set(names)
    whole, _ = read(path, column="0")
    assert whole == [line.strip() for line in text.splitlines() if line.strip()]


PLAIN = {
    "a comma in all names": "Smith, John\nDoe, Jane\nPoe, Joe\n",
    "three parts": "Paris, Texas, USA\nRome, Georgia, USA\n",
    "commas in some": "Smith, John\nDoe\nPoe, Joe\n",
    "commas in most": "Smith,J\n" * 9 + "Doe\n",
    "numbers of commas": "a,b\na,b,c\nd\n",
    "semicolons": "a; b\nc; d\n",
    "one comma": "Smith,John",
    "some quotes": '"Bud" Smith\nann\n',
    "brackets": "[ann]\n{bo}\n",
    "numbers": "17\n1,000\n2\n",
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_list_is_not_taken_for_a_table(tmp_path, kind):
    names, notes = read(written(tmp_path, PLAIN[kind]))
    assert names == PLAIN[kind].rstrip().split("\n")
    assert notes == []


def test_the_share_of_lines_with_commas_decides(tmp_path):
    for others, refused in ((5, True), (6, False)):  # of 100
        lines = ["a,b"] * (100 - others) + ["c"] * others
        path = written(tmp_path, "\n".join(lines))
        if refused:
            with pytest.raises(InputError, match="looks like CSV"):
                corpus.read_names(path)
        else:
            assert corpus.read_names(path) == lines


def test_several_names_on_one_line_are_noticed(tmp_path):
    with pytest.raises(InputError, match="several names on one line; put one name on each"):
        corpus.read_names(written(tmp_path, "ann, bob, cy\n"))


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=13), st.sampled_from(",;\t"))
def test_columns_are_those_that_the_csv_module_wrote(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    rows = [("number", "one", "two", "three"), *((str(i), *row) for i, row in enumerate(rows, 11))]
    path.write_text(table(rows, delimiter=delimiter, quoting=csv.QUOTE_ALL), encoding="utf-8")
    for at, name in enumerate(rows[0]):
        expected = [row[at] for row in rows[1:]]
        assert corpus.read_names(path, column=name) == expected
        assert corpus.read_names(path, column=str(at + 1), header=True) == expected
        assert corpus.read_names(path, column=str(at + 1)) == [name, *expected]


@given(st.lists(CELL, min_size=1, max_size=13))
def test_names_are_those_that_the_json_module_wrote(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "table.json"
    for content in (names, [{"id": 3, "é": name} for name in names], [[name] for name in names]):
        column = "é" if isinstance(content[0], dict) else "1"
        path.write_text(json.dumps(content, indent=1))
        assert corpus.read_names(path, column=column) == names
        if content is not names:
            path.write_text("\n".join(map(json.dumps, content)))
            assert corpus.read_names(path, column=column) == names


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("name,x\nann,1\n", "nmae", "has no column 'nmae'; it has name, x"),
        ("name,x\nann,1\n", "3", "has no column 3; it has 2"),
        ("name,x\nann,1\n", "9" * 5000, "has no column '9"),
        ("a,b\n,c\n,d\n", "a", "holds no names"),
        ('"a",b\n"c" d,e\n', "1", "line 2 is not CSV"),
        (f'"{"a" * 140_000}",b\nc,d', "1", "line 1 is not CSV: field larger than"),
        ('["a"]', "name", "is a JSON array of texts; give --column 1, not 'name'"),
        ('[["a"]]', "name", "is a JSON array of arrays; give --column with a number"),
        ('[{"a": "b"}]', "c", "has no text at the key 'c'; JSON with the keys a"),
        ('[{"a": 5}]', "a", "record 1 has 5, which is not text"),
        ('{"a": "b"}', "c", "has no texts at the key 'c'; it has the keys a"),
        ('["a\\u0000"]', "1", r"has the character U\+0000, which is not allowed"),
        ('["a\\ud800"]', "1", r"has the character U\+D800, which is not allowed"),
        ("[]", "1", "holds no names"),
    ],
)
def test_a_column_that_cannot_be_read_is_refused_with_the_reason(tmp_path, text, column, message):
    with pytest.raises(InputError, match=rf"towns\.txt: .*{message}"):
        corpus.read_names(written(tmp_path, text), column=column)


@given(st.text('[]{}",:;\t\n\r ab1\\', max_size=40), st.sampled_from([None, "0", "1", "2", "a"]))
def test_any_text_is_a_table_or_refused(tmp_path_factory, text, column):
    path = written(tmp_path_factory.getbasetemp(), text)
    with suppress(InputError):
        names = corpus.read_names(path, column=column)
        assert names
        assert all(name == name.strip() and name for name in names)
        assert not {"\n", "\r", "\0"} & {*"".join(names)}


def test_a_file_called_json_must_be_json(tmp_path):
    path = written(tmp_path, '["ann",', "names.json")
    for column in (None, "1"):
        with pytest.raises(InputError, match=r"ends in \.json, but holds no array and no object"):
            corpus.read_names(path, column=column)


def test_places_without_a_name_are_left_out_and_noted(tmp_path):
    path = written(tmp_path, "name,x\nann,1\n,2\n\n\nbo,3\n  ,4\n")
    assert read(path, column="name") == (
        ["ann", "bo"],
        ["2 lines were without a name in column name left out"],
    )


# Headers, Unicode and case


@pytest.mark.parametrize("word", ["name", "Names", "TOWN", "company", "First name", "last_name"])
def test_a_first_line_like_a_header_is_noted(tmp_path, word):
    names = ["ann", "bo"] * 11
    path = written(tmp_path, "\n".join([word, *names]))
    note = f"the first line is {word!r}; if it is a header, give --header"
    assert read(path) == ([word, *names], [note])
    assert read(path, header=True) == (names, [])


@pytest.mark.parametrize("text", ["ann\nname\n", "rename\nann\n", "name\nbo\nname\n", "name\n"])
def test_other_first_lines_are_not_noted(tmp_path, text):
    assert read(written(tmp_path, text)) == (text.split(), [])


@given(st.lists(st.text("ae\u0301\u0308éoﬁÅ\u212b", min_size=1), min_size=1, max_size=13))
def test_names_become_nfc_and_the_note_counts_them(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "nfc"
    path.write_text("\n".join(names), encoding="utf-8")
    found, notes = read(path)
    assert found == [unicodedata.normalize("NFC", name) for name in names]
    changed = sum(map(str.__ne__, found, names))
    told = [int(note.split()[0]) for note in notes if "normal form NFC" in note]
    assert told == [changed] * (changed > 0)


@pytest.mark.parametrize(
    ("names", "noted"),
    [
        ("Ann ann Bo", "1 name is also spelled in another case"),
        ("Ann ANN ann Bo BO", "3 names are also"),
        ("ANN Bo Cy", "1 of 3 names are all upper case"),
        ("ANN BO CY", None),
        ("Ann Bo McCy", None),
        ("ann Bo cy", None),
        (" ".join(["IBM"] + [f"Firm{chr(97 + i)}" for i in range(20)]), None),  # below 5 %
        ("李 王 ANN" + " 張" * 30, None),
        ("ann ann bo", None),
    ],
)
def test_mixed_case_is_noted_and_lower_ends_it(tmp_path, names, noted):
    path = written(tmp_path, names.replace(" ", "\n"))
    found, notes = read(path)
    assert found == names.split()
    assert len(notes) == (noted is not None)
    if noted:
        assert notes[0].startswith(noted)
        assert notes[0].endswith("; --lower makes all names lower case")
    assert read(path, lower=True) == (names.lower().split(), [])
    unique, _ = read(path, lower=True, unique=True)
    assert unique == list(dict.fromkeys(names.lower().split()))


def test_lower_case_is_normal_form_too(tmp_path):
    path = written(tmp_path, "\u0130I\u0307e\u0301\nann")  # its lower case has combining dots
    names, _ = read(path, lower=True)
    assert all(unicodedata.is_normalized("NFC", name) for name in names)


def test_nothing_is_noted_about_the_shipped_list():
    assert read(ROOT / "data/names.txt")[1] == []


def test_nothing_is_noted_about_the_lectures_list(makemore_path):
    assert read(makemore_path)[1] == []


@pytest.mark.parametrize(
    "line", ["abc\n", "Abc\r\n", "äbc\n", "a\u0308bc\r", '"abc"\r\n', '{"":"abc"}\n']
)
def test_the_memory_is_within_its_bound(tmp_path, line):
    """The bound is that of the free memory that is asked for before the list is read."""
    path = written(tmp_path, line * 5_000)
    column = "1" if '"' in line else None
    corpus.read_names(path, column=column)  # what is imported the first time is so now
    tracemalloc.start()
    try:
        assert len(corpus.read_names(path, column=column)) == 5_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < corpus.MEMORY * path.stat().st_size


# Programs

TINY = ("--embedding-dim", 2, "--hidden-size", 3, "--hidden-layers", 1, "--steps", 0)
PEOPLE = ["Ann", "ann", "BOB", "Zoe\u0301", "Neil", "Ives", "Lili", "Cy", "Dee", "Eve", "Fay"]
KNOWN = ["ann", "bob", "zo\u00e9", "neil", "ives", "lili", "cy", "dee", "eve", "fay"]


@pytest.fixture
def people(tmp_path):
    rows = [("id", "first name"), *enumerate(PEOPLE)]
    return written(tmp_path, table(rows, lineterminator="\r"), "people.csv")


READING = ("--column", "first name", "--lower", "--unique")


@pytest.mark.slow
def test_a_program_prints_the_notes_of_a_list(monkeypatch, capsys, tmp_path, people):
    given_options = ("--names", people, "--out", tmp_path / "run", "--steps", 0)
    status, out, err = run(monkeypatch, capsys, "bigram", *given_options)
    assert (status, out) == (2, "")
    what = "CSV with the columns id, first name; give --column 'first name', or --column 0 if"
    assert f"bigram: {people}: looks like {what}" in err
    assert not (tmp_path / "run").exists()
    status, out, err = run(monkeypatch, capsys, "bigram", *given_options, "--column", 2)
    assert status == 0
    assert err.splitlines() == [
        f"{people}: the first line is 'first name'; if it is a header, give --header",
        f"{people}: 1 name was changed to Unicode's normal form NFC",
        f"{people}: 1 name is also spelled in another case; --lower makes all names lower case",
    ]


@pytest.mark.slow
def test_a_list_is_read_by_all_programs_as_the_run_read_it(monkeypatch, capsys, tmp_path, people):
    first = ("mlp", "--names", people, *READING, "--out", tmp_path / "a", *TINY)
    status, _, err = run(monkeypatch, capsys, *first)
    assert (status, err.count("\n")) == (0, 1)  # the note about NFC
    _, letters = weights.load(tmp_path / "a/model.safetensors")
    assert letters.characters == "".join(sorted({*"".join(KNOWN)}))
    assert name_list.of_run(tmp_path / "a").names == KNOWN
    moved = people.rename(tmp_path / "moved.csv")
    with pytest.raises(InputError, match=r"people\.csv: the list of this run is missing; give one"):
        name_list.of_run(tmp_path / "a")
    assert name_list.of_run(tmp_path / "a", moved).names == KNOWN
    status, _, err = run(monkeypatch, capsys, "sample", tmp_path / "a", "--names", moved)
    assert (status, err) == (0, "")
    # The options come from the run, and are those of the run.
    again = ("mlp", "--config", tmp_path / "a/config.json", "--names", moved, "--out")
    status, _, err = run(monkeypatch, capsys, *again, tmp_path / "b")
    assert (status, err.count("\n")) == (0, 1)
    configs = [json.loads((tmp_path / run / "config.json").read_text()) for run in "ab"]
    for option in ("column", "header", "lower", "unique"):
        assert configs[0][option] == configs[1][option]
    status, _, err = run(monkeypatch, capsys, *again, tmp_path / "a", "--resume", "--steps", 2)
    assert status == 0
    before = contents(tmp_path / "a")
    status, _, err = run(monkeypatch, capsys, *first[:-2], "--names", moved, "--resume", "--header")
    assert status == 2
    assert "was trained with --header False, not True; give the same options" in err
    assert contents(tmp_path / "a") == before


@pytest.mark.slow
@pytest.mark.parametrize("program", ["mlp", "bigram"])
def test_a_run_is_looked_into_with_its_list(monkeypatch, capsys, tmp_path, people, program):
    first = ("--names", people, *READING, "--out", tmp_path / "a", "--steps", 10)
    assert run(monkeypatch, capsys, program, *first)[0] == 0
    status, _, err = run(monkeypatch, capsys, "diagnose", tmp_path / "a")
    assert (status, err) == (0, "")


@pytest.mark.parametrize(
    "listed",
    [
        NameList(),
        NameList(names=ROOT / "a b", unique=True, column="-first name", header=True, lower=True),
    ],
)
def test_the_options_are_typed_as_they_are_read(listed):
    assert parse("x", NameList, listed.typed()) == listed
