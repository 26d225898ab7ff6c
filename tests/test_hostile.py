"""Files and options from a stranger are used, or refused with one line.

A refusal has status 2. There is never a traceback, and a program never hangs.
"""

import json
import os
import random
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from programs import NAMES, PROGRAMS, Forks, command, contents, run
from tampered import JSON, rewrite

from mmjax import InputError, corpus, counts, train, vocab, weights
from mmjax import mlp as network
from mmjax.cli import program
from mmjax.commands import footprint
from mmjax.commands.train_options import of_recipe
from mmjax.data import Windows
from mmjax.io import files, memory
from mmjax.runs.reading import read_config, read_metrics, read_summary
from mmjax.runs.samples import read_samples
from mmjax.static import Static
from mmjax.train import steps

TINY = ("--embedding-dim", 2, "--hidden-size", 3, "--hidden-layers", 1, "--steps", 0)


def refused(status, out, err):
    """Return whether a program printed only one line of errors, with status 2."""
    return (status, out, len(err.splitlines())) == (2, "", 1)


# Lists


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "pool")
    (tmp_path / "pool").symlink_to(tmp_path / "loop")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    for name in ("fifo", "link", "/dev/zero", "/dev/null", "/dev/stdin"):
        if name == "/dev/stdin" and os.fstat(0).st_mode & 0o100000:
            continue  # the tests' own input is a file
        with pytest.raises(InputError, match=r"is a pipe or a device|cannot be"):
            corpus.read_names(tmp_path / name)
        with pytest.raises(InputError, match=r"is a pipe or a device|cannot be"):
            weights.load(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read: Too many levels of symbolic links"):
        corpus.read_names(tmp_path / "loop")
    with pytest.raises(InputError, match="cannot be read: embedded null byte"):
        corpus.read_names("a\0b")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "names"
    fstat, looks = os.fstat, []

    def changing(number):
        looks.append(number)
        if len(looks) == 2:
            with path.open("a") as file:
                file.write("more\n")
        return fstat(number)

    path.write_text(NAMES)
    monkeypatch.setattr(files.os, "fstat", changing)
    with pytest.raises(InputError, match="changed while it was read"):
        corpus.read_names(path)


def test_a_list_too_large_for_the_memory_is_refused_unread(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    for read in (corpus.read_names, weights.load):
        with pytest.raises(InputError, match=r"huge: .* needs about [\d.]+ TiB of memory, but"):
            read(tmp_path / "huge")


def test_what_the_system_says_of_memory(tmp_path, monkeypatch):
    assert 2**20 < memory.available() < 2**60
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:     3000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path)
    assert memory.available() == 3000 * 1024
    for name, text in {
        "memory.max": "900000",
        "memory.current": "500000",
        "memory.stat": "anon 1\ninactive_file 100000\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert memory.available() == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "meminfo").write_text("nothing\n")
    assert memory.available() == sys.maxsize
    assert [memory.size(n) for n in (5, 2048, 3 * 2**29, 2**50)] == [
        *("5 bytes", "2.0 KiB", "1.5 GiB", "1,024.0 TiB"),
    ]


def pieces(path):
    """Read, encode, count and split a list, as before training."""
    names = corpus.read_names(path)
    letters = vocab.build(names)
    tokens = corpus.encode(letters, names)
    assert corpus.decode(letters, tokens) == names
    counts.bigrams(tokens, letters.size)
    corpus.split(names)


def outcome(path):
    """Return the error that a user would see, or nothing if the list can be used."""
    try:
        pieces(path)
    except InputError as error:
        return str(error)
    return ""


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(data)
    assert program.shown(outcome(path)).isprintable()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=6, max_size=30))
