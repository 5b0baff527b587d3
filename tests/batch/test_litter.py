"""Which names a walk takes, and that a folder and a store are walked alike."""

import io
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.batch.folders import read_heap, read_tree
from fiftyone_reue.batch.litter import Judged, judged
from fiftyone_reue.errors import InputError
from fiftyone_reue.stores.address import place
from fiftyone_reue.stores.objects import is_left_behind
from tests.memory_store import memory_store

pytest.importorskip("fsspec", reason="fsspec isn't installed")

pytestmark = pytest.mark.unit


def _png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, "PNG")
    return data.getvalue()


PNG = _png()
FOLDERS = (
    *("cat", "Cat", "dog", "train", "val", "a b", "x%20y", "#1", "q?", "é", "e\u0301"),
    *(".hidden", ".git", ".Trash-1000", "__MACOSX", "@eaDir", "lost+found", ".a.png"),
    *("thumbs.db", "x.png", "._cat", ".b.reue-tmp", "... ", ".DS_Store"),
)
FILES = (
    *("a.png", "b.JPG", "c.webp", "a.b.tif", "README", "plain", "notes.txt", "x.tmp"),
    *(".hidden.png", "._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".x.reue-tmp"),
    *(".plain", ".notes.txt", ".localized", "y.reue-tmp", "é.png", "e\u0301.png", "ß"),
)


@pytest.mark.parametrize(
    ("name", "is_folder", "wanted"),
    [
        ("a.png", False, Judged.TAKEN),
        ("cat", True, Judged.TAKEN),
        ("thumbs.db", True, Judged.TAKEN),
        ("Thumbs.DB", False, Judged.LITTER),
        ("__MACOSX", True, Judged.LITTER),
        ("__MACOSX", False, Judged.TAKEN),
        (".a.png", False, Judged.HIDDEN),
        (".cat", True, Judged.HIDDEN),
        (".Trash-1000", True, Judged.LITTER),
        (".Trash-1000", False, Judged.HIDDEN),
        (".git", True, Judged.LITTER),
        (".DS_Store", False, Judged.LITTER),
        ("._a.png", False, Judged.LITTER),
        (".x.reue-tmp", False, Judged.LITTER),
        ("x.reue-tmp", False, Judged.TAKEN),
        ("", True, Judged.TAKEN),
        (".", True, Judged.TAKEN),
        ("..", False, Judged.TAKEN),
    ],
)
def test_names_are_judged(name, is_folder, wanted):
    """Those of which no folder could have one are told by who walks a store."""
    assert judged(name, is_folder=is_folder) is wanted


def test_what_was_being_written_is_known():
    assert is_left_behind(".00ff.reue-tmp")
    assert not is_left_behind("00ff.reue-tmp")


def told(read, where):
    """All that a person or a run hears of a tree."""
    try:
        tree = read(where)
    except InputError as error:
        return str(error).replace(str(where), "TREE")
    items = [
        (one.sample_id, one.label, one.output, one.path.replace(str(where), "TREE"))
        for one in tree.items
    ]
    return items, tree.layout, tree.others, tree.hidden, tree.passed_over()


paths = st.tuples(
    st.lists(st.sampled_from(FOLDERS), max_size=3),
    st.sampled_from(FILES),
    st.sampled_from([PNG, b"text", b""]),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@example([([".hidden", "cat"], "plain", PNG), (["cat"], "a.png", PNG)])
@given(st.lists(paths, min_size=1, max_size=12))
def test_a_folder_and_a_store_are_walked_alike(files):
    folder = Path(tempfile.mkdtemp())
    try:
        with memory_store() as memory:
            for above, name, data in files:
                path = folder.joinpath("tree", *above, name)
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                except (FileExistsError, NotADirectoryError, IsADirectoryError):
                    continue  # of one name there is a file or a folder
                memory.pipe_file("/".join(["/b/tree", *above, name]), data)
            (folder / "tree").mkdir(exist_ok=True)
            if not memory.store:
                return
            here, there = folder / "tree", place("memory://b/tree")
            for read in (read_heap, read_tree):
                assert told(read, there) == told(read, here)
    finally:
        shutil.rmtree(folder)
