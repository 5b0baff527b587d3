"""A release is brought up to date by content; nothing that tracing needs is lost."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError, LedgerUnavailableError, UnsafePathError
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.tracing import Tracer
from fiftyone_reue.vault.entities import Record
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import protect as protecting
from fiftyone_reue.workflows.protect import ProtectSummary, protect, withdraw_obsolete
from fiftyone_reue.workflows.restore import restore_original

pytestmark = pytest.mark.integration

LSP = ProtectConfig("lsp", seed=1)


@pytest.fixture
def source(tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """Three classes of four 32-pixel images: astronaut, brick and cat."""
    return write_folder(tmp_path / "source")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(vault: Vault, source: Path, out: Path, **more) -> ProtectSummary:
    items = more.pop("items", None) or labelled_items(source)
    options = {"name": "n", "source": str(source), "config": LSP, **more}
    return finish(protect(vault, "alice", items, out, **options))


def counts(summary: ProtectSummary) -> tuple[int, int, int]:
    """How many were done, of these anew for a change, and how many were there."""
    return summary.outcome.done, summary.changed, summary.outcome.skipped


def files(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != manifest.NAME
    }


def records(vault: Vault, summary: ProtectSummary) -> dict[str, Record]:
    return {r.sample_id: r for r in vault.ledger.records(summary.release.id)}


def turned(path: Path) -> None:
    """Replace an image by another of the same name, of an older date."""
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.ROTATE_90)
    other.save(path)
    os.utime(path, (1, 1))


def as_of_old(vault: Vault, summary: ProtectSummary) -> None:
    """Take the digests away that older versions didn't keep."""
    old = [
        replace(record, file_digest=b"", copy_digest=b"")
        for record in records(vault, summary).values()
    ]
    vault.ledger.put_records(old)


def restores(vault: Vault, out: Path, source: Path, back: Path) -> None:
    """Every copy in the folder gives its original back."""
    done = finish(restore_original(vault, image_items(out), back))
    assert done.outcome.failures == []
    assert sorted(files(back)) == sorted(files(source))
    for name in files(back):
        assert sample_digest(load(back / name).raster.samples) == sample_digest(
            load(source / name).raster.samples
        )


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
def test_a_replaced_original_is_found_whatever_its_date(
    vault, source, out, tmp_path, old
):
    first = run(vault, source, out)
    if old:
        as_of_old(vault, first)
    before = files(out)
    turned(source / "cat/0.png")
    second = run(vault, source, out)
    assert counts(second) == (1, 1, 11)
    assert {n for n, data in files(out).items() if data != before[n]} == {"cat/0.png"}
    restores(vault, out, source, tmp_path / "back")
    assert counts(run(vault, source, out)) == (0, 0, 12)


@pytest.mark.parametrize("old", [False, True])
def test_a_newer_date_alone_changes_nothing(vault, source, out, old):
    first = run(vault, source, out)
    if old:
        as_of_old(vault, first)
    before = files(out)
    for path in source.rglob("*.png"):
        later = path.stat().st_mtime + 1000
        os.utime(path, (later, later))
    assert counts(run(vault, source, out)) == (0, 0, 12)
    assert files(out) == before


def test_records_know_their_files_and_old_ones_learn_it(vault, source, out):
    first = run(vault, source, out)
    kept = records(vault, first)
    for sample_id, record in kept.items():
        original = (source / sample_id).read_bytes()
        copy = (out / record.output).read_bytes()
        assert record.file_digest == hashlib.sha256(original).digest()
        assert record.copy_digest == hashlib.sha256(copy).digest()
    as_of_old(vault, first)
    assert counts(run(vault, source, out)) == (0, 0, 12)
    assert records(vault, first) == kept


def edited_pixel(data: bytes) -> bytes:
    loaded = load(data)
    samples = loaded.raster.samples.copy()
    samples[3, 3, 0] ^= 1
    return encode(loaded.raster.with_samples(samples), "PNG", loaded.record)


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:-10],
        lambda data: data[: len(data) // 2],
        lambda data: b"\0" * len(data),
        edited_pixel,
        lambda data: encode(load(data).raster, "PNG", None),
    ],
)
def test_a_copy_that_is_not_the_one_made_is_made_again(vault, source, out, spoil, old):
    first = run(vault, source, out)
    if old:
        as_of_old(vault, first)
    before = files(out)
    path = out / "brick/2.png"
    path.write_bytes(spoil(path.read_bytes()))
    assert counts(run(vault, source, out)) == (1, 0, 11)
    assert files(out) == before


def test_a_copy_replaced_by_another_of_the_release_is_made_again(vault, source, out):
    run(vault, source, out)
    before = files(out)
    shutil.copy(out / "brick/1.png", out / "brick/2.png")
    assert counts(run(vault, source, out)) == (1, 0, 11)
    assert files(out) == before


