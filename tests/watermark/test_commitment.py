import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.watermark.commitment import (
    NOTHING,
    Commitment,
    image_leaf,
    inclusion,
    is_included,
    leaf,
    merkle_root,
    recipient_leaf,
)

pytestmark = pytest.mark.unit

LEAVES = st.lists(st.binary(min_size=32, max_size=32), unique=True, max_size=20)


@pytest.mark.slow
@given(
    LEAVES.flatmap(lambda leaves: st.tuples(st.just(leaves), st.permutations(leaves)))
)
def test_the_order_of_the_recipients_does_not_matter(pair):
    assert merkle_root(pair[0]) == merkle_root(pair[1])


@pytest.mark.slow
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


@pytest.mark.slow
@given(LEAVES.filter(bool), st.binary(min_size=32, max_size=32), st.data())
def test_a_leaf_is_shown_to_be_in_the_tree_and_no_other_is(leaves, other, data):
    root = merkle_root(leaves)
    one = data.draw(st.sampled_from(leaves))
    path = inclusion(leaves, one)
    assert is_included(root, one, path)
    assert len(path) <= (len(leaves) - 1).bit_length()
    if other not in leaves:
        assert not is_included(root, other, path)
        with pytest.raises(ValueError, match="isn't in the tree"):
            inclusion(leaves, other)
    for place in range(len(path)):
        side, node = path[place]
        turned = "left" if side == "right" else "right"
        bent = [*path[:place], (turned, node), *path[place + 1 :]]
        assert not is_included(root, one, bent) or node == one


def test_whatever_a_commitment_is_over_changes_its_root():
    people = (recipient_leaf("r", "ann", b"s" * 16),)
    images = (image_leaf("i", b"d" * 32, b"c" * 32),)
    plain = Commitment("v", "p", NOTHING, people, images)
    others = [
        Commitment("w", "p", NOTHING, people, images),
        Commitment("v", "q", NOTHING, people, images),
        Commitment("v", "p", b"x" * 32, people, images),
        Commitment("v", "p", NOTHING, (recipient_leaf("s", "ann", b"s" * 16),), images),
        Commitment("v", "p", NOTHING, (recipient_leaf("r", "bob", b"s" * 16),), images),
        Commitment("v", "p", NOTHING, (recipient_leaf("r", "ann", b"t" * 16),), images),
        Commitment("v", "p", NOTHING, people, (image_leaf("j", b"d" * 32, b"c" * 32),)),
        Commitment("v", "p", NOTHING, people, (image_leaf("i", b"e" * 32, b"c" * 32),)),
        Commitment("v", "p", NOTHING, people, (image_leaf("i", b"d" * 32, b"e" * 32),)),
        Commitment("v", "p", NOTHING, images, people),
        Commitment("v", "p", NOTHING, people, ()),
    ]
    assert len({one.root for one in [plain, *others]}) == len(others) + 1
