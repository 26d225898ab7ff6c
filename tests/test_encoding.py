"""Lists on the disk: encoded piece by piece, mapped into memory, trained as those in memory."""

import json
import os
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from mmjax import InputError, corpus, data, mlp, train, vocab
from mmjax.commands import app
from mmjax.data import encoded, encoding

NAMES = [f"{chr(97 + i % 23)}{'oai'[i % 3]}{i % 101}é"[: 2 + i % 5] for i in range(1_009)]


@pytest.fixture
def small_pieces(monkeypatch):
    """Of a few names each, and of fewer than a line may have."""
    monkeypatch.setattr(encoding, "PIECE", 97)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(NAMES), encoding="utf-8")
    return path


def test_the_parts_hold_every_name_once(small_pieces, path, tmp_path):
    """They are flat tokens as `corpus.encode` returns them, in the order of the list."""
    encoding.encode(path, tmp_path / "out")
    found = encoded.load(tmp_path / "out")
    assert found.vocab == vocab.build(NAMES)
    parts = {part: corpus.decode(found.vocab, np.array(t)) for part, t in found.tokens.items()}
    assert sorted(name for part in parts.values() for name in part) == sorted(NAMES)
    for part, names in parts.items():
        assert len(names) == found.names[part]
        np.testing.assert_array_equal(corpus.encode(found.vocab, names), found.tokens[part])
    assert found.names["train"] == pytest.approx(0.8 * len(NAMES), abs=50)
    # The order of the list: each part is a subsequence of it.
    for names in parts.values():
        rest = iter(NAMES)
        assert all(name in rest for name in names)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [2**14, 2**22])  # of a piece; names are split piece by piece
def test_line_ends_blank_lines_and_spaces_change_nothing(monkeypatch, path, tmp_path, ends, size):
    monkeypatch.setattr(encoding, "PIECE", size)
    encoding.encode(path, tmp_path / "plain")
    text = "\ufeff" + ends.join([*NAMES, "", "  "])
    (tmp_path / "other.txt").write_bytes(text.encode())
    encoding.encode(tmp_path / "other.txt", tmp_path / "other")
    one, two = (encoded.load(tmp_path / folder) for folder in ("plain", "other"))
    assert one.names == two.names
    for part in encoded.PARTS:
        np.testing.assert_array_equal(one.tokens[part], two.tokens[part])


def test_an_interrupted_call_continues_and_ends_the_same(small_pieces, path, tmp_path):
    """At every piece in turn, also with half a piece written after the last recorded one."""
    encoding.encode(path, tmp_path / "whole")
    whole = {file.name: file.read_bytes() for file in (tmp_path / "whole").iterdir()}
    steps = []
    encoding.encode(path, tmp_path / "again", step=steps.append)
    assert sum(steps) == 2 * path.stat().st_size
    for stop in range(1, len(steps), 7):
        folder, count = tmp_path / f"stop-{stop}", 0

        def step(_, stop=stop):
            nonlocal count
            count += 1
            if count == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            encoding.encode(path, folder, step=step)
        if (folder / "train.npy").exists():
            with (folder / "train.npy").open("ab") as file:
                file.write(b"half a piece")
        encoding.encode(path, folder)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole


def test_training_on_the_files_is_bitwise_training_in_memory(path, tmp_path):
    encoding.encode(path, tmp_path / "out")
    letters, _, tokens, _ = encoded.load(tmp_path / "out")
    model = mlp.MLP(vocab_size=letters.size, embedding_dim=3, hidden_size=7, hidden_layers=2)
    recipe, key = train.Recipe(steps=30, batch_size=11), jax.random.key(0)
    mapped = data.of("windows", tokens["train"], model)
    assert isinstance(mapped, data.Mapped)
    for plain in (recipe, replace(recipe, noise=0.1)):
        one, losses = train.run(model, plain, key, tokens["train"])
        two, others = train.run(model, plain, key, np.array(tokens["train"]))
        np.testing.assert_array_equal(losses, others)
        for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(two.params), strict=True):
            np.testing.assert_array_equal(a, b)
    shared = train.run(model, train.Recipe(steps=30, batch_size=22), key, data.sharded(mapped, 2))
    alone = train.run(model, train.Recipe(steps=30, batch_size=22), key, mapped)
    np.testing.assert_allclose(shared[1], alone[1], rtol=1e-6)


