import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    OutputError,
    RevokedKeyError,
)
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.digest import sample_digest
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import in_pixels
from fiftyone_reue.workflows import protect as protecting
from fiftyone_reue.workflows.protect import (
    ProtectSummary,
    describe_conversions,
    protect,
)
from fiftyone_reue.workflows.protect_image import COARSE, UNTOLD
from fiftyone_reue.workflows.restore import restore_original

pytestmark = pytest.mark.integration

LSP = ProtectConfig("lsp", seed=1)
RUE = ProtectConfig("rue", seed=1)


@pytest.fixture
def source(tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """Three classes of four 32-pixel images."""
    return write_folder(tmp_path / "source")


def steps(vault: Vault, source: Path, output: Path, who="alice", config=LSP, **more):
    items = more.pop("items", None) or labelled_items(source)
    return protect(
        vault,
        who,
        items,
        output,
        name=more.pop("name", f"{who}-{output.name}"),
        source=str(source),
        config=config,
        **more,
    )


def run(*arguments, **more) -> ProtectSummary:
    return finish(steps(*arguments, **more))


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time of change."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_every_image_is_written_with_its_record_and_noted(vault, source, tmp_path):
    summary = run(vault, source, tmp_path / "out")
    assert summary.outcome.done == summary.total == 12
    assert (summary.converted, summary.recipient) == ({}, "alice")
    assert 33 < summary.psnr < 45
    records = {r.output: r for r in vault.ledger.records(summary.release.id)}
    assert len(records) == vault.ledger.count_records(summary.release.id) == 12
    for item in labelled_items(source):
        record = records[item.output + ".png"]
        loaded = load(tmp_path / "out" / record.output)
        original = load(item.path).raster.samples
        assert loaded.record == record.blob
        assert sample_digest(loaded.raster.samples) == record.digest_p
        assert record.label == item.label
        assert record.source == item.path
        assert vault.ledger.image(record.image_id).digest == sample_digest(original)
        change = np.abs(loaded.raster.samples.astype(int) - original)
        assert 0 < change.max() <= 8


def test_the_release_and_its_manifest_say_what_was_done(vault, source, tmp_path):
    summary = run(vault, source, tmp_path / "out")
    release = vault.ledger.release(summary.release.id)
    assert release == summary.release
    assert release.state == "done"
    counts = {"total": 12, "protected": 12, "failed": 0, "failures": []}
    assert release.counts == counts
    assert release.finished
    assert len(release.commitment) == 64
    content = manifest.read(tmp_path / "out")
    assert content["release"] == release.id
    assert content["images"] == len(content["files"]) == 12
    assert content["recipient_key"] == vault.recipient("alice").key_id
    assert content["revoked_at"] is None


def test_the_manifest_holds_no_secret_and_no_source_path(vault, source, tmp_path):
    (source / "cat/0.png").write_bytes(b"broken")
    summary = run(vault, source, tmp_path / "out")
    text = (tmp_path / "out" / manifest.NAME).read_text()
    told = {
        "format",
        "program",
        "vault",
        "release",
        "recipient_key",
        "revoked_at",
        "digests",
        "commitment",
        "created",
        "images",
        "files",
    }
    assert set(json.loads(text)) == told
    below = tmp_path / "out"
    there = {str(p.relative_to(below)) for p in below.rglob("*.png")}
    assert set(json.loads(text)["files"]) == there
    assert set(json.loads(text)["digests"]) == there
    assert "0.png" in summary.outcome.failures[0].reason
    assert summary.outcome.failures[0].reason not in text
    assert summary.release.name not in text
    alice = vault.recipient("alice")
    secrets = [
        vault.recipient_key(alice).key,
        vault.code_seed(alice),
        vault.derive("watermark"),
        summary.release.sealed_seed,
    ]
    for secret in secrets:
        assert secret.hex() not in text
    assert "alice" not in text
    assert "lsp" not in text
    assert str(source) not in text


def test_a_second_run_writes_nothing(vault, source, tmp_path):
    first = run(vault, source, tmp_path / "out")
    before = snapshot(tmp_path / "out")
    second = run(vault, source, tmp_path / "out")
    assert snapshot(tmp_path / "out") == before
    assert (second.outcome.done, second.outcome.skipped) == (0, 12)
    assert second.release.id == first.release.id
    assert second.psnr == first.psnr


def test_only_what_is_missing_emptied_or_newer_is_done_again(vault, source, tmp_path):
    out = tmp_path / "out"
    run(vault, source, out)
    before = snapshot(out)
    (out / "cat/0.png").unlink()
    (out / "cat/1.png").write_bytes(b"")
    changed = source / "cat/2.png"
    Image.open(source / "brick/0.png").transpose(Image.Transpose.ROTATE_90).save(
        changed
    )
    later = changed.stat().st_mtime + 10
    os.utime(changed, (later, later))
    added = source / "cat/new.png"
    Image.open(source / "brick/1.png").transpose(Image.Transpose.ROTATE_90).save(added)
    summary = run(vault, source, out)
    assert (summary.outcome.done, summary.outcome.skipped) == (4, 9)
    after = snapshot(out)
    redone = {name for name in after if after[name] != before.get(name)}
    assert redone == {
        *(f"cat/{name}.png" for name in "012"),
        "cat/new.png",
        manifest.NAME,
    }
    # The same original gives the same file again.
    assert after["cat/0.png"][0] == before["cat/0.png"][0]
    assert vault.ledger.count_records(summary.release.id) == 13


def test_an_image_that_left_the_source_keeps_its_copy(vault, source, tmp_path):
    run(vault, source, tmp_path / "out")
    (source / "cat/0.png").unlink()
    summary = run(vault, source, tmp_path / "out")
    assert summary.outcome.skipped == 11
    assert (tmp_path / "out/cat/0.png").is_file()


def test_broken_images_fail_alone_and_are_tried_again(vault, source, tmp_path):
    broken = source / "cat/1.png"
    good = broken.read_bytes()
    broken.write_bytes(good[: len(good) // 2])
    first = run(vault, source, tmp_path / "out")
    assert (first.outcome.done, len(first.outcome.failures)) == (11, 1)
    assert first.outcome.failures[0].reason.startswith("cat/1.png: ")
    assert first.release.counts["failed"] == 1
    (failure,) = vault.ledger.release(first.release.id).counts["failures"]
    assert failure["image"] == "cat/1.png"
    assert failure["reason"] == first.outcome.failures[0].reason
    assert not (tmp_path / "out/cat/1.png").exists()
    broken.write_bytes(good)
    second = run(vault, source, tmp_path / "out")
    assert (second.outcome.done, second.outcome.skipped) == (1, 11)
    assert vault.ledger.release(first.release.id).counts["failures"] == []


def test_a_seed_repeats_the_pixels_in_another_folder(vault, source, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2), ("d", None), ("e", None)):
        run(vault, source, tmp_path / name, config=replace(LSP, seed=seed))
    pixels = {
        name: load(tmp_path / name / "cat/0.png").raster.samples.tobytes()
        for name in "abcde"
    }
    assert pixels["a"] == pixels["b"]
    assert len(set(pixels.values())) == 4


def test_recipients_get_different_copies_from_one_fit(vault, source, tmp_path):
    one = run(vault, source, tmp_path / "a", config=replace(LSP, seed=None))
    two = run(vault, source, tmp_path / "b", "bob", config=replace(LSP, seed=None))
    assert one.release.fit_id == two.release.fit_id
    assert one.release.sealed_seed != two.release.sealed_seed
    for item in labelled_items(source):
        files = [tmp_path / name / f"{item.output}.png" for name in "ab"]
        first, second = (load(file).raster.samples for file in files)
        assert not np.array_equal(first, second)


def test_two_images_with_one_name_both_get_a_copy(vault, source, tmp_path):
    Image.open(source / "cat/0.png").save(source / "cat/0.bmp")
    Image.open(source / "cat/0.png").convert("L").save(source / "cat/0.jpg")
    summary = run(vault, source, tmp_path / "out")
    assert summary.outcome.done == 14
    assert summary.converted == {}
    written = {p.name for p in (tmp_path / "out/cat").glob("0*")}
    assert written == {"0.bmp", "0_jpg.jpg", "0_png.png"}


def test_each_format_that_becomes_png_is_named(vault, source, tmp_path):
    picture = Image.open(source / "cat/0.png")
    picture.save(source / "cat/a.gif")
    picture.save(source / "cat/b.ppm")
    picture.save(source / "cat/c.jpg")
    picture.save(source / "cat/d.jpg")
    picture.save(source / "cat/e.webp", quality=70)
    pixels = replace(LSP, carrier="pixels")
    summary = run(vault, source, tmp_path / "out", config=pixels)
    assert summary.converted == {"GIF": 1, "PNM": 1, "JPEG": 2, "WEBP-LOSSY": 1}
    said = describe_conversions(summary.converted)
    assert "1 GIF, 2 JPEG, 1 PPM or PGM, 1 lossy WebP" in said
    assert describe_conversions({}) == ""


def test_what_can_not_be_protected_is_refused_first(vault, source, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no recipient 'eve'"):
        run(vault, source, out, "eve")
    unlabelled = Item("x.png", "x.png", None, "x")
    with pytest.raises(InputError, match=r"1 image without a class, such as x\.png"):
        run(vault, source, out, items=[unlabelled])
    vault.revoke("bob")
    with pytest.raises(RevokedKeyError, match="bob"):
        run(vault, source, out, "bob")
    assert not out.exists()
    assert vault.ledger.releases() == []


def test_a_protected_copy_is_not_protected_again(vault, source, tmp_path):
    run(vault, source, tmp_path / "out")
    summary = run(vault, tmp_path / "out", tmp_path / "again")
    assert summary.outcome.done == 0
    reasons = [failure.reason for failure in summary.outcome.failures]
    assert len(reasons) == 12
    assert all("protect the original" in reason for reason in reasons)


def test_a_folder_holds_one_release(vault, source, tmp_path, write_folder):
    out = tmp_path / "out"
    run(vault, source, out)
    before = snapshot(out)
    other = write_folder(tmp_path / "other", side=40)
    for what, arguments in {
        "recipient 'alice', not 'bob'": (vault, source, out, "bob"),
        "method 'lsp', not 'rue'": (vault, source, out, "alice", ProtectConfig()),
        "epsilon 8, not 9": (vault, source, out, "alice", replace(LSP, epsilon=9)),
        "source ": (vault, other, out),
    }.items():
        with pytest.raises(InputError, match=what):
            run(*arguments)
    assert snapshot(out) == before


def test_folders_in_other_use_are_refused(vault, source, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(InputError, match="this is a file"):
        run(vault, source, tmp_path / "file")
    with pytest.raises(InputError, match="isn't empty"):
        run(vault, source, tmp_path / "vault")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_new_class_needs_a_new_folder(vault, source, tmp_path, write_folder):
    run(vault, source, tmp_path / "out")
    write_folder(source, classes=4)
    with pytest.raises(InputError, match="new folder"):
        run(vault, source, tmp_path / "out")
    assert vault.ledger.releases()[0].state == "done"  # the release is as it was
    assert run(vault, source, tmp_path / "again").outcome.done == 16


def test_closing_cancels_and_the_next_run_completes(
    vault, source, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 2)
    job = steps(vault, source, tmp_path / "out")
    while next(job).label != "Protecting for alice: 4 of 12":
        pass
    job.close()
    (release,) = vault.ledger.releases()
    assert release.state == "cancelled"
    assert release.finished is None
    assert vault.ledger.count_records(release.id) == 4
    assert manifest.read(tmp_path / "out")["images"] == 4
    summary = run(vault, source, tmp_path / "out")
    assert (summary.outcome.done, summary.outcome.skipped) == (8, 4)
    assert summary.release.state == "done"


def test_progress_never_falls_and_names_the_recipient(vault, source, tmp_path):
    seen = list(steps(vault, source, tmp_path / "out"))
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert seen[-1].label == "Protecting for alice: 12 of 12"


def test_batches_are_told_after_they_are_safe(vault, source, tmp_path):
    told = []

    def on_batch(release, batch):
        for one in batch:
            path = tmp_path / "out" / one.record.output
            assert path.read_bytes() == one.data
            assert vault.ledger.records_by_digest(one.record.digest_p)
            told.append((release.id, one.item.sample_id, one.payload))

    summary = run(vault, source, tmp_path / "out", on_batch=on_batch)
    assert [t[1] for t in told] == [i.sample_id for i in labelled_items(source)]
    assert {t[0] for t in told} == {summary.release.id}
    assert len({t[2] for t in told}) == 12


def test_a_full_disk_keeps_what_was_written(vault, source, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 2)
    real = protecting.outputs.write_below
    calls = 0

    def full(*arguments):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OutputError("the disk is full")
        return real(*arguments)

    monkeypatch.setattr(protecting.outputs, "write_below", full)
    with pytest.raises(OutputError, match="disk is full"):
        run(vault, source, tmp_path / "out")
    (release,) = vault.ledger.releases()
    assert release.state == "failed"
    assert vault.ledger.count_records(release.id) == 4
    assert run(vault, source, tmp_path / "out").outcome.done == 8


def test_a_ledger_that_fails_too_does_not_hide_the_reason(
    vault, source, tmp_path, monkeypatch
):
    """One full disk can hold both the folder and the ledger."""

    def full(*_):
        monkeypatch.setattr(vault.ledger, "put_release", gone)
        raise OutputError("the disk is full")

    def gone(*_):
        raise LedgerUnavailableError("the ledger is gone")

    monkeypatch.setattr(protecting.outputs, "write_below", full)
    with pytest.raises(OutputError, match="disk is full"):
        run(vault, source, tmp_path / "out")


def enlarged(folder: Path) -> Path:
    """Images with sides of which it can be told how they look."""
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            image.resize((144, 144), Image.Resampling.BICUBIC).save(path)
    return folder


@pytest.fixture(params=["png", "jpg"])
def textured(request, tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """Two classes of two photographs with bands, as samples or as coefficients."""
    folder = enlarged(write_folder(tmp_path / "textured", 2, 2, side=80))
    if request.param == "jpg":
        for path in folder.rglob("*.png"):
            Image.open(path).save(path.with_suffix(".jpg"), quality=90)
            path.unlink()
    return folder


@pytest.mark.slow
def test_a_quality_makes_images_as_weak_as_it_takes_and_they_come_back(
    vault, textured, tmp_path
):
    strong = run(vault, textured, tmp_path / "strong", config=RUE)
    assert len(strong.visibility) == 4
    assert strong.ssimulacra2 == pytest.approx(np.mean([*strong.visibility.values()]))
    wanted = round(strong.ssimulacra2) + 4
    config = replace(RUE, quality=wanted)
    weak = run(vault, textured, tmp_path / "weak", config=config)
    assert weak.visibility.keys() == strong.visibility.keys()
    for name, seen in weak.visibility.items():
        assert seen >= wanted or weak.notes[COARSE]
        if strong.visibility[name] >= wanted:
            assert seen == strong.visibility[name]
    assert weak.ssimulacra2 > strong.ssimulacra2
    assert weak.psnr > strong.psnr
    again = run(vault, textured, tmp_path / "again", config=config)
    assert again.visibility == weak.visibility
    restored = tmp_path / "restored"
    outcome = finish(
        restore_original(vault, image_items(tmp_path / "weak"), restored)
    ).outcome
    assert not outcome.failures
    for item in labelled_items(textured):
        back = load(str(restored / item.sample_id), name="back").raster.samples
        original = load(item.path, name="original").raster.samples
        assert np.array_equal(back, original)
    with pytest.raises(InputError, match=f"quality {wanted}, not none"):
        run(vault, textured, tmp_path / "weak", config=RUE)


def test_the_visibility_is_measured_of_a_few_unless_of_all(
    vault, source, tmp_path, monkeypatch
):
    enlarged(source)
    monkeypatch.setattr(protecting, "LOOKED_AT", 5)
    few = run(vault, source, tmp_path / "few")
    assert len(few.visibility) == 5
    every = run(vault, source, tmp_path / "all", config=replace(LSP, measure=True))
    assert len(every.visibility) == 12
    assert all(value <= 100 for value in every.visibility.values())
    assert run(vault, source, tmp_path / "all").ssimulacra2 is None  # nothing to do


def test_of_small_images_no_visibility_is_told(vault, source, tmp_path):
    plain = run(vault, source, tmp_path / "plain", config=replace(LSP, measure=True))
    assert plain.ssimulacra2 is None
    held = run(vault, source, tmp_path / "held", config=replace(LSP, quality=99))
    assert held.ssimulacra2 is None
    assert held.notes == {UNTOLD: 12}
    assert held.psnr == plain.psnr


def test_a_half_written_manifest_is_cleared_though_all_images_are_there(
    vault, source, tmp_path
):
    run(vault, source, tmp_path / "out")
    (tmp_path / "out/.0123.reue-tmp").write_bytes(b"{")
    run(vault, source, tmp_path / "out")
    assert not list((tmp_path / "out").glob(".*"))


def test_a_file_that_would_not_restore_is_not_written(
    vault, source, tmp_path, monkeypatch
):
    """Should an encoder ever change a sample, nobody must lose an image by it."""
    real = in_pixels.encode

    def lossy(raster, kind, record):
        samples = raster.samples.copy()
        samples[0, 0, 0] ^= 1
        return real(replace(raster, samples=samples), kind, record)

    monkeypatch.setattr(in_pixels, "encode", lossy)
    summary = run(vault, source, tmp_path / "out")
    assert summary.outcome.done == 0
    assert "was not written" in summary.outcome.failures[0].reason
    assert not list((tmp_path / "out").rglob("*.png"))


def test_lost_rail_values_are_noticed(vault, source, tmp_path, monkeypatch):
    Image.new("RGB", (32, 32), "white").save(source / "cat/0.png")
    real = in_pixels.offsets.add
    monkeypatch.setattr(
        in_pixels.offsets, "add", lambda *arguments: (real(*arguments)[0], b"")
    )
    summary = run(vault, source, tmp_path / "out")
    reasons = {f.sample_id: f.reason for f in summary.outcome.failures}
    assert "would not restore exactly" in reasons["cat/0.png"]


def test_larger_images_are_let_in_on_request(vault, source, tmp_path):
    few = run(vault, source, tmp_path / "a", config=replace(LSP, max_pixels=1000))
    assert few.outcome.done == 0
    assert "--max-pixels" in few.outcome.failures[0].reason
    enough = run(vault, source, tmp_path / "b", config=replace(LSP, max_pixels=1024))
    assert enough.outcome.done == 12
