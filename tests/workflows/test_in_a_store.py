"""Releases from a store, in a store and out of one: the same as those in folders."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.batch import pipeline
from fiftyone_reue.errors import InputError, OutputError, RevokedKeyError
from fiftyone_reue.releases import lookup, prepare
from fiftyone_reue.stores import objects
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger
from fiftyone_reue.vault.vault import create_folder, open_folder
from tests.memory_store import files_below, memory_store, put_folder

pytest.importorskip("fsspec", reason="fsspec isn't installed (make venv does it)")

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SOURCE, OUT = "memory://bucket/photos", "memory://bucket/for_alice"


@pytest.fixture
def memory():
    with memory_store() as system:
        yield system


@pytest.fixture
def originals(memory, write_folder, photos, tmp_path):
    """Twelve PNG files and a JPEG in the store; their bytes."""
    folder = write_folder(tmp_path / "photos", each=4, side=48)
    Image.fromarray(photos["cat"]).save(folder / "cat" / "photo.jpg", quality=90)
    return put_folder(memory, folder, "/bucket/photos")


def protect(vault, source=SOURCE, output=OUT, **settings):
    return api.protect(
        source, output, vault=vault, recipient="alice", method="lsp", **settings
    )


def test_a_release_in_a_store_is_the_one_in_a_folder(
    memory, originals, vault, tmp_path, monkeypatch
):
    monkeypatch.setattr(prepare, "new_id", lambda: "5" * 16)
    vault.close()
    shutil.copytree(tmp_path / "vault", tmp_path / "other")
    with open_folder(tmp_path / "other") as other:
        protect(other, tmp_path / "photos", tmp_path / "out", seed=7)
    with open_folder(tmp_path / "vault") as held:
        made = protect(held, seed=7)
        records = list(held.ledger.records(made.release.id))
    assert (made.outcome.done, made.outcome.failures, made.strangers) == (13, [], [])
    there = files_below(memory, "/bucket/for_alice")
    out = tmp_path / "out"
    assert there == {name: (out / name).read_bytes() for name in there}
    assert len(there) == 13
    assert (made.release.source, made.release.output) == (SOURCE, OUT)
    assert made.release.name == "alice-for_alice"
    assert {one.source for one in records} == {f"{SOURCE}/{name}" for name in originals}
    told = json.loads(memory.cat_file("/bucket/for_alice/manifest.json"))
    assert told["files"] == sorted(there)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("other", "out", "photos", "vault")
    ]


def test_all_the_ways_back(memory, originals, vault, tmp_path):
    protect(vault)
    key = vault.recipient_key(vault.recipient("alice"))
    for output in (tmp_path / "licensed", "memory://bucket/licensed"):
        for done, skipped in ((13, 0), (0, 13)):
            made = api.restore(OUT, output, key=key)
            assert (made.outcome.done, made.outcome.skipped) == (done, skipped)
            assert not made.outcome.failures
            assert str(made.compared_with) == f"{OUT}/manifest.json"
            assert made.differing == {}
    licensed = files_below(memory, "/bucket/licensed")
    assert licensed == {
        name: (tmp_path / "licensed" / name).read_bytes() for name in licensed
    }
    back = api.restore("memory://bucket/licensed", "memory://bucket/back", vault=vault)
    assert back.outcome.done == 13
    assert files_below(memory, "/bucket/back") == originals
    found = api.extract(["memory://bucket/licensed/cat", f"{OUT}/brick"], vault=vault)
    assert found.named == "alice"
    assert found.suspects[0].path == "memory://bucket/licensed/cat/0.png"
    case = api.report("memory://bucket/licensed/cat", tmp_path / "case", vault=vault)
    assert case.page.is_file()
    assert api.verify(tmp_path / "case").named == ["alice"]


def test_one_file_and_a_copy_that_was_changed_on_the_way(memory, originals, vault):
    protect(vault)
    key = vault.recipient_key(vault.recipient("alice"))
    url = f"{OUT}/cat/photo.jpg"
    whole = memory.cat_file("/bucket/for_alice/cat/photo.jpg")
    assert api.restore(url, "memory://bucket/one", key=key).differing == {}
    comment = b"\xff\xfe\x00\x04hi"
    memory.pipe_file("/bucket/for_alice/cat/photo.jpg", whole[:2] + comment + whole[2:])
    made = api.restore(f"{OUT}/cat", "memory://bucket/cat", key=key)
    assert list(made.differing) == ["photo.jpg"]
    memory.pipe_file(
        "/bucket/cat/0.png", b"\x89PNG\r\n\x1a\nanother picture" + bytes(99)
    )
    memory.pipe_file(
        "/bucket/taken/cat/1.png", memory.cat_file("/bucket/photos/cat/1.png")
    )
    taken = api.restore(OUT, "memory://bucket/taken", key=key)
    (failure,) = taken.outcome.failures
    assert failure.path == f"{OUT}/cat/1.png"
    assert "another image is in its place" in failure.reason


def test_another_run_does_what_changed(memory, originals, vault):
    protect(vault)
    memory.pipe_file("/bucket/photos/cat/0.png", originals["brick/0.png"])
    memory.mv("/bucket/photos/cat/1.png", "/bucket/photos/cat/moved.png")
    memory.rm("/bucket/photos/cat/2.png")
    memory.rm("/bucket/for_alice/brick/1.png")
    memory.pipe_file("/bucket/for_alice/cat/.DS_Store", b"")
    memory.pipe_file("/bucket/for_alice/stranger.txt", b"")
    again = protect(vault, prune=True)
    # A replaced one, one of another name, one whose copy was gone.
    assert (again.outcome.done, again.outcome.skipped) == (3, 9)
    assert (again.changed, again.pruned, again.obsolete) == (2, 1, [])
    assert again.strangers == ["stranger.txt"]
    names = set(files_below(memory, "/bucket/for_alice"))
    assert names == {
        *(files_below(memory, "/bucket/photos")),
        *("stranger.txt", "cat/.DS_Store"),
    }


def test_the_same_is_refused_as_of_folders(memory, originals, vault, tmp_path):
    with pytest.raises(InputError, match="lie within one another"):
        protect(vault, SOURCE, f"{SOURCE}/out")
    with pytest.raises(InputError, match="lie within one another"):
        protect(vault, f"{SOURCE}/cat", SOURCE)
    key = vault.recipient_key(vault.recipient("alice"))
    with pytest.raises(InputError, match="lie within one another"):
        api.restore(OUT, OUT, key=key)
    with pytest.raises(InputError, match="nothing at this address"):
        api.restore(OUT, tmp_path / "licensed", key=key)
    memory.pipe_file("/bucket/full/x.txt", b"")
    with pytest.raises(InputError, match=r"memory://bucket/full: .*isn't empty"):
        protect(vault, SOURCE, "memory://bucket/full")
    protect(vault)
    other = create_folder(tmp_path / "others", plain_key_file=True)
    with other.ledger:
        other.add_recipient("alice")
        with pytest.raises(InputError, match="knows no release"):
            protect(other)
    with pytest.raises(InputError, match="holds release"):
        protect(vault, epsilon=6)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("others", "photos", "vault")
    ]


@pytest.fixture
def batches_of_four(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)
    monkeypatch.setattr(pipeline, "COMMIT_SECONDS", 3600.0)


def test_a_write_that_fails_is_that_images_failure(
    memory, originals, vault, monkeypatch, batches_of_four
):
    real = type(memory).pipe_file

    def failing(self, path, value, **options):
        if path.endswith("for_alice/cat/1.png"):
            raise OSError(5, "Please reduce your request rate")
        return real(self, path, value, **options)

    monkeypatch.setattr(type(memory), "pipe_file", failing)
    made = protect(vault)
    (failure,) = made.outcome.failures
    assert (made.outcome.done, failure.path) == (12, f"{SOURCE}/cat/1.png")
    assert "for_alice/cat/1.png: can't be written: Please reduce" in failure.reason
    noted = {one.output for one in vault.ledger.records(made.release.id)}
    assert noted == set(files_below(memory, "/bucket/for_alice"))
    monkeypatch.setattr(type(memory), "pipe_file", real)
    again = protect(vault)
    assert (again.outcome.done, again.outcome.skipped) == (1, 12)
    assert len(files_below(memory, "/bucket/for_alice")) == 13


def test_a_store_that_takes_nothing_more_ends_the_run(
    memory, originals, vault, monkeypatch, batches_of_four
):
    real, left = objects.write, iter(range(8))

    def failing(url, data):
        if next(left, None) is None and not url.endswith("manifest.json"):
            raise PermissionError(13, "no permission (AccessDenied)", url)
        real(url, data)

    monkeypatch.setattr(objects, "write", failing)
    with pytest.raises(OutputError, match=r"can't be written: no permission"):
        protect(vault)
    (release,) = vault.ledger.releases()
    assert release.state == "failed"
    noted = {one.output for one in vault.ledger.records(release.id)}
    assert noted == set(files_below(memory, "/bucket/for_alice"))
    monkeypatch.setattr(objects, "write", real)
    again = protect(vault)
    assert (again.outcome.done, again.outcome.skipped) == (13 - len(noted), len(noted))
    # One write was to try, two were the manifest's; of a batch in which some failed
    # the rest is there.
    assert len(noted) == 5


class Killed(BaseException):
    """What no code expects."""


def test_what_was_written_and_not_noted_is_done_again(
    memory, originals, vault, monkeypatch, batches_of_four
):
    real, batches = SqliteLedger.put_records, []

    def put(self, records):
        batches.append(len(records))
        if len(batches) == 2:
            raise Killed
        return real(self, records)

    monkeypatch.setattr(SqliteLedger, "put_records", put)
    monkeypatch.setattr("fiftyone_reue.workflows.protect._note_end", lambda *_: None)
    with pytest.raises(Killed):
        protect(vault)
    monkeypatch.setattr(SqliteLedger, "put_records", real)
    assert len(files_below(memory, "/bucket/for_alice")) == 8
    (release,) = vault.ledger.releases()
    assert (release.state, vault.ledger.count_records(release.id)) == ("running", 4)
    again = protect(vault)
    assert (again.outcome.done, again.outcome.skipped) == (9, 4)
    assert again.strangers == []
    noted = {one.output for one in vault.ledger.records(release.id)}
    assert noted == set(files_below(memory, "/bucket/for_alice"))


def test_what_cant_be_read_is_named_and_the_rest_is_done(
    memory, originals, vault, monkeypatch
):
    memory.pipe_file("/bucket/photos/cat/broken.png", b"nothing")
    real = type(memory).cat_file

    def failing(self, path, **options):
        if path.endswith("photos/cat/1.png"):
            raise ConnectionResetError(104, "Connection reset by peer")
        return real(self, path, **options)

    monkeypatch.setattr(type(memory), "cat_file", failing)
    made = protect(vault)
    reasons = {one.path: one.reason for one in made.outcome.failures}
    assert set(reasons) == {f"{SOURCE}/cat/1.png", f"{SOURCE}/cat/broken.png"}
    why = "from the store: the store can't be reached (Connection reset"
    assert why in reasons[f"{SOURCE}/cat/1.png"]
    assert made.outcome.done == 12


def test_a_published_set_in_a_store_is_licensed(memory, originals, vault, tmp_path):
    published = api.publish(SOURCE, "memory://bucket/public", vault=vault, method="lsp")
    key = vault.recipient_key(vault.recipient("bob"))
    path = tmp_path / "bob.license"
    made = api.license("bob", path, vault=vault, release=published.release.id)
    assert made.outcome.done == 13
    restored = api.restore(
        "memory://bucket/public", "memory://bucket/bobs", key=key, license=path
    )
    assert (restored.outcome.done, restored.differing) == (13, {})
    assert api.extract("memory://bucket/bobs", vault=vault).named == "bob"
    with pytest.raises(InputError, match="can't be a URL: it is written"):
        api.license(
            "bob", "memory://bucket/l", vault=vault, release=published.release.id
        )


def test_what_else_becomes_of_a_release(memory, originals, vault, tmp_path):
    made = protect(vault)
    packed = api.package(made.release.id, tmp_path / "packed.zip", vault=vault)
    assert packed.images == 13
    with pytest.raises(InputError, match="handed out"):
        lookup.require_apart(vault, api.place(f"{OUT}/case"), "it tells")
    api.revoke_recipient("alice", vault=vault)
    told = json.loads(memory.cat_file("/bucket/for_alice/manifest.json"))
    assert told["revoked_at"] is not None
    key = vault.recipient_key(vault.recipient("alice"))
    for below in ("", "/cat", "/cat/0.png"):
        with pytest.raises(RevokedKeyError, match=r"for_alice/manifest\.json"):
            api.restore(f"{OUT}{below}", tmp_path / "licensed", key=key)
    memory.pipe_file("/bucket/for_alice/mine.txt", b"")
    assert lookup.delete_release(vault, made.release, files=True) == 13
    assert memory.find("/bucket/for_alice") == ["/bucket/for_alice/mine.txt"]


def test_originals_that_moved_into_a_store_are_found(
    memory, originals, vault, tmp_path
):
    protect(vault, tmp_path / "photos", tmp_path / "out")
    key = vault.recipient_key(vault.recipient("alice"))
    api.restore(tmp_path / "out", tmp_path / "licensed", key=key)
    for folder in ("photos", "out"):
        (tmp_path / folder).rename(tmp_path / f"gone-{folder}")
    for path in (tmp_path / "licensed").rglob("*.png"):
        image = Image.open(path)
        image.point(lambda value: value ^ 1).save(path)  # it isn't exact any more
    found = api.extract(tmp_path / "licensed", vault=vault, originals=SOURCE)
    assert found.named == "alice"
    assert found.unaided == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda vault: api.create_vault("s3://b/vault", plain_key_file=True),
        lambda vault: api.open_vault("s3://b/vault"),
        lambda vault: api.rotate_key("s3://b/vault"),
        lambda vault: api.extract("x", vault="s3://b/vault"),
        lambda vault: api.report("x", "s3://b/case", vault=vault),
        lambda vault: api.verify("case", authority="s3://b/a.pem"),
        lambda vault: protect(vault, Path("s3://b/photos"), "out"),
    ],
)
def test_where_no_url_will_do_it_is_said(call, vault, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match=r"URL|lock its ledger"):
        call(vault)
    assert list(Path().iterdir()) == []


def test_a_place_that_cant_be_written_costs_no_work(
    memory, originals, vault, monkeypatch
):
    def refusing(self, path, value, **options):
        raise PermissionError(13, "AccessDenied")

    protect(vault, output="memory://bucket/other")
    key = vault.recipient_key(vault.recipient("alice"))
    monkeypatch.setattr(type(memory), "pipe_file", refusing)
    monkeypatch.setattr(pipeline, "run", None)  # nothing is worked on
    monkeypatch.setattr("fiftyone_reue.workflows.protect.fitted_state", None)
    with pytest.raises(OutputError, match=r"^memory://bucket/for_alice: can't be wri"):
        protect(vault)
    assert len(vault.ledger.releases()) == 1
    with pytest.raises(OutputError, match=r"^memory://bucket/back: can't be written"):
        api.restore("memory://bucket/other", "memory://bucket/back", key=key)
