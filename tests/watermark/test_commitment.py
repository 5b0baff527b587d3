import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark.commitment import leaf, merkle_root

pytestmark = pytest.mark.unit

LEAVES = st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=20)


@given(
    LEAVES.flatmap(lambda leaves: st.tuples(st.just(leaves), st.permutations(leaves)))
)
def test_the_order_of_the_recipients_does_not_matter(pair):
    assert merkle_root(pair[0]) == merkle_root(pair[1])


@given(LEAVES.filter(bool), st.binary(min_size=32, max_size=32), st.data())
def test_any_change_of_the_recipients_changes_the_root(leaves, other, data):
    root = merkle_root(leaves)
    place = data.draw(st.integers(0, len(leaves) - 1))
    exchanged = [*leaves[:place], other, *leaves[place + 1 :]]
    if other not in leaves:
        assert merkle_root(exchanged) != root
        assert merkle_root([*leaves, other]) != root
    assert merkle_root(leaves[:place] + leaves[place + 1 :]) != root


def test_the_root_is_the_textbooks():
    a, b, c = sorted(hashlib.sha256(bytes([i])).digest() for i in range(3))

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    assert merkle_root([]) == hashlib.sha256(b"").digest()
    assert merkle_root([a]) == a
    assert merkle_root([b, a]) == node(a, b)
    assert merkle_root([c, b, a]) == node(node(a, b), c)


def test_leaves_differ_and_hide_the_code():
    pairs = itertools.product(("a" * 16, "b" * 16), (b"s" * 16, b"t" * 16))
    leaves = [leaf(*pair) for pair in pairs]
    assert len(set(leaves)) == 4
    assert all(len(one) == 32 and b"ssss" not in one for one in leaves)
