"""A case's suspects, read without any original."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.demo import tiles
from fiftyone_reue.progress import finish
from fiftyone_reue.proofs import contents, suspects, verification
from fiftyone_reue.proofs.verification import ALONE, DIFFERENCES, Verification, verify
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import create_folder
from fiftyone_reue.watermark import codes, embed
from fiftyone_reue.watermark.read import Difference, carried_bits
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.report import report

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SIZE = (320, 256)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A case of a whole copy, a part, a turned one and one in a frame."""
    root = tmp_path_factory.mktemp("made")
    vault = create_folder(root / "vault", plain_key_file=True)
    for who in ("alice", "bob"):
        vault.add_recipient(who)
    for number, name in enumerate(("cat", "coffee", "rocket", "astronaut")):
        place = root / "source" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        image = tiles.load_photo(name).resize(SIZE, Image.Resampling.LANCZOS)
        image.save(place / (f"{name}.jpg" if number % 2 else f"{name}.png"))
    steps = protect(
        vault,
        "alice",
        labelled_items(root / "source"),
        root / "P",
        name="photographs",
        source=str(root / "source"),
        config=ProtectConfig("rue"),
    )
    assert not finish(steps).outcome.failures
    leak = root / "leak"
    leak.mkdir()
    for number, item in enumerate(image_items(root / "P")):
        image = Image.open(item.path).convert("RGB")
        if number == 1:
            image = image.crop((25, 13, 300, 240))
        if number == 2:
            image = image.transpose(Image.Transpose.ROTATE_90)
        if number == 3:
            image = framed(image)
        image.save(leak / f"{number}.jpg", quality=85)
    finish(report(vault, suspect_items(leak), root / "case"))
    return root / "case"


def framed(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (360, 320), "white")
    canvas.paste(image, (22, 40))
    return canvas


def step(found: Verification, name: str):
    (one,) = (step for step in found.steps if step.name == name)
    return one


def changed(made: Path, folder: Path) -> tuple[Path, dict]:
    """A copy of the case, and its evidence."""
    shutil.copytree(made, folder)
    return folder, json.loads((folder / contents.JSON_NAME).read_text())


def test_suspects_name_who_leaked_them_without_originals(made: Path) -> None:
    found = verify(made, read_suspects=True)
    assert found.named == ["alice"]
    alone = step(found, ALONE)
    assert alone.state == "checked", alone.text
    assert "2 of 4" in alone.text  # a part, and one in a frame, aren't whole
    assert step(found, DIFFERENCES).state == "believed"


def test_differences_must_be_believed_else(made: Path) -> None:
    found = verify(made)
    assert step(found, DIFFERENCES).state == "believed"
    assert not any(one.name == ALONE for one in found.steps)


def test_differences_that_suspects_dont_show_are_told(made: Path, tmp_path) -> None:
    """An owner put somebody's mark into the differences, not into the suspects."""
    folder, content = changed(made, tmp_path / "case")
    seed = bytes.fromhex(content["culprits"][0]["code_seed"])
    draw = np.random.default_rng(0)
    for row in content["readings"]:
        carrier = bytes.fromhex(row["carrier_key"])
        kept = contents.read_difference(folder / row["difference"])
        height, width = kept.left.shape
        code = codes.code(seed, row["image_id"], len(row["soft"]))
        mark = embed.carried_mark(carrier, code, height, width, 2)[..., 0]
        wrong = Difference((mark + draw.normal(0, 2, mark.shape)).astype(np.float32))
        contents.write_difference(folder / row["difference"], wrong)
        row["soft"] = carried_bits(wrong, carrier, content["amplitude"]).tolist()
        blank = Image.open(folder / row["suspect"]["file"])
        noise = draw.integers(0, 256, (*blank.size[::-1], 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / row["suspect"]["file"])
    (folder / contents.JSON_NAME).write_bytes(contents.packed(content))
    found = verify(folder, read_suspects=True)
    assert step(found, "soft bits").state == "checked"
    assert step(found, DIFFERENCES).state == "believed"
    alone = verification._alone(folder, content, 1 << 24)
    assert alone.state == "believed"
    assert "doesn't name" in alone.text


@pytest.mark.parametrize(
    "way",
    [
        {"turned": None},
        {"turned": 8},
        {"turned": "0"},
        {"turned": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        {"grid": 300},
        {"grid": None},
        {"grid": 1e300},
    ],
)
def test_ways_that_there_arent_are_not_read(made: Path, tmp_path, way) -> None:
    folder, content = changed(made, tmp_path / "case")
    for row in content["readings"]:
        row["suspect"] |= way
    (folder / contents.JSON_NAME).write_bytes(contents.packed(content))
    step_ = verification._alone(folder, content, 1 << 24)
    assert step_.state == "believed"
    assert "0 of 4" in step_.text


def test_a_line_of_pixels_is_not_made_as_wide_as_a_grid(tmp_path) -> None:
    (tmp_path / "suspects").mkdir()
    Image.new("L", (1_000_000, 1)).save(tmp_path / "suspects" / "1.png")
    suspect = {"file": "suspects/1.png", "turned": 0, "grid": 256}
    with pytest.raises(ValueError, match="too long"):
        suspects.difference_of(tmp_path, {"suspect": suspect}, 200_000_000)


def test_what_is_said_to_be_seen_changes_nothing(made: Path, tmp_path) -> None:
    """An owner who has the code could choose pixels by it."""
    folder, content = changed(made, tmp_path / "case")
    before = verification._alone(folder, content, 1 << 24)
    for row in content["readings"]:
        kept = contents.read_difference(folder / row["difference"])
        shown = (np.random.default_rng(0).random(kept.left.shape) < 0.5).astype("f4")
        contents.write_difference(
            folder / row["difference"], Difference(kept.left, shown)
        )
    assert verification._alone(folder, content, 1 << 24) == before


def test_ways_to_read_are_paid_for() -> None:
    assert suspects.log_ways(1) == pytest.approx(np.log(49))
    assert suspects.log_ways(10**6) > np.log(4.8e7)
