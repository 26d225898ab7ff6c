"""Tokens in a file: what is read from it is what the same tokens in memory give."""

import itertools
import json
import time
from concurrent.futures import wait
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from programs import command, run, summary

from experiments import from_disk
from mmjax import InputError, corpus, counts, data, mlp, train
from mmjax.cli.program import main
from mmjax.commands import listed
from mmjax.data import Tokens, encoded, encoding, on_disk
from mmjax.generate.sample import Sample
from mmjax.runs import sampled

# Short and long names, some repeated; a few letters beyond one byte.
LETTERS = [chr(0x4E00 + i) for i in range(300)]
NAMES = [
    "".join(LETTERS[(7 * i + j * j) % 300] for j in range(2 + 29 * (i % 3 == 0)))
    for i in range(2_003)
]
WORDS = [f"{chr(97 + i % 23)}{'oai'[i % 3]}{'xyz'[i // 40 % 3]}"[: 2 + i % 2] for i in range(4_001)]


@pytest.fixture(params=["letters", "words"])
def both(request, tmp_path):
    """Flat tokens, and the same in a file."""
    names = NAMES if request.param == "letters" else WORDS
    flat = corpus.encode(data.encoded.Vocab("".join(sorted({*"".join(names)}))), names)
    (tmp_path / "tokens").write_bytes(flat.tobytes())
    return flat, Tokens(np.memmap(tmp_path / "tokens", flat.dtype, "r"))


