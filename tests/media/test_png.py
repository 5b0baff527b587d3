import struct
import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from fiftyone_reue.errors import (
    DamagedRecordError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.media import png
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit

ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
BOMB = zlib.compress(bytes(10 << 20))


def chunk(kind: bytes, payload: bytes) -> bytes:
    crc = zlib.crc32(kind + payload)
    return struct.pack(">I4s", len(payload), kind) + payload + struct.pack(">I", crc)


def assemble(
    width: int, height: int, depth: int, colour: int, rows: bytes, *before, interlace=0
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = [chunk(b"IHDR", header), *(chunk(*pair) for pair in before)]
    parts += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return png.SIGNATURE + b"".join(parts)


def insert(data: bytes, kind: bytes, payload: bytes, *, at: int = 33) -> bytes:
    """Put a chunk behind the header, or elsewhere."""
    return data[:at] + chunk(kind, payload) + data[at:]


def kinds(data: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append(kind)
        at += 12 + length
    return found


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_sub_byte_gray_is_scaled_to_eight_bits(depth):
    values = np.arange(8) % (1 << depth)
    bits = "".join(f"{v:0{depth}b}" for v in values)
    row = int(bits, 2).to_bytes(depth, "big")
    raster = load(assemble(8, 1, depth, 0, b"\0" + row)).raster
    assert raster.channels == 1
    peak = (1 << depth) - 1
    assert raster.samples.ravel().tolist() == (values * 255 // peak).tolist()


def test_sixteen_bits_stay_sixteen_bits():
    row = struct.pack(">6H", 1, 256, 257, 65535, 0, 12345)
    raster = load(assemble(2, 1, 16, 2, b"\0" + row)).raster
    assert raster.samples.dtype == np.uint16
    assert raster.samples.ravel().tolist() == [1, 256, 257, 65535, 0, 12345]


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "expected"),
    [
        (8, 0, bytes([7, 8]), (7,), [7, 0, 8, 255]),
        (2, 0, b"\x60", (1,), [85, 0, 170, 255]),
        (8, 2, bytes([1, 2, 3, 1, 2, 4]), (1, 2, 3), [1, 2, 3, 0, 1, 2, 4, 255]),
        (16, 0, b"\1\2\1\3", (0x102,), [0x102, 0, 0x103, 65535]),
    ],
)
def test_a_colour_key_becomes_alpha(depth, colour, row, key, expected):
    transparency = (b"tRNS", struct.pack(f">{len(key)}H", *key))
    raster = load(assemble(2, 1, depth, colour, b"\0" + row, transparency)).raster
    assert raster.samples.ravel().tolist() == expected


@pytest.mark.parametrize("transparency", [None, b"\x80"])
def test_palettes_become_colours(transparency):
    before = [(b"PLTE", bytes([9, 8, 7, 1, 2, 3]))]
    if transparency:
        before.append((b"tRNS", transparency))
    raster = load(assemble(2, 1, 1, 3, b"\0\x40", *before)).raster
    if transparency:
        assert raster.samples.ravel().tolist() == [9, 8, 7, 128, 1, 2, 3, 255]
    else:
        assert raster.samples.ravel().tolist() == [9, 8, 7, 1, 2, 3]


def interlaced(samples: np.ndarray) -> bytes:
    """Adam7, unfiltered, of gray, gray and alpha, RGB or RGBA."""
    height, width, channels = samples.shape
    passes = b""
    for top, left, down, right in ADAM7:
        for row in samples[top::down, left::right]:
            stored = row.astype(row.dtype.newbyteorder(">"))
            passes += b"\0" + stored.tobytes() if row.size else b""
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    depth = 8 * samples.itemsize
    return assemble(width, height, depth, colour, passes, interlace=1)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 2**32 - 1)
)
def test_interlaced_images(channels, dtype, height, width, seed):
    draw = np.random.default_rng(seed)
    peak = np.iinfo(dtype).max
    samples = draw.integers(0, peak + 1, (height, width, channels)).astype(dtype)
    loaded = load(interlaced(samples))
    assert np.array_equal(loaded.raster.samples, samples)
    assert loaded.stored == "interlacing"


