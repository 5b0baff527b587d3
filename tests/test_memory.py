"""Nothing that is read makes the program take much memory, whatever it says."""

import io
import json
import os
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard
from PIL import Image

from fiftyone_reue import arrays
from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.demo import tiles
from fiftyone_reue.errors import (
    DamagedRecordError,
    InputError,
    ReueError,
    UnreadableImageError,
    UnsupportedImageError,
)
from fiftyone_reue.invertible import weights
from fiftyone_reue.media import codec, original
from fiftyone_reue.media import png as png_media
from fiftyone_reue.media.codec import encode, load, read_file
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.original import describe, rebuild
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.perturb import reversal
from fiftyone_reue.perturb.base import State
from fiftyone_reue.perturb.deep_hiding.method import DeepHiding
from fiftyone_reue.perturb.raeg.turning import Turning
from fiftyone_reue.perturb.reversal import Content
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.clusters import Clusters
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.watermark import patterns
from fiftyone_reue.workflows import protect as protecting
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

pytestmark = pytest.mark.unit

MB = 1 << 20
MOST = DEFAULT_MAX_PIXELS - 1
"""A limit that somebody stated, so that small files may be large images."""
SMALL = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """Nothing in here allocates more than so much at a time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MB, f"{peak / MB:.0f} MB were taken"


def zeros(size: int) -> bytes:
    """So many zeros in a zstd frame that says how many they are."""
    packer = zstandard.ZstdCompressor(level=1).compressobj(size=size)
    piece = bytes(MB)
    parts = [packer.compress(piece) for _ in range(size // MB)]
    parts += [packer.compress(bytes(size % MB)), packer.flush()]
    return b"".join(parts)


def pattern(height: int, width: int) -> Content:
    """A box that names a pattern of this size, as a recipient can seal one."""
    packed = zeros(height * width)
    data = struct.pack(">HHBI", height, width, 1, len(packed)) + packed
    return Content(1, data)


def make(vault: Vault, source: Path, output: Path) -> None:
    steps = protect(
        vault,
        "alice",
        labelled_items(source),
        output,
        name="n",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    assert not finish(steps).outcome.failures


# -- small files


def blank(side: int) -> bytes:
    """A PNG of so many black pixels a side."""
    out = io.BytesIO()
    Image.new("L", (side, side)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.slow
def test_a_small_file_is_no_large_image():
    """34 bytes of WebP, a colour and two sides, took 7 GB."""
    data = blank(5001)
    assert len(data) < 100_000
    with at_most(2), pytest.raises(UnsupportedImageError, match="limit of 25000000"):
        load(data)
    assert load(data, max_pixels=MOST).raster.width == 5001
    assert load(blank(5000)).raster.width == 5000


@pytest.mark.slow
def test_a_large_file_may_be_a_large_image():
    """A chunk that nobody reads makes it so: pixels count beside bytes alone."""
    filler = struct.pack(">I", 900_000) + b"reUE" + bytes(900_000)
    filler += zlib.crc32(filler[4:]).to_bytes(4, "big")
    data = blank(5001)
    data = data[:-12] + filler + data[-12:]
    assert load(data, ignore_record=True).raster.width == 5001


# -- records


@pytest.mark.parametrize("shape", [(20_000, 20_000), (65_535, 1), (1, 65_535)])
def test_a_pattern_is_no_larger_than_its_image(shape):
    content = pattern(*shape)
    with at_most(8), pytest.raises(DamagedRecordError):
        reversal.unpack(content, SMALL, 3)


@pytest.mark.slow
def test_a_recipients_box_can_not_fill_the_owners_memory(
    vault, tmp_path, write_folder, monkeypatch
):
    source = write_folder(tmp_path / "source", classes=2, each=1)
    bomb = pattern(60_000, 10_000)
    with monkeypatch.context() as patch:
        patch.setattr(reversal, "smallest", lambda *_, **__: bomb)
        make(vault, source, tmp_path / "out")
    script = f"""
        import resource
        from pathlib import Path
        from fiftyone_reue import cli
        from fiftyone_reue.batch.folders import image_items
        from fiftyone_reue.progress import finish
        from fiftyone_reue.vault.vault import open_folder
        from fiftyone_reue.workflows import extract, restore, reveal
        taken = int(open("/proc/self/statm").read().split()[0]) * 4096
        limit = taken + 400 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        with open_folder(Path({str(tmp_path / "vault")!r})).ledger as ledger:
            pass
        vault = open_folder(Path({str(tmp_path / "vault")!r}))
        items = image_items(Path({str(tmp_path / "out")!r}))
        steps = restore.restore_original(vault, items, Path({str(tmp_path / "back")!r}))
        for one in finish(steps).outcome.failures:
            print(one.reason)
    """
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system doesn't say how much memory is taken")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("what its box holds can't be read") == 2


def test_a_record_of_no_waves_or_of_other_weights_is_damaged():
    striped = Turning("raeg", bytes(8), 4).pack()
    with pytest.raises(DamagedRecordError):
        Turning.unpack(bytes([striped[0] | 0x80]) + striped[1:14] + b"\x09\0")
    secret = Turning("deep_hiding", weights.identity("deep_hiding"), 4).pack()
    parts = [b"raeg", secret, b""]
    joined = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    way = reversal.unpack(Content(2, b"\1" + joined), SMALL, 3)
    with pytest.raises(DamagedRecordError, match="aren't an adversarial network's"):
        way.licensed(SMALL, 3)


@pytest.mark.parametrize("method", ["deep_hiding", "raeg"])
def test_networks_see_no_image_of_which_they_would_take_too_much(method):
    joined = b"".join(
        struct.pack(">I", len(part)) + part for part in (method.encode(), b"", b"")
    )
    for shape in ((16, 80_000, 3), (8, 8, 3)):
        like = np.broadcast_to(np.uint8(0), shape)
        with at_most(8), pytest.raises(DamagedRecordError):
            reversal.unpack(Content(2, b"\1" + joined), like, 3)


def test_too_narrow_images_are_refused_before_a_network_sees_them():
    method = DeepHiding()
    assert method.takes(16, 65_536)
    assert method.takes(10_000, 10_000)
    assert not method.takes(16, 65_537)
    licensed = np.zeros((16, 65_537, 1), np.uint8)
    state = State("deep_hiding", ("a",), {})
    with at_most(16), pytest.raises(UnsupportedImageError, match="too narrow"):
        reversal.perturb(method, state, licensed, 1, "a", bytes(32), name="x")


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_what_is_kept_of_a_file_is_no_larger_than_a_file(kind):
    packed = zeros(600 * MB)
    parts = {1: [b"", packed, bytes(32)], 2: [packed, b"", b""], 3: [packed]}[kind]
    joined = b"".join(struct.pack(">I", len(part)) + part for part in [b".png", *parts])
    with at_most(8), pytest.raises(DamagedRecordError):
        rebuild(bytes([kind]) + joined, Raster(SMALL, "PNG"))


@pytest.mark.slow
def test_too_many_pieces_of_image_data_are_refused():
    inner = b"".join(
        struct.pack(">I", len(part)) + part for part in (b"", b"", bytes(200 * MB), b"")
    )
    packed = zstandard.ZstdCompressor(level=1).compress(inner)
    joined = b"".join(
        struct.pack(">I", len(part)) + part for part in (b".png", packed, b"", b"")
    )
    del inner
    with at_most(420), pytest.raises(DamagedRecordError):
        rebuild(b"\2" + joined, Raster(SMALL, "PNG"))


def test_a_file_that_could_not_be_rebuilt_is_refused_when_it_is_protected(monkeypatch):
    monkeypatch.setattr(original, "_BESIDES", 1000)
    file = io.BytesIO()
    Image.fromarray(SMALL).save(file, "JPEG")
    data = file.getvalue() + bytes(80_000)
    with pytest.raises(UnsupportedImageError, match="far more than its picture takes"):
        describe(data, load(data), ".jpg")


# -- the ledger


@pytest.mark.parametrize("sides", [(60_000, 60_000), (1, 1), (0, 5), (-1, 2**31)])
def test_an_originals_size_in_the_ledger_is_not_believed(
    vault, tmp_path, write_folder, sides
):
    source = write_folder(tmp_path / "source", classes=2, each=1)
    make(vault, source, tmp_path / "out")
    height, width = sides
    for image in list(vault.ledger.images()):
        vault.ledger.put_images([replace(image, height=height, width=width)])
    leak = tmp_path / "leak"
    leak.mkdir()
    with Image.open(next((tmp_path / "out").rglob("*.png"))) as copy:
        copy.save(leak / "a.jpg", quality=90)
    with at_most(64):
        (suspect,) = finish(extract(vault, image_items(leak))).suspects
    assert suspect.image_id is None
    assert "its entry was changed" in (suspect.reason or "")


@pytest.mark.parametrize("sides", [(0, 9), (-3, 9)])
def test_no_mark_has_sides_of_no_pixels(sides):
    with pytest.raises(InputError, match="carries no mark"):
        patterns.bit_count(*sides)


@pytest.mark.slow
def test_tables_of_long_images_are_made_in_pieces_and_not_kept():
    length, size = 100_000, 5
    with at_most(16):
        made = patterns.cosines(length, size)
    assert made is patterns.cosines(length, size)
    with at_most(1_000_000 * 5 * 4 // MB + 8):
        patterns.cosines(1_000_000, size)
    assert patterns.cosines(1_000_000, size) is not patterns.cosines(1_000_000, size)


# -- fits


def test_arrays_come_back():
    kept = {"a": np.arange(6).reshape(2, 3), "b": np.array("text"), "c": np.zeros(0)}
    file = io.BytesIO()
    np.savez_compressed(file, **kept)
    found = arrays.read_arrays(file.getvalue(), MB)
    assert found.keys() == kept.keys()
    assert all(np.array_equal(found[name], kept[name]) for name in kept)


@pytest.mark.slow
def test_bombs_among_fits_are_refused():
    file = io.BytesIO()
    np.savez_compressed(file, mean=np.zeros(200 * MB, np.uint8))
    for read in (State.from_bytes, Clusters.from_bytes):
        with at_most(8), pytest.raises(DamagedRecordError, match="larger than any"):
            read(file.getvalue())


def test_a_header_that_announces_more_than_there_is_is_refused():
    announced = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        announced, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40,)}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mean.npy", announced.getvalue())
    with at_most(8), pytest.raises(DamagedRecordError, match="what its header says"):
        arrays.read_arrays(file.getvalue(), MB)


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"PK\5\6" + bytes(18), bytes(100)])
def test_what_is_no_fit_is_refused(data):
    with pytest.raises((DamagedRecordError, KeyError)):
        State.from_bytes(data)


# -- manifests and key files


def test_a_huge_manifest_is_refused_unread(tmp_path):
    path = tmp_path / manifest.NAME
    path.touch()
    os.truncate(path, manifest.MOST_BYTES + 1)
    with at_most(8), pytest.raises(InputError, match="larger than any manifest"):
        manifest.read(tmp_path)


def test_nesting_without_an_end_is_no_manifest_and_no_key(tmp_path):
    (tmp_path / manifest.NAME).write_text("[" * 200_000)
    assert manifest.read(tmp_path) is None
    key = RecipientKey("Ann", "v" * 16, "r" * 16, "k" * 16, bytes(32))
    text = key.to_text().replace("Passphrase: none", "Passphrase: scrypt " + "[" * 9000)
    with pytest.raises(InputError):
        RecipientKey.from_text(text, "words")


# -- files


@pytest.mark.parametrize("call", [load, read_file])
def test_a_file_larger_than_any_image_is_not_read(tmp_path, call):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    os.truncate(path, codec.LARGEST_FILE + 1)
    with at_most(8), pytest.raises(UnsupportedImageError, match="--max-pixels"):
        call(path)
    os.truncate(path, 300 * MB)
    with at_most(8), pytest.raises(UnsupportedImageError, match="--max-pixels"):
        load(path, max_pixels=100)


def test_a_file_of_no_known_size_is_read_to_its_end(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(range(100)))
    assert codec._read_at_most(path, 0, 100) == bytes(range(100))
    assert codec._read_at_most(path, 50, 99) is None


def chunk(kind: bytes, payload: bytes) -> bytes:
    crc = zlib.crc32(kind + payload).to_bytes(4, "big")
    return struct.pack(">I", len(payload)) + kind + payload + crc


def png() -> bytes:
    return encode(Raster(SMALL, "PNG"), "PNG")


def png_with_more_rows() -> bytes:
    """Its image data unpacks to 300 MB more than its rows take."""
    data = png()
    at = data.index(b"IDAT") - 4
    rows = np.concatenate(
        [np.zeros((32, 1), np.uint8), SMALL.reshape(32, -1)], axis=1
    ).tobytes()
    packer = zlib.compressobj(9)
    parts = [packer.compress(rows)]
    parts += [packer.compress(bytes(MB)) for _ in range(300)]
    stream = b"".join((*parts, packer.flush()))
    return data[:at] + chunk(b"IDAT", stream) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_image_data_that_goes_on_is_not_unpacked():
    data = png_with_more_rows()
    try:
        with at_most(32):
            loaded = load(data)
            described = describe(data, loaded, ".png", whole=True)
    except UnreadableImageError:
        return
    assert rebuild(described.content, loaded.raster).data == data


@pytest.mark.slow
def test_too_many_chunks_are_refused(monkeypatch):
    monkeypatch.setattr(png_media, "_MOST_CHUNKS", 10_000)
    data = png()
    at = data.index(b"IDAT") - 4
    for kind, count in ((b"tEXt", 5000), (b"IDAT", 10_001)):
        more = data[:at] + chunk(kind, b"") * count + data[at:]
        with at_most(8), pytest.raises(UnsupportedImageError, match="chunks"):
            load(more)


def tiff(entries: dict[int, tuple[int, bytes]], rest: bytes = b"") -> bytes:
    """A little-endian TIFF of these tags; ``rest`` lies at 8, values behind it."""
    sizes = {1: 1, 3: 2, 4: 4, 7: 1}
    values, listed = b"", b""
    at = 8 + len(rest)
    for tag, (kind, value) in sorted(entries.items()):
        count = len(value) // sizes[kind]
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack("<I", at + len(values))
            values += value
        listed += struct.pack("<HHI", tag, kind, count) + field
    directory = struct.pack("<H", len(entries)) + listed + bytes(4)
    return struct.pack("<2sHI", b"II", 42, at + len(values)) + rest + values + directory


def short(*values: int) -> tuple[int, bytes]:
    return 3, struct.pack(f"<{len(values)}H", *values)


def long(*values: int) -> tuple[int, bytes]:
    return 4, struct.pack(f"<{len(values)}I", *values)


def gray_tiff(**changes: tuple[int, bytes]) -> bytes:
    tags = {
        256: long(16),
        257: long(16),
        258: short(8),
        259: short(1),
        262: short(1),
        273: long(8),
        277: short(1),
        278: long(16),
        279: long(256),
    }
    tags |= {int(name[1:]): value for name, value in changes.items()}
    return tiff({t: v for t, v in tags.items() if v[1]}, bytes(256))


def test_the_tiff_of_these_tests_is_one():
    assert load(gray_tiff()).raster.samples.shape == (16, 16, 1)


def test_a_tag_of_many_numbers_is_not_made_numbers_of():
    data = gray_tiff(_258=(3, b"\x08\0" * (10 * MB)))
    with at_most(60):
        load(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            # Each of a million strips is the whole file.
            lambda: gray_tiff(
                _257=long(100_000),
                _278=long(1),
                _273=(4, struct.pack("<I", 8) * 100_000),
                _279=(4, struct.pack("<I", 400_000) * 100_000),
            ),
            "share data",
        ),
        (
            lambda: gray_tiff(
                _273=(4, b""),
                _279=(4, b""),
                _322=long(13_000),
                _323=long(13_000),
                _324=long(8),
                _325=long(256),
                _259=short(8),
            ),
            "far larger than its picture",
        ),
        (
            lambda: gray_tiff(
                _256=long(2000),
                _257=long(2000),
                _273=(4, b""),
                _279=(4, b""),
                _322=long(1),
                _323=long(1),
                _324=(4, bytes(16_000_000)),
                _325=(4, bytes(16_000_000)),
            ),
            "strips or tiles; re-save",
        ),
    ],
    ids=["strips", "large tile", "many tiles"],
)
def test_strips_and_tiles_take_no_more_than_there_is(data, why):
    made = data()
    with at_most(64), pytest.raises(ReueError, match=why):
        load(made, max_pixels=MOST)


def test_a_jpeg_tile_of_another_size_is_not_decoded():
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    stream = file.getvalue()
    at = stream.index(b"\xff\xc0") + 5
    large = stream[:at] + struct.pack(">HH", 16_000, 16_000) + stream[at + 4 :]
    data = tiff(
        {
            256: long(16),
            257: long(16),
            258: short(8),
            259: short(7),
            262: short(1),
            273: long(8),
            277: short(1),
            278: long(16),
            279: long(len(large)),
        },
        large,
    )
    with at_most(16), pytest.raises(UnreadableImageError, match="wrong size"):
        load(data)


def test_directories_that_overlap_are_not_followed_for_ever():
    # 2,000 directories of no entry, each six bytes long and leading to the next.
    base = 8 + 256
    rest = bytes(256) + b"".join(
        struct.pack("<HI", 0, base + 6 * (n + 1)) for n in range(2000)
    )
    data = bytearray(gray_tiff())
    body = bytes(data[:8]) + rest + bytes(data[264:])
    first = struct.unpack_from("<I", data, 4)[0] + len(rest) - 256
    body = body[:4] + struct.pack("<I", first) + body[8:-4] + struct.pack("<I", base)
    with pytest.raises(UnsupportedImageError, match="more than 1000 pages"):
        load(body)


def test_a_directory_has_no_more_entries_than_there_are_tags():
    count = 3 * MB
    data = struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, count) + bytes(20 * count + 8)
    with at_most(8), pytest.raises(UnreadableImageError, match="more entries"):
        load(data)


def jpeg_header(height: int, width: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    data = file.getvalue()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.mark.parametrize("sides", [(65_500, 65_500), (14_000, 14_000), (65_500, 3_000)])
def test_a_jpeg_header_without_the_data_is_refused(sides):
    with at_most(8), pytest.raises((UnreadableImageError, UnsupportedImageError)):
        load(jpeg_header(*sides))


def test_a_gif_header_without_the_data_is_refused():
    file = io.BytesIO()
    Image.new("P", (16, 16)).save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", 14_000, 14_000)
    at = data.index(b",", 13)
    data[at + 5 : at + 9] = struct.pack("<HH", 14_000, 14_000)
    with at_most(8), pytest.raises(UnreadableImageError, match="cut short"):
        load(bytes(data), max_pixels=MOST)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [b"!\x01\0", b"!\xfe\0", b"!\x42\0", b"!\xff\x0b01234567890\0"],
    ids=["text", "comment", "unknown", "application"],
)
def test_many_extensions_are_named_once(part):
    file = io.BytesIO()
    Image.new("P", (16, 16)).save(file, "GIF")
    data = file.getvalue()
    at = data.index(b",", 13)
    made = data[:at] + part * 40_000 + data[at:]
    with at_most(4):
        assert len(load(made).left_out) == 1


@pytest.mark.slow
def test_kinds_that_never_end_are_named_together():
    file = io.BytesIO()
    Image.new("P", (16, 16)).save(file, "GIF")
    data = file.getvalue()
    at = data.index(b",", 13)
    parts = b"".join(b"!\xff\x0b%011d\0" % number for number in range(20_000))
    with at_most(16):
        found = load(data[:at] + parts + data[at:]).left_out
    assert len(found) == 65
    assert found[-1] == "further kinds of parts"


@pytest.mark.slow
def test_a_webp_is_as_large_as_the_picture_that_is_decoded():
    small, large = (io.BytesIO(), io.BytesIO())
    Image.new("RGB", (8, 8)).save(small, "WEBP", lossless=True)
    Image.new("RGB", (4000, 4000)).save(large, "WEBP", quality=1)
    body = large.getvalue()[12:] + small.getvalue()[12:]
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    with at_most(16), pytest.raises(UnsupportedImageError, match="4000 x 4000"):
        load(data, max_pixels=1000)


def test_a_webp_of_many_chunks_is_refused():
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "WEBP", lossless=True)
    body = small.getvalue()[12:] + b"abcd\0\0\0\0" * 100_000
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    with at_most(8), pytest.raises(UnsupportedImageError, match="chunks"):
        load(data)


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"P2 1 1 255\n" + b"0 " * (20 * MB),
        lambda: b"P1 1 1\n" + b"0 " * (20 * MB),
        lambda: b"P5" + b" " * (40 * MB) + b"1 1 255\n\0",
        lambda: b"P7\n" + b"\n" * (40 * MB) + b"ENDHDR\n",
    ],
    ids=["numbers", "bits", "blanks", "lines"],
)
def test_text_that_goes_on_is_not_read(data: Callable[[], bytes]):
    made = data()
    with at_most(48), pytest.raises((UnreadableImageError, UnsupportedImageError)):
        load(made)


def test_originals_are_restored_from_what_was_made_before_the_bounds(
    vault, tmp_path, write_folder
):
    source = write_folder(tmp_path / "source", classes=2, each=2, side=8)
    make(vault, source, tmp_path / "out")
    steps = restore_original(vault, image_items(tmp_path / "out"), tmp_path / "back")
    assert finish(steps).outcome.done == 4
    for path in (tmp_path / "back").rglob("*.png"):
        same = source / path.relative_to(tmp_path / "back")
        assert path.read_bytes() == same.read_bytes()


def test_json_of_a_manifest_may_hold_anything(tmp_path):
    from fiftyone_reue.workflows.info import describe as tell

    (tmp_path / manifest.NAME).write_text(json.dumps({"failures": 3, "release": {}}))
    assert tell(tmp_path)["failed"] == 0


# -- large photographs

LARGE = (3456, 2304)
MOST_A_PIXEL = 21
"""Bytes: 1 GiB for 50 megapixels."""


def photograph(name: str, size: tuple[int, int]) -> Image.Image:
    """One with noise, as a camera's is, without which little is coded of it."""
    picture = tiles.load_photo(name).convert("RGB")
    samples = np.asarray(picture.resize(size, Image.Resampling.BICUBIC)).astype(
        np.int16
    )
    samples += np.random.default_rng(0).integers(-9, 10, samples.shape, np.int16)
    return Image.fromarray(samples.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> tuple[Vault, RecipientKey, Path, int]:
    """A release of two large JPEG files, and what protecting them took at its peak."""
    root = tmp_path_factory.mktemp("large")
    vault = create_folder(root / "vault", plain_key_file=True)
    _, key = vault.add_recipient("alice")
    for name in ("cat", "coffee"):
        (root / "source" / name).mkdir(parents=True)
        picture = photograph(name, LARGE)
        picture.save(root / "source" / name / f"{name}.jpg", quality=90)
    steps = protect(
        vault,
        "alice",
        labelled_items(root / "source"),
        root / "P",
        name="large",
        source=str(root / "source"),
        config=ProtectConfig(workers=1),
    )
    with pytest.MonkeyPatch.context() as patch:
        # How visible it is takes 500 MB whatever the size, after all else is freed.
        patch.setattr(protecting, "LOOKED_AT", 0)
        tracemalloc.start()
        try:
            assert not finish(steps).outcome.failures
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    return vault, key, root, peak


def room(size: tuple[int, int]) -> int:
    """Megabytes that a picture of so many pixels may take."""
    return MOST_A_PIXEL * size[0] * size[1] // MB


@pytest.mark.slow
def test_protecting_a_large_photograph_takes_little_memory(large):
    peak = large[-1]
    assert peak < room(LARGE) * MB, f"{peak / MB:.0f} MB were taken"


@pytest.mark.slow
def test_restoring_a_large_photograph_takes_little_memory(large, tmp_path):
    vault, key, root, _ = large
    copies = image_items(root / "P")
    with at_most(room(LARGE)):
        finish(restore_licensed(copies, None, tmp_path / "W", key, workers=1))
    with at_most(room(LARGE)):
        finish(restore_original(vault, copies, tmp_path / "O", workers=1))
    for path in (root / "source").rglob("*.jpg"):
        back = tmp_path / "O" / path.relative_to(root / "source")
        assert back.read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["as it was", "saved again", "cropped"])
def test_tracing_a_large_photograph_takes_little_memory(large, tmp_path, how):
    """At 50 megapixels it took 4.4 GB, at these 8 it would have taken 700 MB."""
    vault, _, root, _ = large
    copy = root / "P" / "coffee" / "coffee.jpg"
    suspect = tmp_path / "suspect.jpg"
    suspect.write_bytes(copy.read_bytes())
    if how != "as it was":
        with Image.open(copy) as image:
            left = 0 if how == "saved again" else image.width // 5
            image.crop((left, 0, image.width, image.height)).save(suspect, quality=80)
    with at_most(300):
        summary = finish(extract(vault, suspect_items(suspect)))
    assert summary.named == "alice"
