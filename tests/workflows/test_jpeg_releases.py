"""JPEG in, JPEG out: copies that are carried by coefficients, through all verbs."""

import io
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.errors import InputError, MissingPackageError
from fiftyone_reue.media import jpeg, jpeg_segments
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.digest import coefficient_digest
from fiftyone_reue.media.jpeg_coefficients import library
from fiftyone_reue.media.jpeg_coefficients.decoding import decoded
from fiftyone_reue.media.jpeg_coefficients.limits import subtracted
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.perturb.coefficients import ByOffsets
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.info import describe as info
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.protect_image import FOUND_RANGE, NOTHING_ADDED
from fiftyone_reue.workflows.restore import restore_licensed, restore_original
from tests.media.jpeg_coefficients.encoded import cjpeg, opencv, picture, pillow

# They all share releases that take seconds to make.
pytestmark = pytest.mark.slow

EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # turned


def with_thumbnail() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x9286] = b"ASCII\0\0\0" + bytes(range(32, 127)) * 40
    return pillow(picture(seed=9), quality=88, exif=exif, comment=b"who saw this")


def kinds() -> dict[str, bytes]:
    """One JPEG of each kind that coefficients carry."""
    found = {
        "plain": pillow(picture(), quality=75),
        "progressive": pillow(picture(seed=1), quality=85, progressive=True),
        "optimised": pillow(picture(seed=2), quality=60, optimize=True),
        "restarts": pillow(picture(seed=3), quality=80, restart_marker_blocks=3),
        "whole_colour": pillow(picture(seed=4), quality=92, subsampling=0),
        "gray": pillow(picture(seed=5), "L", quality=80),
        "rgb": pillow(picture(seed=6), quality=90, keep_rgb=True),
        "cmyk": pillow(picture(seed=7), "CMYK", quality=85),
        "wide_colour": opencv(picture(seed=8), 1, 70, 7, 0x411111),
        "high_colour": opencv(picture(seed=8), 1, 70, 7, 0x121111),
        "thumbnail": with_thumbnail(),
        "trailing": pillow(picture(seed=10), quality=75) + b"\0motion" * 400,
        "profile": pillow(picture(seed=11), quality=75, icc_profile=bytes(70_000)),
        "small": pillow(picture(8, 8), quality=75),
        "odd": pillow(picture(33, 17), quality=75),
        "coarse": pillow(picture(seed=12), quality=20),
        "fine": pillow(picture(seed=13), quality=100, subsampling=0),
        "white": pillow(np.full((40, 48, 3), 255, np.uint8), quality=95),
    }
    made = cjpeg(picture(seed=14), "-quality", "70", "-sample", "2x2,1x2,1x1")
    return found if made is None else {**found, "cjpeg": made}


@dataclass(frozen=True)
class House:
    """A vault, originals of all kinds, and alice's copies of them by some methods."""

    vault: Vault
    root: Path

    @property
    def source(self) -> Path:
        return self.root / "source"

    def key(self, who: str = "alice"):
        return self.vault.recipient_key(self.vault.recipient(who))

    def restore(self, copies: Path, output: Path, who: str = "alice", **options):
        items = image_items(copies)
        steps = restore_licensed(items, None, output, self.key(who), **options)
        return finish(steps)

    def originals(self, copies: Path, output: Path):
        return finish(restore_original(self.vault, image_items(copies), output))

    def protect(self, who: str, output: str, config: ProtectConfig):
        steps = protect(
            self.vault,
            who,
            labelled_items(self.source),
            self.root / output,
            name=output,
            source=str(self.source),
            config=config,
        )
        return finish(steps)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("jpeg")
    for number, (name, data) in enumerate(kinds().items()):
        path = root / "source" / ("cat", "dog")[number % 2] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    vault = create_folder(root / "vault", plain_key_file=True)
    made = House(vault, root)
    for who in ("alice", "bob"):
        vault.add_recipient(who)
    releases = [("alice", "lsp"), ("alice", "rue"), ("bob", "lsp")]
    for who, method in (*releases, ("alice", "rue_gratings")):
        summary = made.protect(who, f"{method}-{who}", ProtectConfig(method))
        assert summary.outcome.failures == []
        assert summary.converted == {}
        assert summary.differing == {}
        licensed = made.restore(
            root / f"{method}-{who}", root / f"w-{method}-{who}", who
        )
        assert licensed.outcome.failures == []
    return made


