import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmjax import InputError, Vocab, corpus, vocab


@given(st.lists(st.text(min_size=1), min_size=1))
def test_round_trip_of_any_unicode(names):
    v = vocab.build(names)
    for name in names:
        tokens = vocab.encode(v, name)
        assert 0 not in tokens  # the boundary is not a character
        assert vocab.decode(v, tokens) == name


def test_tokens_follow_code_points_whatever_the_order_of_the_names():
    assert vocab.build(["zé", "A.b"]) == vocab.build(["bAé", ".z"]) == Vocab(".Abzé")


def test_the_boundary_is_told_from_a_literal_dot():
    assert Vocab("ab").labels == (".", "a", "b")
    assert Vocab(".ab").labels == ("<.>", ".", "a", "b")


@pytest.mark.parametrize(
    ("characters", "dtype"), [(2, np.uint8), (255, np.uint8), (256, np.uint16), (65_535, np.uint16)]
)
def test_a_token_is_one_byte_while_that_is_enough(characters, dtype):
    v = Vocab("".join(map(chr, range(characters))))
    tokens = vocab.encode(v, v.characters)
    assert tokens.dtype == dtype
    assert tokens.tolist() == list(range(1, characters + 1))


def test_more_characters_than_tokens_can_hold():
    with pytest.raises(InputError, match="65,536 distinct characters"):
        Vocab("".join(map(chr, range(65_536))))


def test_a_doubled_character_is_refused():
    with pytest.raises(InputError, match="twice"):
        Vocab("aba")


@pytest.mark.parametrize("text", ["xbz", "bx", "\U0001f600"])
def test_an_unknown_character_is_named(text):
    with pytest.raises(InputError, match=r"has the character '[x\U0001f600]' \(U\+(0078|1F600)\)"):
        vocab.encode(Vocab("abz"), text)


def test_an_unknown_character_in_a_list_of_names_is_said_with_its_name_alone():
    for names in (["abz", "xb"], ["xb"], ["ab", "xb", "zz"]):
        with pytest.raises(InputError, match=r"^'xb' has the character 'x' \(U\+0078\)") as raised:
            corpus.encode(Vocab("abz"), names)
        assert "x00" not in str(raised.value)  # which stands between the names
