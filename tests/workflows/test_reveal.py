import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import together
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError
from fiftyone_reue.invertible.hiding import HidingNetwork
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.decoys import MOST_DECOYS
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed
from fiftyone_reue.workflows.reveal import (
    GAP,
    PANEL,
    Revealed,
    RevealSummary,
    agreement,
    reveal,
    scenes_png,
    side_by_side,
)

pytestmark = pytest.mark.integration

COUNT = 16
DECOYS = 5


@dataclass(frozen=True)
class House:
    """A vault with releases to alice and bob, of the same images, and one of lsp."""

    vault: Vault
    root: Path


@pytest.fixture(scope="module")
def house(tmp_path_factory, write_folder: Callable[..., Path]) -> House:
    root = tmp_path_factory.mktemp("house")
    vault = create_folder(root / "vault", plain_key_file=True)
    source = write_folder(root / "source", classes=4, each=4, side=64)
    for who, method in (("alice", "deep_hiding"), ("bob", "deep_hiding"), ("c", "lsp")):
        _, key = vault.add_recipient(who)
        steps = protect(
            vault,
            who,
            labelled_items(source),
            root / who,
            name=who,
            source=str(source),
            config=ProtectConfig(method, seed=1),
        )
        assert not finish(steps).outcome.failures
        if who == "alice":
            items = image_items(root / who)
            finish(restore_licensed(items, None, root / "licensed", key))
    return House(vault, root)


def run(house: House, folder: Path, output: Path | None = None) -> RevealSummary:
    return finish(reveal(house.vault, image_items(folder), output, decoys=DECOYS))


