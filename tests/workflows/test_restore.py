import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    DamagedRecordError,
    ForeignRecordError,
    InputError,
    NoRecordError,
    OutputError,
    RevokedKeyError,
    WrongKeyError,
    named,
)
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.original import Rebuilt
from fiftyone_reue.media.raster import Metadata, Raster
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest, revocation
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.originals import LOST, TAKEN_OUT, Originals
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows import protect_image
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Release:
    """A vault, the originals' folder and alice's protected copy of it."""

    vault: Vault
    source: Path
    protected: Path

    @property
    def root(self) -> Path:
        return self.source.parent

    def key(self, who: str = "alice"):
        return self.vault.recipient_key(self.vault.recipient(who))


@pytest.fixture
def release(vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]) -> Release:
    source = write_folder(tmp_path / "source", classes=2, each=3)
    _protect(vault, source, tmp_path / "protected")
    return Release(vault, source, tmp_path / "protected")


def _protect(vault: Vault, source: Path, output: Path, who: str = "alice") -> None:
    steps = protect(
        vault,
        who,
        labelled_items(source),
        output,
        name=output.name,
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    assert not finish(steps).outcome.failures


def licensed(release: Release, output: Path, who: str = "alice"):
    items = image_items(release.protected)
    key = release.key(who)
    return finish(restore_licensed(items, release.protected, output, key))


def originals(release: Release, source: Path, output: Path):
    return finish(restore_original(release.vault, image_items(source), output))


def same_samples(one: Path, other: Path) -> bool:
    paths = [sorted(p.relative_to(f) for p in f.rglob("*.*")) for f in (one, other)]
    assert paths[0] == paths[1]
    assert paths[0]
    return all(
        np.array_equal(load(one / p).raster.samples, load(other / p).raster.samples)
        for p in paths[0]
    )


def same_files(one: Path, other: Path) -> bool:
    files = [
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in (one, other)
    ]
    assert files[0]
    return files[0] == files[1]


def reasons(summary) -> dict[str, str]:
    return {f.sample_id: f.reason for f in summary.outcome.failures}


def test_the_owner_restores_from_protected_and_from_licensed_files(release, tmp_path):
    summary = licensed(release, tmp_path / "w")
    assert (summary.tier, summary.outcome.done, summary.total) == ("licensed", 6, 6)
    for source in (release.protected, tmp_path / "w"):
        out = tmp_path / f"from-{source.name}"
        summary = originals(release, source, out)
        assert (summary.tier, summary.outcome.done) == ("original", 6)
        assert same_files(out, release.source)
        assert summary.differing == {}
    assert not same_samples(tmp_path / "w", release.source)


def test_restored_originals_carry_no_record_licensed_copies_the_owners(
    release, tmp_path
):
    licensed(release, tmp_path / "w")
    originals(release, release.protected, tmp_path / "o")
    for item in image_items(release.source):
        assert load(tmp_path / "o" / item.sample_id).record is None
        envelope = records.unpack(load(tmp_path / "w" / item.sample_id).record)
        assert envelope.header.tier == "licensed"
        assert envelope.recipient_box == b""


def test_a_recipient_needs_neither_vault_nor_manifest(release, tmp_path):
    key = release.key()
    shutil.copytree(release.protected / "brick", tmp_path / "alone")
    release.vault.ledger.close()
    shutil.rmtree(tmp_path / "vault")
    items = image_items(tmp_path / "alone")
    summary = finish(restore_licensed(items, None, tmp_path / "w", key))
    assert (summary.outcome.done, len(summary.outcome.failures)) == (3, 0)


def test_a_second_run_writes_nothing(release, tmp_path):
    for tier in ("w", "o"):
        out = tmp_path / tier
        again = (
            (lambda out=out: licensed(release, out))
            if tier == "w"
            else (lambda out=out: originals(release, release.protected, out))
        )
        again()
        before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
        summary = again()
        assert (summary.outcome.done, summary.outcome.skipped) == (0, 6)
        assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_what_is_missing_or_cut_short_is_restored_again(release, tmp_path):
    out = tmp_path / "o"
    originals(release, release.protected, out)
    first, second = sorted(out.rglob("*.png"))[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])
    (out / ".left.reue-tmp").touch()
    summary = originals(release, release.protected, out)
    assert (summary.outcome.done, summary.outcome.skipped) == (2, 4)
    assert same_samples(out, release.source)


