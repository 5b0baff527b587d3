"""Detections and Segmentation fields: each region by its own class."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import samples as reue
from fiftyone_reue.batch.regions import BACKGROUND, Box
from fiftyone_reue.errors import InputError, UnreadableImageError
from fiftyone_reue.samples import regions, runs, source
from fiftyone_reue.samples.expected import expected_classes
from tests.samples.datasets import COUNT, SIDE, pixels

pytestmark = pytest.mark.integration

TOP = [0.0, 0.0, 1.0, 0.4]


def boxed(dataset: Any) -> None:
    """A cat at the top and a dog at the right of each, but for the first."""
    import fiftyone as fo

    mask = np.zeros((10, 10), bool)
    mask[5:] = True
    for number, sample in enumerate(dataset):
        cat = fo.Detection(label="cat", bounding_box=TOP)
        dog = fo.Detection(label="dog", bounding_box=[0.5, 0.5, 0.5, 0.5], mask=mask)
        sample["boxes"] = fo.Detections(detections=[cat, dog] if number else [])
        sample.save()


def test_another_process_gets_a_masks_numbers_and_not_its_file(
    tmp_path: Path,
) -> None:
    numbers = np.zeros((6, 8), np.uint8)
    numbers[2:] = 7
    path = tmp_path / "mask.png"
    Image.fromarray(numbers).save(path)
    held = regions.Mask.of(None, str(path))
    lost = regions.Mask.of(None, str(tmp_path / "none.png"))
    assert held
    assert lost
    found = regions.Segmented(held, {7: "cat"})
    digest = found.digest()
    sent = pickle.dumps((found, lost))
    path.unlink()
    again, unread = pickle.loads(sent)
    assert again.digest() == digest
    assert again.names == ("cat",)
    with pytest.raises(UnreadableImageError, match="can't be read"):
        unread.read()


def test_boxes_and_instance_masks_are_regions(dataset: Any, vault: Any) -> None:
    boxed(dataset)
    job = source.labelled_job(dataset, "boxes.detections.label", regions=True)
    assert not job.failures
    assert [item.label for item in job.items[:2]] == [BACKGROUND, "cat"]
    found = job.items[1].regions
    assert found
    made = found.on(SIDE, SIDE)
    assert made.names == ("cat", "dog")
    wanted = np.zeros((SIDE, SIDE), np.uint8)
    wanted[: SIDE * 4 // 10] = 1
    wanted[SIDE * 3 // 4 :, SIDE // 2 :] = 2
    assert np.array_equal(made.places, wanted)
    assert job.items[1].regions.digest() == job.items[2].regions.digest()
    assert job.items[0].regions.digest() != job.items[1].regions.digest()


@pytest.mark.slow
def test_each_box_is_perturbed_and_nothing_beside_it(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    boxed(dataset)
    made = protect(dataset, label_field="boxes", method="rue")
    assert made.protected == COUNT
    (remark,) = made.remarks
    assert remark.startswith("1 image has no region of a class")
    first, second = dataset.head(2)
    plain, changed = (
        np.abs(pixels(one.protected_filepath).astype(int) - pixels(one.filepath))
        for one in (first, second)
    )
    assert plain.max() <= 2
    assert changed[:16].max() > 3
    assert changed[24:32, :16].max() <= 2
    assert changed[32:, 24:].max() > 3
    config = runs.get_config(dataset, made.release)
    assert config["label_field"] == "boxes.detections.label"
    assert protect(dataset, label_field="boxes", method="rue").protected == 0
    second["boxes"].detections[0].label = "dog"
    second.save()
    again = protect(dataset, label_field="boxes", method="rue")
    assert (again.protected, again.changed) == (1, 1)
    back = reue.restore_samples(dataset, output_dir=tmp_path / "back", progress=False)
    assert back.restored == COUNT
    dataset.reload()
    for sample in dataset.head(2):
        assert np.array_equal(pixels(sample.restored_filepath), pixels(sample.filepath))


def test_methods_for_whole_images_are_refused_or_told_so(
    dataset: Any, protect: Any
) -> None:
    boxed(dataset)
    with pytest.raises(InputError, match="whole image, not for each object"):
        protect(dataset, label_field="boxes", method="lsp")
    found = expected_classes(dataset, "boxes", method="lsp")
    assert found.problem
    assert "whole image" in found.problem
    assert "46 boxes of 2 classes" in expected_classes(dataset, "boxes").text
    some = dataset.skip(1).limit(2)
    made = protect(some, label_field="boxes", method="lsp", whole_images=True)
    assert made.protected == 2


@pytest.mark.slow
def test_a_release_of_whole_images_goes_on_so(dataset: Any, protect: Any) -> None:
    boxed(dataset)
    some = dataset.skip(1)
    words = {"label_field": "boxes", "method": "rue"}
    single = some.match({"kind": "coffee"})
    single.set_field("boxes.detections.label", "dog").save()
    dataset.reload()
    assert protect(some.limit(4), whole_images=True, **words).protected == 4
    made = protect(some.limit(6), **words)
    assert (made.protected, made.skipped) == (2, 4)
    assert "begun with whole images perturbed" in made.remarks[-1]


def test_masks_are_regions_wherever_they_are(
    dataset: Any, vault: Any, tmp_path: Path
) -> None:
    import fiftyone as fo

    mask = np.zeros((20, 20), np.uint8)
    mask[:10] = 3
    mask[10:, 10:] = 9
    Image.fromarray(mask).save(tmp_path / "mask.png")
    colours = np.zeros((20, 20, 3), np.uint8)
    colours[:10] = (255, 0, 0)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    kinds = (
        fo.Segmentation(mask=mask),
        fo.Segmentation(mask_path=str(tmp_path / "mask.png")),
        fo.Segmentation(mask=np.zeros((5, 5), np.uint8)),
        None,
        fo.Segmentation(mask_path=str(tmp_path / "gone.png")),
    )
    dataset.set_values("seen", [kinds[n % 5] for n in range(COUNT)])
    dataset.mask_targets = {"seen": {3: "sky"}}
    dataset.save()
    path = source.label_path(dataset, "seen")
    assert path == "seen.mask"
    job = source.labelled_job(dataset, path, regions=True)
    assert [item.label for item in job.items[:4]] == [
        *("sky", "sky", BACKGROUND, BACKGROUND)
    ]
    assert "gone.png can't be read" in job.failures[0].reason
    first, second = (item.regions for item in job.items[:2])
    assert first
    assert second
    for found in (first, second):
        made = found.on(40, 40)
        assert made.names == ("9", "sky")
        assert np.array_equal(made.places[::2, ::2] == 2, mask == 3)
        assert np.array_equal(made.places[::2, ::2] == 1, mask == 9)
    assert first.digest() == second.digest()
    whole = source.labelled_job(dataset.limit(2), path)
    assert [item.label for item in whole.items] == ["sky", "sky"]

    dataset.set_values(
        "seen", [fo.Segmentation(mask_path=str(tmp_path / "colours.png"))] * COUNT
    )
    dataset.mask_targets = {"seen": {"#ff0000": "fire"}}
    dataset.save()
    (found,) = regions.regions_of(dataset.limit(1), path)
    assert found.names == ("fire",)
    assert np.array_equal(found.on(20, 20).places == 1, colours[..., 0] > 0)


def test_masks_are_turned_as_pictures_are() -> None:
    mask = np.zeros((2, 4), np.uint8)
    mask[:, 2:] = 7
    found = regions.Segmented(regions.Mask.of(mask, None), {7: "sky"})
    assert found.on(2, 4).places.tolist() == [[0, 0, 1, 1]] * 2
    assert found.on(4, 2, 6).places.tolist() == [[1, 1], [1, 1], [0, 0], [0, 0]]


def test_instance_masks_may_go_beyond_the_image() -> None:
    mask = regions.Mask.of(np.ones((3, 3), bool), None)
    assert mask
    places = np.zeros((10, 10), np.uint8)
    regions.Cutout(Box(-0.2, 0.8, 0.4, 0.4), mask).paint(places, 5, (10, 10))
    assert np.argwhere(places == 5).tolist() == [[8, 0], [8, 1], [9, 0], [9, 1]]
    assert regions.Mask.of(None, None) is None
    with pytest.raises(UnreadableImageError, match="can't be read"):
        regions.Mask("nowhere.png").read()
