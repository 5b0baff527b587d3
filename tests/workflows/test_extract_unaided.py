"""Marks are read where the originals, and all copies of theirs, are gone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, suspect_items
from fiftyone_reue.demo import tiles
from fiftyone_reue.progress import finish
from fiftyone_reue.proofs.verification import verify
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.report import report
from tests.workflows.released import released

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SIZE = (288, 224)
NAMES = ("cat", "coffee", "rocket", "astronaut")


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> tuple[Vault, Path]:
    """A vault whose originals and releases were lost; suspects were kept apart."""
    root = tmp_path_factory.mktemp("house")
    for number, name in enumerate(NAMES):
        place = root / "source" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        image = tiles.load_photo(name).resize(SIZE, Image.Resampling.LANCZOS)
        image.save(place / (f"{name}.jpg" if number % 2 else f"{name}.png"))
    vault = released(root)
    for kind in "PW":
        shutil.move(root / f"{kind}-alice", root / f"leaked-{kind}")
        shutil.rmtree(root / f"{kind}-bob")
    shutil.move(root / "source", root / "kept-elsewhere")
    return vault, root


def leaked(
    root: Path, tier: str, leak: Path, edit: Callable[[Image.Image], Image.Image]
) -> Path:
    """Edited copies of alice's, under names that say nothing."""
    leak.mkdir()
    for number, item in enumerate(image_items(root / f"leaked-{tier}")):
        image = edit(Image.open(item.path).convert("RGB"))
        image.save(leak / f"{number}.jpg", quality=80)
    return leak


def extracted(vault: Vault, leak: Path, **options: Path) -> ExtractSummary:
    return finish(extract(vault, suspect_items(leak), **options))


def half(image: Image.Image) -> Image.Image:
    return image.resize((SIZE[0] // 2, SIZE[1] // 2), Image.Resampling.LANCZOS)


def turned(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_90)


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


@pytest.mark.parametrize("tier", ["P", "W"])
@pytest.mark.parametrize("edit", [lambda one: one, half, turned, mirrored])
def test_whole_copies_still_name_their_recipient(house, tmp_path, tier, edit) -> None:
    vault, root = house
    found = extracted(vault, leaked(root, tier, tmp_path / "leak", edit))
    assert found.all_named == ["alice"]
    assert found.unaided == found.matched == len(NAMES)
    for suspect in found.suspects:
        assert suspect.unaided
        assert suspect.reason is not None
        assert "without its original" in suspect.reason
        assert suspect.state is None


def test_originals_are_used_where_they_are_known(house, tmp_path) -> None:
    vault, root = house
    leak = leaked(root, "W", tmp_path / "leak", half)
    found = extracted(vault, leak, originals_folder=root / "kept-elsewhere")
    assert found.all_named == ["alice"]
    assert found.unaided == 0


def test_parts_and_strangers_match_nothing(house, tmp_path) -> None:
    vault, root = house

    def part(image: Image.Image) -> Image.Image:
        return image.crop((60, 40, 250, 200))

    leak = leaked(root, "W", tmp_path / "leak", part)
    for name in ("chelsea", "page"):
        stranger = tiles.load_photo("coffee" if name == "page" else "cat")
        stranger.rotate(90, expand=True).crop((0, 0, 150, 150)).save(
            leak / f"{name}.png"
        )
    found = extracted(vault, leak)
    assert found.matched == 0
    assert not found.all_named
    parts = [one for one in found.suspects if Path(one.path).suffix == ".jpg"]
    assert all("aren't there any more" in (one.reason or "") for one in parts)


def test_a_case_of_them_can_be_verified(house, tmp_path) -> None:
    vault, root = house
    leak = leaked(root, "P", tmp_path / "leak", lambda one: one)
    made = finish(report(vault, suspect_items(leak), tmp_path / "case"))
    assert "read without its original" in made.page.read_text()
    checked = verify(tmp_path / "case")
    assert checked.named == ["alice"]
    assert not any(step.state == "failed" for step in checked.steps)


def test_originals_that_moved_are_shown(house, tmp_path) -> None:
    vault, root = house
    leak = leaked(root, "W", tmp_path / "leak", half)
    kept = root / "kept-elsewhere"
    steps = report(vault, suspect_items(leak), tmp_path / "case", originals_folder=kept)
    made = finish(steps)
    assert "no original" not in made.page.read_text()
    rows = json.loads(made.evidence.read_text())["readings"]
    for row in rows:
        shown = Image.open(tmp_path / "case" / row["pictures"]["original"]["file"])
        suspect = Image.open(tmp_path / "case" / row["pictures"]["suspect"]["file"])
        small = [
            np.asarray(one.convert("L").resize((16, 12))) for one in (shown, suspect)
        ]
        assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.9


def test_strangers_are_told_of_no_original(house, tmp_path) -> None:
    """It was the one that looks like them most, which says nothing."""
    vault, _ = house
    leak = tmp_path / "leak"
    leak.mkdir()
    Image.new("RGB", SIZE, "teal").save(leak / "flat.png")
    tiles.load_photo("flower").resize(SIZE).save(leak / "stranger.png")
    found = extracted(vault, leak)
    assert (found.matched, found.unread) == (0, 0)
    for one in found.suspects:
        assert "aren't there any more" in (one.reason or "")
        assert not any(name in (one.reason or "") for name in (*NAMES, "source"))


def test_pictures_that_were_never_protected_are_no_copies(house, tmp_path) -> None:
    """Frames of the same scene look like the originals, and carry no mark."""
    vault, root = house
    leak = tmp_path / "leak"
    leak.mkdir()
    for number, item in enumerate(image_items(root / "kept-elsewhere")):
        frame = np.asarray(Image.open(item.path).convert("RGB")).astype(np.int16)
        noise = np.random.default_rng(number).normal(0, 2, frame.shape)
        frame = np.clip(np.roll(frame, 1, axis=1) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(frame).save(leak / f"{number}.png")
    found = extracted(vault, leak)
    assert not found.all_named
    assert (found.matched, found.unaided, found.unread) == (0, 0, len(NAMES))
    assert all("no mark is read" in (one.reason or "") for one in found.suspects)
    assert "other pictures of the same scenes" in found.verdict()
    made = finish(report(vault, suspect_items(leak), tmp_path / "case"))
    assert "shows no mark by itself" in made.page.read_text()
    (copy, *_) = image_items(root / "leaked-W")
    shutil.copy(copy.path, leak / "copy.png")
    mixed = extracted(vault, leak)
    assert (mixed.matched, mixed.unread) == (1, len(NAMES))
