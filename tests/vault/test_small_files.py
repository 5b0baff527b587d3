import os
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.vault.small_files import others_can_read, read_small

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("size", [0, 1, 64 * 1024])
def test_a_small_file_is_read(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    assert read_small(tmp_path / "file") == bytes(size)


def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no key file .*none"):
        read_small(tmp_path / "none")
    with pytest.raises(InputError, match="can't be read"):
        read_small(tmp_path)
    (tmp_path / "file").write_bytes(bytes(64 * 1024 + 1))
    with pytest.raises(InputError, match="isn't a letter; it is too large"):
        read_small(tmp_path / "file", "letter")


@pytest.mark.parametrize(
    ("mode", "open_to_others"),
    [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)],
)
def test_who_can_read_a_file(tmp_path: Path, mode: int, open_to_others: bool) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(mode)
    assert others_can_read(tmp_path / "file") == open_to_others


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_never_waited_for(tmp_path):
    path = tmp_path / "alice.key"
    os.mkfifo(path)
    with pytest.raises(InputError, match="named pipe"):
        read_small(path)
