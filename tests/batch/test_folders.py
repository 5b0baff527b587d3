import io
import os
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_reue.batch.folders import (
    MOST_WAYS,
    all_suspects,
    check_apart,
    image_items,
    labelled_items,
    read_source,
    read_tree,
    suspect_items,
    whole_path,
)
from fiftyone_reue.errors import InputError, UnreadableImageError
from fiftyone_reue.media.codec import load

pytestmark = pytest.mark.unit


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of two classes, with things among them that aren't images."""
    for name in (
        "cat/b.png",
        "cat/a.JPG",
        "cat/deep/er/c.webp",
        "dog/a.b.tif",
        "dog/notes.txt",
        "dog/.hidden.png",
        ".trash/x.png",
        "manifest.json",
    ):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "tree"


def test_images_are_found_in_order_with_classes_and_outputs(tree):
    found = [(i.sample_id, i.label, i.output) for i in labelled_items(tree)]
    assert found == [
        ("cat/a.JPG", "cat", "cat/a"),
        ("cat/b.png", "cat", "cat/b"),
        ("cat/deep/er/c.webp", "cat", "cat/deep/er/c"),
        ("dog/a.b.tif", "dog", "dog/a.b"),
    ]
    assert all(Path(item.path).is_file() for item in labelled_items(tree))


def test_images_outside_any_class_are_named(tree):
    (tree / "loose.png").touch()
    assert next(i.label for i in image_items(tree)) is None
    with pytest.raises(InputError, match=r"1 image in no class.*loose\.png"):
        labelled_items(tree)