def test_interlaced_palettes_and_bits(pillow, rgb):
    """Each pass's rows begin on a byte of their own."""
    indices = np.arange(35, dtype=np.uint8).reshape(5, 7) % 4
    passes = b""
    for top, left, down, right in ADAM7:
        for row in indices[top::down, left::right]:
            if row.size:
                bits = "".join(f"{v:02b}" for v in row).ljust(
                    -(-len(row) // 4) * 8, "0"
                )
                passes += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    palette = (b"PLTE", bytes(range(12)))
    loaded = load(assemble(7, 5, 2, 3, passes, palette, interlace=1))
    expected = np.arange(12, dtype=np.uint8).reshape(4, 3)[indices]
    assert np.array_equal(loaded.raster.samples, expected)
    assert loaded.stored == "a palette and interlacing"


def test_interlaced_images_that_are_cut_or_damaged(rgb):
    data = interlaced(rgb)
    for size in range(len(data)):
        with pytest.raises(UnreadableImageError):
            load(data[:size])
    at = data.index(b"IDAT") + 40
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises(UnreadableImageError, match="checksum"):
        load(damaged)


@pytest.mark.parametrize(
    ("depth", "colour", "before", "stored"),
    [
        (8, 0, (), None),
        (1, 0, (), "1-bit samples"),
        (4, 0, (), "4-bit samples"),
        (8, 0, ((b"tRNS", b"\0\1"),), "a transparent colour"),
        (2, 0, ((b"tRNS", b"\0\1"),), "2-bit samples and a transparent colour"),
        (1, 3, ((b"PLTE", bytes(6)),), "a palette"),
        (1, 3, ((b"PLTE", bytes(6)), (b"tRNS", b"\1")), "a palette"),
    ],
)
def test_how_samples_were_stored(depth, colour, before, stored):
    assert load(assemble(1, 1, depth, colour, b"\0\0", *before)).stored == stored


@pytest.mark.parametrize(
    ("before", "colour", "rows"),
    [
        (((b"tRNS", b"\0"),), 0, b"\0\0"),
        (((b"tRNS", bytes(4)),), 2, bytes(4)),
        (((b"PLTE", bytes(4)),), 3, b"\0\0"),
        (((b"PLTE", b""),), 3, b"\0\0"),
        (((b"PLTE", bytes(3)), (b"tRNS", bytes(2))), 3, b"\0\0"),
        (((b"tRNS", bytes(1)), (b"PLTE", bytes(3))), 3, b"\0\0"),
    ],
)
def test_tables_that_do_not_fit_are_refused(before, colour, rows):
    with pytest.raises(UnreadableImageError, match="transparency or palette"):
        load(assemble(1, 1, 8, colour, rows, *before))


def test_only_the_bits_that_samples_have_count_for_a_colour_key():
    data = assemble(2, 1, 8, 0, b"\0\7\x08", (b"tRNS", b"\xff\7"))
    assert load(data).raster.samples.ravel().tolist() == [7, 0, 8, 255]


@pytest.mark.parametrize(
    ("kind", "payload", "colour", "rows", "left_out"),
    [
        (b"PLTE", bytes(6), 2, bytes(4), ("PNG chunk PLTE",)),
        (b"tRNS", bytes(2), 4, bytes(3), ("PNG chunk tRNS",)),
        (b"hIST", bytes(2), 2, bytes(4), ("PNG chunk hIST",)),
        (b"prVT", bytes(2), 2, bytes(4), ("PNG chunk prVT",)),
        (b"prVt", bytes(2), 2, bytes(4), ()),  # it is metadata
    ],
)
def test_chunks_that_are_left_out_are_named(kind, payload, colour, rows, left_out):
    loaded = load(assemble(1, 1, 8, colour, rows, (kind, payload)))
    assert loaded.left_out == left_out


def test_what_lies_behind_the_end_is_named(own_files):
    assert load(own_files["PNG"]).left_out == ()
    assert load(own_files["PNG"] + b"more").left_out == ("bytes after the end",)


def test_second_blocks_are_named(rgb):
    data = encode(Raster(rgb, "PNG", Metadata(icc=b"first", exif=b"first")), "PNG")
    data = insert(data, b"eXIf", b"second", at=len(data) - 12)
    data = insert(data, b"iCCP", b"n\0\0" + zlib.compress(b"second"), at=len(data) - 12)
    loaded = load(data)
    assert loaded.raster.metadata == Metadata(icc=b"first", exif=b"first")
    assert loaded.left_out == ("another PNG chunk eXIf", "PNG chunk iCCP")


def test_apples_variant_is_refused_by_its_name(foreign_files):
    data = foreign_files["png-RGB"]
    data = data[:8] + chunk(b"CgBI", b"\x50\0\x20\6") + data[8:]
    with pytest.raises(UnsupportedImageError, match=r"Apple's variant of PNG \(CgBI\)"):
        load(data)


def test_samples_are_as_stored_whatever_the_gamma(rgb):
    data = encode(Raster(rgb, "PNG"), "PNG")
    data = insert(data, b"gAMA", struct.pack(">I", 100000))
    assert np.array_equal(load(data).raster.samples, rgb)


def test_the_record_is_a_private_chunk_before_the_end(own_files):
    assert kinds(own_files["PNG"])[-2:] == [b"reUE", b"IEND"]
    # ancillary, private, conforming, not safe to copy
    assert [bool(c & 0x20) for c in b"reUE"] == [True, True, False, False]


def test_long_records_are_split(monkeypatch, rgb):
    monkeypatch.setattr(png, "_MAX_CHUNK", 1000)
    record = bytes(2500)
    data = encode(Raster(rgb, "PNG"), "PNG", record)
    assert kinds(data).count(b"reUE") == 3
    assert load(data).record == record


def test_a_damaged_record_is_told_from_a_damaged_image(own_files):
    data = own_files["PNG"]
    at = data.index(b"reUE") + 10
    edited = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises(DamagedRecordError, match=r"x\.png: .*checksum"):
        load(edited, name="x.png")
    assert load(edited, ignore_record=True).raster.width == 31
    with pytest.raises(DamagedRecordError, match="cut short"):
        load(data[:at])
    with pytest.raises(UnreadableImageError, match="cut short"):
        load(data[:at], ignore_record=True)


def test_metadata_is_kept_verbatim(rgb, own_files):
    chunks = (
        (b"gAMA", struct.pack(">I", 45455)),
        (b"tEXt", b"Comment\0caf\xe9"),
        (b"zTXt", b"Long\0\0" + zlib.compress(b"x" * 1000)),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "größer".encode()),
        (b"tIME", b"\x07\xe8\1\1\1\1\1"),
        (b"pHYs", struct.pack(">IIB", 3, 2, 0)),
        (b"sBIT", b"\5\6\5"),
        (b"prVt", b"anything, safe to copy"),
    )
    data = encode(Raster(rgb, "PNG"), "PNG")
    for kind, payload in reversed(chunks):
        data = insert(data, kind, payload)
    first = load(data).raster
    assert sorted(first.metadata.chunks) == sorted(chunks)
    assert first.metadata.dpi is None  # only a ratio is known
    again = load(encode(first, "PNG", b"r")).raster
    assert again.metadata == first.metadata


