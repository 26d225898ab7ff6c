import itertools
import random
import unicodedata
from itertools import chain

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmjax import InputError, corpus, counts, vocab

jitted_windows = jax.jit(corpus.windows, static_argnums=2)
NAMES = st.lists(st.text("abcdé. -", max_size=7), min_size=1, max_size=11)


def naive_examples(v, names, block_size):
    """Return (contexts, targets) by the lecture's loop.

    It slides a context over each name and its end.
    """
    contexts, targets = [], []
    for name in names:
        context = [0] * block_size
        for token in [*vocab.encode(v, name).tolist(), 0]:
            contexts.append(context)
            targets.append(token)
            context = [*context[1:], token]
    return contexts, targets


@given(NAMES.filter(any), st.sampled_from([1, 2, 3, 11]))
def test_windows_are_the_naive_loops_examples(names, block_size):
    v = vocab.build(names)
    tokens = corpus.encode(v, names)
    examples = len(tokens) - 1
    same_shape = np.pad(tokens, (0, 97 - examples))  # one compilation for each block_size
    contexts, targets = jitted_windows(same_shape, jnp.arange(97), block_size)
    naive_contexts, naive_targets = naive_examples(v, names, block_size)
    assert contexts[:examples].tolist() == naive_contexts
    assert targets[:examples].tolist() == naive_targets


@pytest.mark.slow
def test_windows_of_the_whole_shipped_list(shipped_names):
    v = vocab.build(shipped_names)
    tokens = jnp.asarray(corpus.encode(v, shipped_names))
    contexts, targets = corpus.windows(tokens, jnp.arange(len(tokens) - 1), 3)
    naive_contexts, naive_targets = naive_examples(v, shipped_names, 3)
    np.testing.assert_array_equal(contexts, naive_contexts)
    np.testing.assert_array_equal(targets, naive_targets)
    assert contexts.dtype == targets.dtype == jnp.uint8


@given(NAMES)
def test_encode_decode_round_trip_and_length(names):
    v = vocab.build([*names, "x"])
    tokens = corpus.encode(v, names)
    assert corpus.decode(v, tokens) == names
    assert len(tokens) == 1 + sum(len(name) + 1 for name in names)


def test_no_names_are_one_boundary():
    v = vocab.build(["a"])
    assert corpus.encode(v, []).tolist() == [0]
    assert corpus.decode(v, np.array([0])) == []


@given(st.lists(st.text("abc", min_size=1), min_size=6, max_size=97), st.integers(0, 3))
def test_split_is_a_permutation_cut_80_10_10(names, shuffles):
    before = list(names)
    splits = corpus.split(names, shuffles=shuffles)
    assert names == before
    assert sorted(chain(*splits)) == sorted(names)
    n = len(names)
    assert [len(part) for part in splits] == [
        int(0.8 * n),
        int(0.9 * n) - int(0.8 * n),
        n - int(0.9 * n),
    ]
    assert splits == corpus.split(names, shuffles=shuffles)


def test_every_shuffle_starts_afresh():
    names = [str(i) for i in range(101)]
    expected = list(names)
    for _ in range(2):
        random.seed(42)
        random.shuffle(expected)
    assert list(chain(*corpus.split(names))) == expected


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_list_too_short_to_split(n):
    with pytest.raises(InputError, match=rf"a list of {n} names? is too short.* at least 6"):
        corpus.split(["a"] * n)
    corpus.split(["a"] * 6)