def test_splits_are_kept_apart_and_are_no_classes(tmp_path):
    for name in (
        "train/cat/x.png",
        "train/dog/y.png",
        "val/cat/x.png",
        "val/a:b/z.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tree = read_tree(tmp_path)
    assert tree.layout.above == ("train", "val")
    assert [(item.label, item.output) for item in tree.items] == [
        ("cat", "train/cat/x"),
        ("dog", "train/dog/y"),
        ("a:b", "val/a%3Ab/z"),
        ("cat", "val/cat/x"),
    ]
    assert {i.label for i in labelled_items(tmp_path, 1)} == {"train", "val"}
    assert [i.label for i in image_items(tmp_path)] == [i.label for i in tree.items]


def test_classes_that_are_not_plain_are_asked_for(tmp_path):
    for name in ("a/cat/x.png", "a/dog/y.png", "b/cat/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(InputError, match=r"a/cat 1, a/dog 1, b/cat 1.*--classes-at 2"):
        labelled_items(tmp_path)
    assert {i.label for i in labelled_items(tmp_path, 2)} == {"cat", "dog"}
    assert {i.label for i in labelled_items(tmp_path, 1)} == {"a", "b"}
    assert len(image_items(tmp_path)) == 3
    with pytest.raises(InputError, match="3 images in no class folder"):
        labelled_items(tmp_path, 3)


def test_linked_classes_are_read_and_loops_end(tree, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.png").touch()
    (tree / "bird").symlink_to(elsewhere)
    (tree / "dog" / "loop").symlink_to(tree)
    (elsewhere / "self").symlink_to(elsewhere)
    assert [i.sample_id for i in labelled_items(tree) if i.label == "bird"] == [
        "bird/a.png"
    ]
    assert len(labelled_items(tree)) == 5


@pytest.mark.parametrize("first", ["plain", ".hidden"])
@pytest.mark.parametrize("read", [image_items, labelled_items, suspect_items])
def test_links_can_not_lead_on_without_end(tmp_path, read, first):
    """Thirty folders with two links each are a billion ways to the last."""
    top = tmp_path / "top"
    (top / first).mkdir(parents=True)
    (top / first / "deep").symlink_to(tmp_path / "0")
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in "ab":
            (folder / name).symlink_to(tmp_path / str(number + 1))
    (tmp_path / "30").mkdir()
    (tmp_path / "30" / "x.png").touch()
    with pytest.raises(InputError, match=r"in more than 16 ways; remove links"):
        read(top)


def test_a_loop_through_a_hidden_folder_ends(tree):
    (tree / "cat" / ".hidden").mkdir()
    (tree / "cat" / ".hidden" / "up").symlink_to(tree)
    (tree / "cat" / ".hidden" / "x.png").touch()
    assert len(labelled_items(tree)) == 4


def test_a_folder_may_be_linked_several_times(tree):
    for number in range(MOST_WAYS - 1):
        (tree / f"cat{number}").symlink_to(tree / "cat")
    assert len({i.label for i in labelled_items(tree)}) == MOST_WAYS + 1


@pytest.mark.parametrize("read", [image_items, labelled_items])
def test_folders_that_are_not_there_or_empty_are_named(tree, tmp_path, read):
    with pytest.raises(InputError, match=r"none: there is no such folder"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match=r"manifest\.json: this is a file"):
        read(tree / "manifest.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: there is no image.*\.png"):
        read(tmp_path / "empty")


def test_a_suspect_is_a_file_or_a_folder(tree, tmp_path):
    (only,) = suspect_items(tree / "cat/b.png")
    assert (only.sample_id, only.label) == ("b.png", None)
    assert len(suspect_items(tree)) == 4
    with pytest.raises(InputError, match="no such file or folder"):
        suspect_items(tmp_path / "none.png")


def test_suspects_of_one_name_are_told_apart(tmp_path):
    """Else one would be read in the place of the other."""
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for name in ("0.png", f"{kind}.png"):
            (tmp_path / kind / name).touch()
    cats, dog = tmp_path / "cat", tmp_path / "dog" / "0.png"
    found = all_suspects([cats, dog, cats])
    assert {one.sample_id: one.path for one in found} == {
        str(cats / "0.png"): str(cats / "0.png"),
        "cat.png": str(cats / "cat.png"),
        str(dog): str(dog),
    }


def test_names_that_are_not_text_are_shown(tree):
    os.close(os.open(os.fsencode(tree) + b"/cat/\xff.png", os.O_CREAT | os.O_WRONLY))
    (bad,) = (i for i in labelled_items(tree) if "\\" in i.sample_id)
    assert (bad.sample_id, bad.label) == (r"cat/\xff.png", "cat")
    with pytest.raises(UnreadableImageError, match=r"^cat/\\xff\.png.*UTF-8; rename"):
        load(bad.path, name=bad.sample_id)
    (alone,) = suspect_items(Path(bad.path))
    assert alone.sample_id == r"\xff.png"


def test_what_is_no_file_is_one_item_that_can_not_be_read(tree):
    (tree / "cat/self.png").symlink_to("self.png")
    (tree / "cat/gone.png").symlink_to("nothing.png")
    (tree / "dog/zero.png").symlink_to("/dev/zero")
    os.mkfifo(tree / "dog/pipe.png")
    (tree / "dog/loop").symlink_to("loop")
    reasons = {}
    for item in labelled_items(tree):
        try:
            load(item.path, name=item.sample_id)
        except UnreadableImageError as error:
            reasons[item.sample_id] = str(error)
    assert "leads to itself" in reasons["cat/self.png"]
    assert "isn't there" in reasons["cat/gone.png"]
    assert "device" in reasons["dog/zero.png"]
    assert "named pipe" in reasons["dog/pipe.png"]
    for name in ("cat/self.png", "dog/pipe.png", "cat/gone.png"):
        (only,) = suspect_items(tree / name)
        with pytest.raises(UnreadableImageError):
            load(only.path, name=only.sample_id)


def test_what_is_no_image_is_counted_and_what_is_one_is_found(tree):
    image = io.BytesIO()
    Image.new("RGB", (8, 8)).save(image, "JPEG")
    for name in ("cat/IMG_0001", "cat/scan.0002", "dog/x.tga", "dog/y.svg"):
        (tree / name).write_bytes(image.getvalue())
    (tree / "dog/photo.part2").write_bytes(b"8BPS" + bytes(40))
    for name in ("README", "dog/labels.CSV", "dog/more.csv", "cat/.DS_Store"):
        (tree / name).write_bytes(b"text")
    (tree / "Thumbs.db").touch()
    (tree / "cat/link").symlink_to("nothing")
    os.mkfifo(tree / "cat/pipe")
    found = read_tree(tree)
    new = {i.sample_id: i.output for i in found.items if Path(i.path).stem not in "abc"}
    assert new.pop("dog/a.b.tif") == "dog/a.b"
    assert new == {
        "cat/IMG_0001": "cat/IMG_0001",
        "cat/scan.0002": "cat/scan.0002",
        "dog/photo.part2": "dog/photo.part2",
        "dog/x.tga": "dog/x",
        "dog/y.svg": "dog/y",
    }
    assert found.others == {".csv": 2, ".json": 1, ".txt": 1, "no suffix": 3}
    assert found.passed_over() == (
        "7 other files were passed over: .csv 2, .json 1, .txt 1, no suffix 3. "
        "1 hidden file passed over: dog/.hidden.png; rename what is meant to be there "
        "without the dot."
    )


def test_hidden_images_and_classes_are_told_and_litter_is_not(tmp_path):
    image = io.BytesIO()
    Image.new("RGB", (8, 8)).save(image, "PNG")
    for name in ("cat/a.png", ".c/x.png", ".c/deep/y", "cat/.x.png", "cat/.plain"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.getvalue())
    before = read_tree(tmp_path)
    for name in (
        "__MACOSX/cat/._a.png",
        "__MACOSX/cat/b.png",
        "cat/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
        ".git/logo.png",
        "cat/.ipynb_checkpoints/a-checkpoint.png",
        ".Trash-1000/files/a.png",
        "cat/._a.png",
        "cat/.a.png.reue-tmp",
        "cat/.DS_Store",
        ".gitignore",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.getvalue() if "DS" not in name else b"")
    (tmp_path / ".gitignore").write_text("*.tmp")
    found = read_tree(tmp_path)
    assert [item.sample_id for item in found.items] == ["cat/a.png"]
    assert found.hidden == (".c/deep/y", ".c/x.png", "cat/.plain", "cat/.x.png")
    assert found == before
    assert found.passed_over().startswith(
        "4 hidden files passed over: .c/deep/y, for one; rename"
    )


def test_a_folder_without_an_image_says_what_it_has(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(InputError, match=r"no image.*1 other file was passed.*\.csv 1"):
        image_items(tmp_path)
    (tmp_path / ".c").mkdir()
    (tmp_path / ".c/a.png").touch()
    with pytest.raises(InputError, match=r"no image.*1 hidden file passed.*\.c/a\.png"):
        image_items(tmp_path)


def test_outputs_are_names_that_every_system_holds(tmp_path):
    for name in (
        "a:b/x:y.png",
        "a%3Ab/con.png",
        "c/100%.png",
        "c/z..png",
        "猫/é b.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {i.sample_id: i.output for i in labelled_items(tmp_path)} == {
        "a%3Ab/con.png": "a%253Ab/%63on",
        "a:b/x:y.png": "a%3Ab/x%3Ay",
        "c/100%.png": "c/100%",
        "c/z..png": "c/z%2E",
        "猫/é b.png": "猫/é b",
    }
    # What was named by protecting has its name from restoring as well.
    kept = {i.output for i in image_items(tmp_path) if i.output.startswith("a%3Ab/%")}
    assert kept == {"a%3Ab/%63on"}


def test_output_folders_are_given_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert whole_path("~/shown") == whole_path(tmp_path / "shown") == tmp_path / "shown"
    with pytest.raises(InputError, match="whole path, from / on"):
        whole_path("shown")


def test_source_and_output_must_lie_apart(tmp_path):
    check_apart(tmp_path / "a", tmp_path / "b")
    check_apart(tmp_path / "a", tmp_path / "ab")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for source, output in (
        ("a", "a"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("a", "x/../a/b"),
        ("a", "link/b"),
    ):
        with pytest.raises(InputError, match="within one another"):
            check_apart(tmp_path / source, tmp_path / output)


def test_what_is_protected_lies_apart_and_has_classes_unless_clusters_will_be(
    tree: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="lie within one another"):
        read_source(tree, tree / "copies")
    apart = tmp_path / "copies"
    assert read_source(tree, apart).items == read_tree(tree).items
    loose = tmp_path / "loose"
    loose.mkdir()
    Image.new("RGB", (8, 8)).save(loose / "one.png")
    with pytest.raises(InputError, match="no class folder"):
        read_source(loose, apart)
    assert len(read_source(loose, apart, clustered=True).items) == 1


def test_suspects_may_be_several_and_lie_apart_from_results(
    tree: Path, tmp_path: Path
) -> None:
    one = str(tmp_path / "one.png")
    Path(one).touch()
    both = all_suspects([tree, Path(one)], apart_from=tmp_path / "pictures")
    assert [item.path for item in both] == [
        *(item.path for item in image_items(tree)),
        one,
    ]
    with pytest.raises(InputError, match="lie within one another"):
        all_suspects([tree], apart_from=tree / "pictures")
    assert len(all_suspects([Path(one)], apart_from=tree / "pictures")) == 1