def test_text_of_other_writers_survives(pillow, rgb):
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "A. Nonymous")
    text.add_itxt("XML:com.adobe.xmp", "<xmp/>", zip=True)
    data = pillow(rgb, "PNG", pnginfo=text, dpi=(300, 300), icc_profile=b"profile")
    metadata = load(data).raster.metadata
    assert (b"tEXt", b"Author\0A. Nonymous") in metadata.chunks
    assert metadata.xmp == b"<xmp/>"
    assert metadata.icc == b"profile"
    assert metadata.dpi == pytest.approx((300, 300), abs=0.02)


def test_chunks_that_new_samples_make_wrong_are_dropped(rgb):
    data = encode(Raster(rgb, "PNG"), "PNG")
    for kind in (b"hIST", b"vpAG"):  # not safe to copy, known and unknown
        data = insert(data, kind, b"\0\1")
    assert load(data).raster.metadata.chunks == ()
    palette = [(b"PLTE", bytes(6)), (b"bKGD", b"\0"), (b"sBIT", b"\5\6\5")]
    data = assemble(2, 1, 1, 3, b"\0\x40", *palette)
    assert load(data).raster.metadata.chunks == ()


@pytest.mark.slow
def test_every_cut_is_noticed(own_files, foreign_files):
    for data in (own_files["PNG"], foreign_files["png-P"], foreign_files["png-RGB"]):
        for size in range(len(data)):
            with pytest.raises((UnreadableImageError, DamagedRecordError)):
                load(data[:size])


def test_missing_rows_are_noticed(rgb):
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    whole = assemble(31, 23, 8, 2, rows)
    assert np.array_equal(load(whole).raster.samples, rgb)
    for kept in (len(rows) - 1, 22 * 94, 1, 0):
        with pytest.raises(UnreadableImageError, match="damaged PNG"):
            load(assemble(31, 23, 8, 2, rows[:kept]))


