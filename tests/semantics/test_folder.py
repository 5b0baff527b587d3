import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import InputError
from fiftyone_reue.semantics.folder import folder_images

pytestmark = pytest.mark.unit


def _paint(path, colour, width=20, height=20):
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (width, height), colour).save(path)


@pytest.fixture
def folder(tmp_path):
    _paint(tmp_path / "cat" / "b.png", (2, 2, 2))
    _paint(tmp_path / "cat" / "a.png", (1, 1, 1))
    _paint(tmp_path / "cat" / "c.png", (3, 3, 3))
    _paint(tmp_path / "dog" / "only.png", (9, 8, 7))
    (tmp_path / "dog" / "notes.txt").write_text("not an image")
    _paint(tmp_path / "unused" / "a.png", (5, 5, 5))
    return tmp_path


def test_the_first_images_by_name_are_taken_and_too_few_repeat(folder):
    images = folder_images(folder, ["dog", "cat"], 2, 16)
    assert images.shape == (2, 2, 16, 16, 3)
    assert images.dtype == np.uint8
    assert images[0, 0, 0, 0].tolist() == images[0, 1, 0, 0].tolist() == [9, 8, 7]
    assert images[1, :, 0, 0, 0].tolist() == [1, 2]
    again = folder_images(folder, ["cat"], 7, 16)
    assert again[0, :, 3, 3, 0].tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_the_middle_of_an_oblong_image_is_taken(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    (tmp_path / "cat").mkdir()
    Image.fromarray(wide).save(tmp_path / "cat" / "wide.png")
    assert (folder_images(tmp_path, ["cat"], 1, 16) == 200).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
def test_gray_deep_and_transparent_images_become_rgb(tmp_path, mode):
    (tmp_path / "cat").mkdir()
    Image.new(mode, (20, 30)).save(tmp_path / "cat" / "a.png")
    assert folder_images(tmp_path, ["cat"], 1, 16).shape == (1, 1, 16, 16, 3)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: .*give a folder"):
        folder_images(tmp_path / "nowhere", ["cat"], 1, 16)


@pytest.mark.parametrize("name", ["cow", "..", "", "cat/../dog"])
def test_a_class_without_a_folder_is_named(folder, name):
    with pytest.raises(InputError, match=f"class '{name}' has no folder there; make"):
        folder_images(folder, ["cat", name], 1, 16)


def test_a_class_without_images_is_named(folder):
    (folder / "cow").mkdir()
    (folder / "cow" / "readme.md").write_text("")
    with pytest.raises(InputError, match="no image to hide for class 'cow'; put"):
        folder_images(folder, ["cow"], 1, 16)


def test_an_image_that_cannot_be_read_is_named_with_its_class(folder):
    (folder / "dog" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"damaged\.png: .*class 'dog': replace"):
        folder_images(folder, ["dog"], 1, 16)


def test_only_what_is_taken_must_be_readable(folder):
    (folder / "cat" / "z.png").write_bytes(b"")
    assert folder_images(folder, ["cat"], 3, 16).shape[1] == 3
