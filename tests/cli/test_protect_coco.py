"""``reue protect --coco``: regions of their own classes, and what goes along."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.unit

WORDS = ("--vault", "@vault", "--recipient", "alice")


@pytest.fixture
def annotated(place):
    """Three PNG files and a JPEG of 80 x 64 pixels; in the first is nothing."""
    source = Path(place.path("source"))
    shutil.rmtree(source)
    draw = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(4):
        name = f"photos/{number}.{'jpg' if number == 3 else 'png'}"
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = draw.integers(70, 180, (64, 80, 3)).astype(np.uint8)
        Image.fromarray(samples).resize((80, 64)).save(path)
        images.append({"id": number, "file_name": name, "width": 80, "height": 64})
        if number:
            box = [8, 8, 32, 24]
            annotations.append(
                {"id": number, "image_id": number, "category_id": 1, "bbox": box}
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat"}],
    }
    write(place, content)
    return content


def write(place, content: dict) -> None:
    (place.root / "instances.json").write_text(json.dumps(content))


def changes(place, name: str) -> np.ndarray:
    return np.abs(
        np.array(Image.open(place.root / "out" / name)).astype(int)
        - np.array(Image.open(place.root / "source" / name))
    )


@pytest.mark.slow
def test_regions_go_out_and_everything_comes_back(place, annotated):
    made = place.json("protect", "@source", "@out", *WORDS, "--coco", "@instances.json")
    assert made["protected"] == 4
    assert made["strangers"] == []
    assert made["remarks"] == [
        "1 image has no annotation; nothing is added there but the watermark."
    ]
    box = changes(place, "photos/1.png")[8:32, 8:40]
    beside = changes(place, "photos/1.png")[32:]
    assert box.max() > 5
    assert beside.max() <= 2
    assert changes(place, "photos/0.png").max() <= 2
    released = json.loads((place.root / "out/instances.json").read_text())
    assert [one["file_name"] for one in released["images"]] == [
        one["file_name"] for one in annotated["images"]
    ]
    assert released["annotations"] == annotated["annotations"]
    assert "instances" not in (place.root / "out/manifest.json").read_text()

    place.ok("restore", "@out", "@back", "--vault", "@vault")
    for path in (place.root / "source").rglob("*.*"):
        back = place.root / "back" / path.relative_to(place.root / "source")
        assert back.read_bytes() == path.read_bytes()
    place.ok("restore", "@out", "@theirs", "--key", "@alice.key")
    found = place.json("extract", "@out", "--vault", "@vault")
    assert (found["decision"], found["images_matched"]) == ("match", 4)


@pytest.mark.slow
def test_what_is_annotated_otherwise_is_protected_again(place, annotated):
    words = ("protect", "@source", "@out", *WORDS, "--coco", "@instances.json")
    place.ok(*words)
    assert place.json(*words)["protected"] == 0
    annotated["annotations"][1]["bbox"] = [40, 8, 32, 24]
    annotated["annotations"].pop()
    write(place, annotated)
    again = place.json(*words)
    assert (again["protected"], again["changed"], again["skipped"]) == (2, 2, 2)
    released = json.loads((place.root / "out/instances.json").read_text())
    assert released["annotations"] == annotated["annotations"]
    annotated["categories"][0]["name"] = "tiger"
    write(place, annotated)
    assert "'tiger' was not there when this release was fitted" in place.fails(*words)
    assert "perturbed 'by region', not 'as whole images'" in place.fails(
        *words, "--whole-images"
    )
    (name,) = (
        one["name"]
        for one in place.json("release", "list", "--vault", "@vault")["releases"]
    )
    place.ok("release", "delete", name, "--vault", "@vault", "--files", "--yes")
    assert not (place.root / "out").exists()


def test_other_methods_say_what_they_cant(place, annotated):
    words = ("protect", "@source", "@out", *WORDS, "--coco", "@instances.json")
    said = place.fails(*words, "--method", "lsp")
    assert "'lsp' makes its change for a whole image, not for each object" in said
    assert "--whole-images" in said
    assert not (place.root / "out").exists()
    whole = place.json(*words, "--method", "lsp", "--whole-images")
    assert whole["protected"] == 4
    assert changes(place, "photos/1.png")[32:].max() > 4


def test_two_words_for_the_classes_are_one_too_many(place, annotated):
    words = ("protect", "@source", "@out", *WORDS, "--coco", "@instances.json")
    assert "both say what classes are" in place.fails(
        *words, "--classes-at", "1", status=2
    )
    assert "both say what classes are" in place.fails(
        *words, "--clusters", "2", status=2
    )
    (place.root / "manifest.json").write_text(json.dumps(annotated))
    said = place.fails("protect", "@source", "@out", *WORDS, "--coco", "@manifest.json")
    assert "manifest.json: a file of this name can't lie beside the copies" in said