def files(folder: Path) -> dict[str, bytes]:
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.jpg"))
    }
    assert found
    return found


@pytest.mark.parametrize("method", ["lsp", "rue"])
def test_both_tiers_lead_to_the_original_files(house, tmp_path, method):
    for tier in ("", "w-"):
        summary = house.originals(house.root / f"{tier}{method}-alice", tmp_path / tier)
        assert summary.outcome.failures == []
        assert summary.differing == {}
        assert files(tmp_path / tier) == files(house.source)


def test_methods_that_change_every_pixel_come_back(house, tmp_path):
    few = ("plain", "gray", "progressive", "rgb", "cmyk", "coarse")
    source = tmp_path / "source"
    for number, name in enumerate(few):
        place = source / ("cat", "dog")[number % 2] / f"{name}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(kinds()[name])
    for method in ("deep_hiding", "raeg"):
        steps = protect(
            house.vault,
            "bob",
            labelled_items(source),
            tmp_path / method,
            name=method,
            source=str(source),
            config=ProtectConfig(method),
        )
        assert finish(steps).outcome.failures == []
        summary = house.restore(tmp_path / method, tmp_path / f"w-{method}", "bob")
        assert summary.outcome.failures == []
        house.originals(tmp_path / f"w-{method}", tmp_path / f"o-{method}")
        assert files(tmp_path / f"o-{method}") == files(source)


def test_the_licensed_file_is_the_same_whoever_makes_it(house, tmp_path):
    """Also from a copy that was saved again without any loss."""
    again = tmp_path / "again"
    for name, data in files(house.root / "lsp-alice").items():
        (again / name).parent.mkdir(parents=True, exist_ok=True)
        loaded = load(data)
        (again / name).write_bytes(jpeg.encode(loaded.raster, loaded.record))
    house.restore(again, tmp_path / "w")
    assert files(tmp_path / "w") == files(house.root / "w-lsp-alice")


@pytest.mark.parametrize("tier", ["lsp-alice", "rue-alice", "w-lsp-alice"])
def test_copies_are_ordinary_files_of_the_originals_kind(house, tier):
    for name, data in files(house.root / tier).items():
        before, after = read((house.source / name).read_bytes()), read(data)
        assert (after.process, after.colour) == (before.process, before.colour)
        assert (after.width, after.height) == (before.width, before.height)
        assert after.restart == before.restart
        assert after.trailing == b""
        for one, two in zip(before.components, after.components, strict=True):
            assert (one.h, one.v) == (two.h, two.v)
            assert np.array_equal(one.quantisation, two.quantisation)
        assert b"who saw this" not in data
        assert b"motion" not in data
        with Image.open(io.BytesIO(data)) as image:
            image.load()


def test_epsilon_holds_and_both_changes_are_there(house):
    for name, data in files(house.root / "rue-alice").items():
        original = (house.source / name).read_bytes()
        licensed = (house.root / "w-rue-alice" / name).read_bytes()
        change = decoded(data).astype(int) - decoded(original)
        mark = decoded(licensed).astype(int) - decoded(original)
        assert np.abs(change).max() <= 8
        assert np.abs(mark).max() <= 6
        if "white" not in name:
            assert (change != mark).any()
            assert mark.any()


def test_the_orientation_stays_and_is_not_applied(house):
    data = files(house.root / "lsp-alice")["cat/thumbnail.jpg"]
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == 6
        assert image.size == (161, 137)


def test_the_profile_is_no_reason_to_grow(house):
    name = "cat/profile.jpg"
    sizes = [
        len(files(folder)[name]) for folder in (house.source, house.root / "lsp-alice")
    ]
    assert sizes[1] < sizes[0] + 4000