def test_another_image_is_never_replaced(release, tmp_path):
    out = tmp_path / "o"
    mine = out / image_items(release.source)[0].sample_id
    mine.parent.mkdir(parents=True)
    for image in (Image.new("RGB", (32, 32)), Image.new("RGB", (99, 99))):
        image.save(mine)
        before = mine.read_bytes()
        summary = originals(release, release.protected, out)
        (reason,) = reasons(summary).values()
        assert reason.startswith(mine.relative_to(out).as_posix())
        assert "choose an empty folder" in reason
        assert mine.read_bytes() == before
    assert len(list(out.rglob("*.png"))) == 6


def test_the_same_pixels_written_by_another_program_count_as_there(release, tmp_path):
    out = tmp_path / "o"
    shutil.copytree(release.source, out)
    assert originals(release, release.protected, out).outcome.skipped == 6


def test_the_owner_finds_the_record_of_a_losslessly_resaved_file(release, tmp_path):
    licensed(release, tmp_path / "w")
    for source in (release.protected, tmp_path / "w"):
        resaved = tmp_path / f"resaved-{source.name}"
        for item in image_items(source):
            path = resaved / item.output
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.open(item.path).save(path.with_suffix(".bmp"))
        out = tmp_path / f"o-{source.name}"
        summary = originals(release, resaved, out)
        assert (summary.outcome.done, summary.differing) == (6, {})
        assert same_files(out, release.source)


def test_what_the_ledger_keeps_without_the_file_gives_the_pixels(
    release, tmp_path, monkeypatch
):
    monkeypatch.setattr(protect_image, "LARGEST_LEDGER_FILE", 0)
    _protect(release.vault, release.source, tmp_path / "again")
    resaved = tmp_path / "resaved"
    for item in image_items(tmp_path / "again"):
        path = resaved / f"{item.output}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(item.path).save(path)
    summary = originals(release, resaved, tmp_path / "o")
    assert summary.outcome.done == 6
    assert set(summary.differing.values()) == {LOST}
    assert same_samples(tmp_path / "o", release.source)
    assert originals(release, tmp_path / "again", tmp_path / "o2").differing == {}
    assert same_files(tmp_path / "o2", release.source)


def without_boxes(folder: Path, output: Path, *, denied: bool) -> None:
    """Somebody takes the file's box out of copies, or says that there was none."""
    for item in image_items(folder):
        loaded = load(item.path)
        envelope = records.unpack(loaded.record).without_file()
        if denied:
            envelope = replace(envelope, header=replace(envelope.header, file=b""))
        path = output / f"{item.output}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(loaded.raster, "PNG", envelope.pack()))


@pytest.mark.parametrize("denied", [False, True])
def test_the_ledger_has_the_file_that_was_taken_out_of_a_copy(
    release, tmp_path, denied
):
    licensed(release, tmp_path / "w")
    without_boxes(tmp_path / "w", tmp_path / "less", denied=denied)
    assert originals(release, tmp_path / "less", tmp_path / "o").differing == {}
    assert same_files(tmp_path / "o", release.source)


