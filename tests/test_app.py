"""The command `mmjax`."""

import shutil
import subprocess

import jax
import pytest
from conftest import ROOT

import mmjax
from experiments.bench.lists import names_of
from mmjax.cli.options import parse
from mmjax.commands import app
from mmjax.commands import open as opening
from mmjax.commands.auto_options import AutoOptions
from mmjax.data import corpus


def mmjax_command(monkeypatch, capsys, *arguments):
    """Run `mmjax` in this process; return (status, output, errors)."""
    monkeypatch.setattr("sys.argv", ["mmjax", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_info:
        app.run()
    out, err = capsys.readouterr()
    return exit_info.value.code, out, err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_fits_a_screen_and_begins_with_training_and_sampling(monkeypatch, capsys, arguments):
    status, out, _ = mmjax_command(monkeypatch, capsys, *arguments)
    lines = [line for line in out.splitlines() if line]
    assert status == 0
    assert len(out.splitlines()) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[:2] == ["mmjax", "train"]
    assert lines[2].split()[:2] == ["mmjax", "sample"]
    assert all(f"mmjax {name}" in out for name in app.COMMANDS)


def test_the_version_and_unknown_commands(monkeypatch, capsys):
    assert mmjax_command(monkeypatch, capsys, "--version")[:2] == (0, f"{mmjax.__version__}\n")
    status, _, err = mmjax_command(monkeypatch, capsys, "completion", "fish")
    assert (status, err) == (2, "mmjax completion: give a shell, bash or zsh\n")
    status, _, err = mmjax_command(monkeypatch, capsys, "trian")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "no command 'trian'; give one of train, sample, score, open, demo" in err


@pytest.mark.parametrize("command", app.COMMANDS)
def test_every_command_has_help_under_its_own_name(monkeypatch, capsys, command):
    status, out, _ = mmjax_command(monkeypatch, capsys, command, "--help")
    assert status == 0
    assert out.startswith(f"usage: mmjax {command} ")
    status, _, err = mmjax_command(monkeypatch, capsys, command, "--no-such-option")
    assert (status, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"mmjax {command}: ")


def test_the_command_is_installed():
    path = shutil.which("mmjax", path=str(ROOT / ".venv/bin")) or shutil.which("mmjax")
    assert path, "pip install -e . makes the command"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{mmjax.__version__}\n"


@pytest.mark.parametrize("shell", app.SHELLS)
def test_completions_know_commands_and_options(shell):
    script = app.completion(shell)
    assert all(name in script for name in app.COMMANDS)
    assert "--new-only" in script or "new-only" in script


def test_a_list_is_trained_into_a_folder_of_its_name(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(app.train, "program", lambda options: asked.append(options) or 0)
    for arguments in (["towns.txt"], ["towns.txt", "--out", "there"], ["a.b.txt", "c.txt"]):
        kind = app.of_train(arguments)
        app.train_list(parse("mmjax train", kind, arguments))
    assert [str(options.out) for options in asked] == ["runs/towns", "there", "runs/a.b"]
    assert all(isinstance(options, AutoOptions) for options in asked)
    assert [*map(str, asked[2].name_list.paths)] == ["a.b.txt", "c.txt"]
    kind = app.of_train(["towns.txt", "--recipe", "lecture"])
    options = parse("mmjax train", kind, ["towns.txt", "--recipe", "lecture"])
    assert (options.recipe.steps, str(options.name_list.names)) == (200_000, "towns.txt")


def test_the_page_is_opened_and_its_path_printed(monkeypatch, capsys, tmp_path):
    opened = []
    monkeypatch.setattr(opening.webbrowser, "open", lambda address: bool(opened.append(address)))
    status, _, err = mmjax_command(monkeypatch, capsys, "open", tmp_path)
    assert status == 2
    assert "has no playground.html and no report.html; train without --no-report" in err
    for name in ("report", "playground"):
        (tmp_path / f"{name}.html").write_text("")
        status, out, _ = mmjax_command(monkeypatch, capsys, "open", tmp_path)
        assert (status, out) == (0, f"{tmp_path / name}.html\n")
    mmjax_command(monkeypatch, capsys, "open", tmp_path, "--page", "report")
    assert [address.rsplit("/", 1)[1] for address in opened] == [
        *("report.html", "playground.html", "report.html")
    ]
    status, _, err = mmjax_command(monkeypatch, capsys, "open", tmp_path / "none")
    assert (status, "is no run folder" in err) == (2, True)


def test_the_shipped_list_is_found():
    assert corpus.shipped_list() == ROOT / "data/names.txt"


@pytest.mark.slow
def test_from_a_list_to_names(monkeypatch, capsys, tmp_path):
    """The commands one after the other, as a user types them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("\n".join(names_of("kana")) + "\n", encoding="utf-8")
    with jax.numpy_dtype_promotion("standard"):  # adamw raises a float to the power of its step
        assert mmjax_command(monkeypatch, capsys, "train", "words.txt", "--steps", 48)[0] == 0
    options = ("-n", 30, "--new-only", "--max-length", 4)
    status, out, _ = mmjax_command(monkeypatch, capsys, "sample", "runs/words", *options)
    names = out.splitlines()
    assert (status, len(names), len({*names})) == (0, 30, 30)
    assert not {*names} & {*names_of("kana")}
    assert max(map(len, names)) <= 4
    status, out, _ = mmjax_command(monkeypatch, capsys, "score", "runs/words", names[0])
    assert (status, names[0][0] in out) == (0, True)
