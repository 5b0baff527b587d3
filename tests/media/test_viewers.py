import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fiftyone_reue.media import viewers
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit

IMAGE = np.arange(30 * 40 * 3, dtype=np.uint32).reshape(30, 40, 3).astype(np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP"])
def test_what_is_written_opens(format: str, capfd: pytest.CaptureFixture) -> None:
    metadata = Metadata(icc=SRGB)
    data = encode(Raster(IMAGE, format, metadata), format, b"a record")
    assert viewers.unopened(data) == ()
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_large_profile_is_too_much_for_some(capfd: pytest.CaptureFixture) -> None:
    large = SRGB + bytes(1_400_000)
    data = encode(Raster(IMAGE, "PNG", Metadata(icc=large)), "PNG")
    assert load(data).raster.metadata.icc == large
    assert viewers.unopened(data) == ("Pillow",)
    noise = np.random.default_rng(0).bytes(9_000_000)
    data = encode(Raster(IMAGE, "PNG", Metadata(icc=SRGB + noise)), "PNG")
    assert viewers.unopened(data) == ("Pillow", "OpenCV")
    assert "libpng" not in capfd.readouterr().err


def test_what_differs_in_pixels_alone_is_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[bytes] = []

    def unopened(data: bytes) -> tuple[str, ...]:
        looked.append(data)
        return ()

    monkeypatch.setattr(viewers, "_KNOWN", {})
    monkeypatch.setattr(viewers, "unopened", unopened)
    kept = Metadata(icc=SRGB)
    noise, other = np.random.default_rng(0).integers(
        0, 256, (2, *IMAGE.shape), np.uint8
    )
    alike = [
        encode(Raster(samples, "PNG", kept), "PNG", b"%07d" % number)
        for number, samples in enumerate((noise, other, noise))
    ]
    others = [
        encode(Raster(noise[:29].copy(), "PNG", kept), "PNG", b"a record"),
        encode(Raster(noise, "PNG", Metadata(icc=SRGB + b"!")), "PNG", b"a record"),
        encode(Raster(noise, "PNG", kept), "PNG", b"a much longer record" * 9),
        encode(Raster(noise, "PNG", kept), "PNG"),
    ]
    for data in alike + others:
        viewers.unopened_alike(data)
    assert looked == [alike[0], *others]
    webp = encode(Raster(IMAGE, "WEBP", kept), "WEBP", b"a record")
    viewers.unopened_alike(webp)
    viewers.unopened_alike(webp)
    assert looked[-2:] == [webp, webp]


def test_what_no_reader_opens_is_said_of_all_that_are_alike() -> None:
    whole = encode(Raster(IMAGE, "PNG", Metadata(icc=SRGB)), "PNG")
    none = whole[:8] + whole[33:]  # without its header
    assert viewers.unopened_alike(none) == viewers.READERS
    assert viewers.unopened_alike(none) == viewers.READERS
    assert viewers.unopened_alike(whole) == ()


def test_what_is_no_image_opens_nowhere() -> None:
    whole = io.BytesIO()
    Image.fromarray(IMAGE).save(whole, "PNG")
    for data in (b"", b"no image", whole.getvalue()[:200]):
        assert viewers.unopened(data) == viewers.READERS


def test_a_profile_that_libpng_dislikes_prints_nothing(
    capfd: pytest.CaptureFixture,
) -> None:
    data = encode(Raster(IMAGE, "PNG", Metadata(icc=b"no profile" * 9)), "PNG")
    assert viewers.unopened(data) == ()
    assert capfd.readouterr().err == ""
    renamed = viewers._without_opinions(data)
    assert len(renamed) == len(data)
    assert b"iCCP" not in renamed
    at = renamed.index(b"noNe")
    (length,) = struct.unpack_from(">I", renamed, at - 4)
    crc = zlib.crc32(renamed[at : at + 4 + length])
    assert renamed[at + 4 + length :][:4] == crc.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [(b"bKGD", b"\xff" * 6), (b"cLLI", b"\xff" * 8), (b"hIST", b"\0\1")],
)
def test_chunks_that_libpng_dislikes_print_nothing(
    kind: bytes, payload: bytes, capfd: pytest.CaptureFixture
) -> None:
    metadata = Metadata(chunks=((kind, payload),))
    data = encode(Raster(IMAGE, "PNG", metadata), "PNG")
    assert kind in data
    assert viewers.unopened(data) == ()
    assert capfd.readouterr().err == ""
