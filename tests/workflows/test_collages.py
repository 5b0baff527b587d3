"""Suspects that show several protected copies beside one another."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fiftyone_reue.batch.folders import image_items, suspect_items
from fiftyone_reue.cli import main
from fiftyone_reue.demo import tiles
from fiftyone_reue.progress import finish
from fiftyone_reue.proofs.verification import verify
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.extract import ExtractSummary, extract
from fiftyone_reue.workflows.report import report
from tests.workflows.released import released

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SIZE = (320, 240)
ORIGINALS = ("cat", "coffee", "rocket", "flower")
UNKNOWN = "galaxies"

Places = dict[str, tuple[int, int, int, int]]


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> tuple[Vault, Path]:
    """A vault with releases of photographs to alice and bob, and W of both."""
    root = tmp_path_factory.mktemp("house")
    for number, name in enumerate(ORIGINALS):
        place = root / "source" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        image = tiles.load_photo(name).convert("RGB").resize(SIZE)
        image.save(place / f"{name}.png")
    return released(root), root


def copy(house: tuple[Vault, Path], folder: str, name: str) -> Image.Image:
    """A recipient's copy, or a photograph that nobody protected."""
    if name == UNKNOWN:
        return tiles.load_photo(name).convert("RGB").resize(SIZE)
    (found,) = [
        one.path
        for one in image_items(house[1] / folder)
        if Path(one.path).name.split(".")[0] == name
    ]
    return Image.open(found).convert("RGB")


