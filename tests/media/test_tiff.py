import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 5},
        {"tile": (16, 32)},
        {"bigtiff": True},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "tile": (16, 16)},
        {"compression": "lzw", "predictor": True, "rowsperstrip": 7},
        {"compression": "lzw", "tile": (32, 16)},
        {"compression": "packbits", "rowsperstrip": 1},
        {"compression": "zstd", "rowsperstrip": 4},
    ],
)
@pytest.mark.parametrize("planes", [False, True])
def test_layouts_of_other_writers(tiff, rgb16, byteorder, depth, options, planes):
    samples = rgb16 if depth == 16 else (rgb16 >> 8).astype(np.uint8)
    options = {"photometric": "rgb", "byteorder": byteorder, **options}
    if planes:
        moved = np.moveaxis(samples, 2, 0).copy()
        data = tiff(moved, planarconfig="separate", **options)
    else:
        data = tiff(samples, **options)
    raster = load(data).raster
    assert raster.samples.dtype == samples.dtype
    assert np.array_equal(raster.samples, samples)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tifffile_reads_what_is_written(channels, dtype):
    rng = np.random.default_rng(5)
    peak = np.iinfo(dtype).max
    samples = rng.integers(0, peak + 1, (700, 900, channels)).astype(dtype)
    data = encode(Raster(samples, "TIFF"), "TIFF", b"record")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert np.array_equal(page.asarray().reshape(samples.shape), samples)
        assert page.tags[65123].value == b"record"
        assert len(page.dataoffsets) > 1 or samples.nbytes < 1 << 20


def test_white_may_be_zero(tiff):
    samples = np.arange(12, dtype=np.uint16).reshape(3, 4)
    data = tiff(samples, photometric="miniswhite")
    assert np.array_equal(load(data).raster.samples[:, :, 0], 65535 - samples)


@pytest.mark.parametrize("scale", [257, 1])
def test_palettes(tiff, scale):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colours = np.arange(768, dtype=np.uint16).reshape(3, 256) % 256
    data = tiff(indices, photometric="palette", colormap=colours * scale)
    assert np.array_equal(load(data).raster.samples, colours.T[indices])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_sub_byte_gray(bits):
    peak = (1 << bits) - 1
    values = np.arange(10) % (peak + 1)
    row = "".join(f"{v:0{bits}b}" for v in values).ljust(
        8 * ((10 * bits + 7) // 8), "0"
    )
    strip = int(row, 2).to_bytes(len(row) // 8, "big")
    tags = [(256, 10), (257, 1), (258, bits), (262, 1), (273, 8), (279, len(strip))]
    strip = strip.ljust(6, b"\0")
    body = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags)
    data = b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip
    data += struct.pack("<H", len(tags)) + body + bytes(4)
    raster = load(data).raster
    assert raster.samples.ravel().tolist() == (values * 255 // peak).tolist()


def test_what_extra_samples_mean_is_kept(tiff, rgba):
    premultiplied = tiff(rgba, photometric="rgb", extrasamples=["ASSOCALPHA"])
    released = encode(load(premultiplied).raster, "TIFF")
    with tifffile.TiffFile(io.BytesIO(released)) as file:
        assert file.pages[0].extrasamples == (1,)
    fresh = encode(Raster(rgba, "PNG"), "TIFF")
    with tifffile.TiffFile(io.BytesIO(fresh)) as file:
        assert file.pages[0].extrasamples == (2,)


def test_other_tags_are_carried(tiff, rgb):
    extra = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),  # GeoTIFF's pixel scale
        (42113, "s", 0, "-9999", True),  # GDAL's no-data value
        (315, "s", 0, "A. Nonymous", True),
    ]
    data = tiff(rgb, photometric="rgb", extratags=extra, resolution=(300, 150))
    first = load(data).raster
    assert first.metadata.dpi == (300.0, 150.0)
    released = encode(first, "TIFF", b"r")
    with tifffile.TiffFile(io.BytesIO(released)) as file:
        tags = file.pages[0].tags
        assert tags[33550].value == (0.5, 0.5, 0.0)
        assert tags[42113].value == "-9999"
        assert tags[315].value == "A. Nonymous"
    again = load(released).raster
    assert again.metadata == first.metadata


