"""No place of any file format carries the original into a copy."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.media import ifd
from fiftyone_reue.media.allowed import allowed
from fiftyone_reue.media.codec import encode, load, release_format
from fiftyone_reue.media.ifd import Entry
from fiftyone_reue.media.jpeg import rendered
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import colour_segments
from fiftyone_reue.media.jpeg_segments import metadata_segments
from fiftyone_reue.media.raster import Metadata, Raster
from tests.media.hiding import Hidden, small
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


def copied(raster: Raster, metadata: Metadata, kind: str) -> bytes:
    """The image as protecting writes it, with what it lets through."""
    if kind != "JPEG":
        return encode(Raster(raster.samples, raster.format, metadata), kind)
    assert raster.coded is not None
    found = read(raster.coded)
    segments = [*colour_segments(found), *metadata_segments(metadata)]
    made = rendered(found, segments, metadata).coded
    assert made is not None
    return made


@pytest.fixture(scope="module")
def picture(photos) -> np.ndarray:
    return photos["coffee"]


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_no_place_shows_the_original(format, picture):
    failures = []
    for place, data in FORMATS[format](Hidden(picture)):
        loaded = load(data, name=place)
        raster = loaded.raster
        assert raster.format == format, place
        kind = release_format(raster)
        kept = allowed(raster.metadata, kind)
        copy = copied(raster, kept.metadata, kind)
        assert Image.open(io.BytesIO(copy)).tobytes(), place
        assert cv2.imdecode(np.frombuffer(copy, np.uint8), -1) is not None, place
        found = shows(copy, picture)
        if found:
            failures.append(f"{place}: {found}")
        if not (kept.withheld or loaded.left_out):
            failures.append(f"{place}: nothing was said to be withheld")
    assert not failures, "\n".join(failures)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_the_search_finds_each_where_nothing_is_withheld(format, picture):
    places = list(FORMATS[format](Hidden(picture)))
    missed = [place for place, data in places if not shows(data, picture)]
    assert places
    assert not missed


def _rows(picture: np.ndarray, write: Callable[[np.ndarray], str]) -> Metadata:
    rows = small(picture, 16, 12, "L")
    return Metadata(
        chunks=tuple(
            (b"tEXt", b"row %c\0" % (97 + number) + write(row).encode())
            for number, row in enumerate(rows)
        )
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda row: bytes(row).hex()[::2],
        lambda row: " ".join(map(str, row)),
        lambda row: bytes(row // 10 + 97).decode(),
        lambda row: " ".join(bytes(row // 10 + 97).decode()),
        lambda row: "".join(f"x{' ' * (v // 10)}" for v in row),
    ],
    ids=["hexadecimal", "numbers", "letters", "single letters", "spaces"],
)
def test_no_rows_are_left_of_a_picture_in_many_texts(picture, write):
    kept = allowed(_rows(picture, write))
    assert len(kept.metadata.chunks) <= 2
    assert len(kept.withheld) >= 10


@pytest.mark.parametrize(
    "keyword", [b"blurhash", b"ThumbHash", b"thumbnail", b"Preview", b"page icon"]
)
def test_keywords_of_small_pictures_are_withheld(keyword):
    kept = allowed(Metadata(chunks=((b"tEXt", keyword + b"\0a word"),)))
    assert kept.metadata.chunks == ()


@pytest.mark.parametrize("tag", [270, 271, 272, 285, 305, 315, 316, 33432])
def test_no_tag_carries_a_blurhash(tag):
    value = b"LKO2?U%2Tw=w]~RBVZRi};RPxuwH"
    exif = Hidden(np.zeros((24, 32, 3), np.uint8)).exif(
        Entry(tag, ifd.ASCII, len(value), value)
    )
    for format in ("JPEG", "TIFF"):
        kept = allowed(Metadata(exif=exif), format)
        assert value not in (kept.metadata.exif or b"")
        assert kept.withheld


def test_what_people_write_stays():
    texts = {
        "Title": "A red door with a latch",
        "Author": "村上 春樹 and Łukasz Żółć",
        "Copyright": "© 2019-2024 Jane Q. Photographer",
        "Creation Time": "2024-06-12T18:33:44+02:00",
        "Software": "GIMP 2.10.34",
        "date:create": "2024-06-12T18:33:44+00:00",
    }
    chunks = tuple(
        (b"iTXt", key.encode() + b"\0\0\0en\0\0" + text.encode())
        for key, text in texts.items()
    )
    kept = allowed(Metadata(chunks=chunks))
    assert kept.metadata.chunks == chunks
    assert kept.withheld == ()
