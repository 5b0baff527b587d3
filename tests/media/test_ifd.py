import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.media.ifd import (
    DirectoryError,
    Entry,
    Layout,
    read_directory,
    read_header,
    write_directory,
)

pytestmark = pytest.mark.unit

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 12: 8}


@st.composite
def entries(draw: st.DrawFn, tags: st.SearchStrategy[int]) -> list[Entry]:
    found = []
    for tag in draw(st.lists(tags, unique=True, max_size=5)):
        kind = draw(st.sampled_from(sorted(SIZES)))
        count = draw(st.integers(0, 9))
        size = count * SIZES[kind]
        value = draw(st.binary(min_size=size, max_size=size))
        found.append(Entry(tag, kind, count, value))
    return found


plain_tags = st.integers(1, 30000)


@pytest.mark.slow
@given(
    st.sampled_from("<>"),
    entries(plain_tags),
    entries(plain_tags),
    entries(plain_tags),
    st.integers(4, 20),
)
def test_directories_come_back(order, root, exif, interoperability, at):
    children = list(exif)
    if interoperability:
        below = tuple(sorted(interoperability, key=lambda e: e.tag))
        children.append(Entry(40965, 4, 1, bytes(4), below))
    if children:
        below = tuple(sorted(children, key=lambda e: e.tag))
        root = [*root, Entry(34665, 4, 1, bytes(4), below)]
    data = bytes(2 * at) + write_directory(root, order, 2 * at)
    read, following = read_directory(data, 2 * at, Layout(order))
    assert list(read.values()) == sorted(root, key=lambda e: e.tag)
    assert following == 0
    again = bytes(2 * at) + write_directory(read.values(), order, 2 * at)
    assert again == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"II*\0\x08\0\0\0", (Layout("<"), 8)),
        (b"MM\0*\0\0\0\x10", (Layout(">"), 16)),
        (b"II+\0\x08\0\0\0\x10" + bytes(7), (Layout("<", True), 16)),
    ],
)
def test_headers(data, expected):
    assert read_header(data) == expected


@pytest.mark.parametrize("data", [b"", b"II", b"II*\0\x08", b"IM*\0\x08\0\0\0"])
def test_other_headers(data):
    with pytest.raises(DirectoryError):
        read_header(data)


def test_what_lies_outside_is_named():
    value = struct.pack("<HHII", 700, 7, 500, 30)
    data = struct.pack("<H", 1) + value + bytes(4)
    with pytest.raises(DirectoryError, match="tag 700") as caught:
        read_directory(data, 0, Layout("<"))
    assert caught.value.tag == 700
    assert read_directory(data, 0, Layout("<"), skip=(700,)) == ({}, 0)
    for size in range(len(data)):
        with pytest.raises(DirectoryError):
            read_directory(data[:size], 0, Layout("<"), skip=(700,))


def test_values_can_not_be_larger_than_the_file_together():
    many = 200
    pairs = b"".join(struct.pack("<HHII", tag, 7, 1000, 0) for tag in range(many))
    data = struct.pack("<H", many) + pairs + bytes(4)
    with pytest.raises(DirectoryError, match="cut short"):
        read_directory(data, 0, Layout("<"))


def test_directories_that_point_to_themselves_end():
    pointer = struct.pack("<HHII", 34665, 4, 1, 0)
    data = struct.pack("<H", 1) + pointer + bytes(4)
    read, _ = read_directory(data, 0, Layout("<"))
    assert read[34665].children[0].tag == 34665
    assert not read[34665].children[0].children