def test_any_text_is_a_list_or_refused(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "text"
    path.write_text("\n".join(names), encoding="utf-8")
    assert program.shown(outcome(path)).isprintable()


PLANES = [chr(plane * 0x10000 + offset) for plane in range(17) for offset in (0x41, 0xE0, 0x1234)]
STRANGE = "ab\x1b\x07\x08\x7f\x9b\u202e\u2066\u200b\u0301\u0628\u05d0<&\"'$\\\u2028\x85\x0b\x0c\x01{}%\ufffe"
LISTS = {
    "NULs": (b"ann\0\nbob\n", r"line 1, byte 4 \(0x00\) is not allowed in text"),
    "surrogates": (b"ann\n\xed\xa0\x80\n", r"line 2, byte 1 \(0xed\) is not UTF-8"),
    "UTF-16": ("ann\nbob\n".encode("utf-16"), "is not UTF-8"),
    "a million empty lines": (b"\n" * 10**6, "holds no names"),
    "one line of 10 MB": (b"a" * 10**7, "a list of 1 name is too short"),
    "five names": (b"a\nb\nc\nd\ne\n", "a list of 5 names is too short"),
    "white space": ("\u2003\n\x1c\n\t\n\u2029".encode(), "holds no names"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "line 1, byte 1 .* is not UTF-8"),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("module", ["mlp", "bigram"])
def test_a_list_that_cannot_be_used_is_refused(monkeypatch, capsys, tmp_path, module, name):
    data, message = LISTS[name]
    if module == "bigram" and "too short" in message:
        return  # the bigram does not split the list
    (tmp_path / "names").write_bytes(data)
    given = ("--names", tmp_path / "names", "--out", tmp_path / "run")
    status, out, err = run(monkeypatch, capsys, module, *given)
    assert refused(status, out, err)
    assert re.search(message, err)
    assert not (tmp_path / "run").exists()


def strange_list():
    draw = random.Random(0)
    return "\n".join("".join(draw.choices(STRANGE, k=draw.randint(1, 9))) for _ in range(99))


USABLE = {
    "every plane": "\n".join(a + b for a, b in pairwise(PLANES)),
    "strange": strange_list(),
    "names of a megabyte": "\n".join(chr(97 + i) * 10**6 for i in range(10)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", USABLE)
def test_a_strange_list_is_trained_on_and_drives_no_terminal_and_no_page(
    monkeypatch, capsys, tmp_path, name
):
    (tmp_path / "names").write_text(USABLE[name], encoding="utf-8")
    given = ("--names", tmp_path / "names", "--out", tmp_path / "run", *TINY)
    status, out, err = run(monkeypatch, capsys, "mlp", *given, report=True)
    assert (status, err) == (0, "")
    with monkeypatch.context() as patch:
        patch.setattr(type(sys.stdout), "isatty", lambda _: True)
        shown = run(patch, capsys, "sample", tmp_path / "run", "-n", 200)
    assert shown[::2] == (0, "")
    texts = {
        path: data.decode()
        for path, data in contents(tmp_path / "run").items()
        if path.suffix != ".safetensors" and path.name != "samples.txt"  # the names themselves
    }
    for text in (out, shown[1], *texts.values()):
        assert not [c for c in text if (c not in "\n\t" and ord(c) < 32) or 0x7F <= ord(c) < 0xA0]
        assert not set(text) & set("\u202e\u2066\u200b\u2028\ufffe")
    for path, text in texts.items():
        if path.suffix == ".svg":
            ElementTree.fromstring(text)
    assert "<&" not in texts[tmp_path / "run/report.html"]


# Options

VALUES = [
    "0",
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e300",
    "0.5",
    "99999999999999999999",
    "",
    "x",
    "\u0661",
]


def numeric(kind):
    """Return the options of a program that take a number."""
    names = []  # of options; the field vocab_size is not an option
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint):
            names += numeric(hint)
        elif hint in (int, float) and name != "vocab_size":
            names.append(f"--{name.replace('_', '-')}")
    return names


# Numbers that the fast recipe uses and the lecture's does not.
OF_FAST = ("--warmup-steps", "--weight-decay", "--clip-norm", "--ema-decay", "--beta1", "--beta2")
OPTIONS = [
    *(("mlp", "lecture", option) for option in numeric(of_recipe([]))),
    *(("mlp", "fast", option) for option in OF_FAST),
    *(("bigram", None, option) for option in numeric(PROGRAMS["bigram"][0])),
    *(("speedrun", None, option) for option in numeric(PROGRAMS["speedrun"][0])),
    *(("sweep", None, option) for option in numeric(PROGRAMS["sweep"][0])),
    *(
        ("sample", None, option)
        for option in ("--count", "--seed", "--cut", "--min-length", "--edits")
    ),  # test_sample has the others
]


def test_there_are_the_numeric_options_that_one_would_think():
    assert len(OPTIONS) >= 30
    assert ("mlp", "fast", "--weight-decay") in OPTIONS


@pytest.mark.slow
@pytest.mark.parametrize(("module", "recipe", "option"), OPTIONS)
def test_every_number_is_taken_or_refused_with_a_line(monkeypatch, capsys, module, recipe, option):
    """The options are parsed and checked, but the program does not run."""
    kind, _ = PROGRAMS[module]
    for value in VALUES:
        arguments = [module, f"{option}={value}"]
        arguments += [f"--recipe={recipe}"] * bool(recipe) + ["run"] * (module == "sample")
        arguments += ["open-loss"] * (module == "speedrun") + ["space"] * (module == "sweep")
        monkeypatch.setattr("sys.argv", arguments)
        started = []

        def begin(options, started=started):
            started.append(options)
            return 0

        with pytest.raises(SystemExit) as exit_info:
            program.main(f"experiments.{module}", kind, begin)
        out, err = capsys.readouterr()
        if not started:
            assert refused(exit_info.value.code, out, err), (value, err)
        else:
            assert value not in ("nan", "inf", "-inf", "1e400", "", "x", "-1")


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    with Forks(tmp_path_factory.mktemp("forks")) as forks:
        yield forks


# A low and a high value of each option; all other options get 0 and a million.
ENDS = {
    "--steps": ("0", "3"),
    "--batch-size": ("2", "4096"),
    "--seeds": ("1", "5"),
    "--hidden-layers": ("1", "7"),
    "--split-seed": ("0", str(2**63 - 1)),
    "--seed": ("0", str(2**32 - 1)),
    "--devices": ("0", "2"),
    "--processes": ("1", "1"),
    "--process": ("0", "0"),
    "--keep": ("1", "1000000"),
    "--drop-step": ("0", str(2**31 - 1)),
    "--warmup-steps": ("0", str(2**31 - 1)),
    "--shuffles": ("0", "1000"),
    "--block-size": ("1", "100"),
    "--embedding-dim": ("1", "65536"),
    "--hidden-size": ("1", "65536"),
    "--momentum": ("0", "1"),
    "--eps": ("1e-12", "1"),
    "--ema-decay": ("0", "1"),
    "--beta1": ("0", "1"),
    "--beta2": ("0", "1"),
    "--patience": ("1", "1000000"),
    "--dropout": ("0", "0.99"),
    "--noise": ("0", "1"),
    "--embedded": ("0", "1"),
}
# These options do not affect each other, so one run tries them all.
APART = (
    "--split-seed",
    "--seed",
    "--keep",
    "--shuffles",
    "--drop-step",
    "--patience",
    "--embedded",
)
# A size and a number that do not hide each other.
PAIRS = [
    ("--batch-size", "--learning-rate"),
    ("--hidden-layers", "--gain"),
    ("--block-size", "--output-gamma"),
    ("--seeds", "--momentum"),
    ("--embedding-dim", "--eps"),
    ("--steps", "--penalty"),
]
TOGETHER = [APART, *PAIRS]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        *(("lecture", options) for options in TOGETHER),
        *(
            (recipe, (option,))
            for module, recipe, option in OPTIONS
            if module == "mlp" and not any(option in options for options in TOGETHER)
        ),
    ],
)
def test_at_the_ends_of_its_range_a_run_ends_well(forks, tmp_path, recipe, options):
    """The run gives a result, names a non-finite loss, or is refused.

    It is refused for the memory it needs, or for a weight decay, which sgd does not have.
    """
    (tmp_path / "names").write_text(NAMES)
    tiny = {"--embedding-dim": 2, "--hidden-size": 3, "--hidden-layers": 2, "--steps": 6}
    tiny["--block-size"] = 1  # few contexts, since sampling computes them all
    for end in (0, 1):
        values = {option: ENDS.get(option, ("0", "1e6"))[end] for option in options}
        given = ["--names", tmp_path / "names", "--out", tmp_path / f"run{end}"]
        given += [f"{name}={value}" for name, value in {**tiny, **values}.items()]
        if recipe == "fast":
            given += ["--recipe", "fast"]
        if end == 0:  # a report at the high end is enough
            given += ["--no-report"]
        status, err = forks.run(given)
        assert status in (0, 1, 2), err
        assert len(err.splitlines()) == (status > 0)
        if status:
            refused = "sgd has no weight decay" if "--weight-decay" in options else "of memory, but"
            assert (
                "is not finite; the first non-finite numbers are in" if status == 1 else refused
            ) in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--resume", "--overwrite"), "--resume continues a run and --overwrite starts over"),
        (("--seeds", 2, "--seed", 2**32 - 1), "go beyond the last seed"),
        (("--recipe", "slow"), "--recipe"),
        (
            ("--hidden-size", 65_536, "--hidden-layers", 9),
            r"needs about \d+\.\d [GT]iB of memory",
        ),
        (("--seeds", 1_000, "--hidden-size", 2_000), r"needs about \d+\.\d [GT]iB of memory"),
        (
            ("--batch-size", 2**20, "--block-size", 900),
            r"needs about \d+\.\d [GT]iB of memory",
        ),
    ],
)
def test_what_cannot_end_well_is_not_begun(monkeypatch, capsys, tmp_path, options, message):
    (tmp_path / "names").write_text(NAMES)
    given = ("--names", tmp_path / "names", "--out", tmp_path / "run", *options)
    status, out, err = run(monkeypatch, capsys, "mlp", *given)
    assert refused(status, out, err)
    assert re.search(message, err)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [{}, {"hidden_size": 1_000}, {"vocab_size": 3_000}, {"block_size": 90}]
)
@pytest.mark.parametrize("batch", [32, 2_048])
def test_the_memory_of_a_step_is_reckoned_as_xla_reckons_it(size, batch):
    config, recipe = network.MLP(**size), train.Recipe(batch_size=batch)
    key = jax.eval_shape(jax.random.key, 0)
    state = jax.eval_shape(lambda key: train.init(config, recipe, key), key)
    tokens = jax.ShapeDtypeStruct((99,), jnp.uint16)
    compiled = steps._advance.lower(
        *(config, recipe, state, Windows(tokens, config.block_size)),
        steps=1_000,
        optimizer=Static(None),
        observe=Static(None),
    ).compile()
    needed = compiled.memory_analysis()
    assert needed
    exact = needed.temp_size_in_bytes + needed.output_size_in_bytes
    # This is the step alone, without the program and what it holds besides.
    assert 0.9 < footprint.of_training(config, recipe) / exact < 2


