import numpy as np
import pytest

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.codec import load

pytestmark = pytest.mark.unit

PAM = b"P7\nTUPLTYPE %b\nWIDTH 1\nHEIGHT 1\nDEPTH %d\nMAXVAL %d\nENDHDR\n"


def test_pnm_of_both_depths():
    gray = load(b"P5 # a comment\n2 1\n65535\n\x01\x02\xff\xff").raster
    assert gray.samples.dtype == np.uint16
    assert gray.samples.ravel().tolist() == [0x102, 65535]
    colour = load(b"P6\n1\n1\n255\n\1\2\3 trailing").raster
    assert colour.samples.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (b"P6 1 1 255\n\1\2", UnreadableImageError, "cut short"),
        (b"P6 1 one 255\n\1\2\3", UnreadableImageError, "no header"),
        (b"P5 1 1 63\n\1", UnsupportedImageError, "63"),
        (b"P5 999999999 999999999 255\n", UnsupportedImageError, "--max-pixels"),
        (b"P5 0 1 255\n", UnreadableImageError, "0 x 1"),
        (b"P2 2 1 255\n1", UnreadableImageError, "cut short"),
        (b"P2 2 1 255\n1 two", UnreadableImageError, "not numbers"),
        (b"P2 2 1 255\n1 256", UnreadableImageError, "256 is above"),
        (b"P2 1 1 255\n9999999999999999999999", UnreadableImageError, "above"),
        (b"P2 1 1 15\n1", UnsupportedImageError, "largest value is 15"),
        (b"P3 1 1 1023\n1 2 3", UnsupportedImageError, "largest value is 1023"),
        (b"P1 3 1\n01", UnreadableImageError, "cut short"),
        (b"P1 2 1\n02", UnreadableImageError, "not zeros and ones"),
        (b"P4 9 2\n\0\0\0", UnreadableImageError, "cut short"),
        (b"P7\nWIDTH 1\nENDHDR\n", UnreadableImageError, "no header"),
        (PAM % (b"CMYK", 4, 255) + b"\1\2\3\4", UnsupportedImageError, "CMYK"),
        (PAM % (b"RGB", 3, 9) + b"\1\2\3", UnsupportedImageError, "9, not 255"),
        (b"P5 1 1 255\n\1P5 1 1 255\n\2", UnsupportedImageError, "several images"),
        (b"P2 999999999 9 255\n1", UnsupportedImageError, "--max-pixels"),
    ],
)
def test_refused_pnm(data, error, why):
    with pytest.raises(error, match=why):
        load(data)


def test_plain_text():
    gray = load(b"P2 # a comment\n3 1\n255\n1 2 # another\n255\n")
    assert gray.raster.samples.ravel().tolist() == [1, 2, 255]
    assert gray.raster.samples.dtype == np.uint8
    assert gray.stored == "numbers as text"
    colour = load(b"P3\n1 1\n65535\n1\t2\r\n65535").raster.samples
    assert colour.dtype == np.uint16
    assert colour.tolist() == [[[1, 2, 65535]]]


@pytest.mark.parametrize("data", [b"P1\n3 2\n0 1 1\n100", b"P4\n3 2\n\x60\x80"])
def test_bitmaps(data):
    """One is black."""
    loaded = load(data)
    assert loaded.raster.samples[:, :, 0].tolist() == [[255, 0, 0], [0, 255, 255]]
    assert loaded.stored == "1-bit samples and zero as white"


@pytest.mark.parametrize(
    ("kind", "channels"),
    [(b"GRAYSCALE", 1), (b"GRAYSCALE_ALPHA", 2), (b"RGB", 3), (b"RGB_ALPHA", 4)],
)
def test_pam(kind, channels):
    values = bytes(range(1, 2 * channels + 1))
    loaded = load(PAM % (kind, channels, 255) + values[:channels])
    assert loaded.raster.samples.tolist() == [[list(values[:channels])]]
    assert loaded.stored is None
    wide = load(PAM % (kind, channels, 65535) + values).raster.samples
    assert wide.tobytes() == np.frombuffer(values, ">u2").astype(np.uint16).tobytes()


@pytest.mark.parametrize(
    ("data", "left_out"),
    [
        (b"P5 1 1 255\n\1", ()),
        (b"P5 1 1 255\n\1\n", ()),
        (b"P5 # made by hand\n1 1 255\n\1", ("PNM comment",)),
        (b"P5 1 1 255\n\1behind", ("bytes after the end",)),
        (b"P2 1 1 255\n1 2", ("bytes after the end",)),
        (b"P1 1 1\n1 0", ("bytes after the end",)),
    ],
)
def test_what_is_left_out(data, left_out):
    assert load(data).left_out == left_out
