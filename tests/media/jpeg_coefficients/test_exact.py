"""Whatever is read comes back byte for byte, from its coefficients and a few bytes."""

import contextlib
import io
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media.jpeg_coefficients import exact, huffman
from fiftyone_reue.media.jpeg_coefficients.coefficients import Coefficients
from fiftyone_reue.media.jpeg_coefficients.exact import describe, rebuild
from fiftyone_reue.media.jpeg_coefficients.markers import DHT, Segment
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import best_tables, coded_with, write
from tests.media.jpeg_coefficients.encoded import (
    SCRIPT,
    TWO_SCANS,
    by_cjpeg,
    by_opencv,
    by_pillow,
    picture,
    pillow,
)

pytestmark = pytest.mark.unit


def elsewhere(data: bytes) -> Coefficients:
    """The file's coefficients as they come back from a copy in another file."""
    return read(write(read(data), optimise=True))


def comes_back(data: bytes, how: str = "re-encoded") -> int:
    """Make sure of it; returns how many bytes it took."""
    description = describe(data)
    assert rebuild(description.content, elsewhere(data)) == data
    assert description.how == how
    return len(description.content)


@pytest.mark.slow
@pytest.mark.parametrize("quality", [5, 50, 90, 100])
def test_every_kind(quality: int, tmp_path):
    script, two = tmp_path / "script", tmp_path / "two"
    script.write_text(SCRIPT)
    two.write_text(TWO_SCANS)
    samples = picture(75, 61)
    for name, data in (
        *by_pillow(quality, samples),
        *by_opencv(quality, samples),
        *by_cjpeg(quality, samples, str(script), str(two)),
    ):
        assert comes_back(data) < 150, name


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    quality=st.integers(1, 100),
    sampling=st.integers(0, 2),
    progressive=st.booleans(),
    restart=st.integers(0, 3),
    seed=st.integers(0, 99),
    trailing=st.binary(max_size=40),
)
def test_every_size(
    width, height, quality, sampling, progressive, restart, seed, trailing
):
    samples = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    data = pillow(
        samples,
        quality=quality,
        subsampling=sampling,
        progressive=progressive,
        restart_marker_blocks=restart,
    )
    assert comes_back(data + trailing) < 200


@pytest.mark.integration
def test_real_photographs(data_folder: Path):
    with zipfile.ZipFile(data_folder / "imagenette224.zip") as photographs:
        names = [n for n in photographs.namelist() if n.lower().endswith(".jpeg")]
        assert names
        for name in names[::30]:
            assert comes_back(photographs.read(name)) < 100


def edited(data: bytes, coefficients: Coefficients, index: int, coded: bytes) -> bytes:
    """The file with other coded data of one scan."""
    start, end = coefficients.scans[index].span
    return data[:start] + coded + data[end:]


@pytest.mark.slow
def test_other_bits_fill_up():
    data = pillow(picture(), restart_marker_blocks=2)
    found = read(data)
    (scan,) = found.scans
    assert set(scan.paddings) == {255}
    zeros = coded_with(found, scan, 100_000, bytes(len(scan.paddings)))
    assert zeros is not None
    changed = edited(data, found, 0, zeros)
    assert changed != data
    assert comes_back(changed) < 150
    mixed = bytes(np.random.default_rng(0).choice([0, 255], len(scan.paddings)))
    some = coded_with(found, scan, 100_000, mixed)
    assert some is not None
    assert comes_back(edited(data, found, 0, some)) < 150


def test_blocks_that_nobody_sees():
    """Cameras fill the last units up with what their sensor saw."""
    found = read(pillow(picture(70, 50)))
    rng = np.random.default_rng(0)
    changed = []
    for one in found.components:
        stored = one.stored.copy()
        for part in (stored[one.rows :], stored[:, one.columns :]):
            part[...] = rng.integers(-9, 10, part.shape)
        changed.append(replace(one, stored=stored))
    assert (changed[0].stored != found.components[0].stored).any()
    comes_back(write(replace(found, components=tuple(changed))))


def test_tables_that_are_neither_the_standard_s_nor_the_best():
    """Some encoders have fixed tables of their own."""
    data = pillow(picture())
    found = read(data)
    counts = np.full(256, 2)
    counts[176:] = 1
    tables = dict.fromkeys(best_tables(found, found.scans[0]), huffman.best(counts))
    coded = coded_with(found, found.scans[0].with_tables(tables), 100_000)
    assert coded is not None
    segments = b"".join(
        Segment(DHT, huffman.packed(kind, number, table)).pack()
        for (kind, number), table in tables.items()
    )
    start, header = data.index(b"\xff\xc4"), data.index(b"\xff\xda")
    at = found.scans[0].span[0]
    changed = data[:start] + segments + data[header:at] + coded + b"\xff\xd9"
    assert comes_back(changed) < 500