@pytest.mark.parametrize("what", ["everything", "all but litter", "a class"])
def test_a_folder_that_was_deleted_is_made_again_byte_for_byte(
    vault, source, out, what
):
    run(vault, source, out, config=replace(LSP, seed=None))
    before = files(out)
    shutil.rmtree(out / "cat" if what == "a class" else out)
    if what == "all but litter":
        out.mkdir()
        (out / ".DS_Store").touch()
    summary = run(vault, source, out, config=replace(LSP, seed=None))
    assert summary.outcome.failures == []
    assert {n: data for n, data in files(out).items() if "DS" not in n} == before
    assert summary.changed == 0


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini"])
def test_what_a_desktop_leaves_makes_no_folder_full(vault, source, out, name):
    out.mkdir()
    (out / name).write_bytes(b"x")
    assert run(vault, source, out).outcome.done == 12
    assert (out / name).read_bytes() == b"x"


# Classes


@pytest.mark.parametrize("old", [False, True])
def test_an_image_moved_to_another_class_has_its_copy_there(
    vault, source, out, tmp_path, old
):
    first = run(vault, source, out)
    if old:
        as_of_old(vault, first)
    shutil.move(source / "cat/0.png", source / "brick/moved.png")
    second = run(vault, source, out)
    assert counts(second) == (1, 1, 11)
    assert second.obsolete == []
    assert records(vault, second).keys() == {
        i.sample_id for i in labelled_items(source)
    }
    assert records(vault, second)["brick/moved.png"].label == "brick"
    assert sorted(files(out)) == sorted(files(source))
    restores(vault, out, source, tmp_path / "back")
    shutil.move(source / "brick/moved.png", source / "cat/0.png")
    assert counts(run(vault, source, out)) == (1, 1, 11)
    assert sorted(files(out)) == sorted(files(source))
    assert counts(run(vault, source, out)) == (0, 0, 12)
    assert sorted(files(out)) == sorted(files(source))


def test_a_corrected_label_moves_the_copy_and_perturbs_it_anew(vault, source, out):
    """As of a dataset, whose samples keep their ids and files."""
    items = [
        replace(item, sample_id=f"s{number}", output=f"{item.label}/s{number}")
        for number, item in enumerate(labelled_items(source))
    ]
    first = run(vault, source, out, items=items)
    old = records(vault, first)["s0"]
    assert old.output == "astronaut/s0.png"
    items[0] = replace(items[0], label="cat", output="cat/s0")
    second = run(vault, source, out, items=items)
    assert counts(second) == (1, 1, 11)
    new = records(vault, second)["s0"]
    assert (new.output, new.label) == ("cat/s0.png", "cat")
    assert new.digest_p != old.digest_p
    assert (out / "cat/s0.png").is_file()
    assert not (out / "astronaut/s0.png").exists()
    assert len(files(out)) == 12


def test_a_class_left_empty_leaves_no_folder(vault, source, out):
    run(vault, source, out)
    for path in (source / "cat").iterdir():
        shutil.move(path, source / "brick" / f"was-{path.name}")
    assert counts(run(vault, source, out)) == (4, 4, 8)
    assert not (out / "cat").exists()


def test_names_exchanged_between_two_images_are_two_changes(vault, source, out):
    run(vault, source, out)
    one, two = source / "cat/0.png", source / "brick/0.png"
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    summary = run(vault, source, out)
    assert counts(summary) == (2, 2, 10)
    assert summary.obsolete == []


@pytest.mark.parametrize("step", ["put_withdrawn", "put_records", "delete_records"])
def test_a_crash_while_a_copy_is_moved_loses_nothing(
    vault, source, out, monkeypatch, step
):
    run(vault, source, out)
    shutil.move(source / "cat/0.png", source / "brick/moved.png")

    def gone(*_):
        raise LedgerUnavailableError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(vault.ledger, step, gone)
        with pytest.raises(LedgerUnavailableError):
            run(vault, source, out)
    assert len(files(out)) >= 12
    run(vault, source, out, prune=True)
    assert sorted(files(out)) == sorted(files(source))
    assert counts(run(vault, source, out)) == (0, 0, 12)


def test_a_leftover_of_a_crash_goes_with_the_next_run(vault, source, out, monkeypatch):
    run(vault, source, out)
    shutil.move(source / "cat/0.png", source / "brick/moved.png")
    with monkeypatch.context() as killed:
        killed.setattr(protecting, "remove_leftovers", lambda *_: None)
        run(vault, source, out)
    assert (out / "cat/0.png").is_file()
    mine = out / "cat/1.png"  # nothing but that very copy is deleted
    before = mine.read_bytes()
    assert counts(run(vault, source, out)) == (0, 0, 12)
    assert not (out / "cat/0.png").exists()
    assert mine.read_bytes() == before