def test_windows_pairs_and_counts_are_those_of_memory(monkeypatch, both):
    """However few tokens are read at once."""
    flat, tokens = both
    index = np.random.default_rng(0).integers(0, len(flat) - 1, (17, 5))
    cut = corpus.cut(jnp.asarray(flat), jnp.asarray(index.reshape(-1)), 3)
    cut = np.asarray(cut).reshape(17, 5, 4)
    for size in (1, 31, 2**22):
        monkeypatch.setattr(on_disk, "SPAN", size)
        np.testing.assert_array_equal(tokens.cut(3, index), cut)
    for size in (3, 97, 2**22):
        monkeypatch.setattr(on_disk, "PIECE", size)
        assert tokens.largest == flat.max()
        np.testing.assert_array_equal(tokens.counts(400), np.bincount(flat, minlength=400))
        found, expected = (
            counts.pairs_of(tokens.pieces(), int(flat.max()) + 1),
            counts.pairs(flat, int(flat.max()) + 1),
        )
        for one, other in zip(found[:3], expected[:3], strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_is_read_ahead_is_what_would_be_read(monkeypatch, both):
    """Calls that were prepared read nothing more, and others come in between."""
    flat, tokens = both
    monkeypatch.setattr(on_disk, "WORTH_A_THREAD", 10)
    draw = np.random.default_rng(1)
    calls = [draw.integers(0, len(flat) - 1, (5, 3)) for _ in range(12)]
    expected = [Tokens.cut(tokens, 2, index) for index in calls]
    plain, reads = tokens._cut, []

    def counted(block_size, index):
        reads.append(index)
        return plain(block_size, index)

    monkeypatch.setattr(tokens, "_cut", counted)
    for i, (index, later) in enumerate(itertools.pairwise(calls)):
        np.testing.assert_array_equal(tokens.cut(2, index, later), expected[i])
        if i == 5:
            np.testing.assert_array_equal(tokens.cut(2, calls[0]), expected[0])
            assert tokens.cut(3, later).shape == (5, 3, 4)  # of another size
    np.testing.assert_array_equal(tokens.cut(2, calls[-1]), expected[-1])
    assert len(reads) == len(calls) + 2
    monkeypatch.setattr(on_disk, "AHEAD", 1)
    for later in calls:  # far more than are kept
        tokens.cut(2, calls[0], later)
        assert len(tokens._ahead) <= on_disk.FEWEST_AHEAD
    wait(tokens._ahead.values())
    before = len(reads)
    for _ in range(2):  # two devices ask for the same
        np.testing.assert_array_equal(tokens.cut(2, calls[-1], calls[0]), expected[-1])
    tokens._pool.shutdown()
    assert len(reads) - before == 1


@pytest.mark.parametrize("size", [1, 13, 2**22])  # shorter than many names, and longer than all
def test_a_name_stands_in_the_file_if_it_is_one_of_its_names(monkeypatch, both, size):
    """Parts of names, and names joined, do not."""
    flat, tokens = both
    monkeypatch.setattr(on_disk, "PIECE", size)
    names = set(corpus.token_strings(flat))
    some = sorted(names)[::7]
    asked = [
        *some,
        *(name[:-1] for name in some if name[1:]),
        *map("".join, itertools.pairwise(some)),
    ]
    wanted = [0, *itertools.chain.from_iterable([*map(ord, name), 0] for name in asked)]
    held = tokens.holds(np.array(wanted, flat.dtype))
    assert held.tolist() == [name in names for name in asked]
    assert held[: len(some)].all()
    assert not held.all()


def test_a_sample_has_whole_names_each_with_the_same_chance(monkeypatch, tmp_path):
    """One third of the names are long; picking tokens, not names, would make it nine in ten."""
    monkeypatch.setattr(on_disk, "PLACES", 101)
    names = [f"{'abc'[i % 3] * (1 + 30 * (i % 3 == 2))}{i}" for i in range(30_011)]
    letters = data.encoded.Vocab("".join(sorted({*"".join(names)})))
    flat = corpus.encode(letters, names)
    (tmp_path / "tokens").write_bytes(flat.tobytes())
    tokens = Tokens(np.memmap(tmp_path / "tokens", flat.dtype, "r"))
    sample = corpus.decode(letters, tokens.sample(len(flat) // 5))
    assert len({*sample}) == len(sample)  # all names differ, so none is there twice
    assert {*sample} <= {*names}
    assert len(sample) == pytest.approx(len(names) / 5, rel=0.02)
    assert sum(name[0] == "c" for name in sample) / len(sample) == pytest.approx(1 / 3, abs=0.02)
    np.testing.assert_array_equal(tokens.sample(len(flat)), flat)


def test_a_sample_of_names_longer_than_its_places_is_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(on_disk, "PLACES", 31)
    names = ["ab" * (7 + i % 50) for i in range(500)]
    letters = data.encoded.Vocab("ab")
    flat = corpus.encode(letters, names)
    (tmp_path / "tokens").write_bytes(flat.tobytes())
    tokens = Tokens(np.memmap(tmp_path / "tokens", flat.dtype, "r"))
    for most in (31, 310, 3_100, 25_000):
        assert {*corpus.decode(letters, tokens.sample(most))} <= {*names}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(WORDS))
    encoding.encode(tmp_path / "names.txt", tmp_path / "list")
    return tmp_path / "list"


@pytest.fixture
def long(monkeypatch):
    """Make every encoded list one that stays on the disk."""
    monkeypatch.setattr(sampled, "MOST", 1_009)
    monkeypatch.setattr(on_disk, "PLACES", 7)


SLOW = pytest.mark.slow
TINY = ("--embedding-dim", 3, "--hidden-size", 7, "--hidden-layers", 2, "--steps", 60)


@pytest.mark.parametrize(
    "more",
    [(), pytest.param(("--noise", 0.2), marks=SLOW), pytest.param(("--seeds", 2), marks=SLOW)],
)
def test_a_long_list_trains_the_network_of_a_short_one(monkeypatch, capsys, tmp_path, folder, more):
    """The same weights bitwise; only what is measured is measured on a sample."""
    outs = [tmp_path / "short", tmp_path / "long"]
    for out in outs:
        status, said, errors = run(
            *(monkeypatch, capsys, "mlp", "--names", folder, "--out", out, *TINY, *more)
        )
        assert (status, errors) == (0, "")
        assert ("sample of each part" in said) == (out == outs[1])
        monkeypatch.setattr(sampled, "MOST", 1_009)
        monkeypatch.setattr(on_disk, "PLACES", 7)
    weights = [sorted(out.rglob("model.safetensors")) for out in outs]
    for one, other in zip(*weights, strict=True):
        assert one.read_bytes() == other.read_bytes()
    short, long = (summary(out) for out in outs)
    for figures in (short, long) if not more or more[0] == "--noise" else ():
        assert figures["names"] == len(WORDS)
        assert figures["examples_train"] == len(encoded.load(folder).tokens["train"]) - 1
        # These words repeat, and so does what a network makes of them.
        assert figures["held_out_listed"] == pytest.approx(short["held_out_listed"], abs=0.1)
    if "--seeds" not in more:
        assert (short["measured_on_samples"], long["measured_on_samples"]) == (False, True)
        for figure in ("samples_new", "samples_distinct", "initial_loss", "final_loss"):
            assert short[figure] == long[figure]
        assert long["loss_val"] == pytest.approx(short["loss_val"], abs=0.05)
        assert long["loss_val"] != short["loss_val"]


@pytest.mark.slow
def test_a_long_list_works_in_every_program(monkeypatch, capsys, tmp_path, folder, long):
    out = tmp_path / "out"
    status, _, _ = run(
        *(monkeypatch, capsys, "mlp", "--names", folder, "--out", out, *TINY), report=True
    )
    assert status == 0
    assert "sample of each part" in (out / "report.html").read_text()
    assert "too long for the page" in (out / "playground.html").read_text()
    marks = {line.split("\t")[1] for line in (out / "samples.txt").read_text().splitlines()}
    assert marks <= {"new", "in the list"}
    again = run(
        *(monkeypatch, capsys, "mlp", "--names", folder, "--out", out, *TINY[:-1], 90, "--resume")
    )
    assert (again[0], summary(out)["steps"]) == (0, 90)
    status, said, _ = run(monkeypatch, capsys, "diagnose", out)
    assert status == 0
    status, said, _ = run(monkeypatch, capsys, "sample", out, "-n", 3)
    assert (status, len(said.splitlines())) == (0, 3)
    assert "in the list" not in said
    for more in ((), ("--likeliest", 50)):
        plain = run(monkeypatch, capsys, "sample", out, "-n", 200, *more)[1].splitlines()
        new = run(monkeypatch, capsys, "sample", out, "-n", 50, "--new-only", *more)[1].splitlines()
        unlisted = [name for name in plain if name not in WORDS]
        assert 0 < len(unlisted) < len(plain)
        assert len(new) == 50
        assert new[: len(unlisted)] == unlisted[:50]
    status, said, _ = run(monkeypatch, capsys, "score", out, "aox")
    assert status == 0
    assert "listed names" in said


def test_other_programs_read_the_names_of_an_encoded_list(
    monkeypatch, capsys, tmp_path, folder, long
):
    found = corpus.decoded(encoded.load(folder))
    assert corpus.read_names(folder) == [name for part in found.values() for name in part]
    assert (
        run(
            *(
                monkeypatch,
                capsys,
                "bigram",
                "--names",
                folder,
                "--out",
                tmp_path / "a",
                "--steps",
                9,
            )
        )[0]
        == 0
    )
    assert summary(tmp_path / "a")["names"] == len(WORDS)
    counted = ("counting", "--names", folder, "--out", tmp_path / "b", "--orders", 2)
    assert run(monkeypatch, capsys, *counted)[0] == 0
    figures = json.loads((tmp_path / "b/summary.json").read_text())
    for part in encoded.PARTS:  # split as it was encoded
        assert figures[f"examples_{part}"] == len(encoded.load(folder).tokens[part]) - 1


REFUSED = {
    "--lower": "was read and split before; leave out --lower",
    "--split-seed=7": "was read and split before; leave out --split-seed",
    "--column=2": "was read and split before; leave out --column",
    "--recipe=fast": "is too long to collect its distinct contexts; give --data windows",
}


@pytest.mark.parametrize("option", REFUSED)
def test_options_that_an_encoded_list_cannot_follow_are_refused(
    monkeypatch, capsys, tmp_path, folder, long, option
):
    status, out, errors = run(
        *(monkeypatch, capsys, "mlp", "--names", folder, "--out", tmp_path / "out", option)
    )
    assert (status, out, errors.count("\n")) == (2, "", 1)
    assert REFUSED[option] in errors
    assert not (tmp_path / "out").exists()


def test_a_list_that_was_encoded_anew_is_another_list(monkeypatch, capsys, tmp_path, folder, long):
    options = ("mlp", "--out", tmp_path / "out", *TINY)
    assert run(monkeypatch, capsys, *options, "--names", folder)[0] == 0
    encoding.encode(tmp_path / "names.txt", tmp_path / "same")
    encoding.encode(tmp_path / "names.txt", tmp_path / "other", seed=3)
    more = (*options[:-1], 80, "--resume", "--names")
    status, _, errors = run(monkeypatch, capsys, *more, tmp_path / "other")
    assert status == 2
    assert "was trained on another list" in errors
    assert run(monkeypatch, capsys, *more, tmp_path / "same")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("more", [("--devices", 2), ("--seeds", 2, "--batch-size", 256)])
def test_two_devices_draw_long_chunks_from_a_file(tmp_path, more):
    """JAX would copy large arguments of callbacks in threads that all wait in callbacks."""
    words = [f"{chr(97 + i % 26)}{'oaiue'[i % 5]}{i % 10_007}" for i in range(130_000)]
    (tmp_path / "names.txt").write_text("\n".join(words))
    encoding.encode(tmp_path / "names.txt", tmp_path / "list")
    assert len(encoded.load(tmp_path / "list").tokens["train"]) > sampled.MOST
    small = (*TINY[:-1], 50_000, "--no-report", "--no-watch")
    running = command(
        "experiments.mlp", "--names", tmp_path / "list", "--out", tmp_path / "out", *small, *more
    )
    metrics, until = tmp_path / "out/metrics.jsonl", time.monotonic() + 90
    lines: list[str] = []
    while len(lines) < 3 and time.monotonic() < until and running.poll() is None:
        time.sleep(0.1)
        lines = metrics.read_text().splitlines() if metrics.exists() else []
    running.kill()
    running.communicate()
    assert len(lines) >= 3


def test_copies_of_mapped_tokens_are_in_memory(folder):
    """So are files that the user may write to: their changes would be lost."""
    tokens = encoded.load(folder).tokens["train"]
    model = mlp.MLP(vocab_size=int(tokens.max()) + 1, embedding_dim=3, hidden_size=7)
    for other in (
        tokens.copy(),
        tokens.astype(np.int32),
        np.load(folder / "train.npy", mmap_mode="c"),
    ):
        assert isinstance(other, np.memmap)
        assert isinstance(data.of("windows", other, model), data.Windows)
    part = tokens[5:500]
    assert isinstance(data.of("windows", part, model), data.Mapped)
    one, two = (
        train.run(model, train.Recipe(steps=4), jax.random.key(0), each)[1]
        for each in (part, np.array(part))
    )
    np.testing.assert_array_equal(one, two)
    assert data.of("windows", tokens, model) == data.of("windows", tokens, model)  # compiled once


def test_new_names_before_an_error_are_found(folder):
    """Where the names are too few, those that were drawn are looked up all the same."""

    def drawn():
        yield from (Sample(name, True) for name in ("qqq", WORDS[0], "zzz"))
        raise InputError("there are no more")

    found = listed.unlisted(drawn(), encoded.load(folder), 5)
    assert [next(found).name, next(found).name] == ["qqq", "zzz"]
    with pytest.raises(InputError, match="there are no more"):
        next(found)


def test_tokens_without_an_end_are_searched(tmp_path):
    (tmp_path / "tokens").write_bytes(bytes([0, 1, 2, 0, 3, 3]))
    tokens = Tokens(np.memmap(tmp_path / "tokens", np.uint8, "r"))
    assert tokens.holds(np.array([0, 1, 2, 0, 3, 0], np.uint8)).tolist() == [True, False]


def test_all_that_is_read_ahead_is_used(monkeypatch, folder):
    """The steps of a call are drawn in equal groups, so the next group is the one that was read."""
    monkeypatch.setattr(on_disk, "WORTH_A_THREAD", 1)
    monkeypatch.setattr("mmjax.data.dataset.TOGETHER", 10)
    tokens = encoded.load(folder).tokens["train"]
    model = mlp.MLP(vocab_size=int(tokens.max()) + 1, embedding_dim=2, hidden_size=5)
    recipe = train.Recipe(batch_size=13)
    examples: Any = data.of("windows", tokens, model)
    plain, read = examples.tokens._cut, []

    def counted(block_size, index):
        read.append(index.size)
        return plain(block_size, index)

    monkeypatch.setattr(examples.tokens, "_cut", counted)
    state = train.init(model, recipe, jax.random.key(0))
    for _ in range(3):
        state, losses = train.advance(model, recipe, state, examples, steps=24)
        jax.block_until_ready(losses)
    examples.tokens._pool.shutdown()
    assert sum(read) == 13 * (3 * 24 + 8)


def test_names_that_are_too_many_for_the_memory_are_refused(monkeypatch, folder):
    monkeypatch.setattr("mmjax.io.memory.available", lambda: 1_000)
    with pytest.raises(InputError, match="names of the encoded list needs about"):
        corpus.read_names(folder)


def test_a_member_draws_the_same_batches_from_a_file(folder):
    """Several networks at once draw from a file as one does."""
    tokens = encoded.load(folder).tokens["train"]
    model = mlp.MLP(vocab_size=int(tokens.max()) + 1, embedding_dim=3, hidden_size=7)
    recipe, keys = train.Recipe(steps=8, batch_size=5), jax.random.split(jax.random.key(0), 3)
    runs = jax.vmap(lambda key: train.run(model, recipe, key, data.of("windows", tokens, model)))
    _, losses = runs(keys)
    for key, loss in zip(keys, losses, strict=True):
        alone = train.run(model, recipe, key, np.array(tokens))[1]
        np.testing.assert_allclose(loss, alone, rtol=1e-5)


@pytest.mark.slow
def test_the_program_measures_both(monkeypatch, capsys, folder):
    monkeypatch.setattr(
        "sys.argv", ["from_disk", str(folder), "--batch-sizes", "32", "--rounds", "2"]
    )
    with pytest.raises(SystemExit) as exit_info:
        main("python -m experiments.from_disk", from_disk.Options, from_disk.program)
    printed, _ = capsys.readouterr()
    assert exit_info.value.code == 0
    (row,) = [line.split() for line in printed.splitlines() if line.startswith("32 ")]
    _, disk, memory, ratio = map(float, row)
    assert ratio == pytest.approx(disk / memory, rel=0.05)  # one round counts
    assert f"{len(encoded.load(folder).tokens['train']):,} tokens" in printed