def test_filling_and_bytes_between():
    data = pillow(picture(), progressive=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    filled = data[:second] + b"\xff\xff" + data[second:]
    assert comes_back(filled) < 150
    zeros = data[:-2] + bytes(1000) + data[-2:]
    assert comes_back(zeros) < 150


def test_what_follows():
    data = pillow(picture())
    assert comes_back(data + pillow(picture(seed=3))) > 1000
    assert comes_back(data + bytes(10_000)) < 150


def test_several_pictures_in_one_file():
    file = io.BytesIO()
    first, *others = (Image.fromarray(picture(90, 70, seed)) for seed in range(3))
    first.save(file, "MPO", save_all=True, append_images=others)
    data = file.getvalue()
    found = read(data)
    assert found.trailing.count(b"\xff\xd8\xff") >= 2
    comes_back(data)
    assert found.trailing not in write(found)


@pytest.mark.integration
@pytest.mark.slow
def test_fifty_megapixels_take_less_than_a_gigabyte():
    code = (
        "import io, numpy as np\n"
        "from PIL import Image\n"
        "from fiftyone_reue.media.jpeg_coefficients.exact import describe, rebuild\n"
        "from fiftyone_reue.media.jpeg_coefficients.reading import read\n"
        "from fiftyone_reue.media.jpeg_coefficients.writing import write\n"
        "samples = np.random.default_rng(0).integers(0, 256, (64, 86, 3), np.uint8)\n"
        "image = Image.fromarray(samples).resize((8600, 5900), 3)\n"
        "file = io.BytesIO()\n"
        "image.save(file, 'JPEG', quality=95, subsampling=0)\n"
        "del image\n"
        "data = file.getvalue()\n"
        "content = describe(data).content\n"
        "again = read(write(read(data), optimise=True))\n"
        "assert rebuild(content, again) == data\n"
        "assert len(content) < 100\n"
        # What getrusage tells begins with the parent's.
        "(peak,) = (x for x in open('/proc/self/status') if 'VmHWM' in x)\n"
        "print(peak.split()[1])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert int(run.stdout) < 1 << 20  # KiB


def joined_bits(*parts: tuple[bytes, int]) -> bytes:
    """Coded data one after the other; of each but so many of its last bits."""
    bits = ""
    for coded, without in parts:
        plain = coded.replace(b"\xff\0", b"\xff")
        text = "".join(f"{byte:08b}" for byte in plain)
        bits += text[: len(text) - without]
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return packed.replace(b"\xff", b"\xff\0")


def split_runs(data: bytes) -> bytes:
    """A progressive gray file whose runs of empty blocks are cut in two halfway."""
    found = read(data)
    (luma,) = found.components
    index = next(i for i, scan in enumerate(found.scans) if scan.first > 0)
    table = huffman.best(np.r_[np.full(176, 2), np.full(80, 1)])
    scan = found.scans[index].with_tables({(1, 0): table})
    half = luma.rows // 2
    coded = []
    for rows in (slice(None, half), slice(half, None)):
        part = replace(luma, stored=luma.stored[rows].copy())
        part = replace(part, rows=len(part.stored))
        some = replace(found, components=(part,), height=8 * part.rows)
        ones, zeros = (coded_with(some, scan, 100_000, bytes([p])) for p in (255, 0))
        assert ones is not None
        assert zeros is not None
        coded.append((ones, (ones[-1] ^ zeros[-1]).bit_count()))
    start, end = found.scans[index].span
    header = data.rindex(b"\xff\xda", 0, start)
    segment = Segment(DHT, huffman.packed(1, 0, table)).pack()
    tables = data[:header] + segment + data[header:start]
    return tables + joined_bits(*coded) + data[end:]


@pytest.fixture
def unusual() -> bytes:
    """A file whose coded data libjpeg would have written in another way."""
    samples = picture(200, 160)
    samples[60:100] = 128
    data = pillow(samples, "L", progressive=True, quality=60)
    changed = split_runs(data)
    assert changed != data
    return changed


def test_what_can_t_be_repeated(unusual: bytes):
    description = describe(unusual)
    assert description.how in ("difference", "JPEG XL")
    assert rebuild(description.content, elsewhere(unusual)) == unusual
    assert len(description.content) < 0.9 * len(unusual)


@pytest.mark.parametrize(
    ("how", "longer"),
    [
        ("difference", {"JPEG XL"}),
        ("JPEG XL", {"difference"}),
        ("whole", {"difference", "JPEG XL"}),
    ],
)
def test_each_way_gives_the_file_back(unusual: bytes, how, longer, monkeypatch):
    """The shortest is taken; the others are made longer here."""
    joined, transcoded = exact.joined, exact._jpeg_xl
    noise = np.random.default_rng(0).bytes(2 * len(unusual))

    def with_noise(*parts: bytes) -> bytes:
        return joined(*parts[:-1], parts[-1] + noise)

    if "difference" in longer:
        monkeypatch.setattr(exact, "joined", with_noise)
    monkeypatch.setattr(
        exact,
        "_jpeg_xl",
        lambda data: None if "JPEG XL" in longer else transcoded(data),
    )
    description = describe(unusual)
    assert description.how == how
    assert rebuild(description.content, elsewhere(unusual)) == unusual


def test_what_both_sides_know_takes_no_room():
    profile = np.random.default_rng(0).bytes(20_000)
    data = pillow(picture(), icc_profile=profile)
    segments = b"".join(segment.pack() for segment in read(data).segments)
    alone, together = describe(data), describe(data, known=segments)
    assert len(alone.content) > 20_000
    assert len(together.content) < 150
    assert rebuild(together.content, elsewhere(data), known=segments) == data
    with pytest.raises(DamagedRecordError):
        rebuild(together.content, elsewhere(data))


def test_other_coefficients_are_refused():
    data, other = pillow(picture()), pillow(picture(seed=1))
    description = describe(data)
    for wrong in (other, pillow(picture(40, 40)), pillow(picture(), "L")):
        with pytest.raises(DamagedRecordError, match="doesn't fit"):
            rebuild(description.content, read(wrong))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_edited_description_is_refused(data):
    file = pillow(picture(40, 30), progressive=True)
    content = bytearray(describe(file).content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(DamagedRecordError):
        assert rebuild(cut, read(file)) == file
