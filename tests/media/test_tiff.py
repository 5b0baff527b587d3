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
from fiftyone_reue.media import ifd
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


@pytest.mark.slow
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


def with_strip(data: bytes, strip: bytes) -> bytes:
    """A TIFF of one strip with another one in its place."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        places = {tags[273].offset: len(data), tags[279].offset: len(strip)}
    for entry, value in places.items():
        field = data[entry : entry + 2] + struct.pack("<HII", 4, 1, value)
        data = data[:entry] + field + data[entry + 12 :]
    return data + strip


def test_a_progressive_strip_needs_all_its_scans_and_not_too_many(tiff, rgb):
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    rows = len(rgb)
    data = tiff(rgb, photometric="rgb", compression="jpeg", rowsperstrip=rows)
    assert load(with_strip(data, whole)).raster.samples.shape == rgb.shape
    first, last = whole.index(b"\xff\xda"), whole.rindex(b"\xff\xda")
    with pytest.raises(UnreadableImageError, match="scans are missing"):
        load(with_strip(data, whole[:last] + b"\xff\xd9"))
    many = whole[:first] + whole[first:-2] * 11 + b"\xff\xd9"
    with pytest.raises(UnsupportedImageError, match="has 110 scans"):
        load(with_strip(data, many))


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
    with pytest.raises(UnreadableImageError, match="its directories form a loop"):
        load(bytes(data))


def test_longer_loops_are_damage_too(rgb):
    data = bytearray(pages([(rgb, {"photometric": "rgb"})] * 3))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        offsets = [page.offset for page in file.pages]
    (count,) = struct.unpack_from("<H", data, offsets[-1])
    for target in offsets:
        struct.pack_into("<I", data, offsets[-1] + 2 + 12 * count, target)
        with pytest.raises(UnreadableImageError, match=r"damaged .* form a loop"):
            load(bytes(data))


def test_a_subifd_that_is_the_picture_itself_is_a_loop(rgb):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(rgb, photometric="rgb", subifds=1, metadata=None)
        writer.write(rgb, photometric="rgb", metadata=None)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as opened:
        page = opened.pages[0]
        struct.pack_into("<I", data, page.tags[330].offset + 8, page.offset)
    with pytest.raises(UnreadableImageError, match="form a loop"):
        load(bytes(data))


@pytest.mark.parametrize("tiles", [{}, {"tile": (16, 16, 16)}])
def test_volumes_are_refused_by_name(tiff, tiles):
    samples = np.zeros((16, 32, 48), np.uint8)
    data = tiff(samples, photometric="minisblack", volumetric=True, **tiles)
    with pytest.raises(UnsupportedImageError, match="a volume 16 deep"):
        load(data)


def test_huge_tiles_are_refused(tiff, rgb):
    data = tiff(rgb, photometric="rgb", tile=(16, 16))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        offsets = [file.pages[0].tags[tag].offset for tag in (322, 323)]
    for offset in offsets:
        field = struct.pack("<HII", 4, 1, 1 << 30)
        data = data[: offset + 2] + field + data[offset + 12 :]
    with pytest.raises(UnsupportedImageError, match="--max-pixels"):
        load(data)


@pytest.mark.slow
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


# What else than one picture a file holds


def pages(tiff_pages) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for samples, options in tiff_pages:
            writer.write(samples, metadata=None, **options)
    return file.getvalue()


def test_reduced_copies_and_masks_are_told_from_pages(rgb):
    whole, half = (rgb, {"photometric": "rgb"}), rgb[::2, ::2].copy()
    reduced = (half, {"photometric": "rgb", "subfiletype": 1})
    mask = (rgb[:, :, 0] > 9, {"subfiletype": 4, "photometric": "mask"})
    for further, why in (
        ([reduced], r"1 reduced copy \(16 x 12\); save"),
        ([reduced, reduced], r"2 reduced copies \(16 x 12, 16 x 12\); save"),
        ([mask], r"1 mask \(31 x 23\); save"),
        ([reduced, whole], r"1 reduced copy \(16 x 12\), 1 page \(31 x 23\); save"),
        ([whole, whole], "has 3 pages; save the pages"),
    ):
        with pytest.raises(UnsupportedImageError, match=why):
            load(pages([whole, *further]))


def test_pictures_in_subifds_are_refused(rgb):
    for kind, what in ((0, "further pictures"), (1, "reduced copies")):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            writer.write(rgb, photometric="rgb", subifds=1, metadata=None)
            writer.write(rgb[::2, ::2].copy(), photometric="rgb", subfiletype=kind)
        with pytest.raises(UnsupportedImageError, match=rf"{what} in SubIFDs \(16 x"):
            load(file.getvalue())


@pytest.mark.parametrize(
    ("description", "planes"),
    [
        ("ImageJ=1.53t\nimages=3\nslices=3\n", 3),
        ("ImageJ=1.53t\nframes=4\nslices=2\n", 8),
        ("ImageJ=1.53t\nimages=6\nchannels=2\nframes=3\nhyperstack=true\n", 6),
        ('<?xml?><OME><Pixels SizeX="4" SizeZ="5" SizeC="2" SizeT="1"/></OME>', 10),
    ],
)
def test_planes_behind_one_directory_are_refused(tiff, rgb, description, planes):
    data = tiff(rgb[:, :, 0].copy(), description=description)
    with pytest.raises(UnsupportedImageError, match=f"has {planes} planes .*save"):
        load(data)


@pytest.mark.parametrize(
    "description",
    [
        "ImageJ=1.53t\nunit=um\n",
        "ImageJ=1.53t\nimages=1\nchannels=1\n",
        '<?xml?><OME><Pixels SizeX="4" SizeZ="1" SizeC="3" SizeT="1"/></OME>',
        "Three cats\nimages=3\n",
    ],
)
def test_one_plane_is_read(tiff, rgb, description):
    data = tiff(rgb, photometric="rgb", description=description)
    assert np.array_equal(load(data).raster.samples, rgb)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (ifd.Entry(33629, ifd.RATIONAL, 5, bytes(40)), "5 planes .*MetaMorph"),
        (ifd.Entry(32997, ifd.LONG, 1, b"\3\0\0\0"), "volume 3 deep .*ImageDepth"),
    ],
)
def test_other_programs_stacks_are_refused(rgb, entry, why):
    exif = b"II*\0\x08\0\0\0" + ifd.write_directory([entry], "<", 8)
    data = encode(Raster(rgb, "TIFF", Metadata(exif=exif)), "TIFF")
    with pytest.raises(UnsupportedImageError, match=why):
        load(data)


def test_a_real_imagej_stack_is_refused():
    file = io.BytesIO()
    stack = np.zeros((3, 32, 40), np.uint8)
    tifffile.imwrite(file, stack, imagej=True)
    data = bytearray(file.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, 0)  # one directory
    with pytest.raises(UnsupportedImageError, match="3 planes behind one directory"):
        load(bytes(data))


@pytest.mark.parametrize(
    ("channels", "extra", "why"),
    [
        (4, (0,), r"a fourth band that isn't alpha \(ExtraSamples 0\); save"),
        (4, (), r"a fourth band that isn't alpha \(no ExtraSamples\); save"),
        (2, (0,), r"a second band that isn't alpha \(ExtraSamples 0\); save"),
        (2, (), r"a second band that isn't alpha \(no ExtraSamples\); save"),
    ],
)
def test_bands_that_are_not_alpha_are_refused(rgba, channels, extra, why):
    samples = np.ascontiguousarray(rgba[:, :, -channels:])
    data = with_extra_samples(encode(Raster(samples, "TIFF"), "TIFF"), extra)
    with pytest.raises(UnsupportedImageError, match=why):
        load(data)


@pytest.mark.parametrize("kind", [1, 2])
def test_alpha_of_both_kinds_is_read(rgba, kind):
    data = with_extra_samples(encode(Raster(rgba, "TIFF"), "TIFF"), (kind,))
    assert np.array_equal(load(data).raster.samples, rgba)


def test_copies_that_earlier_versions_made_still_open(rgba):
    """They carried an ExtraSamples of 0 and an ImageJ description along."""
    description = b"ImageJ=1.53t\nimages=3\n\0"
    exif = b"II*\0\x08\0\0\0" + ifd.write_directory(
        [
            ifd.Entry(270, ifd.ASCII, len(description), description),
            ifd.Entry(338, ifd.SHORT, 1, b"\0\0"),
        ],
        "<",
        8,
    )
    raster = Raster(rgba, "TIFF", Metadata(exif=exif))
    data = encode(raster, "TIFF", b"record")
    for ignored in (False, True):
        loaded = load(data, ignore_record=ignored)
        assert np.array_equal(loaded.raster.samples, rgba)
        assert loaded.raster.metadata.exif == exif
    with pytest.raises(UnsupportedImageError, match="planes"):
        load(encode(raster, "TIFF"))


def with_extra_samples(data: bytes, kinds: tuple[int, ...]) -> bytes:
    """The file with another ExtraSamples, or (renamed away) none."""
    entry = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    assert entry in data
    tag, value = (338, kinds[0]) if kinds else (337, 0)
    return data.replace(entry, struct.pack("<HHIHH", tag, 3, 1, value, 0))


# What is said of what is read


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({}, None),
        ({"photometric": "miniswhite"}, "zero as white"),
        ({"compression": "lzw"}, None),
        ({"photometric": "palette", "colormap": np.zeros((3, 256), "u2")}, "a palette"),
    ],
)
def test_how_samples_were_stored(tiff, options, stored):
    loaded = load(tiff(np.ones((4, 4), np.uint8), **options))
    assert (loaded.stored, loaded.left_out) == (stored, ())


def test_bits_and_white_zero_are_told_together(foreign_files):
    data = foreign_files["tiff-1"]
    assert load(data).stored == "1-bit samples"
    black, white = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))
    assert black in data
    loaded = load(data.replace(black, white))
    assert loaded.stored == "1-bit samples and zero as white"


def test_what_is_left_out_is_named(tiff, rgb, own_files):
    extra = [(37724, "B", 40, bytes(40), True), (280, "H", 1, 5, True)]
    loaded = load(tiff(rgb, photometric="rgb", extratags=extra))
    assert loaded.left_out == (
        "TIFF tag MinSampleValue",
        "TIFF tag ImageSourceData (Photoshop layers)",
    )
    assert (37724).to_bytes(2, "little") not in loaded.raster.metadata.exif
    behind = load(tiff(rgb, photometric="rgb") + b"something that is hidden here")
    assert behind.left_out == ("data that no tag points to",)
    own = load(own_files["TIFF"])
    assert (own.left_out, own.stored) == ((), None)
    assert load(own_files["TIFF"], ignore_record=True).left_out == ()


def test_files_of_other_writers_leave_nothing_out(foreign_files):
    names = [name for name in foreign_files if name.startswith("tiff")]
    assert {
        name: load(foreign_files[name]).left_out for name in names
    } == dict.fromkeys(names, ())
