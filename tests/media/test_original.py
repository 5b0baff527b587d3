import io
import struct
import zlib
from dataclasses import replace

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media import original, png_stream
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


def scene(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, shape, np.uint8)


def pillow(image: np.ndarray, format: str, **how: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, format, **how)
    return out.getvalue()


def tiff(image: np.ndarray, **how: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, image, **how)
    return out.getvalue()


def four_bytes(image: np.ndarray) -> bytes:
    """A BMP of 32 bits a pixel whose last byte means nothing."""
    height, width = image.shape[:2]
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., :3] = image[::-1, :, ::-1]
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 0, 0, 0, 0, 0, 0)
    head = struct.pack("<2sIII", b"BM", 54 + pixels.nbytes, 0, 54)
    return head + info + pixels.tobytes()


GRAY, COLOUR = scene(91, 70), scene(91, 70, 3)
DEEP = GRAY.astype(np.uint16) * 257
PLAIN = {
    "pgm": b"P5 70 91 255\n" + GRAY.tobytes() + b"what follows",
    "ppm": b"P6\n# a comment\n70 91 255\n" + COLOUR.tobytes(),
    "pgm of 16 bits": b"P5 70 91 65535\n" + DEEP.astype(">u2").tobytes(),
    "bmp": pillow(COLOUR, "BMP") + b"what follows",
    "bmp, gray": pillow(GRAY, "BMP"),
    "bmp, four bytes a pixel": four_bytes(COLOUR),
    "tiff": tiff(COLOUR, description="words"),
    "tiff of 16 bits": tiff(DEEP),
    "tiff, big-endian": tiff(DEEP, byteorder=">"),
    "tiff in planes": tiff(
        COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"
    ),
    "tiff, white is zero": tiff(GRAY, photometric="miniswhite"),
}
LOSSY = {
    "jpeg": pillow(COLOUR, "JPEG", comment=b"words") + b"what follows",
    "gif": pillow(GRAY, "GIF"),
    "webp": pillow(COLOUR, "WEBP", quality=70),
}


def described(data: bytes, *, whole: bool = False, **loaded: object):
    read = replace(load(data), **loaded)
    made = original.describe(data, read, ".sfx", whole=whole)
    samples = Raster(read.raster.samples, "PNG")  # all that restoring knows
    return made, original.rebuild(made.content, samples)


@pytest.mark.parametrize("kind", PLAIN)
def test_files_that_store_samples_plainly_take_few_bytes(kind: str) -> None:
    data = PLAIN[kind]
    made, rebuilt = described(data)
    assert rebuilt == original.Rebuilt(data, ".sfx")
    assert made.differs is None
    assert len(made.content) < 1500 < len(data) // 4


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_files_are_kept_whole_whatever_it_takes(kind: str) -> None:
    made, rebuilt = described(LOSSY[kind])
    assert rebuilt == original.Rebuilt(LOSSY[kind], ".sfx")
    assert made.differs is None


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_takes_no_second_copy_of_its_pixels(channels: int) -> None:
    image = COLOUR if channels == 3 else GRAY
    data = cv2.imencode(".png", image)[1].tobytes() + b"what follows"
    made, rebuilt = described(data)
    assert rebuilt == original.Rebuilt(data, ".sfx")
    assert made.differs is None
    assert len(made.content) < 500


def repacked(data: bytes) -> bytes:
    """By a packer that isn't zlib, with a chunk of its own."""
    parts = png_stream.take_apart(data)
    stream = bytes(imagecodecs.deflate_encode(parts.unpacked(1 << 24), 12))
    stream = zlib.compress(parts.unpacked(1 << 24), 0)[:2] + stream[2:]
    head = parts.before + chunk(b"teSt", b"of its own")
    return png_stream.put_together(png_stream.Parts(head, parts.after, (), stream))


def chunk(kind: bytes, payload: bytes) -> bytes:
    crc = zlib.crc32(kind + payload).to_bytes(4, "big")
    return len(payload).to_bytes(4, "big") + kind + payload + crc


def test_a_png_packed_by_something_else_comes_back_but_for_its_packing() -> None:
    smooth = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    data = repacked(pillow(smooth, "PNG"))
    made, rebuilt = described(data)
    assert made.differs == rebuilt.differs == original.REPACKED
    assert b"of its own" in rebuilt.data
    again = png_stream.take_apart(rebuilt.data)
    assert again.before == png_stream.take_apart(data).before
    assert np.array_equal(load(rebuilt.data).raster.samples[:, :, 0], smooth)
    assert described(data, whole=True)[1] == original.Rebuilt(data, ".sfx")


def test_another_zlib_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    data = pillow(smooth, "PNG")
    made = original.describe(data, load(data), ".png")
    other = png_stream.Settings(b"\x78\x9c", 1, 8, 0, 15)
    monkeypatch.setattr(original, "Settings", lambda *_: other)
    rebuilt = original.rebuild(made.content, load(data).raster)
    assert rebuilt.differs == original.ELSEWHERE
    assert np.array_equal(load(rebuilt.data).raster.samples[:, :, 0], smooth)


@pytest.mark.parametrize("format", ["TIFF", "WEBP"])
def test_what_would_take_too_much_keeps_its_metadata(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    how = {"compression": "tiff_lzw"} if format == "TIFF" else {"lossless": True}
    data = pillow(COLOUR, format, exif=exif.tobytes(), icc_profile=b"profile", **how)
    read = load(data).raster
    made, rebuilt = described(data, left_out=())
    assert made.differs == rebuilt.differs == original.REWRITTEN
    again = load(rebuilt.data).raster
    assert again.metadata == read.metadata
    assert again.metadata.icc == b"profile"
    assert np.array_equal(again.samples, COLOUR)
    for how in ({"whole": True}, {"stored": "a palette"}):
        assert described(data, **how)[1] == original.Rebuilt(data, ".sfx")
    assert described(data, left_out=("a thumbnail",))[1].data == data


@given(st.binary(max_size=60))
def test_any_content_is_rebuilt_or_refused(content: bytes) -> None:
    raster = Raster(np.zeros((4, 4, 3), np.uint8), "PNG", Metadata())
    try:
        original.rebuild(content, raster)
    except DamagedRecordError:
        return
    pytest.fail("no file has this description")


def test_other_pixels_are_refused() -> None:
    data = PLAIN["ppm"]
    made = original.describe(data, load(data), ".ppm")
    with pytest.raises(DamagedRecordError, match="doesn't fit"):
        original.rebuild(made.content, Raster(255 - COLOUR, "PNG"))


def test_any_name_comes_back() -> None:
    for suffix in ("", ".JPG", "a.b.jpe\udcff", "猫.jpg"):
        data = LOSSY["jpeg"]
        made = original.describe(data, load(data), suffix)
        rebuilt = original.rebuild(made.content, load(data).raster)
        assert rebuilt.name == suffix