@pytest.mark.parametrize("denied", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_was_taken_out_of_a_copy_is_said_to_be(
    release, tmp_path, monkeypatch, denied, known
):
    monkeypatch.setattr(protect_image, "LARGEST_LEDGER_FILE", 0)
    made = tmp_path / "again"
    _protect(release.vault, release.source, made)
    key = release.key()
    finish(restore_licensed(image_items(made), made, tmp_path / "w", key))
    without_boxes(tmp_path / "w", tmp_path / "less", denied=denied)
    if not known:
        for one in release.vault.ledger.releases():
            release.vault.ledger.delete_release(one.id)
    summary = originals(release, tmp_path / "less", tmp_path / "o")
    assert (summary.outcome.done, summary.outcome.failures) == (6, [])
    assert set(summary.differing.values()) == {TAKEN_OUT}
    assert same_samples(tmp_path / "o", release.source)


def test_a_recipient_is_told_of_a_resaved_file(release, tmp_path):
    path = release.protected / image_items(release.protected)[0].sample_id
    Image.open(path).save(path)
    (reason,) = reasons(licensed(release, tmp_path / "w")).values()
    assert "holds no record" in reason
    assert "ask the owner" in reason


def test_a_jpeg_of_a_protected_file_is_refused(release, tmp_path):
    item = image_items(release.protected)[0]
    jpeg = tmp_path / "jpeg" / "a.jpg"
    jpeg.parent.mkdir()
    Image.open(item.path).save(jpeg)
    (reason,) = reasons(originals(release, jpeg.parent, tmp_path / "o")).values()
    assert "doesn't know its pixels" in reason
    assert not list((tmp_path / "o").rglob("*.*"))


def test_originals_need_no_restoring(release, tmp_path):
    summary = originals(release, release.source, tmp_path / "o")
    assert set(reasons(summary)) == {i.sample_id for i in image_items(release.source)}
    assert all("an original already" in reason for reason in reasons(summary).values())


def test_licensed_files_need_no_restoring(release, tmp_path):
    licensed(release, tmp_path / "w")
    items = image_items(tmp_path / "w")
    steps = restore_licensed(items, tmp_path / "w", tmp_path / "x", release.key())
    assert all("restored already" in why for why in reasons(finish(steps)).values())


def test_the_wrong_key_restores_nothing(release, tmp_path):
    summary = licensed(release, tmp_path / "w", "bob")
    assert summary.outcome.done == 0
    assert len(reasons(summary)) == 6
    for name, reason in reasons(summary).items():
        assert reason.startswith(f"{name}: Wrong key: ")
        assert "bob" in reason
        assert "use the key that came with this copy" in reason


def test_another_vaults_key_and_files_are_told_apart(release, tmp_path):
    stranger = create_folder(tmp_path / "other", plain_key_file=True)
    with stranger.ledger:
        _, key = stranger.add_recipient("alice")
        items = image_items(release.protected)
        summary = finish(restore_licensed(items, None, tmp_path / "w", key))
        for reason in reasons(summary).values():
            assert release.vault.vault_id in reason
            assert stranger.vault_id in reason
        summary = finish(restore_original(stranger, items, tmp_path / "o"))
        assert all("Use the vault" in reason for reason in reasons(summary).values())
        assert len(reasons(summary)) == 6


def test_a_revoked_key_restores_nothing_from_a_marked_folder(release, tmp_path):
    bob = release.vault.revoke("bob")
    assert manifest.mark_revoked(release.vault, bob) == []
    alice = release.vault.revoke("alice")
    assert manifest.mark_revoked(release.vault, alice) == [
        release.protected / manifest.NAME
    ]
    with pytest.raises(RevokedKeyError, match=r"key of alice was revoked on \d{4}-"):
        licensed(release, tmp_path / "w")
    assert not (tmp_path / "w").exists()
    # The owner's way stays open, and another's key isn't held up by the mark.
    assert originals(release, release.protected, tmp_path / "o").outcome.done == 6
    assert "Wrong key" in str(reasons(licensed(release, tmp_path / "w", "bob")))


def test_a_notice_holds_for_parts_of_a_folder(release, tmp_path):
    revocation.revoke(release.vault, "alice")
    first = image_items(release.protected)[0]
    for place in (Path(first.path), Path(first.path).parent):
        steps = restore_licensed(
            suspect_items(place), place, tmp_path / "w", release.key()
        )
        with pytest.raises(RevokedKeyError, match=r"protected/manifest\.json says"):
            finish(steps)
    assert not (tmp_path / "w").exists()


def test_a_copied_folder_that_kept_a_notice_says_how_to_be_rid_of_it(release, tmp_path):
    revocation.revoke(release.vault, "alice")
    moved = shutil.copytree(release.protected, tmp_path / "moved")
    revocation.reinstate(release.vault, "alice")
    licensed(release, tmp_path / "w")
    key = release.vault.recipient_key(release.vault.recipient("alice"))

    def restore():
        steps = restore_licensed(image_items(moved), moved, tmp_path / "again", key)
        return finish(steps).outcome

    with pytest.raises(
        RevokedKeyError, match=r"moved/manifest\.json says .*reinstated"
    ):
        restore()
    shutil.copy(release.protected / manifest.NAME, moved / manifest.NAME)
    assert restore().done == 6


def test_a_damaged_record_is_named_and_the_rest_restored(release, tmp_path):
    item = image_items(release.protected)[2]
    loaded = load(item.path)
    broken = encode(loaded.raster, "PNG", loaded.record[:-1])
    Path(item.path).write_bytes(broken)
    for summary in (
        licensed(release, tmp_path / "w"),
        originals(release, release.protected, tmp_path / "o"),
    ):
        assert summary.outcome.done == 5
        assert set(reasons(summary)) == {item.sample_id}
        assert "damaged" in reasons(summary)[item.sample_id]


def test_a_record_for_a_key_that_was_never_issued(release):
    item = image_items(release.protected)[0]
    loaded = load(item.path)
    envelope = records.unpack(loaded.record)
    foreign = replace(envelope, header=replace(envelope.header, key="0" * 16))
    with pytest.raises(ForeignRecordError, match="never issued"):
        Originals(release.vault).original(loaded.raster, foreign.pack(), "x")


def test_metadata_comes_back(vault, tmp_path, photos):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    rich = Metadata(srgb, exif, b"<x/>", (72.0, 72.0))
    path = tmp_path / "source/cat/a.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode(Raster(photos["cat"], "PNG", rich), "PNG"))
    _protect(vault, tmp_path / "source", tmp_path / "p")
    release = Release(vault, tmp_path / "source", tmp_path / "p")
    licensed(release, tmp_path / "w")
    originals(release, tmp_path / "w", tmp_path / "o")
    metadata = load(path).raster.metadata
    assert metadata.icc == rich.icc
    for tier in "pw":  # XMP can hold a picture
        handed = load(tmp_path / tier / "cat/a.png").raster.metadata
        assert handed == replace(metadata, xmp=None)
    assert (tmp_path / "o/cat/a.png").read_bytes() == path.read_bytes()


def turned_png(path: Path) -> None:
    """Say of a copy, in EXIF, that it is turned; pixels and record stay."""
    loaded = load(path)
    exif = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    raster = loaded.raster
    raster = replace(raster, metadata=replace(raster.metadata, exif=exif))
    path.write_bytes(encode(raster, "PNG", loaded.record))


def turned_jpeg(path: Path) -> None:
    data = path.read_bytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    path.write_bytes(data[:2] + segment + data[2:])


@pytest.mark.parametrize(("kind", "turn"), [("png", turned_png), ("jpg", turned_jpeg)])
def test_metadata_that_was_changed_on_the_way_is_told(
    vault, tmp_path, photos, kind, turn
):
    (tmp_path / "source/cat").mkdir(parents=True)
    for name in "ab":
        Image.fromarray(photos["cat"]).save(tmp_path / f"source/cat/{name}.{kind}")
    _protect(vault, tmp_path / "source", tmp_path / "p")
    release = Release(vault, tmp_path / "source", tmp_path / "p")
    before = licensed(release, tmp_path / "w")
    assert (before.differing, before.files_text()) == ({}, "")
    turn(release.protected / f"cat/a.{kind}")
    found = licensed(release, tmp_path / "again")
    assert (found.outcome.done, found.outcome.failures) == (2, [])
    assert list(found.differing) == [f"cat/a.{kind}"]
    assert "of 1 copy only the pixels are" in found.files_text()
    assert "how it is turned" in found.files_text()
    assert "get it again from the owner" in found.files_text()
    assert found.compared_with == release.protected / manifest.NAME
    first, second = (load(tmp_path / one / f"cat/a.{kind}") for one in ("w", "again"))
    assert np.array_equal(first.raster.samples, second.raster.samples)
    # So it is of a folder within, and of the file alone.
    for number, part in enumerate(("cat", f"cat/a.{kind}")):
        place, out = release.protected / part, tmp_path / f"part{number}"
        steps = restore_licensed(suspect_items(place), place, out, release.key())
        found = finish(steps)
        assert list(found.differing) == [f"a.{kind}"]
        assert found.compared_with == release.protected / manifest.NAME
    (release.protected / manifest.NAME).unlink()
    unknown = licensed(release, tmp_path / "unknown")
    assert (unknown.differing, unknown.compared_with) == ({}, None)


def test_another_file_in_an_originals_place_is_kept(release, tmp_path):
    originals(release, release.protected, tmp_path / "o")
    first = image_items(release.source)[0].sample_id
    path = tmp_path / "o" / first
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])  # a run that was killed may have left it
    summary = originals(release, release.protected, tmp_path / "o")
    assert (summary.outcome.done, summary.outcome.skipped) == (1, 5)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b"edited")
    summary = originals(release, release.protected, tmp_path / "o")
    assert "another file is in its place" in reasons(summary)[first]
    assert path.read_bytes() == whole + b"edited"