def test_it_is_the_same_one_by_one_and_together(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = changed(house.root / "alice", tmp_path / "s", Image.Image.copy, ".png")
    for path in sorted(folder.iterdir())[:3]:
        Image.open(path).resize((48, 48)).save(path)  # asked for beside the others
    counts: list[int] = []
    real = HidingNetwork.reveal

    def revealing(self, stego, *others):
        counts.append(len(stego))
        return real(self, stego, *others)

    monkeypatch.setattr(HidingNetwork, "reveal", revealing)
    seen, most = [], []
    for name in ("alone", "together"):
        monkeypatch.setattr(together, "MOST_BEGUN", 1 if name == "alone" else 32)
        counts.clear()
        found = run(house, folder, tmp_path / name)
        panels = {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
        rows = [(i.sample_id, i.agreement, i.as_good, i.tries) for i in found.images]
        seen.append((panels, rows, found.outcome))
        most.append(max(counts))
    assert len(seen[0][0]) == COUNT
    assert seen[0] == seen[1]
    assert most[0] == 1
    assert most[1] >= 13


def changed(source: Path, target: Path, change: Callable, suffix: str, **options):
    """Copy a folder, every image changed, under names that say nothing."""
    target.mkdir()
    for number, item in enumerate(image_items(source)):
        image = change(Image.open(item.path))
        image.save(target / f"{number:03}{suffix}", **options)
    return target


def reasons(summary: RevealSummary) -> set[str]:
    return {f.reason.removeprefix(f"{f.sample_id}: ") for f in summary.outcome.failures}


@pytest.mark.slow
def test_copies_as_delivered_reveal_what_was_hidden_in_them(house, tmp_path):
    summary = run(house, house.root / "alice", tmp_path / "shown")
    assert not summary.outcome.failures
    assert len(summary.images) == COUNT
    assert summary.as_good == 0
    assert summary.p_value == 1 / (1 + DECOYS)
    assert summary.agreement > 0.2
    assert summary.unrivalled > COUNT / 2
    for image in summary.images:
        assert (image.exact, image.tries, image.release) == (True, 1, "alice")
        assert image.original == image.sample_id
        assert image.revealed.shape == image.hidden.shape == (64, 64)
        assert image.agreement == agreement(image.revealed, image.hidden)
        with Image.open(tmp_path / "shown" / image.panels) as panels:
            assert panels.size == (4 * 256 + 3 * GAP, 256)
    alike = [agreement(one.scene_revealed, one.scene) for one in summary.images]
    assert np.mean(alike) > 0.3  # 0.46 to 0.74 with the keys that were drawn so far
    assert len(list((tmp_path / "shown").rglob("*.png"))) == COUNT
    again = run(house, house.root / "alice")
    assert [(i.agreement, i.as_good) for i in again.images] == [
        (i.agreement, i.as_good) for i in summary.images
    ]
    assert {image.panels for image in again.images} == {None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "suffix", "options"),
    [
        (lambda i: i, ".jpg", {"quality": 75}),
        (lambda i: i.transpose(Image.Transpose.ROTATE_90), ".png", {}),
    ],
)
def test_changed_copies_reveal_it_too(house, tmp_path, change, suffix, options):
    """Without a record, by the release whose scenes agree best."""
    leak = changed(house.root / "alice", tmp_path / "leak", change, suffix, **options)
    summary = run(house, leak)
    assert not summary.outcome.failures
    originals = [item.sample_id for item in image_items(house.root / "alice")]
    assert [image.original for image in summary.images] == originals
    assert summary.as_good == 0
    assert not any(image.exact for image in summary.images)
    assert {image.tries for image in summary.images} == {2}
    right = [image for image in summary.images if image.release == "alice"]
    assert len(right) > COUNT / 2


@pytest.mark.slow
def test_cutouts_reveal_it_too_and_are_shown_on_white(tmp_path, photos):
    for name in ("cat", "coffee", "flower", "pagoda"):
        samples = np.dstack([photos[name], np.full((96, 128), 255, np.uint8)])
        samples[:20] = 0
        folder = tmp_path / "source" / ("a" if name in ("cat", "coffee") else "b")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(samples).save(folder / f"{name}.png")
    vault = create_folder(tmp_path / "vault", plain_key_file=True)
    vault.add_recipient("alice")
    steps = protect(
        vault,
        "alice",
        labelled_items(tmp_path / "source"),
        tmp_path / "out",
        name="r",
        source="s",
        config=ProtectConfig("deep_hiding", seed=1),
    )
    assert not finish(steps).outcome.failures

    def laid(image: Image.Image) -> Image.Image:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        return white.convert("RGB")

    leak = changed(tmp_path / "out", tmp_path / "leak", laid, ".jpg", quality=85)
    house = House(vault, tmp_path)
    for folder in (tmp_path / "out", leak):
        summary = run(house, folder, tmp_path / f"shown-{folder.name}")
        assert len(summary.images) == 4
        assert summary.as_good == 0
        for image in summary.images:
            shown = tmp_path / f"shown-{folder.name}" / image.panels
            with Image.open(shown) as panels:
                row = np.asarray(panels)[10, : panels.width // 5]
            assert row.min() > 245


@pytest.mark.slow
def test_nothing_is_found_where_nothing_was_hidden(house):
    summary = run(house, house.root / "source")
    assert len(summary.images) == COUNT
    assert summary.agreement < 0.15
    assert not summary.found


def test_copies_made_by_another_method_are_refused(house, tmp_path):
    summary = run(house, house.root / "c", tmp_path / "shown")
    assert not (tmp_path / "shown").exists()
    assert not summary.images
    (reason,) = reasons(summary)
    assert "made with lsp, which hides nothing" in reason
    assert "deep_hiding does" in reason
    assert summary.p_value is summary.agreement is None
    assert "no image" in summary.verdict()


def test_licensed_copies_are_refused(house):
    (reason,) = reasons(run(house, house.root / "licensed"))
    assert "taken out of it" in reason


def test_one_bad_file_does_not_stop_the_others(house, tmp_path, photos):
    leak = tmp_path / "leak"
    leak.mkdir()
    good = image_items(house.root / "alice")[0]
    (leak / "a.png").write_bytes(Path(good.path).read_bytes())
    (leak / "b.png").write_bytes(Path(good.path).read_bytes()[:900])
    Image.fromarray(photos["rocket"]).save(leak / "c.png")
    summary = run(house, leak, tmp_path / "shown")
    assert [image.original for image in summary.images] == [good.sample_id]
    failures = {f.sample_id: f.reason for f in summary.outcome.failures}
    assert set(failures) == {"b.png", "c.png"}
    assert "c.png: It looks like none of the originals" in failures["c.png"]
    assert [p.name for p in (tmp_path / "shown").iterdir()] == ["a.revealed.png"]
    found = summary.to_dict()
    assert found["images_failed"] == 2
    assert "error" not in found["per_image"][0]


def test_a_vault_that_protected_nothing_is_told(vault):
    with pytest.raises(InputError, match="Nothing was protected"):
        finish(reveal(vault, [Item("a", "a.png", None, "a")]))


@pytest.mark.parametrize("decoys", [1.5, 3.0, float("nan"), "3", [3], True])
def test_the_number_of_decoys_is_whole(house, decoys):
    with pytest.raises(InputError, match="must be a whole number from 1 to 10000"):
        finish(reveal(house.vault, [], decoys=decoys))


@pytest.mark.parametrize("decoys", [0, MOST_DECOYS + 1])
def test_the_number_of_decoys_is_bounded(house, decoys):
    with pytest.raises(InputError, match="out of range"):
        finish(reveal(house.vault, [], decoys=decoys))


def test_agreement_is_a_correlation():
    image = np.random.default_rng(0).integers(0, 200, (8, 6)).astype(np.uint8)
    assert agreement(image, image) == pytest.approx(1)
    assert agreement(image, image // 2 * 2 + 20) == pytest.approx(1, abs=0.01)
    assert agreement(image, 255 - image) == pytest.approx(-1)
    assert agreement(image, np.full_like(image, 7)) == 0
    expected = np.corrcoef(image.ravel(), image.T.reshape(8, 6).ravel())[0, 1]
    assert agreement(image, image.T.reshape(8, 6)) == pytest.approx(expected)


@pytest.mark.parametrize(("side", "panel"), [(20, 240), (300, 300), (2 * PANEL, PANEL)])
def test_panels_stand_in_order_at_one_size(side, panel):
    image = np.full((side, side, 3), (200, 0, 0), np.uint8)
    row = side_by_side([image, np.full((8, 8), 10, np.uint8), np.zeros((8, 8), "u1")])
    assert row.shape == (panel, 3 * panel + 2 * GAP, 3)
    assert row[5, 5].tolist() == [200, 0, 0]
    assert row[5, panel + 2].tolist() == [255] * 3
    assert row[5, panel + GAP + 5].tolist() == [10] * 3
    assert row[5, -5].tolist() == [0] * 3


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((64, 64), (2 * 64 + GAP, 64)),
        ((30, 20), (2 * 80 + GAP, 120)),
        ((300, 600), (2 * 252 + GAP, 126)),
    ],
)
def test_a_small_picture_shows_both_scenes(shape, size):
    seen, hidden = np.full(shape, 40, np.uint8), np.full(shape, 250, np.uint8)
    flat = np.zeros(shape, np.uint8)
    scenes = (flat, flat, seen, hidden)
    found = Revealed("a", "a", "o", "cat", "r", True, 1, *scenes, 0.5, 0, 1, None)
    with Image.open(io.BytesIO(scenes_png(found))) as picture:
        assert (picture.size, picture.mode) == (size, "L")
        middle = size[1] // 2
        levels = [picture.getpixel((x, middle)) for x in (0, size[0] // 2, size[0] - 1)]
    assert levels == [40, 128, 250]


def summary_of(as_good: int, decoys: int) -> RevealSummary:
    flat = np.zeros((2, 2), np.uint8)
    one = Revealed(
        "a", "a", "o", "cat", "r", True, 1, *[flat] * 4, 0.5, 0, decoys, None
    )
    images = [one, replace(one, agreement=0.3, as_good=as_good)]
    return RevealSummary(images, decoys, as_good, Outcome())


def test_the_verdict_follows_the_decoys():
    found = summary_of(0, 200)
    assert found.p_value == 1 / 201
    assert found.agreement == pytest.approx(0.4)
    assert found.unrivalled == 2
    assert "hold what this vault hid" in found.verdict()
    assert "0 of 200 keys drawn at random do as well" in found.verdict()
    lost = summary_of(3, 200)
    assert not lost.found
    assert lost.unrivalled == 1
    assert "don't show" in lost.verdict()
    few = summary_of(0, 20)
    assert not few.found
    assert "20 decoys can't decide" in few.verdict()
    assert "at least 99" in few.verdict()
    assert summary_of(0, 99).found
