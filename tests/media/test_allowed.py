import io
import struct
import zlib
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image, ImageCms

from fiftyone_reue.media import ifd
from fiftyone_reue.media.allowed import MOST_PROFILE_IN_PNG, allowed
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.ifd import Entry
from fiftyone_reue.media.raster import Metadata, Raster
from tests.media.hiding import Hidden

pytestmark = pytest.mark.unit

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def block(*entries: Entry, order: str = "<") -> bytes:
    head = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}[order]
    return head + ifd.write_directory(entries, order, 8)


def test_nothing_stays_nothing():
    kept = allowed(Metadata())
    assert (kept.metadata, kept.withheld) == (Metadata(), ())


def test_resolution_stays():
    assert allowed(Metadata(dpi=(72.0, 72.0))).metadata.dpi == (72.0, 72.0)


# EXIF


def test_whose_camera_it_was_is_withheld(rgb, pillow):
    exif = Image.Exif()
    exif[271], exif[272] = "Nikon", "D850"
    photo = exif.get_ifd(34665)
    photo[42036], photo[42016] = "24-70mm", "0123456789abcdef"
    photo[42032], photo[42033], photo[42037] = "Jane Doe", "3012345", "20445566"
    kept = allowed(load(pillow(rgb, "JPEG", exif=exif)).raster.metadata)
    names = ("ImageUniqueID", "CameraOwnerName", "BodySerialNumber", "LensSerialNumber")
    assert set(kept.withheld) == {f"EXIF tag {name}" for name in names}
    read = Image.Exif()
    read.load(kept.metadata.exif)
    assert (read[271], read[272]) == ("Nikon", "D850")
    assert dict(read.get_ifd(34665)) == {42036: "24-70mm"}


@pytest.mark.parametrize("endian", ["<", ">"])
def test_a_cameras_block_stays_but_for_its_note_and_thumbnail(pillow, rgb, endian):
    exif = Image.Exif()
    exif.endian = endian
    exif[271], exif[272], exif[274], exif[306] = (
        "Nikon",
        "D850",
        6,
        "2024:06:12 18:33:44",
    )
    exif[282] = exif[283] = 300.0
    exif[33432] = "Copyright 2024 Jane Q. Photographer"
    photo = exif.get_ifd(34665)
    photo[33434], photo[34855], photo[36867] = 0.004, 100, "2024:06:12 18:33:44"
    photo[37500], photo[37510] = b"\0\1\2", b"ASCII\0\0\0A cat."
    photo[42034], photo[42036] = (24.0, 70.0, 2.8, 2.8), "24-70mm f/2.8"
    place = exif.get_ifd(34853)
    place[1], place[2], place[29] = "N", (48.0, 8.0, 13.8), "2024:06:12"
    first = load(pillow(rgb, "JPEG", exif=exif)).raster.metadata
    kept = allowed(first)
    where = "EXIF tag GPSInfo, where it was taken"
    assert kept.withheld == ("EXIF tag MakerNote", where)
    read = Image.Exif()
    read.load(kept.metadata.exif)
    assert {tag: read[tag] for tag in read if tag != 34665} == dict(exif)
    assert 37500 not in read.get_ifd(34665)
    assert read.get_ifd(34665)[37510] == b"ASCII\0\0\0A cat."
    assert read.get_ifd(34665)[42036] == "24-70mm f/2.8"
    assert read.get_ifd(34665)[36867] == "2024:06:12 18:33:44"
    assert not read.get_ifd(34853)


def test_a_block_of_which_nothing_is_withheld_stays_as_it_is():
    exif = block(Entry(274, ifd.SHORT, 1, b"\6\0"), Entry(305, ifd.ASCII, 5, b"GIMP\0"))
    kept = allowed(Metadata(exif=exif))
    assert (kept.metadata.exif, kept.withheld) == (exif, ())


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack("<HHII", 271, 2, 5000, 64),  # outside the block
        struct.pack("<HHII", 37500, 7, 2**31, 0),
        struct.pack("<HHII", 34665, 4, 1, 9999),
        struct.pack("<HHII", 34665, 2, 1, 0),
        struct.pack("<HHII", 34853, 4, 2, 0),
        struct.pack("<HHII", 271, 99, 1, 0),  # of an unknown type
    ],
)
def test_orientation_survives_damage(bad):
    entry = struct.pack("<HHII", 274, 3, 1, 8)
    exif = b"II*\0\x08\0\0\0\2\0" + entry + bad + bytes(4)
    kept = allowed(Metadata(exif=exif))
    read = Image.Exif()
    read.load(kept.metadata.exif)
    assert dict(read) == {274: 8}
    assert len(kept.withheld) == 1


@pytest.mark.parametrize("exif", [b"", b"junk", b"II*\0\xff\0\0\0", bytes(100)])
def test_a_block_that_is_none_is_withheld(exif):
    kept = allowed(Metadata(exif=exif))
    assert kept.metadata.exif is None
    assert kept.withheld == ("EXIF that can't be read",)


