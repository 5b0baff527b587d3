import io
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from fiftyone_reue.media import png_stream
from fiftyone_reue.media.codec import load

pytestmark = pytest.mark.unit

SAMPLES = st.sampled_from(["u1", "u2"]).flatmap(
    lambda dtype: arrays(
        dtype, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)
    )
).filter(lambda samples: samples.shape[2] <= 4)  # fmt: skip


def scene(height: int = 90, width: int = 110, channels: int = 3) -> np.ndarray:
    """Smooth with some noise, so that packing has something to find."""
    rng = np.random.default_rng(5)
    ramp = np.add.outer(np.arange(height), np.arange(width))[..., None] // 2
    noise = rng.integers(0, 12, (height, width, channels))
    return (ramp + noise + np.arange(channels) * 20).clip(0, 255).astype(np.uint8)


def by_pillow(image: np.ndarray, **how: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image.squeeze()).save(out, "png", **how)
    return out.getvalue()


def by_opencv(image: np.ndarray, *how: int) -> bytes:
    return cv2.imencode(".png", image, how)[1].tobytes()


WRITERS = {
    "pillow": by_pillow,
    "pillow 1": lambda image: by_pillow(image, compress_level=1),
    "pillow 9": lambda image: by_pillow(image, compress_level=9),
    "pillow optimised": lambda image: by_pillow(image, optimize=True),
    "opencv": by_opencv,
    "opencv 3": lambda image: by_opencv(image, cv2.IMWRITE_PNG_COMPRESSION, 3),
    "opencv 9": lambda image: by_opencv(image, cv2.IMWRITE_PNG_COMPRESSION, 9),
    "pillow, Huffman": lambda image: by_pillow(image, compress_type=2),
    "pillow, fixed": lambda image: by_pillow(image, compress_type=4),
    "opencv, fixed": lambda image: by_opencv(
        image, cv2.IMWRITE_PNG_STRATEGY, 4, cv2.IMWRITE_PNG_COMPRESSION, 9
    ),
    "imagecodecs": lambda image: imagecodecs.png_encode(image.squeeze()),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "image", [scene(), scene(8, 8), scene(300, 200, 1), scene(60, 70, 4)], ids=str
)
def test_what_writers_make_is_packed_again_to_the_same_bytes(
    writer: str, image: np.ndarray
) -> None:
    data = WRITERS[writer](image)
    parts = png_stream.take_apart(data)
    raw = parts.unpacked(1 << 24)
    settings = png_stream.settings_of(raw, parts.stream)
    assert settings is not None
    samples = load(data).raster.samples
    filters = png_stream.filters_of(raw, len(samples))
    stream = settings.pack(png_stream.filtered(samples, filters))
    again = png_stream.Parts(parts.before, parts.after, parts.sizes, stream)
    assert png_stream.put_together(again) == data


@pytest.mark.slow
@given(SAMPLES, st.data())
def test_any_filters_lead_back_to_the_samples(
    samples: np.ndarray, data: st.DataObject
) -> None:
    """libpng takes the filters off again."""
    height, _, channels = samples.shape
    chosen = data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    raw = png_stream.filtered(samples, bytes(chosen))
    assert png_stream.filters_of(raw, height) == bytes(chosen)
    plain = imagecodecs.png_encode(
        np.zeros_like(samples[:, :, 0] if channels == 1 else samples)
    )
    parts = png_stream.take_apart(plain)
    made = png_stream.Parts(parts.before, parts.after, (), zlib.compress(raw))
    decoded = load(png_stream.put_together(made)).raster.samples
    assert np.array_equal(decoded, samples)


@pytest.mark.parametrize("strategy", range(5))
@pytest.mark.parametrize("level", range(1, 10))
def test_packing_in_pieces_gives_the_bytes_of_packing_at_once(
    level: int, strategy: int
) -> None:
    """Records that were made when all was packed at once lead to the same file."""
    noise = np.random.default_rng(level).integers(0, 6, 100_000, np.uint8).tobytes()
    raw = scene(200, 150).tobytes() + noise + bytes(70_000)
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    stream = packer.compress(raw) + packer.flush()
    settings = png_stream.Settings(stream[:2], level, 9, strategy, 15)
    assert settings.pack(raw) == stream
    assert settings.packs(raw, stream)
    assert not settings.packs(raw, stream[:-1])
    assert not settings.packs(raw, stream + b"\0")
    assert not settings.packs(raw[:-1], stream)
    assert not settings.packs(raw, b"\0" + stream[1:])


def test_another_packer_is_noticed() -> None:
    raw = scene().tobytes()
    assert png_stream.settings_of(raw, imagecodecs.deflate_encode(raw, 9)) is None
    assert png_stream.settings_of(raw, zlib.compress(raw[::-1])) is None
    assert png_stream.settings_of(raw, b"") is None


def test_filters_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="don't fit"):
        png_stream.filtered(scene(4, 4), bytes(3))
    with pytest.raises(ValueError, match="don't fit"):
        png_stream.filtered(scene(4, 4), b"\5" * 4)
    with pytest.raises(ValueError, match="one length"):
        png_stream.filters_of(bytes(7), 2)


def test_what_follows_the_stream_is_noticed() -> None:
    parts = png_stream.take_apart(by_pillow(scene()))
    for stream in (parts.stream + b"x", parts.stream[:-1], b"no stream"):
        changed = png_stream.Parts(parts.before, parts.after, (), stream)
        with pytest.raises(ValueError, match=r"stream|header|incomplete"):
            changed.unpacked(1 << 24)
