"""Written files are ordinary JPEG files with just what they were given."""

import io

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.markers import APP0, Segment
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import write
from tests.media.jpeg_coefficients.encoded import (
    SCRIPT,
    TWO_SCANS,
    by_cjpeg,
    by_opencv,
    by_pillow,
    picture,
    pillow,
)

pytestmark = pytest.mark.unit


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def same(one: Coefficients, other: Coefficients) -> bool:
    pairs = zip(one.components, other.components, strict=True)
    return (
        all(
            np.array_equal(a.stored, b.stored)
            and np.array_equal(a.quantisation, b.quantisation)
            and (a.name, a.h, a.v) == (b.name, b.h, b.v)
            for a, b in pairs
        )
        and one.process == other.process
        and [s.restart for s in one.scans] == [s.restart for s in other.scans]
        and [(s.first, s.last, s.high, s.low) for s in one.scans]
        == [(s.first, s.last, s.high, s.low) for s in other.scans]
    )


@pytest.mark.slow
@pytest.mark.parametrize("quality", [5, 75, 100])
def test_every_kind_keeps_its_content(quality: int, tmp_path):
    script, two = tmp_path / "script", tmp_path / "two"
    script.write_text(SCRIPT)
    two.write_text(TWO_SCANS)
    samples = picture(75, 61)
    count = 0
    for name, data in (
        *by_pillow(quality, samples),
        *by_opencv(quality, samples),
        *by_cjpeg(quality, samples, str(script), str(two)),
    ):
        found = read(data)
        written = write(found)
        assert same(read(written), found), name
        assert np.array_equal(pixels(written), pixels(data)), name
        count += 1
    assert count > 60


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_changed_coefficients_are_what_is_read(options: dict):
    found = read(pillow(picture(), quality=90, **options))
    rng = np.random.default_rng(0)
    blocks = []
    for one in found.components:
        step = rng.integers(-3, 4, one.blocks.shape)
        blocks.append(np.clip(one.blocks + step, -1000, 1000))
    changed = found.with_blocks(blocks)
    again = read(write(changed))
    assert same(again, changed)
    back = again.with_blocks(
        [
            new.blocks - (changed_one.blocks - old.blocks)
            for new, changed_one, old in zip(
                again.components, changed.components, found.components, strict=True
            )
        ]
    )
    assert same(back, found)


def test_every_viewer_opens_it():
    data = write(read(pillow(picture(), quality=90, progressive=True)))
    shape = pixels(data).shape
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == shape
    assert simplejpeg.decode_jpeg(data, strict=True).shape == shape


def test_only_given_segments_are_written():
    data = pillow(picture(), comment=b"secret", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    found = read(data + b"trailing secret")
    plain = write(found)
    assert b"secret" not in plain
    assert b"Exif" not in plain
    record = Segment(0xEF, b"record")
    both = read(write(found, [*read(plain).segments, record]))
    assert both.segments[-1] == record


def test_a_thumbnail_isn_t_taken_over():
    found = read(pillow(picture(), dpi=(300, 300)))
    thumbnail = Segment(APP0, found.segments[0].payload[:12] + b"\1\1abc")
    data = write(found, [thumbnail])
    written = write(read(data))
    assert b"abc" not in written
    assert Image.open(io.BytesIO(written)).info["dpi"] == (300, 300)


def test_best_tables_are_never_longer():
    found = read(pillow(picture(), quality=90))
    assert len(write(found, optimise=True)) < len(write(found))
    theirs = pillow(picture(), quality=90, optimize=True)
    assert write(found, optimise=True) == theirs


def test_libjpeg_writes_the_same_progressive_file():
    theirs = pillow(picture(), quality=90, progressive=True)
    assert write(read(theirs)) == theirs


def test_colours_can_t_be_changed_by_segments():
    found = read(pillow(picture(), keep_rgb=True))
    with pytest.raises(ValueError, match="colours"):
        write(found, [Segment(APP0, b"JFIF\0\1\1\0\0\1\0\1\0\0")])


def test_other_segments_are_refused():
    found = read(pillow(picture()))
    with pytest.raises(ValueError, match="neither"):
        write(found, [Segment(0xDB, bytes(65))])
    with pytest.raises(ValueError, match="too long"):
        write(found, [*found.segments, Segment(0xEF, bytes(65534))])


def test_blocks_must_fit():
    found = read(pillow(picture(), "L"))
    blocks = found.components[0].blocks.astype(int)
    for wrong in ([], [blocks[1:]], [blocks + 40000]):
        with pytest.raises(ValueError, match=r"fit|range|components"):
            found.with_blocks(wrong)


def test_a_coefficient_out_of_range():
    found = read(pillow(picture(), "L"))
    blocks = found.components[0].blocks.copy()
    blocks[0, 0, 0, 0], blocks[0, 1, 0, 0] = -32768, 32767
    with pytest.raises(ValueError, match="out of range"):
        write(found.with_blocks([blocks]))
