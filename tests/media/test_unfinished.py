"""What a kill leaves is taken away, and what somebody is at is left alone."""

import signal
import subprocess
import sys

import pytest

from fiftyone_reue.media.unfinished import beside, held, remove_left_of

pytestmark = pytest.mark.unit
pytest.importorskip("fcntl", reason="this system has no locks that end by themselves")

WRITING = """
import sys, time
from pathlib import Path
from fiftyone_reue.media.unfinished import beside, held
path = beside(Path(sys.argv[1]))
path.mkdir()
(path / "part").write_bytes(b"1")
with held(path):
    print(path, flush=True)
    time.sleep(60)
"""


def test_names_lie_beside_and_are_hidden(tmp_path):
    one, other = beside(tmp_path / "a.zip"), beside(tmp_path / "a.zip")
    assert one != other
    assert one.parent == tmp_path
    assert one.name.startswith(".a.zip.")
    assert one.name.endswith(".reue-tmp")
    assert len(beside(tmp_path / ("é" * 127)).name.encode()) <= 255


def test_only_what_nobody_is_at_is_removed(tmp_path):
    path = tmp_path / "a.zip"
    left, at, folder = beside(path), beside(path), beside(path)
    for one in (left, at):
        one.write_bytes(b"1")
    folder.mkdir()
    (folder / "part").write_bytes(b"1")
    others = [beside(tmp_path / "b.zip"), beside(tmp_path / "a"), path]
    for one in others:
        one.write_bytes(b"1")
    with held(at):
        assert remove_left_of(path) == 2
        assert sorted(tmp_path.iterdir()) == sorted([at, *others])
    assert remove_left_of(path) == 1
    assert sorted(tmp_path.iterdir()) == sorted(others)
    assert remove_left_of(tmp_path / "none" / "a.zip") == 0


def test_a_link_of_that_name_leads_nowhere(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo").write_bytes(b"1")
    link = beside(tmp_path / "a.zip")
    link.symlink_to(tmp_path / "mine")
    assert remove_left_of(tmp_path / "a.zip") == 0
    assert (tmp_path / "mine" / "photo").is_file()


@pytest.mark.integration
def test_a_kill_ends_the_lock(tmp_path):
    path = tmp_path / "package"
    words = [sys.executable, "-c", WRITING, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        left = process.stdout.readline().strip()
        assert remove_left_of(path) == 0
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [str(one) for one in tmp_path.iterdir()] == [left]
    assert remove_left_of(path) == 1
    assert list(tmp_path.iterdir()) == []
