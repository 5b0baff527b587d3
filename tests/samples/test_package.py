"""A dataset's release to hand over: with labels, tags and licence fields."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fiftyone_reue
from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from tests.samples.datasets import COUNT

pytestmark = pytest.mark.integration


@pytest.fixture
def labelled(dataset: Any) -> Any:
    """With boxes, masks, several labels, tags and a licence field on each sample."""
    import fiftyone as fo

    mask = np.zeros((40, 40), np.uint8)
    mask[:20] = 1
    for sample in dataset.iter_samples(autosave=True):
        box = fo.Detection(label="part", bounding_box=[0.25, 0.25, 0.5, 0.5])
        sample["boxes"] = fo.Detections(detections=[box])
        sample["seg"] = fo.Segmentation(mask=mask)
        one = fo.Classification(label="one")
        sample["several"] = fo.Classifications(classifications=[one])
        sample["points"] = fo.Keypoints()
        sample["terms"] = "CC-BY"
        sample.tags.append("train")
    return dataset


def test_labels_go_along_with_the_copies_names(
    labelled: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(labelled[: COUNT - 1])
    wanted = ["ground_truth", "boxes", "seg", "several", "terms"]
    assert set(wanted) < set(reue.packable_fields(labelled))
    output = tmp_path / "pack"
    made = reue.package_samples(
        labelled, "alice_1", output, fields=wanted, vault=vault, progress=False
    )
    assert made.images == COUNT - 1
    names = {
        path.relative_to(output / "images").as_posix()
        for path in (output / "images").rglob("*.png")
    }
    assert len(names) == COUNT - 1
    with (output / "labels/samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["filepath"] for row in rows} == names
    assert {row["tags"] for row in rows} == {"train"}
    assert {row["terms"] for row in rows} == {"CC-BY"}
    assert {row["ground_truth.label"] for row in rows} == {"astronaut", "coffee"}
    coco = json.loads((output / "labels/boxes.json").read_text())
    assert {image["file_name"] for image in coco["images"]} == names
    assert coco["annotations"][0]["bbox"] == [10.0, 10.0, 20.0, 20.0]
    for name in names:
        with Image.open(output / "labels/seg" / name) as image:
            assert np.asarray(image)[:20].all()
    several = json.loads((output / "labels/several.json").read_text())["labels"]
    assert set(map(tuple, several.values())) == {("one",)}
    texts = [path for path in output.rglob("*") if path.suffix in (".json", ".csv")]
    assert not any(str(tmp_path) in path.read_text() for path in texts)

    restored = fiftyone_reue.restore(
        output / "images", tmp_path / "w", key=tmp_path / "alice.key", progress=False
    )
    assert (restored.outcome.done, restored.outcome.failures) == (COUNT - 1, [])


def test_the_classes_alone_are_packed_unless_more_is_asked_for(
    labelled: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(labelled)
    datasets = set(_datasets())
    output = tmp_path / "pack"
    reue.package_samples(labelled, "alice_1", output, vault=vault, progress=False)
    files = sorted(path.name for path in (output / "labels").iterdir())
    assert files == ["samples.csv"]
    header = (output / "labels/samples.csv").read_text().splitlines()[0]
    assert header == "filepath,tags,ground_truth.label"
    assert set(_datasets()) == datasets
    with pytest.raises(InputError, match="'points' can't go into a package; these can"):
        reue.package_samples(
            labelled, "alice_1", tmp_path / "b", fields=["points"], vault=vault
        )
    with pytest.raises(InputError, match="whole path"):
        reue.package_samples(labelled, "alice_1", "pack", vault=vault, progress=False)


def _datasets() -> list[str]:
    import fiftyone as fo

    return fo.list_datasets()
