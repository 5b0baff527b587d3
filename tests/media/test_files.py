import errno
import os
import stat
import subprocess
import sys
import textwrap

import pytest

from fiftyone_reue.errors import OutputError
from fiftyone_reue.media import files
from fiftyone_reue.media.files import (
    remove_stale_temporaries,
    write_atomic,
    write_batch,
)

pytestmark = pytest.mark.unit


def fail_with(number: int, after: int = 0):
    """A stand-in for a system call that fails from its n-th call on."""
    calls = iter(range(10**6))
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if next(calls) >= after:
            raise OSError(number, os.strerror(number))
        return real(descriptor, data)

    return write


def test_files_are_written_and_replaced(tmp_path):
    path = tmp_path / "a.png"
    write_atomic(path, b"old")
    write_atomic(str(path), b"new" * 1000)
    assert path.read_bytes() == b"new" * 1000
    assert os.listdir(tmp_path) == ["a.png"]
    write_atomic(path, b"")
    assert path.read_bytes() == b""


def test_the_usual_mode_is_used(tmp_path):
    (tmp_path / "usual").touch()
    write_atomic(tmp_path / "ours", b"x")
    modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("syncfs", [True, False])
def test_batches(tmp_path, monkeypatch, syncfs):
    if not syncfs:
        monkeypatch.setattr(files, "_sync_filesystem", lambda: None)
    (tmp_path / "sub").mkdir()
    items = [
        (tmp_path / f"{'sub/' if i % 2 else ''}{i}", bytes([i]) * i) for i in range(40)
    ]
    write_batch(items)
    assert all(path.read_bytes() == data for path, data in items)
    assert len(list(tmp_path.rglob("*"))) == 41
    write_batch([])


def test_a_batch_waits_for_the_disk_before_it_takes_names(tmp_path, monkeypatch):
    events = []
    real_replace, real_fsync = os.replace, os.fsync

    def replace(source, target):
        events.append("rename")
        real_replace(source, target)

    def fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("folder" if is_folder else "file")
        real_fsync(descriptor)

    monkeypatch.setattr(files, "_sync_filesystem", lambda: None)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "fsync", fsync)
    write_batch([(tmp_path / "a", b"a"), (tmp_path / "b", b"b")])
    assert events == ["file", "file", "rename", "rename", "folder"]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_failures_leave_nothing_behind(tmp_path, monkeypatch, number, why, after):
    (tmp_path / "0").write_bytes(b"before")
    monkeypatch.setattr(os, "write", fail_with(number, after))
    with pytest.raises(OutputError, match=f"/{after}: can't be written: .*{why}"):
        write_batch([(tmp_path / str(i), b"data") for i in range(4)])
    assert os.listdir(tmp_path) == ["0"]
    assert (tmp_path / "0").read_bytes() == b"before"


def test_a_failed_rename_leaves_whole_files_only(tmp_path, monkeypatch):
    (tmp_path / "2").mkdir()  # a name that can't be taken
    with pytest.raises(OutputError, match="/2: can't be written: a folder"):
        write_batch([(tmp_path / str(i), b"data") for i in range(4)])
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2"]
    assert (tmp_path / "1").read_bytes() == b"data"


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"data")
    assert os.listdir(tmp_path) == []


def test_paths_that_can_not_be_written(tmp_path):
    with pytest.raises(OutputError, match=r"a\.png: .*folder doesn't exist"):
        write_atomic(tmp_path / "missing" / "a.png", b"x")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="its folder is a file"):
        write_atomic(tmp_path / "file" / "a.png", b"x")
    with pytest.raises(OutputError, match="too long"):
        write_atomic(tmp_path / ("n" * 300), b"x")
    assert os.listdir(tmp_path) == ["file"]


def test_long_names_leave_room_for_the_temporary_one(tmp_path):
    write_atomic(tmp_path / ("n" * 255), b"x")
    assert len(os.listdir(tmp_path)) == 1


def test_what_a_killed_run_leaves_is_removed(tmp_path):
    script = f"""
        import os, pathlib, signal
        from fiftyone_reue.media.files import write_atomic
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        write_atomic(pathlib.Path({str(tmp_path)!r}, "sub", "a.png"), b"half")
    """
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.reue-tmp").touch()
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode < 0
    assert len(os.listdir(tmp_path / "sub")) == 2
    assert remove_stale_temporaries(tmp_path) == 1
    assert os.listdir(tmp_path / "sub") == ["mine.reue-tmp"]
    assert remove_stale_temporaries(tmp_path / "missing") == 0
