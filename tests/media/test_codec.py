import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fiftyone_reue.errors import UnreadableImageError, UnsupportedImageError
from fiftyone_reue.media.codec import (
    IMAGE_SUFFIXES,
    READABLE_SUFFIXES,
    encode,
    is_image,
    load,
    read_file,
    release_format,
    suffix,
)
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit

# What each format that can be written holds: channel counts and dtypes.
HOLDS = {
    "PNG": ((1, 2, 3, 4), ("u1", "u2")),
    "WEBP": ((3, 4), ("u1",)),
    "TIFF": ((1, 2, 3, 4), ("u1", "u2")),
    "BMP": ((1, 3, 4), ("u1",)),
}
PAIRS = [(f, c, d) for f, (cs, ds) in HOLDS.items() for c in cs for d in ds]
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def images(channels: int, dtype: str) -> st.SearchStrategy[np.ndarray]:
    peak = np.iinfo(dtype).max
    shape = st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(channels))
    values = st.one_of(st.integers(0, peak), st.sampled_from([0, 1, peak - 1, peak]))
    return arrays(np.dtype(dtype), shape, elements=values)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "channels", "dtype"), PAIRS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_samples_and_record_come_back(format, channels, dtype, data):
    samples = data.draw(images(channels, dtype))
    record = data.draw(st.none() | st.binary(max_size=300))
    loaded = load(encode(Raster(samples, format), format, record))
    assert loaded.raster.format == format
    assert loaded.raster.samples.dtype == samples.dtype
    assert np.array_equal(loaded.raster.samples, samples)
    assert loaded.record == record


@pytest.mark.parametrize(("format", "channels", "dtype"), PAIRS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (257, 390)])
@pytest.mark.parametrize("fill", ["random", "zero", "peak"])
def test_larger_and_flat_images_come_back(format, channels, dtype, shape, fill):
    peak = np.iinfo(dtype).max
    samples = np.zeros((*shape, channels), dtype)
    if fill == "random":
        rng = np.random.default_rng(3)
        samples = rng.integers(0, peak + 1, samples.shape).astype(dtype)
    elif fill == "peak":
        samples[:] = peak
    loaded = load(encode(Raster(samples, format), format))
    assert np.array_equal(loaded.raster.samples, samples)
    assert loaded.record is None


@pytest.mark.parametrize("format", HOLDS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(0, 100_000))
def test_long_records_come_back(format, rgb, seed, size):
    record = np.random.default_rng(seed).bytes(size)
    loaded = load(encode(Raster(rgb, format), format, record))
    assert loaded.record == record


@pytest.mark.parametrize(
    "mark", [b"reUE", b"IEND", b"reUE-start", b"reUE-end", b"RIFF"]
)
@pytest.mark.parametrize("format", HOLDS)
def test_records_may_look_like_containers(format, mark, rgb):
    record = mark * 3
    assert load(encode(Raster(rgb, format), format, record)).record == record


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    icc=st.none() | st.binary(min_size=1, max_size=400),
    xmp=st.none() | st.binary(min_size=1, max_size=400),
    orientation=st.none() | st.integers(1, 8),
    record=st.none() | st.binary(max_size=50),
)
def test_metadata_comes_back(format, rgb, icc, xmp, orientation, record):
    exif = None
    if orientation is not None:
        head = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"
        exif = head + bytes((orientation, 0, 0, 0)) + bytes(4)
    metadata = Metadata(icc=icc, exif=exif, xmp=xmp)
    loaded = load(encode(Raster(rgb, format, metadata), format, record))
    assert loaded.raster.metadata == metadata
    assert np.array_equal(loaded.raster.samples, rgb)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("dpi", [(72.0, 72.0), (300.0, 150.0), (11.5, 2400.0)])
def test_resolution_comes_back_and_stays(format, dpi, rgb):
    first = load(encode(Raster(rgb, format, Metadata(dpi=dpi)), format)).raster
    assert first.metadata.dpi == pytest.approx(dpi, abs=0.02)
    assert load(encode(first, format)).raster.metadata == first.metadata


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "BMP"])
def test_pillow_opens_what_is_written(name, own_files, rgba):
    image = Image.open(io.BytesIO(own_files[name]))
    assert image.format == name
    # Pillow turns a TIFF by its orientation, and no other format.
    expected = np.rot90(rgba, -1) if name == "TIFF" else rgba
    assert np.array_equal(np.asarray(image), expected)
    if name != "BMP":  # of which Pillow reads neither
        assert image.info["icc_profile"] == b"profile" * 9
    if name in ("PNG", "WEBP"):
        assert image.getexif()[274] == 6


