"""COCO files, whole and with what is wrong in those that people have."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.coco import Coco, read_coco
from fiftyone_reue.batch.regions import BACKGROUND
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit

WHOLE: dict[str, Any] = {
    "info": {"contributor": "somebody"},
    "licenses": [{"id": 1, "name": "CC BY", "url": "https://example.org", "x": 1}],
    "images": [
        {"id": 1, "file_name": "a.png", "width": 20, "height": 10, "license": 1},
        {"id": 2, "file_name": "deep/b.jpg", "width": 20, "height": 10},
        {"id": 3, "file_name": "deep/c.PNG", "coco_url": "https://example.org/c"},
    ],
    "categories": [
        {"id": 1, "name": "cat", "supercategory": "animal"},
        {"id": 2, "name": "dog"},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10]},
        {
            **{"id": 2, "image_id": 1, "category_id": 2, "iscrowd": 0, "mood": "good"},
            "segmentation": [[12, 0, 20, 0, 20, 5, 12, 5]],
            "bbox": [12, 0, 8, 5],
        },
        {
            **{"id": 3, "image_id": 2, "category_id": 1, "iscrowd": 1},
            "segmentation": {"size": [10, 20], "counts": [0, 100, 100]},
        },
    ],
}


class Given:
    """A folder with three images, and a way to read an annotation file of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "images/deep").mkdir(parents=True)
        for name in ("a.png", "deep/b.jpg", "deep/c.PNG"):
            Image.new("RGB", (20, 10)).save(root / "images" / name)
        self.content = copy.deepcopy(WHOLE)

    def read(self, data: bytes | None = None) -> Coco:
        path = self.root / "found.json"
        path.write_bytes(json.dumps(self.content).encode() if data is None else data)
        return read_coco(path, self.root / "images", self.root / "out")

    def refused(self, data: bytes | None = None) -> str:
        with pytest.raises(InputError) as caught:
            self.read(data)
        return str(caught.value)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


def test_images_have_their_regions(given: Given) -> None:
    found = given.read()
    assert [(i.sample_id, i.label, i.output) for i in found.items] == [
        ("a.png", "cat", "a"),
        ("deep/b.jpg", "cat", "deep/b"),
        ("deep/c.PNG", BACKGROUND, "deep/c"),
    ]
    first, second, third = (item.regions for item in found.items)
    assert first
    assert second
    assert third
    places = first.on(10, 20).places
    assert first.names == ("cat", "dog")
    assert places[0].tolist() == [1] * 10 + [0] * 2 + [2] * 8
    assert second.on(10, 20).places[3].tolist() == [1] * 10 + [0] * 10
    assert not third.on(10, 20).names
    assert found.remarks[0] == (
        "1 image has no annotation; nothing is added there but the watermark."
    )


def test_releases_have_what_is_annotated_in_their_copies(given: Given) -> None:
    found = given.read()
    outputs = {"a.png": "a.png", "deep/b.jpg": "deep/b_2.jpg"}
    content = json.loads(found.released(outputs))
    assert content["info"] == {}
    assert content["images"] == [
        {"id": 1, "width": 20, "height": 10, "file_name": "a.png", "license": 1},
        {"id": 2, "width": 20, "height": 10, "file_name": "deep/b_2.jpg"},
    ]
    assert content["categories"] == WHOLE["categories"]
    assert [one["id"] for one in content["annotations"]] == [1, 2, 3]
    assert content["annotations"][2] == WHOLE["annotations"][2]
    assert "mood" not in content["annotations"][1]
    assert "example.org/c" not in json.dumps(content)
    assert found.withheld() == [
        *("annotations.mood", "images.coco_url", "info", "licenses.x"),
    ]
    less = json.loads(found.released({"a.png": "a.png"}))
    assert [one["id"] for one in less["annotations"]] == [1, 2]
    assert not json.loads(found.released({}))["images"]


def test_what_a_person_should_know_is_said(given: Given) -> None:
    Image.new("RGB", (20, 10)).save(given.root / "images/other.png")
    given.content["annotations"] += [
        {"id": 8, "image_id": 77, "category_id": 1, "bbox": [0, 0, 1, 1]},
        {"id": 9, "image_id": 3, "category_id": 1},
        {"id": 10, "image_id": 3, "category_id": 5, "bbox": [0, 0, 20, 10]},
    ]
    found = given.read()
    assert found.items[2].label == "category 5"
    assert found.remarks[:4] == [
        "1 image in the folder isn't named in found.json and left out: other.png.",
        "1 annotation is of an image that the file doesn't list, and left out.",
        "1 annotation has neither a mask nor a box within the image, and no texture of "
        "its own.",
        "Categories that the file doesn't name are classes too: category 5.",
    ]


@pytest.mark.parametrize(
    "box", [[0, 0, -5, 5], [1, 1, 0, 0], [20, 0, 5, 5], [-9, 0, 9, 5]]
)
def test_a_box_outside_its_image_is_none(given: Given, box: list[int]) -> None:
    before = given.read()
    given.content["annotations"][0]["bbox"] = box
    assert given.read().remarks != before.remarks