def test_wrong_keys_and_swapped_or_edited_records_are_refused(house, tmp_path):
    copies = files(house.root / "lsp-alice")
    wrong = house.restore(house.root / "lsp-alice", tmp_path / "w", "bob")
    assert wrong.outcome.done == 0
    assert all("Wrong key" in one.reason for one in wrong.outcome.failures)
    one, other = copies["cat/plain.jpg"], copies["cat/rgb.jpg"]
    record = load(one).record
    assert record is not None
    edited = bytearray(record)
    edited[-20] ^= 1
    bad = tmp_path / "bad/cat"
    bad.mkdir(parents=True)
    raster = load(one).raster
    (bad / "swapped.jpg").write_bytes(jpeg_segments.with_record(other, record))
    (bad / "edited.jpg").write_bytes(jpeg.encode(raster, bytes(edited)))
    (bad / "saved.jpg").write_bytes(
        jpeg_segments.with_record(pillow(raster.samples, quality=90), record)
    )
    Image.fromarray(raster.samples).save(bad / "converted.png")
    found = read(one)
    blocks = [component.blocks.copy() for component in found.components]
    blocks[0][0, 0, 0, 0] += 1
    changed = jpeg.rendered(found.with_blocks(blocks), [], raster.metadata)
    (bad / "pixel.jpg").write_bytes(jpeg.encode(changed, record))
    for summary in (
        house.restore(tmp_path / "bad", tmp_path / "none"),
        house.originals(tmp_path / "bad", tmp_path / "neither"),
    ):
        assert summary.outcome.done == 0
        reasons = {Path(f.path).name: f.reason for f in summary.outcome.failures}
        assert len(reasons) == 5
        for name in ("swapped.jpg", "saved.jpg", "pixel.jpg"):
            assert "edited or re-saved" in reasons[name]
        assert "edited or damaged" in reasons["edited.jpg"]
    assert not list(tmp_path.glob("n*/*/*"))


def test_a_crafted_record_of_what_no_file_can_hold_is_refused(house, tmp_path):
    """The recipient's key seals any content, and its digest with it."""
    data = files(house.root / "lsp-alice")["cat/plain.jpg"]
    loaded, key, found = load(data), house.key(), read(data)
    offsets = [np.full(one.blocks.shape, 30_000, np.int16) for one in found.components]
    offsets[0][::2] *= -1
    content = ByOffsets.of(offsets).pack()
    digest = coefficient_digest(subtracted(found, offsets))
    envelope = records.seal_protected(
        records.unpack(loaded.record).header,
        key.key,
        records.RecipientPart(content, digest),
        bytes(32),
        records.OwnerPart("e" * 16, "f" * 32, 2, b"", bytes(32)),
        b"file",
    )
    place = tmp_path / "crafted/cat/plain.jpg"
    place.parent.mkdir(parents=True)
    place.write_bytes(jpeg.encode(loaded.raster, envelope.pack()))
    edited = pillow(loaded.raster.samples, quality=85)
    (tmp_path / "edited/cat").mkdir(parents=True)
    (tmp_path / "edited/cat/plain.jpg").write_bytes(edited)
    for summary in (
        house.restore(tmp_path / "crafted", tmp_path / "w"),
        house.restore(
            tmp_path / "edited",
            tmp_path / "near",
            approximate=True,
            records=tmp_path / "crafted",
        ),
    ):
        (failure,) = summary.outcome.failures
        assert "no JPEG file can hold" in failure.reason
    summary = house.originals(tmp_path / "crafted", tmp_path / "o")
    assert len(summary.outcome.failures) == 1


def test_a_record_with_a_part_missing_is_named(house, tmp_path):
    data = files(house.root / "lsp-alice")["cat/plain.jpg"]
    record = load(data).record
    long = jpeg_segments.with_record(data, record * 200)
    assert load(long).record == record * 200
    first = long.index(jpeg_segments.RECORD_MAGIC)
    cut = (
        long[: first - 4]
        + long[long.index(jpeg_segments.RECORD_MAGIC, first + 1) - 4 :]
    )
    (tmp_path / "a.jpg").write_bytes(cut)
    (tmp_path / "b.jpg").write_bytes(data.replace(record[40:60], record[41:61]))
    summary = house.restore(tmp_path, tmp_path / "w")
    reasons = {f.sample_id: f.reason for f in summary.outcome.failures}
    assert "parts" in reasons["a.jpg"]
    assert "checksum" in reasons["b.jpg"]


