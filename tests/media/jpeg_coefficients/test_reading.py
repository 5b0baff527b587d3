"""What is read of a JPEG file is all that it has, and nothing else is read."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.jpeg import decode
from fiftyone_reue.media.jpeg_coefficients.coefficients import same_picture
from fiftyone_reue.media.jpeg_coefficients.exact import describe, rebuild
from fiftyone_reue.media.jpeg_coefficients.markers import COM, DAC, DHP, DNL, Segment
from fiftyone_reue.media.jpeg_coefficients.reading import read
from tests.media.jpeg_coefficients.encoded import opencv, picture, pillow

pytestmark = pytest.mark.unit


def cosines() -> np.ndarray:
    """(8, 8): the values of each frequency's cosine, orthonormal."""
    k, x = np.mgrid[:8, :8]
    return np.cos((2 * x + 1) * k * np.pi / 16) / 2 * np.where(k, 1, np.sqrt(0.5))


def test_gray_coefficients_give_the_pixels():
    data = pillow(picture(), "L", quality=80)
    found = read(data)
    (luma,) = found.components
    basis = cosines()
    steps = luma.blocks * luma.quantisation.astype(float)
    pixels = basis.T @ steps @ basis + 128
    rows, columns = luma.blocks.shape[:2]
    plane = pixels.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * columns)
    decoded = np.asarray(Image.open(io.BytesIO(data)), float)
    shown = np.clip(plane[: found.height, : found.width], 0, 255)
    assert np.abs(shown - decoded).max() < 1.5


def test_quantisation_is_what_pillow_says():
    data = pillow(picture(), quality=40)
    theirs = Image.open(io.BytesIO(data)).quantization
    luma, *colours = read(data).components
    assert luma.quantisation.reshape(64).tolist() == list(theirs[0])
    assert colours[1].quantisation.reshape(64).tolist() == list(theirs[1])


@pytest.mark.parametrize(
    ("sampling", "expected"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 2))]
)
def test_sampling_and_sizes(sampling: int, expected: tuple[int, int]):
    found = read(pillow(picture(161, 137), subsampling=sampling))
    luma, blue, _ = found.components
    assert (luma.h, luma.v) == expected
    assert (luma.rows, luma.columns) == (18, 21)
    assert (blue.rows, blue.columns) == (-(-18 // luma.v), -(-21 // luma.h))
    assert luma.stored.shape[0] % luma.v == luma.stored.shape[1] % luma.h == 0


def test_processes():
    progressive = read(pillow(picture(), progressive=True))
    assert (progressive.process, len(progressive.scans)) == ("progressive", 10)
    assert read(pillow(picture())).process == "baseline"
    assert read(pillow(picture(), restart_marker_blocks=5)).restart == 5


def test_progressive_and_baseline_agree():
    one, other = (read(pillow(picture(), progressive=p)) for p in (False, True))
    for a, b in zip(one.components, other.components, strict=True):
        assert np.array_equal(a.blocks, b.blocks)


@pytest.mark.parametrize(
    ("options", "colour"),
    [
        ({"mode": "L"}, "gray"),
        ({}, "ycbcr"),
        ({"keep_rgb": True}, "rgb"),
        ({"mode": "CMYK"}, "cmyk"),
    ],
)
def test_colours(options: dict, colour: str):
    assert read(pillow(picture(40, 30), **options)).colour == colour


def test_segments_and_what_follows():
    data = pillow(picture(), comment=b"hello", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    found = read(data + b"\xff\xd8\xff another")
    assert Segment(COM, b"hello") in found.segments
    assert found.trailing == b"\xff\xd8\xff another"
    assert b"".join(s.pack() for s in found.segments) in data


def test_threads_agree():
    files = [opencv(picture(200, 150, seed)) for seed in range(8)]
    alone = [read(data) for data in files]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, files * 5))
    for index, found in enumerate(together):
        for a, b in zip(found.components, alone[index % 8].components, strict=True):
            assert np.array_equal(a.stored, b.stored)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}])
def test_cut_short_anywhere(options: dict):
    data = pillow(picture(64, 48), **options)
    for size in range(0, len(data), 7):
        with pytest.raises(UnreadableImageError, match="damaged JPEG"):
            read(data[:size])


