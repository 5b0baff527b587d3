import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fiftyone_reue.prf import derive, keystream

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))

keys = st.binary(min_size=16, max_size=64)
contexts = st.lists(st.one_of(st.text(max_size=6), st.binary(max_size=6)), max_size=4)


def test_derived_keys_never_change() -> None:
    # Sealed data outlives versions: another value here means that old vaults are lost.
    assert derive(KEY, "test", "a", b"b").hex() == (
        "3bde211adff3cffa253739e194b7d95e63199c89988d23f28d1c651d20be8163"
    )
    assert keystream(KEY, 8).hex() == "39fd2b7dd9c5196a"


@pytest.mark.slow
@given(st.text(max_size=6), contexts, st.text(max_size=6), contexts)
def test_different_purposes_give_different_keys(
    purpose: str,
    context: list[str | bytes],
    other_purpose: str,
    other_context: list[str | bytes],
) -> None:
    assume((purpose, context) != (other_purpose, other_context))
    assert derive(KEY, purpose, *context) != derive(KEY, other_purpose, *other_context)


def test_borders_and_types_of_the_context_matter() -> None:
    derived = {
        derive(KEY, "p", "ab", "c"),
        derive(KEY, "p", "a", "bc"),
        derive(KEY, "p", "abc"),
        derive(KEY, "pa", "bc"),
        derive(KEY, "p", b"abc"),
        derive(KEY, "p", "abc", ""),
    }
    assert len(derived) == 6


def test_a_longer_key_does_not_continue_a_shorter_one() -> None:
    assert derive(KEY, "p", length=64)[:32] != derive(KEY, "p")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        derive(b"short", "p")


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_shorter_keystream_begins_a_longer_one(a: int, b: int) -> None:
    short, long = sorted((a, b))
    assert keystream(KEY, long)[:short] == keystream(KEY, short)
    assert len(keystream(KEY, long)) == long


def test_keystreams_of_other_keys_differ() -> None:
    assert keystream(KEY, 64) != keystream(OTHER, 64)
    with pytest.raises(ValueError, match="32"):
        keystream(KEY[:16], 8)