# Options from a file


def saved_options(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lerning_rate": 0.1}, "unknown option lerning_rate; remove it"),
        ({"recipe": "fast", "warmup": 3}, "unknown option warmup"),
        ({"steps": "many"}, "--steps: invalid literal"),
        ({"steps": True}, "steps is True; give a number or text"),
        ({"watch": 3}, "watch is 3; give true or false"),
        ({"steps": [3]}, r"steps is \[3\]"),
        ({"steps": {"a": 3}}, "is not a file of a run: steps is"),
        ({"steps": 0.5}, "--steps"),
        ('{"steps": 1e999}', "is not a file of a run: steps is inf"),
        ('{"steps": ' + "9" * 5000 + "}", "is not a file of a run"),
        ("[" * 100_000, "is not a file of a run: it is nested too deeply"),
        ("[]", "is not a file of a run: it is not a JSON object"),
        ("", "is not a file of a run"),
    ],
)
def test_a_file_of_options_that_is_wrong_is_refused(
    monkeypatch, capsys, tmp_path, content, message
):
    path = saved_options(tmp_path, content)
    given = ("--config", path, "--out", tmp_path / "run")
    status, out, err = run(monkeypatch, capsys, "mlp", *given)
    assert refused(status, out, err), err
    assert re.search(message, err), err


