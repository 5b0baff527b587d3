"""The pictures of the README and the pages."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.docs.examples import REPO

pytestmark = pytest.mark.unit

IMAGES = REPO / "docs/images"
PAGES = (REPO / "README.md", *sorted((REPO / "docs").rglob("*.md")))
MOST_BYTES = 2_000_000
"""GitHub shows larger ones late."""


def pictures_of(page: Path) -> set[Path]:
    """The files that a page shows."""
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text("utf-8"))
    return {(page.parent / name).resolve() for name in names}


def test_what_is_shown_is_there_and_what_is_there_is_shown() -> None:
    shown = set().union(*map(pictures_of, PAGES))
    assert all(path.is_file() for path in shown)
    assert shown >= {path for path in IMAGES.rglob("*.*") if path.is_file()}


def test_the_tour_is_one_small_animation() -> None:
    path = IMAGES / "tour.webp"
    assert path.stat().st_size < MOST_BYTES
    with Image.open(path) as tour:
        assert tour.is_animated
        assert tour.n_frames > 1
        assert tour.info["loop"] == 0


def test_thumbnails_are_of_one_size() -> None:
    sizes = set()
    for path in (IMAGES / "thumbnails").iterdir():
        with Image.open(path) as image:
            sizes.add(image.size)
    assert len(sizes) == 1  # they stand in rows