def test_directories_that_point_to_themselves_end():
    pointer = struct.pack("<HHII", 34665, 4, 1, 8)
    allowed(Metadata(exif=b"II*\0\x08\0\0\0\1\0" + pointer + struct.pack("<I", 8)))


@pytest.mark.slow
def test_a_block_of_very_many_tags_is_quick():
    entries = b"".join(struct.pack("<HHII", n, 3, 1, 0) for n in range(60_000))
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entries + bytes(4)
    assert len(allowed(Metadata(exif=exif)).withheld) > 50_000


def test_georeferences_stay(tiff, rgb):
    keys = (1, 1, 0, 2, 1024, 0, 1, 2, 3072, 0, 1, 32633)
    extra = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 500000.0, 5400000.0, 0.0), True),
        (34735, "H", 12, keys, True),
        (34736, "d", 1, (6378137.0,), True),
        (34737, "s", 0, "WGS 84 / UTM zone 33N|", True),
        (42113, "s", 0, "-9999", True),
    ]
    data = tiff(rgb, photometric="rgb", extratags=extra, software=False)
    first = load(data).raster.metadata
    kept = allowed(first, "TIFF")
    assert kept.withheld == ()
    assert kept.metadata.exif == first.exif


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        ("A cat.".encode("utf-16-le"), True),
        ("一只猫坐在窗台上".encode("utf-16-le"), True),
        (b"odd", False),
        (np.arange(96, 192, dtype=np.uint8).tobytes() * 3, False),
    ],
)
def test_wide_text(value, stays):
    exif = block(Entry(40092, ifd.BYTE, len(value), value))
    assert (allowed(Metadata(exif=exif)).metadata.exif == exif) == stays


# Colour profiles


def test_a_usual_profile_stays_as_it_is():
    kept = allowed(Metadata(icc=PROFILE))
    assert (kept.metadata.icc, kept.withheld) == (PROFILE, ())


def test_a_profile_of_version_two_stays_as_it_is():
    icc = Image.open(io.BytesIO(_skimage("astronaut.png"))).info["icc_profile"]
    assert len(icc) == 3144
    assert allowed(Metadata(icc=icc)).metadata.icc == icc


def test_private_parts_go_and_the_colours_stay():
    icc = Image.open(io.BytesIO(_skimage("color.png"))).info["icc_profile"]
    kept = allowed(Metadata(icc=icc))
    assert "colour profile's private tag 'vcgt'" in kept.withheld
    assert allowed(kept.metadata).metadata == kept.metadata
    target = ImageCms.createProfile("sRGB")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), "u1"))
    before, after = (
        ImageCms.profileToProfile(image, io.BytesIO(profile), target)
        for profile in (icc, kept.metadata.icc)
    )
    assert np.array_equal(np.asarray(before), np.asarray(after))


def test_what_lies_behind_a_profiles_tags_goes():
    kept = allowed(Metadata(icc=PROFILE + b"more, much more"))
    assert kept.withheld == ("bytes in the colour profile that no tag holds",)
    assert len(kept.metadata.icc) == len(PROFILE)


def test_large_profiles_are_withheld_from_png_alone(monkeypatch):
    monkeypatch.setattr("fiftyone_reue.media.allowed.MOST_PROFILE_IN_PNG", 500)
    why = ("colour profile larger than PNG readers open",)
    assert allowed(Metadata(icc=PROFILE)).withheld == why
    assert allowed(Metadata(icc=PROFILE), "TIFF").metadata.icc == PROFILE


def test_readers_open_the_largest_profile(rgb):
    """Pillow refuses the whole PNG for one byte more than the limit and one."""
    for size, opens in ((MOST_PROFILE_IN_PNG, True), (MOST_PROFILE_IN_PNG + 2, False)):
        icc = np.random.default_rng(0).bytes(size)
        data = encode(Raster(rgb, "PNG", Metadata(icc=icc)), "PNG")
        if opens:
            assert Image.open(io.BytesIO(data)).info["icc_profile"] == icc
        else:
            with pytest.raises(ValueError, match="MAX_TEXT_CHUNK"):
                Image.open(io.BytesIO(data))


# Chunks


