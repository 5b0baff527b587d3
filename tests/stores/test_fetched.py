"""What is in a store is there as files for as long as somebody reads them."""

import shutil
import tempfile
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import place
from fiftyone_reue.stores.fetched import fetched
from fiftyone_reue.stores.objects import Found

pytestmark = pytest.mark.unit


def test_a_path_is_given_back(tmp_path):
    with fetched(tmp_path) as found:
        assert found is tmp_path
    assert tmp_path.is_dir()


def test_an_object_and_a_folder(memory):
    memory.pipe_file("/b/a/x.tar", b"1")
    memory.pipe_file("/b/a/deep/er/y.bin", b"22")
    with fetched(place("memory://b/a/x.tar")) as path:
        assert (path.name, path.read_bytes()) == ("x.tar", b"1")
    assert not path.parent.exists()
    with fetched(place("memory://b/a")) as folder:
        names = {p.relative_to(folder).as_posix() for p in folder.rglob("*.*")}
        assert names == {"x.tar", "deep/er/y.bin"}
        assert (folder / "deep/er/y.bin").read_bytes() == b"22"
    assert not folder.exists()


def test_errors_name_the_address_and_nothing_stays(memory):
    memory.pipe_file("/b/x.tar", b"1")
    with pytest.raises(InputError) as error, fetched(place("memory://b/x.tar")) as path:
        raise InputError(f"{path}: it is damaged")
    assert str(error.value) == "memory://b/x.tar: it is damaged"
    assert not path.parent.exists()
    with (
        pytest.raises(InputError, match="nothing at this address"),
        fetched(place("memory://b/none")),
    ):
        pass


def test_what_the_disk_has_no_room_for_is_not_fetched(memory, monkeypatch):
    memory.pipe_file("/b/a/x.bin", b"1" * 3000)
    memory.pipe_file("/b/a/deep/y.bin", b"2" * 3000)
    full = shutil._ntuple_diskusage(9000, 4000, 5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    monkeypatch.setattr(objects, "fetch", lambda *_: pytest.fail("it was fetched"))
    said = r"^memory://b/a: this has 6\.0 kB, .* 5\.0 kB are free; set TMPDIR"
    with pytest.raises(InputError, match=said), fetched(place("memory://b/a")):
        pass
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    with fetched(place("memory://b/a/x.bin")) as path:
        assert path.stat().st_size == 3000


@pytest.mark.parametrize("name", ["", ".", "..", "a\\..\\b", "C:x"])
def test_names_that_no_folder_could_hold_are_refused(
    memory, monkeypatch, name, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    memory.pipe_file("/b/a/x.png", b"1")
    listed = [Found(name, False, 1)]
    monkeypatch.setattr(objects, "listing", lambda url: listed)
    with (
        pytest.raises((InputError, UnsafePathError)),
        fetched(place("memory://b/a")),
    ):
        pass
    assert list(Path(tempfile.gettempdir()).glob("reue-fetched-*")) == []


def test_an_object_is_read_in_pieces(memory):
    memory.pipe_file("/b/x", b"0123456789")
    with objects.opened("memory://b/x") as file:
        file.seek(-2, 2)
        assert file.read() == b"89"
    with pytest.raises(FileNotFoundError), objects.opened("memory://b/y"):
        pass
