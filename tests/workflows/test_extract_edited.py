"""Copies that were cropped, turned, framed or drawn over still name their recipient."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.demo import tiles
from fiftyone_reue.progress import Progress, finish, mapped
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.tracing import FEATURES
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SIZE = (256, 192)


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> tuple[Vault, Path]:
    """A vault with a release of photographs, one of them a JPEG file, and W of it."""
    root = tmp_path_factory.mktemp("house")
    vault = create_folder(root / "vault", plain_key_file=True)
    _, key = vault.add_recipient("alice")
    vault.add_recipient("bob")
    for number, name in enumerate(("cat", "coffee", "rocket")):
        place = root / "source" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        image = tiles.load_photo(name).resize(SIZE, Image.Resampling.LANCZOS)
        image.save(place / (f"{name}.jpg" if number == 1 else f"{name}.png"))
    steps = protect(
        vault,
        "alice",
        labelled_items(root / "source"),
        root / "P",
        name="photographs",
        source=str(root / "source"),
        config=ProtectConfig("lsp"),
    )
    assert not finish(steps).outcome.failures
    finish(restore_licensed(image_items(root / "P"), None, root / "W", key))
    return vault, root


def traced(
    house: tuple[Vault, Path],
    tier: str,
    leak: Path,
    edit: Callable[[Image.Image], Image.Image],
) -> ExtractSummary:
    """The verdict on edited copies, under names that say nothing."""
    vault, root = house
    leak.mkdir()
    for number, item in enumerate(image_items(root / tier)):
        image = edit(Image.open(item.path).convert("RGB"))
        image.save(leak / f"{number}.jpg", quality=80)
    return finish(extract(vault, suspect_items(leak)))


def framed(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (300, 260), "white")
    canvas.paste(image, (22, 40))
    return canvas


def drawn_over(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle((0, 140, *SIZE), fill="black")
    return image


@pytest.mark.parametrize("tier", ["P", "W"])
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda image: image.crop((4, 4, *SIZE)), id="trimmed"),
        pytest.param(lambda image: image.crop((60, 30, 230, 170)), id="cropped"),
        pytest.param(
            lambda image: image.rotate(4, Image.Resampling.BICUBIC), id="turn"
        ),
        pytest.param(framed, id="framed"),
        pytest.param(drawn_over, id="drawn over"),
    ],
)
def test_edited_copies_name_their_recipient(house, tmp_path, tier, edit):
    summary = traced(house, tier, tmp_path / "leak", edit)
    assert (summary.decision, summary.named) == ("match", "alice")
    assert sum(one.image_id is not None for one in summary.suspects) == 3
    wanted = {"P": "protected", "W": "licensed"}[tier]
    assert {one.state for one in summary.suspects} == {wanted}


def test_originals_are_looked_at_once_and_it_is_told(house, tmp_path):
    vault, root = house
    shutil.rmtree(root / "vault" / FEATURES, ignore_errors=True)
    leak = tmp_path / "leak"
    leak.mkdir()
    whole, part, broken = (leak / f"{name}.png" for name in ("whole", "part", "x"))
    first, second, _ = image_items(root / "P")
    shutil.copy(first.path, whole)
    Image.open(second.path).convert("RGB").crop((60, 30, 230, 170)).save(part)
    broken.write_bytes(b"no image")
    told = []
    for _ in range(2):
        seen: list[Progress] = []
        steps = extract(vault, suspect_items(leak))
        summary = finish(mapped(steps, seen.append))
        assert [one.sample_id for one in summary.suspects] == ["part.png", "whole.png"]
        assert all(one.image_id for one in summary.suspects)
        assert summary.named == "alice"
        assert (summary.outcome.done, len(summary.outcome.failures)) == (2, 1)
        assert [one.fraction for one in seen] == sorted(one.fraction for one in seen)
        assert seen[-1].fraction == pytest.approx(1)
        told.append([one.label for one in seen])
    once = [label for label in told[0] if "once" in label]
    assert once[-1] == "Looking at originals for their parts, once: 3 of 3"
    assert not any("once" in label for label in told[1])


def test_cropped_originals_accuse_nobody(house, tmp_path):
    summary = traced(
        house, "source", tmp_path / "leak", lambda image: image.crop((30, 20, 200, 170))
    )
    assert summary.named is None
    assert {one.state for one in summary.suspects} == {"licensed"}


def test_crops_of_other_photographs_match_nothing(house, tmp_path):
    for name in ("flower", "galaxies"):
        image = tiles.load_photo(name).resize((400, 300))
        image.crop((50, 50, 300, 250)).save(tmp_path / f"{name}.jpg")
    summary = finish(extract(house[0], suspect_items(tmp_path)))
    assert summary.evidence.images == 0


def test_flat_originals_match_nothing_that_is_merely_flat(tmp_path):
    """Unless its pixels are unchanged: then the ledger knows them."""
    vault = create_folder(tmp_path / "vault", plain_key_file=True)
    vault.add_recipient("alice")
    for number, gray in enumerate((60, 120, 180)):
        place = tmp_path / "source" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (gray,) * 3).save(place / f"{number}.png")
    steps = protect(
        vault,
        "alice",
        labelled_items(tmp_path / "source"),
        tmp_path / "P",
        name="flat",
        source="flat",
        config=ProtectConfig("lsp"),
    )
    assert not finish(steps).outcome.failures
    (tmp_path / "leak").mkdir()
    for gray in (58, 121, 183):
        slope = np.linspace(gray - 3, gray + 3, 64)[None, :, None].repeat(64, 0)
        samples = np.repeat(slope, 3, 2).astype(np.uint8)
        Image.fromarray(samples).save(tmp_path / "leak" / f"{gray}.jpg")
    summary = finish(extract(vault, suspect_items(tmp_path / "leak")))
    assert summary.evidence.images == 0
    exact = finish(extract(vault, image_items(tmp_path / "P")))
    assert exact.named == "alice"


def test_parts_of_small_originals_are_found_by_shift_and_scale(tmp_path, write_folder):
    source = write_folder(tmp_path / "source", classes=4, each=6, side=32)
    with create_folder(tmp_path / "vault", plain_key_file=True) as vault:
        for who in ("alice", "bob"):
            vault.add_recipient(who)
        steps = protect(
            vault,
            "alice",
            labelled_items(source),
            tmp_path / "P",
            name="small",
            source="small",
            config=ProtectConfig("lsp"),
        )
        assert not finish(steps).outcome.failures
        (tmp_path / "leak").mkdir()
        for number, item in enumerate(image_items(tmp_path / "P")):
            part = Image.open(item.path).convert("RGB").crop((3, 1, 31, 29))
            part = part.resize((32, 32), Image.Resampling.BICUBIC)
            part.save(tmp_path / "leak" / f"{number}.png")
        summary = finish(extract(vault, suspect_items(tmp_path / "leak")))
        assert sum(one.image_id is not None for one in summary.suspects) >= 16
        assert summary.named == "alice"