def test_nothing_that_the_format_has_not_goes_along(given: Given) -> None:
    given.content["annotations"][0] |= {
        "iscrowd": {"path": "/home/me"},
        "area": "secret",
        "keypoints": ["secret"],
    }
    given.content["annotations"][2]["segmentation"]["path"] = "/home/me"
    given.content["categories"][0]["supercategory"] = {"path": "/home/me"}
    given.content["licenses"][0]["url"] = "file:///home/me"
    found = given.read()
    names = {item.sample_id: item.sample_id for item in found.items}
    told = found.released(names).decode()
    assert "/home/me" not in told
    assert "secret" not in told
    assert "annotations.segmentation" in found.withheld()
    assert json.loads(told)["annotations"][2]["segmentation"].keys() == {
        *("size", "counts")
    }


def test_file_names_may_be_of_windows_or_absolute(given: Given) -> None:
    whole = given.root / "images/a.png"
    given.content["images"][0]["file_name"] = str(whole)
    given.content["images"][1]["file_name"] = "deep\\b.jpg"
    given.content["images"][2]["file_name"] = "./deep/c.PNG"
    names = [item.sample_id for item in given.read().items]
    assert names == ["a.png", "deep/b.jpg", "deep/c.PNG"]


def test_an_image_that_is_gone_fails_alone(given: Given) -> None:
    given.content["images"][0]["file_name"] = "gone.png"
    found = given.read()
    assert len(found.items) == 3
    assert not Path(found.items[2].path).exists()
    said = "1 image that it names isn't there, gone.png; a copy"
    assert any(one.startswith(said) for one in found.remarks)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "isn't JSON"),
        (b'{"images": [}', "isn't JSON"),
        (b"\xff\xfe{", "isn't JSON"),
        (b"[" * 100_000, "isn't JSON"),
        (b"[]", "a list of results"),
        (b"{}", "no list of images"),
        (b'{"images": []}', "list of images is empty"),
        (b'{"images": [3]}', "number 0 of its images is no object"),
        (b'{"images": [{"id": 1}]}', "image 1 has no file_name"),
        (b'{"images": [{"id": [], "file_name": "a"}]}', "an image has the id"),
    ],
)
def test_what_isnt_coco_is_refused(given: Given, data: bytes, said: str) -> None:
    assert said in given.refused(data)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("images.1.id", 1, "two images have the id 1"),
        ("images.1.file_name", "a.png", "two images have the file_name 'a.png'"),
        ("images.1.file_name", "../b.jpg", "isn't in"),
        ("images.1.file_name", "/etc/b.jpg", "isn't in"),
        ("images.0.width", -4, "is -4 wide and 10 high"),
        ("images.0.width", "20", "is '20' wide"),
        ("annotations", None, "no list of annotations"),
        ("categories", {"1": "cat"}, "no list of categories"),
        ("categories.0.name", None, "a category has the id 1 and the name None"),
        ("categories.1.id", 1, "two categories have the id 1"),
        ("annotations.0.category_id", None, "annotation 1 has the category_id None"),
        ("annotations.0.bbox", [1, 2, 3], "bbox of annotation 1: [1, 2, 3] aren't 4"),
        ("annotations.0.bbox", [1, 2, 3, "4"], "'4' is no number of pixels"),
        ("annotations.0.bbox", [1, 2, 3, float("nan")], "nan is no number of pixels"),
        ("annotations.0.bbox", [1, 2, 3, 10**400], "000 is no number of pixels"),
        ("annotations.1.id", 1, "two annotations have the id 1"),
        ("annotations.0.bbox", [1, 2, 3, 1e300], "1e+300 is no number of pixels"),
        ("annotations.1.segmentation", [[1, 2, 3, 4]], "a polygon has 4 numbers"),
        ("annotations.1.segmentation", [3], "aren't its numbers"),
        ("annotations.1.segmentation", "x", "neither polygons nor run lengths"),
        ("annotations.2.segmentation", {"size": [1, 1]}, "it is incomplete"),
        ("annotations.2.segmentation.counts", [5], "its runs make 5 pixels, not 200"),
        ("annotations.2.segmentation.size", [0, 2], "its size is [0, 2]"),
        ("annotations.2.segmentation.size", [1 << 20, 1 << 20], "its size is"),
    ],
)
def test_what_makes_no_sense_is_named(
    given: Given, where: str, value: object, said: str
) -> None:
    *steps, last = where.split(".")
    place: Any = given.content
    for step in steps:
        place = place[int(step) if isinstance(place, list) else step]
    place[last] = value
    refused = given.refused()
    assert said in refused
    assert "found.json" in refused


def test_a_folder_of_other_images_is_named(given: Given) -> None:
    for number, one in enumerate(given.content["images"]):
        one["file_name"] = f"train/{number}.png"
    assert "of 3 images that found.json names none is there, train/0.png" in (
        given.refused()
    )
    with pytest.raises(InputError, match="no such annotation file"):
        read_coco(given.root / "nowhere", given.root / "images", given.root / "out")
    with pytest.raises(InputError, match="lie within one another"):
        read_coco(given.root / "found.json", given.root, given.root / "out")


def test_masks_of_other_sides_are_stretched(given: Given) -> None:
    given.content["annotations"][2]["segmentation"] = {"size": [1, 2], "counts": "111"}
    with pytest.raises(InputError, match="its runs make"):
        given.read()
    given.content["annotations"][2]["segmentation"] = {"size": [1, 2], "counts": "11"}
    found = given.read().items[1].regions
    assert found
    assert np.flatnonzero(found.on(10, 20).places[0]).tolist() == list(range(10, 20))