def test_a_changed_file_is_noticed(path, tmp_path):
    folder = tmp_path / "out"
    encoding.encode(path, folder)
    with pytest.raises(InputError, match="holds an encoded list"):
        encoding.encode(path, folder)
    content = bytearray((folder / "val.npy").read_bytes())
    content[-3] ^= 1
    (folder / "val.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"val\.npy: was changed"):
        encoded.load(folder)
    about = json.loads((folder / "list.json").read_text())
    swapped = about | {"characters": about["characters"][::-1]}
    for damaged in ("{}", "[1]", "no JSON", json.dumps(swapped), json.dumps(about | {"names": 1})):
        (folder / "list.json").write_text(damaged)
        with pytest.raises(InputError, match=r"list\.json: (was changed|is of another version)"):
            encoded.load(folder)
    (folder / "list.json").write_text(json.dumps(about))
    for damage in (Path.unlink, Path.mkdir):
        damage(folder / "val.npy")
        with pytest.raises(InputError, match=r"val\.npy: is missing; encode the list again"):
            encoded.load(folder)
    for path in (tmp_path / "nowhere", tmp_path / "names.txt", tmp_path):
        with pytest.raises(InputError, match="is not a folder that mmjax encode has finished"):
            encoded.load(path)


def test_files_of_others_are_not_overwritten(path, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/train.npy").write_text("of the user")
    for folder in (tmp_path / "mine", tmp_path):
        with pytest.raises(InputError, match="is not empty; give a new folder"):
            encoding.encode(path, folder)
    assert (tmp_path / "mine/train.npy").read_text() == "of the user"


@pytest.mark.parametrize(
    "text", ["name,sex,count\nann,F,3\nbob,M,2\n" * 60, '{"name": "ann"}\n{"name": "bob"}\n' * 60]
)
def test_tables_are_noticed_as_in_other_programs(tmp_path, text):
    (tmp_path / "list").write_text(text)
    with pytest.raises(InputError, match=r"looks like (CSV|JSON) .*give --lines if each line is a"):
        encoding.encode(tmp_path / "list", tmp_path / "out")
    encoding.encode(tmp_path / "list", tmp_path / "out", lines=True)
    assert sum(encoded.load(tmp_path / "out").names.values()) == text.count("\n")


def test_parts_that_no_index_reaches_are_refused(monkeypatch, path, tmp_path):
    monkeypatch.setattr(encoding, "LONGEST_FILE", 2_000)
    with pytest.raises(InputError, match=r"the part train would have [0-9,]+ characters"):
        encoding.encode(path, tmp_path / "out")


def test_a_part_that_was_removed_meanwhile_is_missed(small_pieces, path, tmp_path):
    calls = iter(range(10_000))

    def step(_):
        if next(calls) == 80:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoding.encode(path, tmp_path / "out", step=step)
    (tmp_path / "out/test.npy").unlink()
    with pytest.raises(InputError, match=r"test\.npy: is missing; start again in another folder"):
        encoding.encode(path, tmp_path / "out")


def test_another_list_and_a_changed_one_are_refused(small_pieces, path, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    def change(_):
        os.utime(path, (0, 0))

    with pytest.raises(InputError, match="has changed; start again"):
        encoding.encode(path, tmp_path / "changed", step=change)
    calls = iter(range(10_000))
    last = lambda _: stop(_) if next(calls) == 80 else None  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        encoding.encode(path, tmp_path / "part", step=last)
    with pytest.raises(
        InputError, match="was begun with another list or seed, or the list has changed"
    ):
        encoding.encode(path, tmp_path / "part", seed=43)
    done = json.loads((tmp_path / "part/progress.json").read_text())
    for damaged in ([1], done | {"written": 5}):
        (tmp_path / "part/progress.json").write_text(json.dumps(damaged))
        with pytest.raises(InputError, match=r"progress\.json: was changed; start again"):
            encoding.encode(path, tmp_path / "part")


BAD = {
    "a line that is too long": (b"ann\n" + b"a" * 2**21, "is longer than 1,048,576 characters"),
    "not UTF-8": (b"ann\nbo\xff\n" * 100, "byte 6 is not UTF-8"),
    "not UTF-8 after a mark": (b"\xef\xbb\xbfann\nbo\xff\n" * 100, "byte 9 is not UTF-8"),
    "NUL": (b"ann\nb\0b\n" * 100, "has a NUL character"),
    "too few": (b"ann\nbob\n", "too few names to be split"),
    "nothing": (b"", "too few names to be split"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_lists_are_refused_with_one_line(monkeypatch, capsys, tmp_path, what):
    content, said = BAD[what]
    (tmp_path / "list").write_bytes(content)
    for file, expected in (("list", said), ("none", "no such file")):
        out = [str(tmp_path / file), str(tmp_path / f"out-{file}")]
        monkeypatch.setattr("sys.argv", ["mmjax", "encode", *out])
        with pytest.raises(SystemExit) as exit_info:
            app.run()
        printed, errors = capsys.readouterr()
        assert (exit_info.value.code, printed, errors.count("\n")) == (2, "", 1)
        assert expected in errors


def test_the_command_shows_the_sizes(monkeypatch, capsys, path, tmp_path):
    monkeypatch.setattr("sys.argv", ["mmjax", "encode", str(path), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as exit_info:
        app.run()
    assert exit_info.value.code == 0
    found = encoded.load(tmp_path / "out")
    printed, _ = capsys.readouterr()
    for part in encoded.PARTS:
        assert f"{found.names[part]:,}" in printed