def test_unseen_keeps_order_and_duplicates():
    assert corpus.unseen(["c", "a", "b", "c"], {"a"}) == ["c", "b", "c"]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"ann\nbo", ["ann", "bo"]),
        (b"\xef\xbb\xbfann\r\nbo\r\n", ["ann", "bo"]),
        (b"\n\n  ann \n\t\n\r\nbo\n\n", ["ann", "bo"]),
        ("Zoë\nJean-Luc\nSt. Ives\n李\n".encode(), ["Zoë", "Jean-Luc", "St. Ives", "李"]),
        ("a\u2028b\x0bc\n".encode(), ["a\u2028b\x0bc"]),  # only CR and LF end a line
        (b"a\rb\r\nc\n\rd\r\r", ["a", "b", "c", "d"]),
        (b"bo\nann\nbo\n", ["bo", "ann", "bo"]),
    ],
)
def test_read_names(tmp_path, data, names):
    path = tmp_path / "list"
    path.write_bytes(data)
    assert corpus.read_names(path) == names
    assert corpus.read_names(path, unique=True) == list(dict.fromkeys(names))


LINE = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1)


@given(
    st.lists(LINE.filter(lambda s: s.strip() == s)),
    st.lists(st.sampled_from(["\n", "\r", "\r\n"]), min_size=1),
)
def test_what_is_written_is_read_whatever_ends_the_lines(tmp_path_factory, names, ends):
    path = tmp_path_factory.getbasetemp() / "written"
    names = [*names, "end", "end", "end"]  # so that the list does not look like a table
    lines = zip(names, itertools.cycle(ends), strict=False)
    path.write_bytes("".join(name + end for name, end in lines).encode())
    first = names[0].removeprefix("\ufeff")
    expected = [unicodedata.normalize("NFC", name) for name in [first, *names[1:]] if name]
    assert corpus.read_names(path) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no names"),
        (b"\xef\xbb\xbf \n\r\n", "holds no names"),
        (b"ann\nb\xe9a\n", r"line 2, byte 2 \(0xe9\) is not UTF-8"),
        (b"\xef\xbb\xbfann\nb\xe9a\n", r"line 2, byte 2 \(0xe9\) is not UTF-8"),
        (b"\xef\xbb\xbf\xe9", r"line 1, byte 4 \(0xe9\) is not UTF-8"),
        ("ann".encode("utf-16"), r"line 1, byte 1 \(0xff\) is not UTF-8"),
        (b"ann\nbo\0b", r"line 2, byte 3 \(0x00\).*binary"),
        (b"ann\rbo\r\nb\xe9a", r"line 3, byte 2 \(0xe9\)"),
    ],
)
def test_bad_files_are_named_with_line_and_byte(tmp_path, data, message):
    path = tmp_path / "list"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"list: .*{message}"):
        corpus.read_names(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        corpus.read_names(tmp_path / "none")
    with pytest.raises(InputError, match="is a folder"):
        corpus.read_names(tmp_path)


def test_split_is_the_shuffles_one_after_the_other():
    """`split` repeats one permutation; here the list itself is shuffled as often."""
    names = [str(i) for i in range(1_009)]
    for shuffles in range(4):
        shuffled = list(names)
        for _ in range(shuffles):
            random.Random(7).shuffle(shuffled)
        splits = corpus.split(names, seed=7, shuffles=shuffles)
        assert [*splits.train, *splits.val, *splits.test] == shuffled


def test_pieces_do_not_show(monkeypatch, shipped_names):
    letters = vocab.build(shipped_names)
    whole = corpus.encode(letters, shipped_names)
    table = counts.bigrams(whole, letters.size)
    monkeypatch.setattr(corpus, "PIECE", 7)
    monkeypatch.setattr(counts, "PIECE", 13)
    np.testing.assert_array_equal(corpus.encode(letters, shipped_names), whole)
    np.testing.assert_array_equal(counts.bigrams(whole, letters.size), table)
    assert corpus.decode(letters, whole) == shipped_names


def test_no_character_of_a_name_passes_for_a_boundary():
    """`encode` joins names with the first character outside the vocabulary."""
    letters = vocab.build(["\0a", "b\1"])
    names = ["\0a", "b", "\1", ""]
    assert corpus.decode(letters, corpus.encode(letters, names)) == names
    for character in ("\2", "\n", "z"):
        with pytest.raises(InputError, match="which is not among the 4 characters"):
            corpus.encode(letters, ["ab", f"a{character}b"])