@pytest.mark.slow
def test_options_from_a_file_are_those_of_the_run_that_left_it(monkeypatch, capsys, tmp_path):
    (tmp_path / "names").write_text(NAMES)
    first = ("--names", tmp_path / "names", "--out", tmp_path / "a", "--unique", "--seed", 5, *TINY)
    assert run(monkeypatch, capsys, "mlp", *first)[0] == 0
    again = ("--config", tmp_path / "a/config.json", "--out", tmp_path / "b")
    assert run(monkeypatch, capsys, "mlp", *again, "--gain", 2)[0] == 0
    a, b = (read_config(tmp_path / name) for name in "ab")
    assert {name for name in a if a[name] != b[name]} == {"config", "out", "gain"}
    assert b["gain"] == 2


# A run folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs")
    (path / "names").write_text(NAMES)
    given = ("--names", path / "names", "--out", path / "run", *TINY[:-1], 40, "--no-report")
    process = command("experiments.mlp", *given)
    assert process.communicate(timeout=100)[1] == ""
    return path / "run"


@pytest.mark.slow
@given(st.data())
def test_a_strangers_run_folder_is_read_or_refused(tmp_path_factory, folder, data):
    out = tmp_path_factory.getbasetemp() / "stranger"
    out.mkdir(exist_ok=True)
    for name, read in (("config.json", read_config), ("summary.json", read_summary)):
        content = json.loads((folder / name).read_text())
        key = data.draw(st.sampled_from([*content, "more"]))
        content[key] = data.draw(JSON)
        (out / name).write_text(json.dumps(content))
        try:
            read(out, list(content))
        except InputError as error:
            said = str(error)
        else:
            continue
        assert said.startswith(f"{out / name}: is not a file of a run: ")
        assert len(said) < 500
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    record = json.loads(lines[1])
    record[data.draw(st.sampled_from([*record]))] = data.draw(JSON)
    (out / "metrics.jsonl").write_text("\n".join([lines[0], json.dumps(record)]))
    (out / "samples.txt").write_bytes(data.draw(st.binary(max_size=50)))
    said = "line 2 is not a line of metrics"
    try:
        for record in read_metrics(out):
            np.array([*record.values()], np.float64)
    except InputError as error:
        said = str(error)
    assert "line 2 is not a line of metrics" in said
    for _, mark in read_samples(out):  # the report escapes the names
        assert mark.isprintable()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "names", 5),
        ("config.json", "unique", "yes"),
        ("config.json", "column", 5),
        ("config.json", "seed", "x"),
        ("config.json", "learning_rate", "fast"),
        ("config.json", "steps", None),
        ("config.json", "recipe", 3),
        ("summary.json", "loss_val", "low"),
        ("summary.json", "steps", None),
        ("summary.json", "stopped_at_step", "x"),
        ("summary.json", "parameters", 1.5),
    ],
)
def test_diagnose_refuses_figures_that_are_none(monkeypatch, capsys, folder, name, key, value):
    before = (folder / name).read_text()
    try:
        (folder / name).write_text(json.dumps(json.loads(before) | {key: value}))
        assert refused(*run(monkeypatch, capsys, "diagnose", folder))
    finally:
        (folder / name).write_text(before)


