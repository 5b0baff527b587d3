"""The shared fixtures are what they say, and the tests are really isolated."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.unit
def test_nothing_of_the_user_is_in_reach(fiftyone_folder: Path) -> None:
    ours = {name for name in os.environ if name.startswith("REUE_")}
    assert ours == {"REUE_BFLOAT16"}
    for name in ("DATABASE_DIR", "PLUGINS_DIR", "DEFAULT_DATASET_DIR", "CONFIG_PATH"):
        assert Path(os.environ[f"FIFTYONE_{name}"]).parent == fiftyone_folder


@pytest.mark.slow
@pytest.mark.unit
def test_one_thread_whatever_the_shell_says() -> None:
    """Also for what the tests start: threads that spin starve a busy machine."""
    program = "import torch; print(torch.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


@pytest.mark.slow
@pytest.mark.integration
def test_fiftyone_follows_the_isolation(fiftyone_folder: Path) -> None:
    fiftyone = pytest.importorskip("fiftyone")
    assert fiftyone.config.database_dir == str(fiftyone_folder / "db")
    assert fiftyone.config.database_name == fiftyone_folder.name
    assert fiftyone.config.plugins_dir == str(fiftyone_folder / "plugins")
    assert fiftyone.config.do_not_track


@pytest.mark.unit
def test_photos_are_natural_and_read_only(photos: dict[str, np.ndarray]) -> None:
    assert len(photos) == 10
    for photo in photos.values():
        assert (photo.shape, photo.dtype) == ((96, 128, 3), np.uint8)
        assert photo.std() > 5
        with pytest.raises(ValueError, match="read-only"):
            photo[0] = 0


@pytest.mark.slow
@pytest.mark.unit
def test_cifar10(cifar10: Callable[[int, int], dict[str, np.ndarray]]) -> None:
    data = cifar10(200, 100)
    assert data["x_train"].shape == (200, 32, 32, 3)
    assert data["x_test"].shape == (100, 32, 32, 3)
    assert set(np.unique(data["y_train"])) == set(range(10))
    assert "airplane" in data["classes"]


@pytest.mark.unit
def test_kodak(kodak: Callable[[int], list[np.ndarray]]) -> None:
    photos = kodak(2)
    assert [sorted(photo.shape) for photo in photos] == [[3, 512, 768]] * 2


@pytest.mark.unit
def test_imagenette(imagenette_files: Callable[[int], list[bytes]]) -> None:
    files = imagenette_files(5)
    assert len(set(files)) == 5
    assert all(file.startswith(b"\xff\xd8") for file in files)