# Originals that are gone


def test_a_refused_change_leaves_the_release_as_it_was(vault, source, tmp_path):
    run(vault, source, tmp_path / "out")
    before = vault.ledger.releases()[0]
    (source / "cat").rename(source / "tiger")
    with pytest.raises(InputError, match="give it its old name"):
        run(vault, source, tmp_path / "out")
    after = vault.ledger.releases()[0]
    assert (after.state, after.counts) == ("done", before.counts)


def test_what_is_not_of_the_release_is_named(vault, source, tmp_path):
    run(vault, source, tmp_path / "out")
    shutil.copy(source / "cat/0.png", tmp_path / "out/cat/stranger.png")
    (tmp_path / "out/.DS_Store").touch()
    summary = run(vault, source, tmp_path / "out")
    assert summary.strangers == ["cat/stranger.png"]
    assert any("not of this release: cat/stranger.png" in s for s in summary.notices())
    (tmp_path / "out/cat/stranger.png").unlink()
    assert run(vault, source, tmp_path / "out").strangers == []


@pytest.mark.parametrize("old", [False, True])
def test_copies_without_an_original_are_named_and_go_when_asked_for(
    vault, source, out, old
):
    first = run(vault, source, out)
    if old:
        as_of_old(vault, first)
    for name in ("cat/0.png", "cat/1.png"):
        (source / name).unlink()
    second = run(vault, source, out)
    assert counts(second) == (0, 0, 10)
    assert (second.obsolete, second.pruned) == (["cat/0.png", "cat/1.png"], 0)
    assert len(files(out)) == 12
    third = run(vault, source, out, prune=True)
    assert (third.obsolete, third.pruned) == ([], 2)
    assert sorted(files(out)) == sorted(files(source))
    content = manifest.read(out)
    assert content is not None
    assert content["images"] == len(content["files"]) == 10
    assert third.release.counts["protected"] == 10
    again = run(vault, source, out, prune=True)
    assert (counts(again), again.pruned) == ((0, 0, 10), 0)


def test_they_can_be_taken_out_after_a_run_as_well(vault, source, out):
    run(vault, source, out)
    shutil.rmtree(source / "cat")
    summary = withdraw_obsolete(vault, run(vault, source, out))
    assert (summary.obsolete, summary.pruned) == ([], 4)
    assert not (out / "cat").exists()
    content = manifest.read(out)
    assert content is not None
    assert content["images"] == 8
    assert vault.ledger.release(summary.release.id) == summary.release


def test_withdrawn_copies_are_still_traced_and_restored(vault, source, out, tmp_path):
    run(vault, source, out)
    leaked = [tmp_path / f"leak{n}.png" for n in range(3)]
    for path, name in zip(leaked, ("cat/0", "cat/1", "brick/0"), strict=True):
        shutil.copy(out / f"{name}.png", path)
    originals = [load(source / f"{n}.png").raster.samples for n in ("cat/0", "cat/1")]
    (source / "cat/0.png").unlink()
    turned(source / "cat/1.png")
    shutil.move(source / "brick/0.png", source / "cat/moved.png")
    run(vault, source, out, prune=True)
    tracer = Tracer(vault)
    for path in leaked:
        found = tracer.trace(Item(path.name, str(path), None, path.stem)).first
        assert (found.exact, found.state) == (True, "protected")
    for path, original in zip(leaked, originals, strict=False):
        path.write_bytes(encode(load(path).raster, "PNG", None))  # its record is lost
        items = [Item(path.name, str(path), None, path.stem)]
        done = finish(restore_original(vault, items, tmp_path / "back"))
        assert done.outcome.failures == []
        back = load(tmp_path / "back" / path.name).raster.samples
        assert (back == original).all()


def test_what_is_elsewhere_or_can_not_be_looked_for_is_not_obsolete(vault, source, out):
    items = labelled_items(source)
    run(vault, source, out)
    some = [item for item in items if item.label != "cat"]
    rest = {item.sample_id for item in items} - {item.sample_id for item in some}
    summary = run(vault, source, out, items=some, elsewhere=rest, prune=True)
    assert (summary.obsolete, summary.pruned) == ([], 0)
    closed = [*some, Item("cat/", str(source / "no such"), "cat", "cat")]
    summary = run(vault, source, out, items=closed, prune=True)
    assert (summary.obsolete, summary.pruned) == ([], 0)
    assert len(summary.outcome.failures) == 1
    assert len(files(out)) == 12