@pytest.mark.skipif(shutil.which("jpegtran") is None, reason="jpegtran isn't here")
@pytest.mark.parametrize(
    "options", [("-copy", "none"), ("-copy", "all", "-progressive")]
)
def test_copies_that_a_lossless_tool_saved_are_known(house, tmp_path, options):
    target = tmp_path / "tool/cat"
    target.mkdir(parents=True)
    for name in ("plain", "thumbnail", "profile", "trailing"):
        done = subprocess.run(
            ["jpegtran", *options, house.root / f"lsp-alice/cat/{name}.jpg"],
            capture_output=True,
            check=False,
        )
        if (house.root / f"lsp-alice/cat/{name}.jpg").exists():
            (target / f"{name}.jpg").write_bytes(done.stdout)
    summary = house.originals(tmp_path / "tool", tmp_path / "o")
    assert summary.outcome.failures == []
    restored = files(tmp_path / "o")
    originals = files(house.source)
    assert len(restored) == len(list(target.iterdir()))
    for name, data in restored.items():
        same = data == originals[name]
        assert same or name in str(summary.differing)
        assert coefficient_digest(read(data)) == coefficient_digest(
            read(originals[name])
        )
    if "none" in options:
        assert restored["cat/plain.jpg"] == originals["cat/plain.jpg"]
    traced = finish(extract(house.vault, suspect_items(tmp_path / "tool")))
    assert {one.exact for one in traced.suspects} == {True}


@pytest.mark.parametrize("tier", ["lsp-bob", "w-lsp-bob"])
def test_unchanged_copies_name_their_recipient(house, tier):
    summary = finish(extract(house.vault, suspect_items(house.root / tier)))
    assert (summary.decision, summary.named) == ("match", "bob")
    assert all(one.exact for one in summary.suspects)


