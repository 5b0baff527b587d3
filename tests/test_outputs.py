import pytest

from fiftyone_reue import outputs
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