# No code


class Bomb:
    """An object that runs code when pickle loads it."""

    def __reduce__(self):
        return (open, ("/tmp/mmjax-was-here", "w"))


def test_no_loader_can_execute_code(folder, tmp_path, monkeypatch):
    """The source names nothing that runs code, and a hostile file is only refused.

    The search covers every module of `mmjax` and `experiments`. The files include a pickle
    that would run code. Python's audit events report what is run, imported, opened for writing or
    started; none of this happens while a file is loaded.
    """
    forbidden = re.compile(
        r"\b(pickle|marshal|shelve|dill|cloudpickle|joblib|exec|eval|compile|__import__|subprocess|os\.system"
        r"|np\.load|np\.fromfile|torch\.load|yaml)\b(?!_)"
    )
    # These load nothing; checking.py runs the file that a learner wrote, and processes.py a filter
    # for standard error.
    allowed = {
        "benchmark.py",
        "baselines.py",
        "race.py",
        "code_version.py",
        "checking.py",
        "processes.py",
    }
    for path in [*(ROOT / "mmjax").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]:
        code = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(), flags=re.DOTALL)
        code = re.sub(r"re\.compile|jax\.jit|\.compile\(", "", code)
        if path.name not in allowed:
            assert not forbidden.search(code), path

    pickle = __import__("pickle")
    numpy_file = tmp_path / "numpy"
    with numpy_file.open("wb") as file:
        np.save(file, np.array([Bomb()], object), allow_pickle=True)
    (tmp_path / "pickle").write_bytes(pickle.dumps(Bomb()))
    header = json.dumps(
        {"__metadata__": {"format": "mmjax 2", "model": "__import__('os')"}}
    ).encode()
    (tmp_path / "named").write_bytes(struct.pack("<Q", len(header)) + header)
    model = tmp_path / "model"
    model.write_bytes((folder / "model.safetensors").read_bytes())
    rewrite(model, metadata={"config": "__import__('os').system('true')", "model": "os"})
    told = [
        folder / "model.safetensors",
        numpy_file,
        tmp_path / "pickle",
        tmp_path / "named",
        model,
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, told)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout == "refused\n" * 8
    assert not Path("/tmp/mmjax-was-here").exists()


WATCHED = """
import sys
from mmjax import InputError, checkpoint, corpus, weights
sound, *files = sys.argv[1:]
weights.load(sound)  # what is imported and compiled the first time is so now
watching = True
def audit(event, arguments):
    forbidden = {"exec", "compile", "import", "pickle.find_class", "os.system", "os.exec", "os.fork",
                 "os.posix_spawn", "subprocess.Popen", "ctypes.dlopen"}
    writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if watching and (event in forbidden or writing):
        print(event, arguments)
sys.addaudithook(audit)
for file in files:
    for load in (weights.load, checkpoint.load):
        try:
            load(file)
        except InputError as error:
            print("refused")
watching = False
"""