def collage(
    pictures: dict[str, Image.Image], columns: int, border: int, scale: float
) -> tuple[Image.Image, Places]:
    """Pictures in a grid, and where each of them lies."""
    width, height = (round(side * scale) for side in SIZE)
    rows = -(-len(pictures) // columns)
    across, down = width + border, height + border
    canvas = Image.new(
        "RGB", (columns * across + border, rows * down + border), "#e8e4da"
    )
    places = {}
    for number, (name, picture) in enumerate(pictures.items()):
        left = border + number % columns * across
        top = border + number // columns * down
        small = picture.resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(small, (left, top))
        places[name] = (left, top, left + width, top + height)
    return canvas, places


def weighed(house: tuple[Vault, Path], *suspects: Path) -> ExtractSummary:
    items = [item for path in suspects for item in suspect_items(path)]
    return finish(extract(house[0], items))


def boxes(summary: ExtractSummary) -> Places:
    return {
        Path(one.original).stem: one.box
        for one in summary.suspects
        if one.original and one.box
    }


@pytest.mark.parametrize("tier", ["P", "W"])
@pytest.mark.parametrize(
    ("names", "columns", "border", "scale"),
    [
        (ORIGINALS[:2], 2, 0, 1.0),
        (ORIGINALS[:2], 1, 12, 0.7),
        (ORIGINALS, 2, 6, 0.8),
        ((*ORIGINALS[:3], UNKNOWN), 4, 10, 0.75),
    ],
)
def test_every_original_in_a_grid_is_found_read_and_placed(
    house, tmp_path, tier, names, columns, border, scale
):
    made, places = collage(
        {name: copy(house, f"{tier}-alice", name) for name in names},
        columns,
        border,
        scale,
    )
    made.save(tmp_path / "collage.jpg", quality=85)
    summary = weighed(house, tmp_path / "collage.jpg")
    places.pop(UNKNOWN, None)
    found = boxes(summary)
    assert found.keys() == places.keys()
    for name, place in places.items():
        assert np.abs(np.subtract(found[name], place)).max() <= 8
    assert summary.all_named == ["alice"]
    assert all(one.used for one in summary.suspects)
    assert summary.evidence.images == len(places)
    told = summary.to_dict()
    assert told["images_matched"] == 1
    assert told["collages"] == {"collage.jpg": len(places)}
    assert {tuple(row["box"]) for row in told["per_image"]} == set(found.values())


@pytest.mark.parametrize("turn", [Image.Transpose.FLIP_LEFT_RIGHT, None])
def test_mirrored_and_turned_collages_are_placed_as_they_lie(house, tmp_path, turn):
    pictures = {name: copy(house, "W-bob", name) for name in ORIGINALS[:2]}
    made, _ = collage(pictures, 2, 8, 0.9)
    if turn is None:
        made = made.rotate(8, Image.Resampling.BICUBIC, expand=True)
    else:
        made = made.transpose(turn)
    made.save(tmp_path / "collage.png")
    summary = weighed(house, tmp_path / "collage.png")
    found = boxes(summary)
    assert found.keys() == pictures.keys()
    left, right = (ORIGINALS[1], ORIGINALS[0]) if turn is not None else ORIGINALS[:2]
    assert found[left][2] < found[right][0] + made.width / 8
    assert summary.all_named == ["bob"]


def test_the_same_original_twice_counts_once(house, tmp_path):
    cat, coffee = (copy(house, "P-alice", name) for name in ("cat", "coffee"))
    made, _ = collage({"cat": cat, "again": cat, "coffee": coffee}, 3, 4, 0.8)
    made.save(tmp_path / "collage.jpg", quality=85)
    cat.crop((20, 10, 300, 230)).save(tmp_path / "part.jpg", quality=90)
    summary = weighed(house, tmp_path / "collage.jpg", tmp_path / "part.jpg")
    assert summary.evidence.images == 2
    used = [Path(one.original).stem for one in summary.suspects if one.used]
    assert sorted(used) == ["cat", "cat", "coffee"]  # the part is joined
    assert list(summary.joined.values()) == [2]
    assert summary.evidence.energy < 2
    assert summary.matched == 2


def test_copies_of_several_recipients_are_told_apart(house, tmp_path):
    names = dict(zip(ORIGINALS, ("alice", "bob", "bob", "alice"), strict=True))
    pictures = {name: copy(house, f"W-{who}", name) for name, who in names.items()}
    made, _ = collage(pictures, 2, 6, 1.0)
    made.save(tmp_path / "collage.png")
    summary = weighed(house, tmp_path / "collage.png")
    assert sorted(summary.all_named) == ["alice", "bob"]
    told = {
        Path(row["original"]).stem: row["from"]
        for row in summary.to_dict()["per_image"]
    }
    assert told == {name: [who] for name, who in names.items()}


def test_originals_and_strangers_side_by_side_accuse_nobody(house, tmp_path):
    pictures = {
        name: Image.open(next((house[1] / "source").rglob(f"{name}.png")))
        for name in ORIGINALS[:2]
    }
    pictures[UNKNOWN] = copy(house, "", UNKNOWN)
    made, _ = collage(pictures, 3, 6, 0.9)
    made.save(tmp_path / "collage.jpg", quality=85)
    summary = weighed(house, tmp_path / "collage.jpg")
    assert boxes(summary).keys() == set(ORIGINALS[:2])
    assert summary.all_named == []


def test_single_suspects_show_one_original(house, tmp_path):
    edits: dict[str, Callable[[Image.Image], Image.Image]] = {
        "whole": lambda image: image,
        "part": lambda image: image.crop((30, 20, 300, 230)),
        "turned": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
    }
    for name, edit in edits.items():
        edit(copy(house, "P-alice", "coffee")).save(tmp_path / f"{name}.jpg")
    summary = weighed(house, tmp_path)
    assert len(summary.suspects) == len(edits)
    assert summary.collages == {}


def test_a_case_of_a_collage_is_verified_and_shows_each_part(house, tmp_path):
    pictures = {name: copy(house, "P-alice", name) for name in ORIGINALS}
    made, places = collage(pictures, 2, 6, 0.8)
    made.save(tmp_path / "collage.jpg", quality=85)
    items = suspect_items(tmp_path / "collage.jpg")
    finish(report(house[0], items, tmp_path / "case"))
    told = verify(tmp_path / "case")
    assert told.holds
    assert (told.named, told.images) == (["alice"], len(places))
    content = json.loads((tmp_path / "case" / "evidence.json").read_text())
    suspects = [row["suspect"] for row in content["readings"]]
    assert (content["suspects"], content["suspects_matched"]) == (1, 1)
    assert {one["originals"] for one in suspects} == {len(places)}
    assert len({tuple(one["box"]) for one in suspects}) == len(places)
    assert len(list((tmp_path / "case" / "suspects").iterdir())) == 1
    page = (tmp_path / "case" / "report.html").read_text()
    assert page.count(f"one of {len(places)} originals in it") == len(places)
    shown = Image.open(
        tmp_path / "case" / content["readings"][0]["pictures"]["suspect"]["file"]
    )
    assert shown.width / shown.height == pytest.approx(SIZE[0] / SIZE[1], rel=0.05)


def test_the_command_says_how_many_and_where(house, tmp_path):
    pictures = {name: copy(house, "W-bob", name) for name in ORIGINALS[:3]}
    made, _ = collage(pictures, 3, 6, 0.8)
    made.save(tmp_path / "collage.png")
    words = ["extract", str(tmp_path / "collage.png")]
    words += ["--vault", str(house[1] / "vault")]
    result = CliRunner().invoke(main, words, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    assert "collage.png shows 3 originals" in result.output
    for name in pictures:
        assert f"{name}.png" in result.output