def test_own_files_carry_the_record(own_files):
    for data in own_files.values():
        assert load(data).record == bytes(range(60))
        assert load(data, ignore_record=True).record is None


def test_foreign_files_read_as_pillow_shows_them(foreign_files):
    for name, data in foreign_files.items():
        raster = load(data).raster
        if raster.depth == 8:
            shown = np.asarray(
                Image.open(io.BytesIO(data)).convert(MODES[raster.channels])
            )
            assert np.array_equal(
                shown.reshape(raster.samples.shape), raster.samples
            ), name


def test_foreign_files_are_released_exactly(foreign_files):
    for name, data in foreign_files.items():
        raster = load(data).raster
        released = load(encode(raster, release_format(raster), b"r"))
        assert np.array_equal(released.raster.samples, raster.samples), name
        assert released.raster.samples.dtype == raster.samples.dtype, name
        assert released.raster.metadata.exif == raster.metadata.exif, name


@pytest.mark.parametrize(
    ("format", "channels", "dtype", "expected"),
    [
        ("PNG", 4, "u2", "PNG"),
        ("TIFF", 2, "u2", "TIFF"),
        ("WEBP", 3, "u1", "WEBP"),
        ("WEBP", 4, "u1", "WEBP"),
        ("WEBP-LOSSY", 4, "u1", "PNG"),
        ("BMP", 1, "u1", "BMP"),
        ("BMP", 2, "u1", "PNG"),
        ("BMP", 3, "u2", "PNG"),
        ("JPEG", 3, "u1", "PNG"),
        ("GIF", 4, "u1", "PNG"),
        ("PNM", 1, "u2", "PNG"),
    ],
)
def test_release_format(format, channels, dtype, expected):
    raster = Raster(np.zeros((2, 2, channels), dtype), format)
    assert release_format(raster) == expected
    assert load(encode(raster, expected)).raster.samples.dtype == np.dtype(dtype)


def test_webp_too_long_for_its_format_is_released_as_png():
    raster = Raster(np.zeros((1, 16383, 3), np.uint8), "WEBP")
    assert release_format(raster) == "PNG"
    with pytest.raises(UnsupportedImageError, match="16383 x 1"):
        encode(raster, "WEBP")
    assert release_format(raster.with_samples(raster.samples[:, 1:])) == "WEBP"


def test_exif_that_is_not_tiff_structured_stays_with_png(rgb):
    raster = Raster(rgb, "JPEG", Metadata(exif=b"junk"))
    assert load(encode(raster, "PNG")).raster.metadata.exif == b"junk"
    with pytest.raises(UnsupportedImageError, match="EXIF"):
        encode(raster, "TIFF")


@pytest.mark.parametrize("format", ["WEBP", "BMP"])
def test_formats_refuse_sixteen_bits(format, rgb16):
    with pytest.raises(UnsupportedImageError, match=r"16-bit.*PNG"):
        encode(Raster(rgb16, "PNG"), format)


@pytest.mark.parametrize("format", ["JPEG", "GIF", "WEBP-LOSSY", "png", ""])
def test_formats_that_are_not_written(format, rgb):
    with pytest.raises(UnsupportedImageError, match="can't be written exactly"):
        encode(Raster(rgb, "PNG"), format)


def test_suffixes():
    assert [suffix(f) for f in HOLDS] == [".png", ".webp", ".tif", ".bmp"]
    assert {suffix(f) for f in ("JPEG", "GIF", "PNM")} <= IMAGE_SUFFIXES
    assert all(s == s.lower() and s.startswith(".") for s in IMAGE_SUFFIXES)
    assert READABLE_SUFFIXES < IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.tga", "TGA"), ("b.PCX", "PCX"), ("c.svg", "SVG"), ("d.dcm", "DICOM")],
)
def test_formats_that_only_a_suffix_names_are_refused_by_name(tmp_path, name, kind):
    path = tmp_path / name
    path.write_bytes(bytes(2) + b"\2" + bytes(50))
    said = f"{kind} files can't be carried exactly; convert it to PNG first"
    for label in (name, "5f3a"):  # a sample's id has no suffix
        with pytest.raises(UnsupportedImageError, match=f"^{label}: {said}"):
            load(path, name=label)
        with pytest.raises(UnsupportedImageError, match=f"^{label}: {said}"):
            load(path.read_bytes(), name=label, ending=path.suffix)
    path.write_bytes(b"")
    with pytest.raises(UnreadableImageError, match="empty"):
        load(path)


