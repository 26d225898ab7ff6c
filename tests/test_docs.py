"""The documentation: every code cell runs, and prints what the page says.

The tests that run pages need the extra `docs`.
"""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT
from programs import command

import mmjax
from mmjax import plots

pages = pytest.importorskip("pages", reason="needs the extra docs", exc_type=ImportError)
transcripts = pytest.importorskip("transcripts", exc_type=ImportError)

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("[dr]*/**/*.md")])
FILES = [
    path
    for path in PAGES
    if "```python" in path.read_text(encoding="utf-8") or "{code-cell}" in path.read_text("utf-8")
]
# Each of these pages uses the names that their README defines, so they run in one kernel.
INSTRUMENTS = [path for path in FILES if path.parent.name == "instruments"]
LESSONS = sorted((ROOT / "docs/guide").glob("[0-9]*.md"))
MOST_WORDS = 400


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def folder(tmp_path):
    """Return a folder like the repository's root."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    return tmp_path


def train(out):
    """Train the run that a page loads."""
    process = command("experiments.mlp", "--steps", 200, "--no-report", "--out", out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


@pytest.fixture(autouse=True)
def as_users(monkeypatch):
    """Take away the settings of the tests, which the kernels would inherit."""
    for name in ("XLA_FLAGS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
@pytest.mark.parametrize("path", [each for each in FILES if each not in INSTRUMENTS], ids=title)
def test_a_page_prints_what_it_says(path, folder):
    text = path.read_text(encoding="utf-8")
    if "runs/mlp" in pages.code_of(text):
        train(folder / "runs/mlp")
    compare(text, pages.run(text, title(path), folder), title(path))


@pytest.mark.slow
def test_the_pages_of_the_instruments_print_what_they_say(folder):
    """Each page runs with a copy of the names that their README defines."""
    first, *others = sorted(INSTRUMENTS, key=lambda path: path.stem != "README")
    assert len(others) == 17
    begin = pages.code_of(first.read_text(encoding="utf-8"))
    texts = [path.read_text(encoding="utf-8") for path in others]
    code = [f"exec({pages.code_of(text)!r}, dict(known))" for text in texts]
    printed = pages.execute([f"{begin}\nknown = dict(globals())", *code], folder, "instruments")
    for path, text, now in zip(others, texts, printed[1:], strict=True):
        compare(text, [now], title(path))


def test_the_pages_with_commands_are_known():
    with_commands = [*map(title, PAGES)]
    with_commands = [path for path in with_commands if "```console" in (ROOT / path).read_text()]
    assert with_commands == [*COMMANDS]


COMMANDS = {"docs/diagnosis.md": 2, "docs/names.md": 13}  # how many each page has


@pytest.mark.slow
@pytest.mark.parametrize("page", COMMANDS)
def test_the_commands_of_a_page_print_what_it_says(page, folder):
    """And the comparison notices a line that is missing, and one too many."""
    found = [*transcripts.commands((ROOT / page).read_text(encoding="utf-8"))]
    assert len(found) == COMMANDS[page]
    for each in found:
        printed = transcripts.run(each.line, folder)
        transcripts.compare(each, printed, page)
        for wrong in (f"{each.printed}one more\n", f"one more\n{each.printed}"):
            with pytest.raises(pages.PageError):
                transcripts.compare(replace(each, printed=wrong), printed, page)


def compare(text, printed, title):
    """Compare, and see that any other number would be noticed."""
    pages.compare(text, printed, title)
    for cell, now in zip(pages.cells(text), printed, strict=True):
        for match in pages.NUMBER.finditer(cell.printed or ""):
            far = pages.value(match[0]) + 3 * pages.allowed(match[0], cell.about) + 1
            wrong = f"{cell.printed[: match.start()]}{far}{cell.printed[match.end() :]}"
            assert [*pages.differences(wrong, now, cell.about)], wrong


# What a page needs of the library, and the page.
NEEDED = {
    "corpus.shipped_list": "guide/01-pairs",
    "corpus.read_names": "guide/02-sampling",
    "vocab.build": "guide/01-pairs",
    "corpus.encode": "guide/03-loss",
    "counts.bigrams": "guide/02-sampling",
    "counts.probabilities": "guide/03-loss",
    "counts.spell": "guide/03-loss",
    "counts.entropy_floor": "guide/03-loss",
    "plots.bigram_table": "guide/01-pairs",
    "sample.names": "guide/02-sampling",
    "bigram.from_counts": "guide/02-sampling",
    "train.cross_entropy": "guide/04-gradient",
    "corpus.split": "guide/05-embedding",
    "corpus.windows": "guide/05-embedding",
    "layers.linear_init": "guide/05-embedding",
    "layers.linear": "guide/05-embedding",
    "mlp.MLP": "guide/05-embedding",
    "layers.batch_norm": "guide/08-batchnorm",
    "layers.batch_norm_init": "guide/09-backward",
    "diagnostics.outputs": "guide/07-init",
}


MODULES = {**vars(mmjax), "plots": plots}


@pytest.mark.parametrize("name", NEEDED)
def test_a_page_fails_if_a_public_name_is_gone(name, monkeypatch):
    text = (ROOT / f"docs/{NEEDED[name]}.md").read_text(encoding="utf-8")
    module, attribute = name.split(".")
    monkeypatch.delattr(MODULES[module], attribute)
    with pytest.raises((AttributeError, ImportError), match=attribute):
        exec(pages.code_of(text), {})


@pytest.mark.parametrize(
    ("page", "now", "about", "equal"),
    [
        ("loss 2.45", "loss 2.46", "", True),
        ("loss 2.45", "loss 2.47", "", False),
        ("loss 2.45", "loss  2.45\n", "", True),
        ("loss 2.45", "losses 2.45", "", False),
        ("17 steps", "18 steps", "", False),
        ("17 steps", "18 steps", "± 1", True),
        ("1,700 steps", "1,900 steps", "± 10 %", False),
        ("1,700 steps", "1,800 steps", "± 10 %", True),
        ("1e-3", "2e-3", "", True),
        ("1e-3", "3e-3", "", False),
        ("2.45", "nan", "", False),
        ("2.45", "", "", False),
        ("", "2.45", "", False),
        ("-0.01", "0.01", "", False),
        ("2.1\n['a', 'b']", "2.1\n['c', 'd']", "names vary", True),
        ("2.1\n['a', 'b']", "2.4\n['c', 'd']", "names vary", False),
        ("2.1\n['a', 'b']", "2.4\n['c', 'd']", "names vary, ± 0.5", True),
        ("2.1\na\nb", "2.1\na", "names vary", False),
    ],
)
def test_what_counts_as_equal(page, now, about, equal):
    assert (not [*pages.differences(page, now, about)]) == equal


@pytest.mark.parametrize(
    ("page", "printed", "equal"),
    [
        ("a\nb 1.5\n", "a\nb 1.5\n", True),
        ("a\nb 1.5\n", "a\nb 1.7\n", False),
        ("a\n[...]\n", "a\nx\ny\n", True),
        ("[...]\nb\n", "a\nx\nb\n", True),
        ("[...]\nb\n", "a\nb\nx\n", False),
        ("a\n[...]\nc\n", "a\nb\nc\n", True),
        ("a\n[...]\nc\n", "b\na\nc\n", False),
        ("a\n[...]\nb\n[...]\nc\n", "a\nx\nb\ny\nc\n", True),
        ("a\n[...]\nb\n[...]\nc\n", "a\nx\ny\nc\n", False),
        ("loss  seconds\n1.50      2.1\n", "loss  seconds\n1.50     92.1\n", True),
        ("loss  seconds\n1.50      2.1\n", "loss  seconds\n1.90      2.1\n", False),
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "a\n", False),
        ("", "", True),
    ],
)
def test_what_a_transcript_may_leave_out(page, printed, equal):
    command = transcripts.Command("true", page, "")
    try:
        transcripts.compare(command, printed, "page")
    except pages.PageError:
        assert not equal
    else:
        assert equal


def test_an_unknown_tolerance_is_refused():
    with pytest.raises(pages.PageError, match="roughly"):
        list(pages.differences("2.1", "2.1", "roughly"))


def test_cells_are_found_with_their_output():
    page = "```python\na = 1\n```\n\ntext\n\n```{code-cell} python\n:tags: [x]\nprint(2)\n```\n\n```text ± 1\n2\n```\n"
    first, second = pages.cells(page)
    assert (first.code, first.printed) == ("a = 1\n", None)
    assert (second.code, second.printed, second.about) == ("print(2)\n", "2\n", "± 1")
    rewritten = pages.updated(page, ["", "3\n"])
    assert [cell.printed for cell in pages.cells(rewritten)] == [None, "3\n"]
    assert pages.updated(rewritten, ["", "2\n"]) == page
    assert [cell.printed for cell in pages.cells(pages.updated(page, ["1\n", ""]))] == ["1\n", None]


@pytest.mark.parametrize("path", LESSONS, ids=title)
def test_a_lesson_is_short_and_asks_before_it_answers(path):
    text = path.read_text(encoding="utf-8")
    body = re.sub(r"\A---.*?^---$", "", text, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```$|^\|.*?$", "", body, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.split()) <= MOST_WORDS
    question, answer = text.index("**Question.**"), text.index("**Answer.**")
    between = text[question:answer]
    assert text.count("**Question.**") == 1
    assert "{code-cell}" in between
    assert "```text" in between
    assert "## In PyTorch" in text
    number = int(path.name[:2])
    assert f"python -m experiments.exercise {number}" in text
    assert f"# {number}. " in text


def test_lessons_are_listed_and_linked_in_order():
    assert len(LESSONS) == 12
    index = (ROOT / "docs/guide/README.md").read_text(encoding="utf-8")
    places = [index.index(f"({path.name})") for path in LESSONS]
    assert places == sorted(places)
    for path, following in pairwise(LESSONS):
        assert f"]({following.name})" in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_notebook_shows_pictures_and_progress(folder):
    """Without a magic line. With ipywidgets the bar is a widget, else a line of characters."""
    picture = "import numpy\nfrom mmjax import plots\nplots.bigram_table(numpy.eye(3), 'abc')"
    bar = """
from mmjax import bigram, train, vocab, corpus
from mmjax.cli.progress import progress_bar
import jax
import numpy as np
model, recipe = bigram.Bigram(3), train.Recipe(steps=20)
state = train.init(model, recipe, jax.random.key(0))
tokens = np.array([0, 1, 2, 0, 2, 1, 0])
with progress_bar(recipe) as bar:
    train.fit(model, recipe, state, tokens, chunk=10, sinks=[bar])
"""
    shown, moved = pages.outputs([picture, bar], folder, "notebook")
    assert "image/png" in shown[0].data
    assert any("20.0/20.0" in str(each) or "jupyter.widget-view" in str(each) for each in moved)


@pytest.mark.parametrize("path", LESSONS, ids=title)
def test_a_lesson_opens_as_a_notebook(path):
    jupytext = pytest.importorskip("jupytext", reason="needs the extra docs")
    notebook = jupytext.read(path)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [cell.code.rstrip("\n") for cell in pages.cells(path.read_text("utf-8"))]
