"""Releases on a real SFTP server: a store with folders, and one request at a time."""

import os
import sys
from pathlib import Path

import pytest

from fiftyone_reue import api
from fiftyone_reue.batch.folders import read_tree
from fiftyone_reue.batch.outputs import require_writable
from fiftyone_reue.errors import InputError, MissingPackageError, OutputError
from fiftyone_reue.stores import connections, objects
from fiftyone_reue.stores.address import place
from tests.sftp_server import sftp_server

for package in ("fsspec", "paramiko", "asyncssh"):
    pytest.importorskip(package, reason=f"{package} isn't installed (make venv does)")

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMES = ("q?.png", "q?x=1.png", "#1.png", "50%.png", "a b.png", "é.png", "n\nl.png")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder, keys = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("keys")
    with sftp_server(folder, keys) as made:
        made.keys = keys
        yield made


@pytest.fixture
def server(running, monkeypatch):
    """The server, to which fsspec's configuration has a key."""
    from fsspec.config import conf
    from fsspec.implementations.sftp import SFTPFileSystem
    from fsspec.registry import _registry

    monkeypatch.setitem(_registry, "sftp", SFTPFileSystem)  # also beside sshfs
    known = {"key_filename": str(running.keys / "me"), "username": "me"}
    known |= {"allow_agent": False, "look_for_keys": False}
    monkeypatch.setitem(conf, "sftp", known)
    connections._pool.cache_clear()
    yield running
    connections._pool.cache_clear()


def test_a_release_there_and_back(server, vault, write_folder, tmp_path):
    photos = write_folder(server.folder / "photos", each=4, side=48)
    originals = {p.relative_to(photos): p.read_bytes() for p in photos.rglob("*.png")}
    for name in NAMES:
        (photos / "cat" / name).write_bytes((photos / "cat" / "0.png").read_bytes())
    (photos / "cat" / "0.png").unlink()
    del originals[Path("cat/0.png")]
    given = {"vault": vault, "recipient": "alice", "method": "lsp"}
    made = api.protect(f"{server.url}/photos", f"{server.url}/out", **given)
    assert made.outcome.failures == []
    (server.folder / "out" / "cat" / f".0{objects.TEMPORARY_SUFFIX}").write_bytes(b"1")
    again = api.protect(f"{server.url}/photos", f"{server.url}/out", **given)
    assert (again.outcome.done, again.outcome.skipped) == (0, made.outcome.done)
    assert list(server.folder.rglob(f"*{objects.TEMPORARY_SUFFIX}")) == []
    api.restore(f"{server.url}/out", f"{server.url}/back", vault=vault)
    back = server.folder / "back"
    files = {p.relative_to(back): p.read_bytes() for p in back.rglob("*.png")}
    assert files.items() >= originals.items()
    assert len(files) == len(originals) + len(NAMES)
    key = vault.recipient_key(vault.recipient("alice"))
    one = api.restore(f"{server.url}/out/cat/1.png", tmp_path / "one", key=key)
    assert one.outcome.done == 1


def test_each_name_is_a_file_of_its_own(server):
    files = [(f"{server.url}/odd/{name}", name.encode()) for name in NAMES]
    assert objects.write_all(files) == {}
    for url, data in files:
        assert objects.read(url) == data
        assert objects.is_object(url)
        assert not objects.is_folder(url)
    found = sorted(one.name for one in objects.listing(f"{server.url}/odd"))
    assert found == sorted(NAMES) == sorted(os.listdir(server.folder / "odd"))


def test_many_at_a_time_into_a_new_folder_by_few_connections(server):
    before = server.connections
    files = [(f"{server.url}/new/deep/{number}", b"1") for number in range(64)]
    assert objects.write_all(files) == {}
    assert len(os.listdir(server.folder / "new" / "deep")) == 64
    assert server.connections - before <= connections.MOST_CONNECTIONS


def test_a_connection_that_was_cut_off_is_opened_anew(server):
    objects.write(f"{server.url}/cut/a", b"1")
    before = server.connections
    server.cut_off()
    assert objects.read(f"{server.url}/cut/a") == b"1"
    server.cut_off()
    objects.write(f"{server.url}/cut/b", b"2")
    assert server.connections == before + 2
    assert sorted(os.listdir(server.folder / "cut")) == ["a", "b"]


def test_links_lead_to_files_and_not_round(server):
    folder = server.folder / "links"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"123")
    (folder / "b.png").symlink_to("a.png")
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "round").symlink_to(".")
    listed = objects.listing(f"{server.url}/links")
    found = {one.name: (one.is_folder, one.size) for one in listed}
    assert found == {
        **{"a.png": (False, 3), "b.png": (False, 3)},
        **{"gone.png": (False, 0), "round": (False, 0)},
    }


def test_what_is_wrong_is_said_with_what_to_do(server, monkeypatch, capfd):
    from fsspec.config import conf

    (server.folder / "file").write_bytes(b"1")
    with pytest.raises(InputError, match="this is a file; give the folder"):
        read_tree(place(f"{server.url}/file"))
    for below in ("", "/deep"):
        with pytest.raises(OutputError, match="folder can't be made; check its name"):
            require_writable(place(f"{server.url}/file{below}"))
    with pytest.raises(InputError, match="nothing below this address"):
        read_tree(place(f"{server.url}/none"))
    with pytest.raises(OutputError, match=r"can't be reached .*check the network"):
        require_writable(place("sftp://127.0.0.1:9/out"))
    other = {**conf["sftp"], "key_filename": str(server.keys / "other")}
    monkeypatch.setitem(conf, "sftp", other)
    connections._pool.cache_clear()
    with pytest.raises(InputError, match=r"doesn't know who asks.*fsspec's configur"):
        read_tree(place(f"{server.url}/photos"))
    assert capfd.readouterr() == ("", "")  # nothing of its library's log


def test_a_missing_package_is_named_with_the_extra(monkeypatch):
    from fsspec.registry import _registry

    monkeypatch.delitem(_registry, "sftp", raising=False)
    monkeypatch.setitem(sys.modules, "fsspec.implementations.sftp", None)
    with pytest.raises(MissingPackageError, match=r"storage\]' paramiko$"):
        objects.read("sftp://host/x")
