import errno
import os

import pytest

from fiftyone_reue.batch import outputs
from fiftyone_reue.errors import OutputError
from fiftyone_reue.media.files import TEMPORARY_SUFFIX

pytestmark = pytest.mark.unit


def test_prepare_makes_the_folder_and_clears_what_a_kill_left(tmp_path):
    outputs.prepare(tmp_path / "a/b")
    left = tmp_path / "a/b/cat" / f".half{TEMPORARY_SUFFIX}"
    left.parent.mkdir()
    left.touch()
    (left.parent / "whole.png").touch()
    outputs.prepare(tmp_path / "a/b")
    assert [p.name for p in left.parent.iterdir()] == ["whole.png"]


def test_files_and_their_folders_are_written(tmp_path):
    outputs.write_below(tmp_path, [("cat/a.png", b"1"), ("dog/deep/b.png", b"2")])
    assert (tmp_path / "cat/a.png").read_bytes() == b"1"
    assert (tmp_path / "dog/deep/b.png").read_bytes() == b"2"
    outputs.write_below(tmp_path, [])


def test_names_that_are_refused_stop_none_of_the_others(tmp_path):
    (tmp_path / "dog/taken.png").mkdir(parents=True)
    long = "n" * 300
    refused = outputs.write_below(
        tmp_path,
        [
            ("cat/a.png", b"1"),
            (f"cat/{long}.png", b"2"),
            (f"{long}/b.png", b"3"),
            ("dog/taken.png", b"4"),
            ("dog/c.png", b"5"),
        ],
    )
    assert refused.keys() == {f"cat/{long}.png", f"{long}/b.png", "dog/taken.png"}
    assert "too long" in refused[f"cat/{long}.png"]
    assert "a folder has this name" in refused["dog/taken.png"]
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"cat/a.png", "dog/c.png"}


def test_a_full_disk_is_no_matter_of_a_name(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for call in ("replace", "write"):
        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            with pytest.raises(OutputError, match="full"):
                outputs.write_below(tmp_path, [("a.png", b"1"), ("b.png", b"2")])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_deleted_meanwhile_is_made_again(tmp_path):
    outputs.write_below(tmp_path / "a/b", [("cat/a.png", b"1")], private=True)
    assert (tmp_path / "a/b/cat/a.png").read_bytes() == b"1"
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: a file is in the way"):
        outputs.prepare(tmp_path / "file")
    with pytest.raises(OutputError, match="can't be made: Not a directory"):
        outputs.prepare(tmp_path / "file/below")
    with pytest.raises(OutputError, match="file: a file is in the way"):
        outputs.write_below(tmp_path, [("file/a.png", b"")])