@pytest.mark.parametrize("tier", ["lsp-bob", "rue-alice", "w-lsp-bob"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_changed_copies_name_their_recipient(house, tmp_path, tier, suffix):
    for number, (name, data) in enumerate(files(house.root / tier).items()):
        if name.endswith(("small.jpg", "white.jpg", "odd.jpg")):
            continue
        image = Image.open(io.BytesIO(data)).convert("RGB")
        if number % 2:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image.save(tmp_path / f"{number:02}{suffix}", quality=75)
    summary = finish(extract(house.vault, suspect_items(tmp_path)))
    assert (summary.decision, summary.named) == ("match", tier.split("-")[-1])
    assert not any(one.exact for one in summary.suspects)
    assert sum(one.used for one in summary.suspects) >= 12


def test_originals_that_are_gone_are_taken_from_the_release(house, tmp_path):
    hidden = house.root / "hidden"
    house.source.rename(hidden)
    try:
        for name, data in files(house.root / "lsp-bob").items():
            if not name.endswith(("small.jpg", "white.jpg", "odd.jpg")):
                image = Image.open(io.BytesIO(data)).convert("RGB")
                image.save(tmp_path / Path(name).name, quality=80)
        summary = finish(extract(house.vault, suspect_items(tmp_path)))
    finally:
        hidden.rename(house.source)
    assert (summary.decision, summary.named) == ("match", "bob")


def test_an_approximation_with_the_release_and_with_the_record(house, tmp_path):
    data = files(house.root / "rue_gratings-alice")["cat/plain.jpg"]
    loaded = load(data)
    edited = pillow(loaded.raster.samples, quality=85, subsampling=0)
    one = tmp_path / "edited/cat"
    one.mkdir(parents=True)
    (one / "plain.jpg").write_bytes(jpeg_segments.with_record(edited, loaded.record))
    licensed = load(
        (house.root / "w-rue_gratings-alice/cat/plain.jpg").read_bytes()
    ).raster

    def apart(samples: np.ndarray) -> float:
        return float(np.square(samples.astype(float) - licensed.samples).mean())

    before = apart(load(edited).raster.samples)
    for place, options in (
        ("record", {}),
        ("release", {"records": house.root / "rue_gratings-alice"}),
    ):
        summary = house.restore(
            tmp_path / "edited", tmp_path / place, approximate=True, **options
        )
        assert summary.outcome.failures == []
        made = load(tmp_path / place / "cat/plain.approximate.png").raster
        assert apart(made.samples) < 0.8 * before


def test_info_knows_whether_coefficients_changed(house, tmp_path):
    path = house.root / "lsp-alice/cat/plain.jpg"
    assert info(path)["state"] == "protected"
    loaded = load(path)
    other = jpeg_segments.with_record(pillow(loaded.raster.samples), loaded.record)
    (tmp_path / "a.jpg").write_bytes(other)
    assert info(tmp_path / "a.jpg")["state"] == "protected, but edited since"


def test_a_folder_is_brought_up_to_date(house, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(house.source, source)

    def run(config: ProtectConfig):
        steps = protect(
            house.vault,
            "alice",
            labelled_items(source),
            tmp_path / "out",
            name="again",
            source=str(source),
            config=config,
        )
        return finish(steps)

    lsp = ProtectConfig("lsp")
    first = run(lsp)
    assert run(lsp).outcome.done == 0
    (source / "cat/plain.jpg").write_bytes(kinds()["optimised"])
    second = run(lsp)
    assert (second.outcome.done, second.changed) == (1, 1)
    assert second.outcome.skipped == first.outcome.done - 1
    with pytest.raises(InputError, match="carrier 'auto', not 'pixels'"):
        run(replace(lsp, carrier="pixels"))


def test_releases_of_older_versions_go_on_as_pixels(house, tmp_path):
    source = tmp_path / "source"
    for name in ("cat", "dog"):
        (source / name).mkdir(parents=True)
        shutil.copy(house.source / "cat/plain.jpg", source / name / "a.jpg")

    def run(carrier: str):
        steps = protect(
            house.vault,
            "bob",
            labelled_items(source),
            tmp_path / "out",
            name="old",
            source=str(source),
            config=ProtectConfig("lsp", carrier=carrier),
        )
        return finish(steps)

    release = run("pixels").release
    older = {k: v for k, v in release.parameters.items() if k != "carrier"}
    house.vault.ledger.put_release(replace(release, parameters=older))
    shutil.copy(house.source / "cat/odd.jpg", source / "cat/b.jpg")
    again = run("auto")
    assert (again.outcome.done, again.converted) == (1, {"JPEG": 1})
    assert not list((tmp_path / "out").rglob("*.jpg"))


def test_pixels_are_carried_on_request(house, tmp_path):
    summary = house.protect("alice", "pixels", ProtectConfig("lsp", carrier="pixels"))
    (refused,) = summary.outcome.failures
    assert "CMYK" in refused.reason
    assert "--carrier pixels" in refused.reason
    assert summary.converted == {"JPEG": len(kinds()) - 1}
    assert not list((house.root / "pixels").rglob("*.jpg"))
    house.originals(house.root / "pixels", tmp_path / "o")
    restored = files(tmp_path / "o")
    assert restored.items() <= files(house.source).items()
    assert len(restored) == len(kinds()) - 1


def test_what_is_arithmetic_coded_is_carried_as_pixels(house, tmp_path):
    coded = cjpeg(picture(seed=15), "-arithmetic")
    if coded is None:
        pytest.skip("there is no cjpeg that codes so")
    source = tmp_path / "source"
    for name in ("cat", "dog"):
        (source / name).mkdir(parents=True)
        (source / name / "a.jpg").write_bytes(coded)

    def run(carrier: str):
        steps = protect(
            house.vault,
            "alice",
            labelled_items(source),
            tmp_path / carrier,
            name=f"arithmetic-{carrier}",
            source=str(source),
            config=ProtectConfig("lsp", carrier=carrier),
        )
        return finish(steps).outcome

    refused = run("auto")
    assert refused.done == 0
    for one in refused.failures:
        assert "arithmetic-coded" in one.reason
        assert "(--carrier pixels)" in one.reason
    assert run("pixels").done == 2
    house.originals(tmp_path / "pixels", tmp_path / "o")
    assert files(tmp_path / "o") == files(source)


def test_without_a_compiler_pixels_are_what_there_is(house, tmp_path, monkeypatch):
    def missing():
        raise MissingPackageError("there is no compiler; use the pixel carrier")

    monkeypatch.setattr(library, "codec", missing)
    summary = house.protect("bob", "none", ProtectConfig("lsp"))
    assert summary.outcome.done == 0
    assert all("--carrier pixels" in one.reason for one in summary.outcome.failures)
    pixels = house.protect("bob", "some", ProtectConfig("lsp", carrier="pixels"))
    assert pixels.outcome.done == len(kinds()) - 1
    restored = house.originals(house.root / "some", tmp_path / "o")
    assert restored.outcome.done == len(kinds()) - 1


def protected_twice(house, root: Path, data: bytes, config: ProtectConfig):
    """A release of one file in two classes."""
    for name in ("cat", "dog"):
        (root / "source" / name).mkdir(parents=True)
        (root / "source" / name / "a.jpg").write_bytes(data)
    steps = protect(
        house.vault,
        "bob",
        labelled_items(root / "source"),
        root / "out",
        name=root.name,
        source=str(root / "source"),
        config=config,
    )
    return finish(steps)


def test_what_the_coefficients_refuse_is_named(house, tmp_path):
    plain = pillow(picture(), quality=80)
    crowded = plain[:2] + b"\xff\xfe\0\2" * 20_001 + plain[2:]
    summary = protected_twice(house, tmp_path, crowded, ProtectConfig("lsp"))
    assert summary.outcome.done == 0
    for one in summary.outcome.failures:
        assert "far too many segments" in one.reason
        assert "--carrier pixels" in one.reason


def test_what_there_was_no_room_for_is_said(house, tmp_path):
    coarse = pillow(picture(), quality=1)
    config = ProtectConfig("rue", epsilon=3)
    summary = protected_twice(house, tmp_path, coarse, config)
    assert summary.outcome.done == 0
    assert [one.reason for one in summary.outcome.failures] == [
        f"{name}/a.jpg: {NOTHING_ADDED}" for name in ("cat", "dog")
    ]
    assert not list((tmp_path / "out").rglob("*.jpg"))


def test_images_that_something_is_said_of_are_named(house, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "source" / name).mkdir(parents=True)
        levels = picture()[..., 0].astype(np.uint16) * 16  # 12 of 16 bits
        Image.fromarray(levels).save(tmp_path / "source" / name / "scan.png")
    steps = protect(
        house.vault,
        "bob",
        labelled_items(tmp_path / "source"),
        tmp_path / "out",
        name="scans",
        source=str(tmp_path / "source"),
        config=ProtectConfig("rue"),
    )
    summary = finish(steps)
    assert summary.notes == {FOUND_RANGE: 2}
    assert summary.noted == {FOUND_RANGE: ["cat/scan.png", "dog/scan.png"]}
    said = f"2 images (cat/scan.png, dog/scan.png): {FOUND_RANGE}."
    assert said in summary.notices()


def test_a_stripped_copy_of_nothing_is_refused(house, tmp_path):
    (tmp_path / "a.jpg").write_bytes(pillow(picture(seed=99)))
    summary = house.originals(tmp_path, tmp_path / "o")
    (failure,) = summary.outcome.failures
    assert "never protected with this vault" in failure.reason
    shutil.copy(house.source / "cat/plain.jpg", tmp_path / "a.jpg")
    (failure,) = house.originals(tmp_path, tmp_path / "o").outcome.failures
    assert "an original already" in failure.reason


def test_the_header_says_that_coefficients_carry_it(house):
    loaded = load(house.root / "lsp-alice/cat/plain.jpg")
    header = records.unpack(loaded.record).header
    assert header.in_coefficients
    assert header.version == 4
    assert loaded.raster.coded is not None
    assert header.digest == coefficient_digest(read(loaded.raster.coded))