@pytest.mark.parametrize("order", ["II", "MM"])
def test_exif_directories_are_carried(rgb, rgb16, order):
    exif = Image.Exif()
    exif[274] = 8
    exif.get_ifd(34665)[36867] = "2024:01:01 00:00:00"
    exif.get_ifd(34853)[1] = "N"
    exif.endian = "<" if order == "II" else ">"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    assert block.startswith(order.encode())
    for samples in (rgb, rgb16):
        raster = Raster(samples, "JPEG", Metadata(exif=block))
        first = load(encode(raster, "TIFF", b"r"))
        assert np.array_equal(first.raster.samples, samples)
        assert first.record == b"r"
        read = Image.Exif()
        read.load(first.raster.metadata.exif)
        assert read[274] == 8
        assert read.get_ifd(34665)[36867] == "2024:01:01 00:00:00"
        assert read.get_ifd(34853)[1] == "N"
        again = load(encode(first.raster, "TIFF"))
        assert again.raster.metadata == first.raster.metadata


def test_every_cut_is_noticed(own_files, foreign_files):
    names = ("tiff-tiff_lzw", "tiff-jpeg", "tiff-planes", "tiff-big")
    for data in (own_files["TIFF"], *(foreign_files[name] for name in names)):
        for size in range(0, len(data), 3):
            with pytest.raises((UnreadableImageError, DamagedRecordError)):
                load(data[:size])


def test_a_cut_record_is_told_from_a_cut_image(own_files):
    data = own_files["TIFF"]
    with pytest.raises(DamagedRecordError, match="cut short"):
        load(data[:-30])
    assert load(data[:-30], ignore_record=True).raster.width == 31
    entry = data.index(struct.pack("<HH", 65123, 7))
    retyped = data[:entry] + struct.pack("<HH", 65123, 2) + data[entry + 4 :]
    with pytest.raises(DamagedRecordError, match="rewritten"):
        load(retyped)


@pytest.mark.parametrize(
    "compression", ["lzw", "zlib", "packbits", "zstd", "jpeg", None]
)
def test_short_strips_are_noticed(tiff, rgb, compression):
    data = tiff(rgb, photometric="rgb", compression=compression, rowsperstrip=23)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (count,) = file.pages[0].databytecounts
        tag = file.pages[0].tags[279]
    entry = tag.offset
    (kind,) = struct.unpack_from("<H", data, entry + 2)
    for missing in (9, count // 2, count):
        field = struct.pack("<HHI", 279, kind, 1)
        field += struct.pack("<I", count - missing)
        short = data[:entry] + field + data[entry + 12 :]
        with pytest.raises(UnreadableImageError, match="damaged TIFF"):
            load(short)


@pytest.mark.parametrize(
    ("samples", "options", "why"),
    [
        (np.zeros((4, 4), np.float32), {}, "floating-point"),
        (np.zeros((4, 4), np.int16), {}, "signed"),
        (np.zeros((4, 4), np.uint32), {}, "32 bits"),
        (np.zeros((4, 4, 4), np.uint8), {"photometric": "separated"}, "CMYK"),
        (
            np.zeros((4, 4, 6), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "6 channels",
        ),
        (np.zeros((16, 16), np.uint8), {"compression": "lzma"}, "compression 34925"),
        (np.zeros((3, 4, 4), np.uint8), {"photometric": "minisblack"}, "has 3 pages"),
    ],
)
def test_refused(tiff, samples, options, why):
    with pytest.raises(UnsupportedImageError, match=why):
        load(tiff(samples, **options))


def test_page_loops_end(own_files):
    data = bytearray(own_files["TIFF"])
    (offset,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, offset)
    struct.pack_into("<I", data, offset + 2 + 12 * count, offset)
    with pytest.raises(UnsupportedImageError, match="pages"):
        load(bytes(data))


def test_huge_tiles_are_refused(tiff, rgb):
    data = tiff(rgb, photometric="rgb", tile=(16, 16))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        offsets = [file.pages[0].tags[tag].offset for tag in (322, 323)]
    for offset in offsets:
        field = struct.pack("<HII", 4, 1, 1 << 30)
        data = data[: offset + 2] + field + data[offset + 12 :]
    with pytest.raises(UnsupportedImageError, match="--max-pixels"):
        load(data)


def test_damaged_lzw_does_not_end_the_process(tiff, rgb):
    """It does in imagecodecs, whose decoder is not used for that."""
    data = tiff(rgb, photometric="rgb", compression="lzw")
    rng = np.random.default_rng(6)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    noticed = 0
    for _ in range(400):
        damaged = bytearray(data)
        for at in rng.integers(start, start + count, 5):
            damaged[at] = rng.integers(256)
        try:
            load(bytes(damaged))
        except UnreadableImageError:
            noticed += 1
    assert noticed > 100