def test_a_filled_up_file_is_damaged():
    """What decoders pass over with a warning: the picture's end is missing."""
    data = pillow(picture())
    for end in (b"\xff\xd9", b"\0" * 5000 + b"\xff\xd9"):
        with pytest.raises(UnreadableImageError):
            read(data[: len(data) // 2] + end)


def test_a_missing_scan():
    data = pillow(picture(), progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(UnreadableImageError, match="scans are missing"):
        read(data[:last] + b"\xff\xd9")


def test_a_missing_restart_marker():
    data = pillow(picture(), restart_marker_rows=1)
    at = data.index(b"\xff\xd2")
    with pytest.raises(UnreadableImageError, match="restart"):
        read(data[:at] + b"\xff\xd5" + data[at + 2 :])


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC9, 0xCA, 0xF7])
def test_kinds_that_are_refused(marker: int):
    data = bytearray(pillow(picture()))
    data[data.index(b"\xff\xc0") + 1] = marker
    with pytest.raises(UnsupportedImageError, match="can't be carried"):
        read(bytes(data))


def test_a_height_that_comes_later():
    """Said again it is passed over; said only then, no decoder shows the picture."""
    data = pillow(picture())
    frame = data.index(b"\xff\xc0")
    height = data[frame + 5 : frame + 7]
    said = data[:-2] + Segment(DNL, height).pack() + data[-2:]
    found = read(said)
    assert same_picture(found, read(data))
    assert rebuild(describe(said).content, found) == said
    other = data[:-2] + Segment(DNL, b"\0\7").pack() + data[-2:]
    with pytest.raises(UnreadableImageError, match="two heights"):
        read(other)
    later = said[: frame + 5] + b"\0\0" + said[frame + 7 :]
    with pytest.raises(UnsupportedImageError, match="height after its picture"):
        read(later)
    with pytest.raises(UnsupportedImageError, match="height after its picture"):
        decode(later, max_pixels=1 << 20)


def test_the_header_of_a_hierarchy():
    data = pillow(picture())
    frame = data.index(b"\xff\xc0")
    header = data[frame + 4 : frame + 19]
    hierarchy = data[:frame] + Segment(DHP, header).pack() + data[frame:]
    with pytest.raises(UnsupportedImageError, match="hierarchical"):
        read(hierarchy)
    with pytest.raises(UnsupportedImageError, match="hierarchical"):
        decode(hierarchy, max_pixels=1 << 20)


def test_arithmetic_conditions_in_a_huffman_coded_file():
    data = pillow(picture())
    for marker in (b"\xff\xc0", b"\xff\xda"):
        at = data.index(marker)
        more = data[:at] + Segment(DAC, b"\0\x10").pack() + data[at:]
        found = read(more)
        assert same_picture(found, read(data))
        assert rebuild(describe(more).content, found) == more
        shown = decode(more, max_pixels=1 << 20).raster.samples
        assert np.array_equal(shown, decode(data, max_pixels=1 << 20).raster.samples)


def test_fill_bytes_before_restart_markers():
    data = pillow(picture(), restart_marker_rows=1)
    at = data.index(b"\xff\xd1")
    filled = data[:at] + b"\xff\xff" + data[at:]
    found = read(filled)
    assert same_picture(found, read(data))
    assert rebuild(describe(filled).content, found) == filled
    cut = filled[: at + 2]
    with pytest.raises(UnreadableImageError, match="damaged JPEG"):
        read(cut)


def test_twelve_bits_are_refused():
    data = bytearray(pillow(picture()))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedImageError, match="12-bit"):
        read(bytes(data))


def test_too_large():
    with pytest.raises(UnsupportedImageError, match="more than the limit"):
        read(pillow(picture()), max_pixels=100)


def test_a_small_file_takes_little_memory():
    """It says that it has 4 billion pixels."""
    data = bytearray(pillow(picture()))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff" * 4
    with pytest.raises(UnreadableImageError, match="cut short"):
        read(bytes(data), max_pixels=1 << 33)


def test_far_too_many_scans():
    data = pillow(picture(), progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises((UnsupportedImageError, UnreadableImageError)):
        read(data[:last] + data[last:-2] * 200 + b"\xff\xd9")