def test_an_original_that_is_out_of_reach_keeps_its_copy(vault, source, out):
    items = labelled_items(source)
    run(vault, source, out)
    (source / "cat/0.png").unlink()
    assert counts(run(vault, source, out, items=items)) == (0, 0, 12)
    (source / "cat/0.png").symlink_to("0.png")
    summary = run(vault, source, out, items=items)
    assert [failure.sample_id for failure in summary.outcome.failures] == ["cat/0.png"]
    assert (out / "cat/0.png").is_file()


# A source of another name


@pytest.mark.parametrize("old", [False, True])
def test_a_renamed_source_is_gone_on_with(vault, source, out, tmp_path, old):
    first = run(vault, source, out)
    if old:
        as_of_old(vault, first)
    before = files(out)
    source = source.rename(tmp_path / "renamed")
    second = run(vault, source, out)
    assert counts(second) == (0, 0, 12)
    assert second.moved_from == str(tmp_path / "source")
    assert second.release.id == first.release.id
    assert second.release.source == str(source)
    assert files(out) == before
    for record in records(vault, second).values():
        assert record.source == str(source / record.sample_id)
        image = vault.ledger.image(record.image_id)
        assert image is not None
        assert image.source == record.source
    assert run(vault, source, out).moved_from is None


def test_a_renamed_source_may_have_changed_a_little(vault, source, out, tmp_path):
    run(vault, source, out)
    source = source.rename(tmp_path / "renamed")
    turned(source / "cat/0.png")
    (source / "cat/1.png").unlink()
    shutil.move(source / "brick/0.png", source / "brick/x.png")
    summary = run(vault, source, out)
    assert counts(summary) == (2, 2, 9)
    assert summary.obsolete == ["cat/1.png"]


def test_another_source_is_refused_and_changes_nothing(
    vault, source, out, tmp_path, write_folder
):
    first = run(vault, source, out)
    before, kept = files(out), records(vault, first)
    other = write_folder(tmp_path / "other", side=40)
    with pytest.raises(InputError, match=r"source .*Choose another output folder"):
        run(vault, other, out, prune=True)
    assert files(out) == before
    assert records(vault, first) == kept
    assert vault.ledger.release(first.release.id) == first.release


def test_progress_never_falls_when_there_is_something_to_compare(vault, source, out):
    run(vault, source, out)
    turned(source / "cat/0.png")
    items = labelled_items(source)
    steps = protect(
        vault, "alice", items, out, name="n", source=str(source), config=LSP
    )
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_many_changes_are_committed_in_batches(vault, source, out, monkeypatch):
    run(vault, source, out)
    for path in source.rglob("*.png"):
        turned(path)
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 3)
    summary = run(vault, source, out)
    assert counts(summary) == (12, 12, 0)
    assert len(list(vault.ledger.withdrawn(summary.release.id))) == 12


@pytest.mark.parametrize("absolute", [False, True])
def test_pruning_deletes_nothing_outside_whatever_the_ledger_says(
    vault, source, out, tmp_path, absolute
):
    first = run(vault, source, out)
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    output = str(mine) if absolute else "astronaut/../../mine.png"
    changed = records(vault, first)["cat/0.png"]
    vault.ledger.put_records([replace(changed, output=output)])
    (source / "cat/0.png").unlink()
    (source / "cat/1.png").unlink()
    with pytest.raises(UnsafePathError, match=r"mine\.png"):
        run(vault, source, out, prune=True)
    assert mine.read_bytes() == b"mine"
    assert (out / "cat/1.png").exists()
    assert "cat/0.png" in records(vault, first)


def test_a_copy_elsewhere_is_none_and_nothing_is_written_there(
    vault, source, out, tmp_path
):
    first = run(vault, source, out)
    mine = tmp_path / "mine.png"
    shutil.copy(out / "cat/0.png", mine)
    before = mine.read_bytes()
    changed = records(vault, first)["cat/0.png"]
    vault.ledger.put_records([replace(changed, output="../mine.png")])
    turned(source / "cat/0.png")
    second = run(vault, source, out)
    assert counts(second) == (0, 0, 11)
    assert second.outcome.failures[0].sample_id == "cat/0.png"
    assert "isn't the name of a file below" in second.outcome.failures[0].reason
    assert mine.read_bytes() == before


def test_leftovers_outside_are_not_deleted(vault, source, out, tmp_path):
    first = run(vault, source, out)
    mine = tmp_path / "mine.png"
    shutil.copy(out / "cat/0.png", mine)
    gone = replace(records(vault, first)["cat/0.png"], id="w", output="../mine.png")
    vault.ledger.put_withdrawn([gone])
    with pytest.raises(UnsafePathError):
        run(vault, source, out)
    assert mine.exists()
