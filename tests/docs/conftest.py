"""Small photographs for examples to work on."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a class, with six tiles of 32 pixels each."""
    from fiftyone_reue.demo.tiles import build

    folder = tmp_path_factory.mktemp("tiles")
    build(folder / "tiles", size=32, train=6, test=1)
    return folder / "tiles" / "train"