def test_a_camera_raw_file_is_not_taken_for_its_preview(tmp_path):
    image = Image.new("RGB", (16, 16), "red")
    image.save(tmp_path / "a.tif")
    load(tmp_path / "a.tif")
    for ending, kind in ((".NEF", "NEF"), (".dng", "DNG"), (".cr2", "CR2")):
        path = (tmp_path / "a.tif").rename(tmp_path / f"a{ending}")
        with pytest.raises(UnsupportedImageError, match=f"{kind} files can't"):
            load(path)
        path.rename(tmp_path / "a.tif")
    image.save(tmp_path / "png.dng", "PNG")  # what it is goes before what it is called
    assert load(tmp_path / "png.dng").raster.format == "PNG"


def test_images_are_known_by_their_first_bytes():
    buffer = io.BytesIO()
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "ICO"):
        buffer.seek(0)
        Image.new("RGB", (16, 16)).save(buffer, kind)
        assert is_image(buffer.getvalue()[:32]), kind
    for head in (b"", b"BMI of patients, as of 2020, by ward", b"%PDF-1.7", b"text"):
        assert not is_image(head)
    with pytest.raises(UnsupportedImageError, match="'WMF'"):
        suffix("WMF")


def test_paths_and_bytes_read_alike(tmp_path, own_files):
    path = tmp_path / "name with space.PNG"
    path.write_bytes(own_files["PNG"])
    for source in (path, str(path)):
        assert np.array_equal(
            load(source).raster.samples, load(own_files["PNG"]).raster.samples
        )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"hello, I am text\n", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
        (b"\xff\xd8\xff\xd9", "damaged JPEG"),
        (b"RIFF\0\0\0\0WEBP", "damaged WebP"),
        (b"II*\0\x08\0\0\0", "damaged TIFF"),
        (b"BM", "damaged BMP"),
        (b"GIF89a", "damaged GIF"),
        (b"P6 \n", "damaged PNM"),
    ],
)
def test_files_that_are_no_images(tmp_path, content, why):
    path = tmp_path / "cat.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=rf"cat\.png: .*{why}"):
        load(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\x01", "Photoshop"),
    ],
)
def test_other_image_formats_are_named(content, what):
    with pytest.raises(UnsupportedImageError, match=f"x.img: {what} .*PNG"):
        load(content, name="x.img")


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(UnreadableImageError, match=f"{tmp_path}: a folder"):
        load(tmp_path)
    with pytest.raises(UnreadableImageError, match=r"gone\.png: no such file"):
        load(tmp_path / "gone.png")
    with pytest.raises(UnreadableImageError, match="can't be read"):
        load("a\0b.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission(tmp_path, own_files):
    path = tmp_path / "secret.png"
    path.write_bytes(own_files["PNG"])
    path.chmod(0)
    with pytest.raises(UnreadableImageError, match="no permission"):
        load(path)
    path.chmod(stat.S_IRWXU)


def test_size_is_checked_before_decoding(own_files, foreign_files):
    for data in (*own_files.values(), *foreign_files.values()):
        with pytest.raises(UnsupportedImageError, match="--max-pixels"):
            load(data, max_pixels=23 * 31 - 1)
    assert load(own_files["PNG"], max_pixels=23 * 31).raster.width == 31


def test_errors_use_the_name_that_was_given():
    with pytest.raises(UnreadableImageError, match=r"^sample 12: the file is empty"):
        load(b"", name="sample 12")


def test_threads_get_the_same(own_files, foreign_files):
    files = [*own_files.values(), *foreign_files.values()] * 4

    def again(data: bytes) -> bool:
        first = load(data)
        format = release_format(first.raster)
        second = load(encode(first.raster, format, first.record))
        return np.array_equal(first.raster.samples, second.raster.samples)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(again, files))


@pytest.mark.parametrize("kind", ["pipe", "device", "itself", "nowhere", "folder"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    words = {
        "pipe": "named pipe",
        "device": "device",
        "itself": "leads to itself",
        "nowhere": "a link to a file that isn't there",
        "folder": "folder",
    }
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "itself": path}.get(kind, "gone"))
    with pytest.raises(UnreadableImageError, match=words[kind]):
        read_file(path)
