import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_scenes_of_ones_own_are_hidden(place, same):
    words = ["--vault", "@vault", "--recipient", "alice"]
    own = [*words, "--method", "deep_hiding", "--scenes", "@own"]
    folder = Path(place.path("own"))
    folder.mkdir()
    assert "has no folder there" in place.fails("protect", "@source", "@p", *own)
    for number, kind in enumerate(sorted(Path(place.path("source")).iterdir())):
        (folder / kind.name).mkdir()
        scene = np.zeros((64, 64, 3), np.uint8)
        scene[:, 16 * number : 16 * number + 24] = 255
        Image.fromarray(scene).save(folder / kind.name / "scene.png")
    assert "has no option 'scenes'" in place.fails(
        "protect", "@source", "@p", *words, "--method", "lsp", "--scenes", "@own"
    )
    place.ok("protect", "@source", "@p", *own)
    place.ok("protect", "@source", "@q", *own[:-2])
    assert not same(place.path("p"), place.path("q"))
    place.ok("restore", "@p", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))
    assert "options" in place.fails("protect", "@source", "@p", *own[:-2])


@pytest.mark.slow
def test_clusters_come_before_folders(place):
    done = place.protect("alice", "@p", "--clusters", "2", "--json")
    assert json.loads(done.stdout)["protected"] == 12
    told = Path(place.path("p"), "manifest.json").read_text()
    assert "cluster" not in told
    assert not list(Path(place.path("p")).rglob("*cluster*"))
    (name,) = (
        one["name"]
        for one in place.json("release", "list", "--vault", "@vault")["releases"]
    )
    shown = place.json("release", "show", name, "--vault", "@vault")
    assert set(shown["classes"]) == {"cluster-00", "cluster-01"}


@pytest.mark.slow
def test_rue_is_the_default_and_repeats_with_a_seed(place, same):
    words = ("--vault", "@vault", "--recipient", "alice", "--device", "cpu")
    first = place.json("protect", "@source", "@a", *words, "--seed", "7")
    assert first["method"] == "rue"
    assert first["protected"] == 12
    place.ok("protect", "@source", "@b", *words, "--seed", "7")
    place.ok("protect", "@source", "@c", *words, "--seed", "8")
    assert same(place.path("a"), place.path("b"))
    assert not same(place.path("a"), place.path("c"))
    place.ok("restore", "@a", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [3, 8, 32])
def test_epsilon_bounds_every_sample(place, epsilon, images):
    assert place.protect("alice", "@out", "--epsilon", str(epsilon)).exit_code == 0
    originals = images(place.path("source"))
    for name, samples in images(place.path("out")).items():
        change = np.abs(samples.astype(int) - originals[name])
        assert epsilon / 2 < change.max() <= epsilon


@pytest.mark.slow
def test_a_second_run_writes_nothing_and_a_third_what_is_missing(place):
    def snapshot() -> dict[Path, tuple[bytes, int]]:
        files = [p for p in Path(place.path("out")).rglob("*") if p.is_file()]
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in files}

    place.protect("alice", "@out")
    before = snapshot()
    report = json.loads(place.protect("alice", "@out", "--json").stdout)
    assert (report["protected"], report["skipped"], report["failed"]) == (0, 12, 0)
    assert snapshot() == before
    (place.root / "out/brick/2.png").unlink()
    report = json.loads(place.protect("alice", "@out", "--json").stdout)
    assert (report["protected"], report["skipped"]) == (1, 11)
    after = snapshot()
    assert {p: b for p, (b, _) in after.items()} == {
        p: b for p, (b, _) in before.items()
    }