def test_chunks_about_colour_and_size_stay():
    chunks = (
        (b"cHRM", bytes(32)),
        (b"gAMA", struct.pack(">I", 45455)),
        (b"sRGB", b"\0"),
        (b"cICP", b"\1\x0d\0\1"),
        (b"mDCV", bytes(24)),
        (b"cLLI", bytes(8)),
        (b"sBIT", b"\5\6\5"),
        (b"bKGD", bytes(6)),
        (b"pHYs", struct.pack(">IIB", 3, 2, 0)),
        (b"tIME", b"\x07\xe8\1\1\1\1\1"),
        (b"oFFs", bytes(9)),
        (b"sTER", b"\0"),
        (b"sCAL", b"\x010.5\x002.5e-3"),
        (b"pCAL", b"Height\0" + bytes(8) + b"\0\2m\x000.0\x001.5"),
        (b"tEXt", b"Comment\0caf\xe9"),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + "größer".encode()),
    )
    kept = allowed(Metadata(chunks=chunks))
    assert (kept.metadata.chunks, kept.withheld) == (chunks, ())


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (b"gAMA", bytes(5)),
        (b"cHRM", bytes(33)),
        (b"sCAL", b"\x010.5\x00" + b"1" * 400),
        (b"sCAL", b"\x03one\0two"),
        (b"pCAL", b"Height\0" + bytes(8) + b"\0\2m\x000.0\x001.5\0more"),
        (b"sPLT", b"name\0\x08" + bytes(60)),
        (b"vpAg", bytes(9)),
    ],
)
def test_chunks_of_another_form_are_withheld(kind, payload):
    kept = allowed(Metadata(chunks=((kind, payload),)))
    assert kept.metadata.chunks == ()
    assert kept.withheld == (f"PNG chunk {kind.decode()}",)


def test_a_chunk_comes_once():
    kept = allowed(Metadata(chunks=((b"gAMA", b"\0\0\0\1"), (b"gAMA", b"\0\0\0\2"))))
    assert kept.metadata.chunks == ((b"gAMA", b"\0\0\0\1"),)
    assert kept.withheld == ("PNG chunk gAMA",)


def test_packed_text_is_packed_anew():
    """Packed data can hold more than what comes out of it."""
    stored = zlib.compress(b"Words", 0)
    for kind, before in ((b"zTXt", b"Note\0\0"), (b"iTXt", b"Note\0\1\0en\0\0")):
        (chunk,) = allowed(Metadata(chunks=((kind, before + stored),))).metadata.chunks
        assert chunk == (kind, before + zlib.compress(b"Words"))
        hiding = before + stored + b"behind"
        assert allowed(Metadata(chunks=((kind, hiding),))).withheld == (
            "PNG text 'Note'",
        )


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (b"tEXt", b"no end"),
        (b"tEXt", b"\0no keyword"),
        (b"tEXt", b"key\nword\0text"),
        (b"zTXt", b"Note\0\0junk"),
        (b"zTXt", b"Note\0\1" + zlib.compress(b"text")),
        (b"zTXt", b"Note\0\0" + zlib.compress(bytes(1 << 20))),
        (b"iTXt", b"Note\0\0\0en"),
        (b"iTXt", b"Note\0\0\0en\0\0\xff\xfe"),
        (b"iTXt", b"Note\0\0\0" + b"e" * 300 + b"\0\0text"),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n       2\n4142\n"),
        (b"tEXt", b"exif:GPSLatitude\0004801/100, 0/1"),
        (b"tEXt", b"GPSPosition\0home"),
        (b"iTXt", b"Location\0\0\0en\0\0at home"),
        (b"tEXt", b"Camera Serial Number\0words"),
        (b"tEXt", b"Comment\0taken at 48.2083, 11.0833"),
    ],
)
def test_text_chunks_that_are_withheld(kind, payload):
    kept = allowed(Metadata(chunks=((kind, payload),)))
    assert kept.metadata.chunks == ()
    assert kept.withheld[0].startswith("PNG text ")


def test_exif_that_is_written_as_text_keeps_its_orientation():
    exif = block(Entry(274, ifd.SHORT, 1, b"\6\0"))
    digits = (b"Exif\0\0" + exif).hex()
    text = f"\nexif\n{len(digits) // 2:8}\n{digits}\n".encode()
    chunk = (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    kept = allowed(Metadata(chunks=(chunk,)))
    assert kept.metadata == Metadata(exif=exif)
    assert kept.withheld == ("PNG text 'Raw profile type exif'",)


def test_xmp_is_always_withheld():
    kept = allowed(Metadata(xmp=b"<x/>"))
    assert (kept.metadata, kept.withheld) == (Metadata(), ("XMP packet",))


def test_each_kind_is_named_once(photos):
    text = Hidden(photos["coffee"]).base64
    chunks = ((b"tEXt", b"A\0" + text), (b"tEXt", b"A\0" + text), (b"prVt", text))
    kept = allowed(Metadata(chunks=chunks))
    assert kept.withheld == ("PNG text 'A'", "PNG chunk prVt")


def test_what_is_allowed_stays_allowed(foreign_files, own_files):
    for data in (*foreign_files.values(), *own_files.values()):
        once = allowed(load(data).raster.metadata).metadata
        assert allowed(once).metadata == once
        assert allowed(once).withheld == ()


def _skimage(name: str) -> bytes:
    return (files("skimage") / "data" / name).read_bytes()
