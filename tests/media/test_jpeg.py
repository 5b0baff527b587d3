import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.codec import encode, load, release_format

pytestmark = pytest.mark.unit


def test_samples_are_pillows(foreign_files):
    for name, channels in (("jpeg", 3), ("jpeg-progressive", 1)):
        raster = load(foreign_files[name]).raster
        shown = np.asarray(Image.open(io.BytesIO(foreign_files[name])))
        assert raster.format == "JPEG"
        assert raster.channels == channels
        assert np.array_equal(raster.samples, shown.reshape(raster.samples.shape))


def test_orientation_is_kept_not_applied(pillow, rgb):
    exif = Image.Exif()
    exif[274] = 6
    data = pillow(
        rgb, "JPEG", exif=exif, icc_profile=b"profile", dpi=(96, 96), xmp=b"<x/>"
    )
    first = load(data).raster
    assert first.samples.shape == rgb.shape
    metadata = load(encode(first, release_format(first))).raster.metadata
    assert metadata.exif == exif.tobytes().removeprefix(b"Exif\0\0")
    assert (metadata.icc, metadata.xmp) == (b"profile", b"<x/>")
    assert metadata.dpi == pytest.approx((96, 96), abs=0.02)


def test_every_cut_is_noticed(foreign_files):
    for name in ("jpeg", "jpeg-progressive"):
        data = foreign_files[name]
        for size in range(len(data)):
            with pytest.raises(UnreadableImageError):
                load(data[:size])


def test_a_cut_large_photo_is_noticed(pillow):
    samples = np.random.default_rng(7).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    data = pillow(samples, "JPEG")
    with pytest.raises(UnreadableImageError, match=r"p\.jpg: damaged JPEG"):
        load(data[: len(data) // 2], name="p.jpg")


def test_cmyk_is_refused(pillow, rgb):
    data = pillow(Image.fromarray(rgb).convert("CMYK"), "JPEG")
    with pytest.raises(UnsupportedImageError, match="CMYK"):
        load(data)


@pytest.mark.parametrize(("marker", "bits"), [(0xC1, 12), (0xC3, 8)])
def test_other_kinds_of_jpeg_are_refused(foreign_files, marker, bits):
    data = bytearray(foreign_files["jpeg"])
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    with pytest.raises(UnsupportedImageError, match="8-bit baseline"):
        load(bytes(data))
