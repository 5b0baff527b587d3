"""Suspects of originals that show one scene: crops of one photograph, or a burst."""

from pathlib import Path

import pytest
from PIL import Image

from fiftyone_reue.batch.folders import suspect_items
from fiftyone_reue.demo import tiles
from fiftyone_reue.progress import finish
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from tests.workflows.released import released

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SCENES = ("flower", "coffee", "astronaut")
CROPS = (
    (0.0, 0.0, 0.7, 0.8),
    (0.1, 0.1, 0.8, 1.0),
    (0.2, 0.05, 0.9, 0.9),
    (0.05, 0.2, 0.75, 0.95),
    (0.3, 0.0, 1.0, 0.85),
    (0.15, 0.15, 0.85, 0.85),
    (0.25, 0.1, 0.95, 0.7),
)


@pytest.fixture(scope="module")
def shoot(tmp_path_factory) -> tuple[Vault, Path]:
    """A vault of photographs and of crops of each, and what alice was licensed."""
    root = tmp_path_factory.mktemp("shoot")
    for place, scene in enumerate(SCENES):
        folder = root / "source" / f"class{place % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        photo = tiles.load_photo(scene).convert("RGB")
        photo.thumbnail((480, 480))
        photo.save(folder / f"{scene}.jpg", quality=90)
        for number, shares in enumerate(CROPS):
            ends = [
                round(share * side)
                for share, side in zip(shares, photo.size * 2, strict=True)
            ]
            quality = 70 + 4 * number
            photo.crop(ends).save(folder / f"{scene}{number}.jpg", quality=quality)
    return released(root), root


def licensed(shoot: tuple[Vault, Path], name: str) -> Image.Image:
    (path,) = (shoot[1] / "W-bob").rglob(f"{name}.jpg")
    return Image.open(path).convert("RGB")


def weighed(shoot: tuple[Vault, Path], canvas: Image.Image, to: Path) -> ExtractSummary:
    canvas.save(to, quality=85)
    return finish(extract(shoot[0], list(suspect_items(to))))


def found(summary: ExtractSummary) -> set[str]:
    return {Path(one.original or "").stem for one in summary.suspects}


@pytest.mark.parametrize("name", SCENES)
def test_a_framed_copy_is_of_the_original_that_explains_all_of_it(
    shoot, tmp_path, name
):
    copy = licensed(shoot, name)
    canvas = Image.new("RGB", (copy.width + 40, copy.height + 30), (240, 240, 245))
    canvas.paste(copy, (20, 15))
    summary = weighed(shoot, canvas, tmp_path / "framed.jpg")
    assert found(summary) == {name}
    assert summary.all_named == ["bob"]


def test_each_part_of_a_collage_is_of_its_own_original(shoot, tmp_path):
    copies = {name: licensed(shoot, name) for name in SCENES}
    height = sum(copy.height + 20 for copy in copies.values()) + 20
    canvas = Image.new("RGB", (520, height), (240, 240, 245))
    top = 20
    for copy in copies.values():
        canvas.paste(copy, (20, top))
        top += copy.height + 20
    summary = weighed(shoot, canvas, tmp_path / "collage.jpg")
    assert found(summary) == set(SCENES)
    assert summary.all_named == ["bob"]