def test_one_wrong_byte_never_changes_the_samples(foreign_files):
    data = foreign_files["png-RGB"]
    expected = load(data).raster.samples
    for at in range(len(data)):
        try:
            got = load(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :])
        except (UnreadableImageError, UnsupportedImageError):
            continue
        assert np.array_equal(got.raster.samples, expected)


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (assemble(0, 5, 8, 0, b""), UnreadableImageError, "0 x 5"),
        (assemble(5, 5, 3, 0, b""), UnreadableImageError, "unknown kind"),
        (assemble(5, 5, 8, 5, b""), UnreadableImageError, "unknown kind"),
        (assemble(2, 1, 1, 3, b"\0\x40"), UnreadableImageError, "palette is missing"),
        (assemble(9**5, 9**5, 8, 0, b""), UnsupportedImageError, "--max-pixels"),
        (assemble(4999, 4999, 8, 0, b"\0"), UnreadableImageError, "cut short"),
        (
            assemble(1, 1, 8, 0, b"\0\0", (b"acTL", struct.pack(">II", 7, 0))),
            UnsupportedImageError,
            "has 7 frames",
        ),
        (
            assemble(1, 1, 8, 0, b"\0\0", (b"CgBI", b"\0\0\0\0")),
            UnsupportedImageError,
            "CgBI",
        ),
    ],
)
def test_headers_and_chunks_that_are_refused(data, error, why):
    with pytest.raises(error, match=why):
        load(data)


def test_animations_are_refused(pillow, rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    data = pillow(frames[0], "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match="has 2 frames"):
        load(data)


@pytest.mark.parametrize(
    ("kind", "payload", "what"),
    [
        (b"iCCP", b"p\0\0junk", "colour profile"),
        (b"iCCP", b"no end", "colour profile"),
        (b"iCCP", b"p\0\0" + BOMB, "colour profile"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB, "XMP packet"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0junk", "XMP packet"),
        (b"iTXt", b"XML:com.adobe.xmp\0", "XMP packet"),
    ],
)
def test_what_can_not_be_unpacked_is_left_out(monkeypatch, rgb, kind, payload, what):
    """As viewers do, which show the picture all the same."""
    monkeypatch.setattr(png, "_MAX_INFLATED", 1 << 16)
    loaded = load(insert(encode(Raster(rgb, "PNG"), "PNG"), kind, payload))
    assert np.array_equal(loaded.raster.samples, rgb)
    assert loaded.raster.metadata == Metadata()
    assert loaded.left_out == (f"{what} that can't be unpacked",)


def test_text_is_carried_packed(rgb):
    data = insert(encode(Raster(rgb, "PNG"), "PNG"), b"zTXt", b"t\0\0" + BOMB)
    assert load(data).raster.metadata.chunks == ((b"zTXt", b"t\0\0" + BOMB),)


def test_sides_longer_than_libpng_takes_are_refused():
    raster = Raster(np.zeros((1, 1_000_001, 1), np.uint8), "PNG")
    with pytest.raises(UnsupportedImageError, match="1000001 x 1"):
        encode(raster, "PNG")


def test_noise_is_written_whatever_the_shape():
    rng = np.random.default_rng(4)
    for shape in ((5000, 1, 1), (1, 5000, 1), (3000, 2, 4), (300, 300, 3)):
        samples = rng.integers(0, 256, shape, dtype=np.uint8)
        loaded = load(encode(Raster(samples, "PNG"), "PNG"))
        assert np.array_equal(loaded.raster.samples, samples)


def test_a_dpi_without_chunk_is_written(rgb):
    data = encode(Raster(rgb, "JPEG", Metadata(dpi=(72, 72))), "PNG")
    assert kinds(data)[1] == b"pHYs"


@pytest.mark.slow
def test_many_damaged_files_do_not_abort_the_process():
    """imagecodecs gives away a reference to None for each damaged PNG."""
    script = """
        import sys, numpy as np, zlib
        from fiftyone_reue.errors import UnreadableImageError
        from fiftyone_reue.media.codec import encode, load
        from fiftyone_reue.media.raster import Raster
        data = encode(Raster(np.ones((64, 64, 3), np.uint8), "PNG"), "PNG")
        at = data.index(b"IDAT") + 8
        damaged = data[:at] + b"\\xff" + data[at + 1:]
        before = sys.getrefcount(None)
        for _ in range(3000):
            try:
                load(damaged)
            except UnreadableImageError:
                continue
            raise SystemExit("not noticed")
        if sys.getrefcount(None) < before - 100:
            raise SystemExit("None is being used up")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