def test_a_folder_that_can_not_be_made_ends_the_run(release, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is in the way"):
        licensed(release, tmp_path / "file")


def test_larger_images_are_let_in_on_request(release, tmp_path):
    items = image_items(release.protected)
    arguments = (items, release.protected, tmp_path / "w", release.key())
    few = finish(restore_licensed(*arguments, max_pixels=1000))
    assert all("--max-pixels" in reason for reason in reasons(few).values())
    assert finish(restore_licensed(*arguments, max_pixels=1024)).outcome.done == 6
    some = finish(
        restore_original(release.vault, items, tmp_path / "o", max_pixels=1000)
    )
    assert len(reasons(some)) == 6


def test_errors_get_the_files_name_once_and_keep_their_kind():
    for kind in (WrongKeyError, DamagedRecordError, NoRecordError, InputError):
        with pytest.raises(kind, match=r"^cat/a\.png: why$"), named("cat/a.png"):
            raise kind("why")
    with pytest.raises(ZeroDivisionError), named("cat/a.png"):
        _ = 1 / 0


def test_progress_ends_at_one(release, tmp_path):
    items = [*image_items(release.protected), Item("gone.png", "gone.png", None, "g")]
    seen = list(restore_original(release.vault, items, tmp_path / "o"))
    assert seen[-1].fraction == 1
    assert seen[-1].label == "Restoring: 7 of 7"


def test_originals_get_their_own_names_back(vault, tmp_path, photos):
    folder = tmp_path / "source" / "cat"
    folder.mkdir(parents=True)
    image = Image.fromarray(photos["cat"])
    for name in ("a.png", "a.jpg", "a.PPM", "con.bmp", "e\u0301.gif"):
        image.save(folder / name)
    _protect(vault, tmp_path / "source", tmp_path / "p")
    copies = {path.name for path in (tmp_path / "p/cat").iterdir()}
    assert len(copies) == 5
    assert not copies & {"a.jpg", "a.PPM", "con.bmp"}
    summary = finish(
        restore_original(vault, image_items(tmp_path / "p"), tmp_path / "o")
    )
    assert summary.differing == {}
    assert same_files(tmp_path / "o", tmp_path / "source")
    assert summary.written["cat/a.png"].startswith("cat/a.")


def test_originals_are_their_owners_only(release, tmp_path):
    for folder in ("originals", "licensed"):
        before = os.umask(0o022)
        try:
            if folder == "originals":
                originals(release, release.protected, tmp_path / "new" / folder)
            else:
                licensed(release, tmp_path / "new" / folder)
        finally:
            os.umask(before)
    inner = list((tmp_path / "new/originals").rglob("*"))
    assert {mode(path) for path in inner if path.is_file()} == {0o600}
    assert {mode(path) for path in inner if path.is_dir()} == {0o700}
    assert mode(tmp_path / "new/originals") == mode(tmp_path / "new") == 0o700
    inner = list((tmp_path / "new/licensed").rglob("*"))
    assert {mode(path) for path in inner} == {0o644, 0o755}


def test_a_linked_class_folder_is_not_written_through(release, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for tier in ("originals", "licensed"):
        output = tmp_path / tier
        output.mkdir()
        (output / "astronaut").symlink_to(elsewhere, target_is_directory=True)
        if tier == "originals":
            summary = originals(release, release.protected, output)
        else:
            summary = licensed(release, output)
        assert summary.outcome.done == 3
        assert len(summary.outcome.failures) == 3
        (reason,) = {failure.reason for failure in summary.outcome.failures}
        assert "astronaut: this is a link" in reason
        assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("output", ["../evil", "/tmp/evil", "astronaut/../../evil"])
def test_an_output_elsewhere_is_refused(release, tmp_path, output):
    items = [replace(one, output=output) for one in image_items(release.protected)[:1]]
    folder = tmp_path / "folder"
    steps = restore_original(release.vault, items, folder)
    (failure,) = finish(steps).outcome.failures
    assert "isn't the name of a file below" in failure.reason
    steps = restore_licensed(items, None, folder, release.key())
    (failure,) = finish(steps).outcome.failures
    assert "isn't the name of a file below" in failure.reason
    assert not folder.exists()
    assert not (tmp_path / "evil.png").exists()


def test_the_suffix_that_a_record_brings_leads_nowhere(release, tmp_path, monkeypatch):
    def elsewhere(content, original):
        return Rebuilt(b"evil", "/../../../evil.png")

    monkeypatch.setattr("fiftyone_reue.releases.originals.rebuild", elsewhere)
    summary = originals(release, release.protected, tmp_path / "folder")
    assert len(summary.outcome.failures) == 6
    assert not (tmp_path / "evil.png").exists()
    assert not list((tmp_path / "folder").rglob("*.png"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_in_an_originals_place_is_never_opened(release, tmp_path):
    place = tmp_path / "folder/astronaut/0.png"
    place.parent.mkdir(parents=True)
    os.mkfifo(place)
    summary = originals(release, release.protected, tmp_path / "folder")
    (failure,) = summary.outcome.failures
    assert "its place is taken" in failure.reason
    assert "named pipe" in failure.reason


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_restored_leaves_no_folder(release, tmp_path):
    other = create_folder(tmp_path / "other", plain_key_file=True)
    other.add_recipient("bob")
    items, folder = image_items(release.protected), tmp_path / "new" / "o"
    summary = finish(restore_original(other, items, folder))
    assert len(summary.outcome.failures) == len(items)
    assert not folder.exists()
    folder.mkdir()
    finish(restore_original(other, items, folder))
    assert folder.exists()  # it was there before


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_where_a_photograph_was_taken_comes_back_with_the_original_alone(
    vault, tmp_path, format
):
    exif = Image.Exif()
    exif[272] = "D850"
    exif[34853] = {1: "N", 2: (48.0, 8.0, 13.8), 18: "WGS-84 of a garden"}
    samples = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for label in ("cat", "dog"):
        path = tmp_path / "s" / label / f"a.{format.lower()}"
        path.parent.mkdir(parents=True)
        if format == "TIFF":  # Pillow's has no such directory
            block = exif.tobytes().removeprefix(b"Exif\0\0")
            raster = Raster(samples, format, Metadata(exif=block))
            path.write_bytes(encode(raster, format))
            continue
        more = {"lossless": True} if format == "WEBP" else {}
        Image.fromarray(samples).save(path, format, exif=exif, **more)
    items = labelled_items(tmp_path / "s")
    made = finish(
        protect(
            vault,
            "alice",
            items,
            tmp_path / "p",
            name="r",
            source="s",
            config=ProtectConfig(),
        )
    )
    assert made.withheld["EXIF tag GPSInfo, where it was taken"] == 2
    key = vault.recipient_key(vault.recipient("alice"))
    finish(restore_licensed(image_items(tmp_path / "p"), None, tmp_path / "w", key))
    finish(restore_original(vault, image_items(tmp_path / "w"), tmp_path / "o"))
    for tier in "pw":
        (copy,) = (tmp_path / tier / "cat").iterdir()
        with Image.open(copy) as image:
            assert image.getexif()[272] == "D850"
            assert 34853 not in image.getexif()
        assert b"of a garden" not in copy.read_bytes()
    (original,) = (tmp_path / "o" / "cat").iterdir()
    assert b"WGS-84 of a garden" in original.read_bytes()
