"""No place of any file format carries the original into a copy."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.media.allowed import allowed
from fiftyone_reue.media.codec import encode, load, release_format
from fiftyone_reue.media.raster import Raster
from tests.media.hiding import Hidden
from tests.media.searching import shows

pytestmark = pytest.mark.integration

FORMATS = {
    "PNG": lambda hidden: hidden.pngs(),
    "JPEG": lambda hidden: hidden.jpegs(),
    "WEBP": lambda hidden: hidden.webps(lossless=True),
    "WEBP-LOSSY": lambda hidden: hidden.webps(lossless=False),
    "TIFF": lambda hidden: hidden.tiffs(),
    "BMP": lambda hidden: hidden.bmps(),
    "GIF": lambda hidden: hidden.gifs(),
    "PNM": lambda hidden: hidden.pnms(),
}


@pytest.fixture(scope="module")
def picture(photos) -> np.ndarray:
    return photos["coffee"]


@pytest.mark.parametrize("format", FORMATS)
def test_no_place_shows_the_original(format, picture):
    failures = []
    for place, data in FORMATS[format](Hidden(picture)):
        loaded = load(data, name=place)
        raster = loaded.raster
        assert raster.format == format, place
        kind = release_format(raster)
        kept = allowed(raster.metadata, kind)
        copy = encode(Raster(raster.samples, raster.format, kept.metadata), kind)
        assert Image.open(io.BytesIO(copy)).tobytes(), place
        assert cv2.imdecode(np.frombuffer(copy, np.uint8), -1) is not None, place
        found = shows(copy, picture)
        if found:
            failures.append(f"{place}: {found}")
        if not (kept.withheld or loaded.left_out):
            failures.append(f"{place}: nothing was said to be withheld")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("format", FORMATS)
def test_the_search_finds_each_where_nothing_is_withheld(format, picture):
    places = list(FORMATS[format](Hidden(picture)))
    missed = [place for place, data in places if not shows(data, picture)]
    assert places
    assert not missed
