"""What a run would give, from a few images, and without writing anything."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.progress import Progress, finish, mapped
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import create_folder
from fiftyone_reue.workflows.preview import (
    JPEG,
    LOSSLESS,
    Preview,
    _apart,
    _spread,
    preview,
)
from fiftyone_reue.workflows.protect import protect_folder

pytestmark = pytest.mark.integration

LSP = ProtectConfig("lsp")


@pytest.fixture
def source(tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """Three classes of four 144-pixel images: of each three PNG files and a JPEG."""
    folder = write_folder(tmp_path / "source", side=72)
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            image.resize((144, 144), Image.Resampling.BICUBIC).save(path)
    for path in folder.rglob("3.png"):
        with Image.open(path) as image:
            image.convert("RGB").save(path.with_suffix(".jpg"), quality=90)
        path.unlink()
    return folder


def files_below(*folders: Path) -> set[tuple[str, int]]:
    return {
        (str(path), path.stat().st_mtime_ns)
        for folder in folders
        for path in folder.rglob("*")
    }


def looked_at(source: Path, config: ProtectConfig = LSP, **more: int) -> Preview:
    return finish(preview(labelled_items(source), config=config, **more))


def test_it_says_of_each_image_what_protecting_does(
    source: Path, tmp_path: Path
) -> None:
    found = looked_at(source)
    assert len(found.images) == 8
    assert {one.label for one in found.images} == {p.name for p in source.iterdir()}
    for one in found.images:
        original, copy = load(one.path).raster, load(one.copy)
        assert copy.record is not None
        change = copy.raster.samples.astype(int) - original.samples
        assert 0 < np.abs(change).max() <= 8 + (one.carrier == JPEG) * 4
        assert one.size_before == Path(one.path).stat().st_size
        assert one.size_after == len(one.copy)
        assert 20 < one.psnr < 60
        assert one.ssimulacra2 is not None
        assert one.ssimulacra2 < 100
        jpeg = Path(one.path).suffix == ".jpg"
        assert (one.carrier, one.format) == (
            (JPEG, "JPEG") if jpeg else (LOSSLESS, "PNG")
        )


def test_kinds_of_files_and_classes_are_all_among_few(source: Path) -> None:
    found = looked_at(source, count=4)
    assert sorted(Path(one.path).suffix for one in found.images) == [
        *(".jpg", ".jpg"),
        *(".png", ".png"),
    ]
    assert len({one.label for one in found.images}) >= 2


def test_what_is_expected_of_the_job_is_about_what_comes(
    source: Path, tmp_path: Path
) -> None:
    items = labelled_items(source)
    found = looked_at(source)
    assert found.total == len(items) == 12
    assert [(kind.suffix, kind.images) for kind in found.kinds] == [
        (".png", 9),
        (".jpg", 3),
    ]
    assert found.size_before == sum(Path(item.path).stat().st_size for item in items)
    assert found.seconds > 0
    with create_folder(tmp_path / "vault", plain_key_file=True) as vault:
        vault.add_recipient("alice")
        out = tmp_path / "out"
        steps = protect_folder(vault, "alice", items, source, out, config=LSP)
        finish(steps)
    made = [path for path in out.rglob("*") if path.suffix in (".png", ".jpg")]
    size = sum(path.stat().st_size for path in made)
    assert found.size_after == pytest.approx(size, rel=0.1)


def test_nothing_is_left_anywhere(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(home)
    before = files_below(tmp_path)
    looked_at(source)
    # The scratch folder itself held something meanwhile.
    assert {one for one in files_below(tmp_path) if one[0] != str(scratch)} == {
        one for one in before if one[0] != str(scratch)
    }


def test_a_closed_preview_leaves_nothing_either(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    steps = preview(labelled_items(source), config=LSP)
    while not any(tmp_path.glob("reue-preview-*")):
        next(steps)
    steps.close()
    assert not any(tmp_path.glob("reue-preview-*"))


def test_progress_never_falls(source: Path) -> None:
    seen: list[Progress] = []
    finish(mapped(preview(labelled_items(source), config=LSP), seen.append))
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_one_image_is_enough_for_an_estimate(source: Path) -> None:
    found = looked_at(source, count=1)
    assert len(found.images) == 1
    assert found.seconds > 0
    assert len(found.kinds) == 2


def test_clusters_need_no_labels(source: Path) -> None:
    config = ProtectConfig("lsp", clusters=3)
    found = finish(preview(image_items(source), config=config))
    assert len(found.images) == 8


def test_a_method_that_is_fitted_is_fitted_to_the_few(source: Path) -> None:
    config = ProtectConfig("pil")
    found = finish(preview(labelled_items(source), config=config, count=4))
    assert len(found.images) == 4
    assert found.fit


def test_a_damaged_file_is_told_and_the_rest_is_shown(source: Path) -> None:
    items = labelled_items(source)
    Path(items[0].path).write_bytes(b"no image")
    found = finish(preview(items, config=LSP, count=12))
    assert len(found.images) == 11
    assert [one.sample_id for one in found.failures] == [items[0].sample_id]


def test_what_can_not_be_used_is_said(source: Path) -> None:
    items = labelled_items(source)
    with pytest.raises(InputError, match="no image to preview"):
        finish(preview([], config=LSP))
    with pytest.raises(InputError, match="1 to 32"):
        finish(preview(items, config=LSP, count=0))
    alone = [item for item in items if item.label == items[0].label]
    with pytest.raises(InputError, match="Only one class"):
        finish(preview(alone, config=ProtectConfig("rue")))
    for item in items:
        os.truncate(item.path, 9)
    with pytest.raises(InputError, match="None of the images"):
        finish(preview(items, config=LSP))


def test_a_least_quality_is_kept_to(source: Path) -> None:
    plain = looked_at(source)
    mild = looked_at(source, ProtectConfig("lsp", quality=80))
    assert plain.ssimulacra2 is not None
    assert mild.ssimulacra2 is not None
    assert mild.ssimulacra2 > plain.ssimulacra2


@pytest.mark.unit
def test_files_of_a_class_that_are_looked_at_lie_apart():
    """Those that follow one another show one scene."""
    items = [
        Item(f"{label}/{number:02}.jpg", f"{label}/{number:02}.jpg", label, "")
        for label in ("a", "b")
        for number in range(16)
    ]
    chosen = _spread(items, 8)
    numbers = {
        label: sorted(int(one.sample_id[2:4]) for one in chosen if one.label == label)
        for label in ("a", "b")
    }
    assert numbers == {"a": [0, 4, 8, 12], "b": [0, 4, 8, 12]}
    assert sorted(_apart(items), key=items.index) == items
