"""The commands in the documentation are ones that the programs understand."""

import re
import runpy
import shlex
import subprocess
from contextlib import contextmanager

import pytest
from conftest import ROOT

from experiments.sweep_options import Options as SweepOptions
from mmjax.cli import program
from mmjax.cli.options import flat, kind_of, parse
from mmjax.commands import app
from mmjax.commands.train_options import Options
from mmjax.errors import InputError

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("[dr]*/**/*.md")]
COMMAND = re.compile(r"\A(?:\$ )?(?:\.venv/bin/)?(?:python -m experiments\.|mmjax )")
# What stands for something of the reader's.
STANDS_FOR = {"RUN": "runs/mlp", "LIST": "names.txt", "N": "3", "TRACK": "lecture-seconds"}


def commands():
    """Return every command line with arguments in the pages, each once."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```.*?^```$", text, re.DOTALL | re.MULTILINE)
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
        spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
        indented = re.findall(r"^    (\S.*)$", prose, re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines()]
        for line in (*spans, *indented, *lines):
            if COMMAND.match(line):
                words = shlex.split(re.split(r"\s[>|#&]", line)[0], comments=True)
                words = words[words[0] == "$" :]
                words = words[0 if words[0] == "mmjax" else 2 :]  # without python -m
                if len(words) > (2 if words[0] == "mmjax" else 1):
                    found.add(tuple(STANDS_FOR.get(word, word) for word in words))
    return sorted(found)


def understood(words, monkeypatch):
    """Parse a command as its program does, without running it."""

    def only_parse(command, options, program):
        with suppress_missing_run():
            parse(command, kind_of(options, arguments), arguments)
        raise SystemExit(0)

    name, *arguments = words
    monkeypatch.setattr("sys.argv", [name, *arguments])
    monkeypatch.setattr(program, "main", only_parse)
    monkeypatch.setattr(app, "main", only_parse)
    if name == "mmjax":
        arguments = arguments[1:]
    with pytest.raises(SystemExit) as end:
        app.run() if name == "mmjax" else runpy.run_module(name, run_name="__main__")
    assert end.value.code == 0


@contextmanager
def suppress_missing_run():
    """Ignore that there is no such run: its folder says which options there are."""
    try:
        yield
    except InputError as error:
        if "is no run folder" not in str(error):
            raise


def test_there_are_commands():
    found = commands()
    assert len(found) > 60
    assert ("mmjax", "sample", "runs/girls", "-n", "8", "--new-only") in found
    assert ("experiments.diagnose", "runs/slow", "--try") in found


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_understood(words, monkeypatch):
    understood(words, monkeypatch)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_an_unknown_option_is_noticed(monkeypatch):
    for words in (("mmjax", "sample", "runs/a", "--newest"), ("experiments.mlp", "--step", "3")):
        with pytest.raises(InputError):
            understood(words, monkeypatch)


@pytest.mark.parametrize("path", sorted((ROOT / "docs/scaling").iterdir()), ids=lambda p: p.name)
def test_files_for_schedulers_use_options_that_the_programs_have(path):
    """They cannot be run here as they are, so each option is looked up."""
    text = path.read_text(encoding="utf-8")
    name = re.findall(r"experiments\.(?:mlp|sweep)", text)
    assert len(set(name)) == 1
    kind = {"mlp": Options, "sweep": SweepOptions}[name[0].partition(".")[2]]
    known = {f"--{field.name.replace('_', '-')}" for field in flat(kind)}
    given = {*re.findall(r"--[a-z-]+", text[text.index("experiments.") :])}
    given |= {*re.findall(r"--(?:resume|overwrite)", text)}
    assert given
    assert given <= known
    if path.suffix == ".sh":
        assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