@pytest.mark.slow
def test_formats_are_kept(place, same):
    folder = place.root / "source/mixed"
    folder.mkdir()
    image = Image.open(place.path("source/brick/0.png"))
    for suffix, options in {
        "png": {},
        "bmp": {},
        "tif": {},
        "webp": {"lossless": True},
        "jpg": {"quality": 95},
    }.items():
        image.save(folder / f"{suffix}-file.{suffix}", **options)
    out = place.protect("bob", "@out")
    assert out.exit_code == 0
    assert "Written as PNG" not in out.stdout
    written = sorted(p.name for p in (place.root / "out/mixed").iterdir())
    assert written == [
        "bmp-file.bmp",
        "jpg-file.jpg",
        "png-file.png",
        "tif-file.tif",
        "webp-file.webp",
    ]
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))


# Bringing a release up to date


def changed_source(place) -> None:
    """One original replaced, one deleted."""
    path = place.root / "source/brick/1.png"
    with Image.open(path) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(path)
    (place.root / "source/cat/2.png").unlink()


@pytest.mark.slow
def test_what_changed_is_counted_and_what_is_obsolete_named(place):
    place.protect("alice", "@out")
    changed_source(place)
    result = place.protect("alice", "@out")
    assert result.exit_code == 0
    assert "1 protected, 10 were there, 0 failed" in result.stdout
    assert (
        "1 of them anew: the original, its name or its class had changed"
        in result.stdout
    )
    assert "1 copy has no original any more: cat/2.png. Kept; --prune" in result.stdout
    assert (place.root / "out/cat/2.png").is_file()
    report = json.loads(place.protect("alice", "@out", "--json").stdout)
    assert (report["changed"], report["pruned"]) == (0, 0)
    assert report["obsolete"] == ["cat/2.png"]
    report = json.loads(place.protect("alice", "@out", "--json", "--prune").stdout)
    assert (report["changed"], report["obsolete"], report["pruned"]) == (0, [], 1)
    assert not (place.root / "out/cat/2.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_obsolete_copies_go_after_a_question(place, monkeypatch, answer):
    place.protect("alice", "@out")
    changed_source(place)
    asked = []

    def confirm(question, **_):
        asked.append(question)
        return answer == "y"

    monkeypatch.setattr("fiftyone_reue.cli.protect._at_a_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", confirm)
    result = place.protect("alice", "@out")
    assert "1 copy has no original any more: cat/2.png" in asked[0]
    assert (place.root / "out/cat/2.png").exists() == (answer == "n")
    assert ("1 copy without an original taken out" in result.stdout) == (answer == "y")
    assert json.loads(place.protect("alice", "@out", "--json").stdout)["pruned"] == 0
    assert len(asked) == 1


@pytest.mark.slow
def test_a_renamed_source_is_said_and_gone_on_with(place):
    place.protect("alice", "@out")
    was = place.root / "source"
    was.rename(place.root / "renamed")
    words = ["--vault", "@vault", "--recipient", "alice", "--method", "lsp"]
    done = place.ok("protect", "@renamed", "@out", *words)
    assert "0 protected, 12 were there" in done.stdout
    assert f"The source was {was} before; its images are the same" in done.stdout
    report = place.json("protect", "@renamed", "@out", *words)
    assert report["moved_from"] is None


# Classes


def tree(place, *folders: str) -> None:
    """Replace the source by one with these folders, two images in each."""
    images = sorted(Path(place.path("source")).rglob("*.png"))
    pixels = [Image.open(path).copy() for path in images]
    shutil.rmtree(place.path("source"))
    for number, folder in enumerate(folders):
        path = place.root / "source" / folder
        path.mkdir(parents=True)
        for one in range(2):
            turned = pixels[(2 * number + one) % 12].rotate(90 * (number // 6))
            turned.save(path / f"{one}.png")


@pytest.mark.slow
def test_classes_are_told_before_anything_is_begun(place):
    done = place.protect("alice", "@out")
    first = done.stdout.splitlines()[0]
    assert first == "3 classes, 12 images: astronaut 4, brick 4, cat 4"
    report = json.loads(place.protect("bob", "@b", "--json").stdout)
    assert report["classes"] == {"astronaut": 4, "brick": 4, "cat": 4}
    assert report["remarks"] == []


@pytest.mark.slow
def test_splits_are_no_classes(place, same):
    tree(place, "train/cat", "train/dog", "val/cat", "val/dog")
    done = place.protect("alice", "@out")
    assert "2 classes, 8 images: cat 4, dog 4" in done.stdout
    assert "The classes are the folders in train and val" in done.stdout
    assert same(place.path("source"), place.path("out")) is False
    manifest = json.loads(Path(place.path("out"), "manifest.json").read_text())
    assert manifest["images"] == 8
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))


@pytest.mark.slow
@pytest.mark.parametrize("folders", [("train", "val"), ("x/cat", "x/dog", "y/cat")])
def test_classes_are_not_guessed(place, folders):
    tree(place, *folders)
    words = ["--vault", "@vault", "--recipient", "alice", "--method", "lsp"]
    said = place.fails("protect", "@source", "@out", *words)
    assert "which folders are the classes isn't plain" in said
    assert f"{folders[0]} 2" in said
    assert not Path(place.path("out")).exists()
    first = place.json("protect", "@source", "@out", *words, "--classes-at", "1")
    assert set(first["classes"]) == {folder.split("/")[0] for folder in folders}
    assert "--classes-at" in place.fails(
        "protect",
        "@source",
        "@o",
        *words,
        "--classes-at",
        "1",
        "--clusters",
        "2",
        status=2,
    )


def test_one_class_is_refused_before_anything_is_begun(place):
    tree(place, "cat")
    words = ["--vault", "@vault", "--recipient", "alice", "--method"]
    for method in ("rue", "tap"):
        said = place.fails("protect", "@source", "@out", *words, method)
        assert "Only one class, 'cat', is there" in said
        assert not Path(place.path("out")).exists()
    assert place.json("release", "list", "--vault", "@vault")["releases"] == []
    done = place.ok("protect", "@source", "@out", *words, "lsp")
    assert "There is one class only, cat" in done.stdout


@pytest.mark.slow
def test_classes_of_one_image_are_remarked_on(place):
    for path in Path(place.path("source")).rglob("[1-3].png"):
        path.unlink()
    done = place.protect("alice", "@out")
    assert done.exit_code == 0
    assert "Every class has one image: are these classes?" in done.stdout
    report = json.loads(place.protect("alice", "@out", "--json").stdout)
    assert len(report["remarks"]) == 1


ODD_CLASSES = ("猫", "犬", "a b", "a%2Fb", "x:y", "con", "caf\u00e9", "cafe\u0301")


@pytest.mark.slow
def test_others_read_the_classes_that_were_protected(place):
    datasets = pytest.importorskip("torchvision.datasets")
    tree(place, *ODD_CLASSES, "UP", "up")
    assert place.protect("alice", "@out").exit_code == 0
    read = datasets.ImageFolder(place.path("out"))
    assert len(read.classes) == len(ODD_CLASSES) + 2
    assert len(read) == 2 * len(read.classes)
    assert {"猫", "犬", "a b", "caf\u00e9", "UP"} <= set(read.classes)
    assert len({name.casefold() for name in read.classes}) == len(read.classes)


@pytest.mark.slow
def test_what_is_not_protected_is_counted_and_named(place):
    image = Image.open(place.path("source/brick/0.png"))
    image.rotate(90).save(place.root / "source/brick/x.tga")
    image.rotate(180).save(place.root / "source/brick/photo", "PNG")
    (place.root / "source/notes.txt").write_text("text")
    result = place.protect("alice", "@out")
    assert result.exit_code == 1
    assert "13 protected, 0 were there, 1 failed" in result.stdout
    assert "brick/x.tga: TGA files can't be carried exactly; convert" in result.stderr
    assert "1 other file was passed over: .txt 1." in result.stdout
    report = json.loads(place.protect("alice", "@out", "--json").stdout)
    assert report["passed_over"] == {".txt": 1}
    assert report["failed"] == 1
    assert (place.root / "out/brick/photo.png").is_file()
