"""Perturbations as offsets of a JPEG's coefficients."""

import shutil
import struct

import numpy as np
import pytest

from fiftyone_reue.errors import DamagedRecordError, EditedImageError, ReueError
from fiftyone_reue.media import packing
from fiftyone_reue.media.jpeg_coefficients.coefficients import same_picture
from fiftyone_reue.media.jpeg_coefficients.decoding import decoded
from fiftyone_reue.media.jpeg_coefficients.limits import (
    added,
    hold,
    packed_limits,
    unpacked_limits,
    within,
)
from fiftyone_reue.media.jpeg_coefficients.planes import targets
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import write
from fiftyone_reue.perturb import coefficients
from fiftyone_reue.perturb.base import FitData, FitOptions
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.reversal import joined
from fiftyone_reue.progress import finish
from tests.media.jpeg_coefficients.encoded import cjpeg, opencv, picture, pillow

pytestmark = pytest.mark.unit

KINDS = {
    "4:2:0": pillow(picture(), quality=75),
    "4:4:4": pillow(picture(), quality=92, subsampling=0),
    "4:1:1": opencv(picture(), 1, 80, 7, 0x411111),
    "gray": pillow(picture(), "L", quality=80),
    "cmyk": pillow(picture(), "CMYK", quality=80),
    "rgb": pillow(picture(), quality=85, keep_rgb=True),
    "coarse": pillow(picture(), quality=15),
    "large": pillow(picture(700, 600), quality=80),
}


def perturbed(data: bytes, name: str, mark: list[np.ndarray], **options: object):
    found = read(data)
    method = create_method(name, **options)
    empty = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int), ("a", "b"))
    state = finish(method.fit(empty, FitOptions(6, seed=0, key=bytes(32))))
    colours = 1 if found.colour == "gray" else 3
    shown = np.zeros((found.height, found.width, colours), np.uint8)
    copy, content = coefficients.perturb(
        method,
        state,
        found,
        added(found, mark),
        lambda: shown,
        "a",
        b"k" * 32,
        name="x",
        epsilon=8,
        amplitude=6,
    )
    return found, copy, content


def marked(data: bytes) -> list[np.ndarray]:
    found = read(data)
    signs = np.random.default_rng(1).choice([-2, 2], (found.height, found.width))
    return hold(found, targets(found, signs), 3).offsets


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["rue", "rue_gratings", "lsp"])
def test_the_content_leads_back_and_forth(kind: str, name: str) -> None:
    data = KINDS[kind]
    mark = marked(data)
    found, made, content = perturbed(data, name, mark)
    assert content.version == 4
    copy = read(write(made))
    way = coefficients.unpack(content.data, (found.height, found.width))
    assert way.pack() == content.data
    licensed = coefficients.licensed_of(way, copy)
    again = coefficients.protected_of(way, licensed)
    for one, before, offset, after, protected in zip(
        licensed.components,
        found.components,
        mark,
        again.components,
        copy.components,
        strict=True,
    ):
        assert np.array_equal(one.blocks, before.blocks + offset)
        assert np.array_equal(after.blocks, protected.blocks)
    change = decoded(write(copy)).astype(int) - decoded(data)
    assert np.abs(change).max() <= 8
    assert any(
        not np.array_equal(one.blocks, after.blocks)
        for one, after in zip(licensed.components, copy.components, strict=True)
    )


def test_a_small_pattern_takes_less_than_its_offsets() -> None:
    data = pillow(picture(320, 240), quality=75)
    mark = marked(data)
    found, copy, content = perturbed(data, "rue_gratings", mark)
    assert content.data[0] == coefficients.ByPattern.code
    licensed = added(found, mark)
    offsets = [
        after.blocks - before.blocks
        for after, before in zip(copy.components, licensed.components, strict=True)
    ]
    every = coefficients.ByOffsets.of(offsets).pack()
    assert len(content.data) < len(every) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_all_offsets_come_back(kind: str) -> None:
    found = read(KINDS[kind])
    rng = np.random.default_rng(0)
    offsets = [
        rng.integers(-300, 300, one.blocks.shape).astype(np.int16)
        for one in found.components
    ]
    offsets[-1][:] = 0
    content = coefficients.ByOffsets.of(offsets).pack()
    way = coefficients.unpack(content, (found.height, found.width))
    again = way.offsets(found)
    assert all(np.array_equal(*pair) for pair in zip(again, offsets, strict=True))
    with pytest.raises(EditedImageError, match="--records"):
        way.in_pixels(np.zeros((8, 8, 3), np.uint8))


def test_limits_come_back_and_say_all() -> None:
    found = read(KINDS["4:2:0"])
    wanted = targets(found, np.random.default_rng(2).integers(-6, 7, (137, 161)))
    held = hold(found, wanted, 4)
    assert held.limits[1] is None
    assert held.limits[0].dtype == np.uint8
    packed = packed_limits(held.limits)
    limits = unpacked_limits(packed, found)
    again = within(found, wanted, limits)
    assert all(np.array_equal(*pair) for pair in zip(again, held.offsets, strict=True))


def test_what_is_there_already_counts() -> None:
    found = read(KINDS["4:2:0"])
    wanted = targets(found, np.full((137, 161), 6))
    first = hold(found, wanted, 6)
    second = hold(found, wanted, 8, base=added(found, first.offsets))
    both = write(added(found, first.offsets, second.offsets))
    change = np.abs(decoded(both).astype(int) - decoded(write(found)))
    assert 6 < change.max() <= 8
    with pytest.raises(ValueError, match="before"):
        hold(found, [None] * 3, 2, base=added(found, first.offsets))


def test_contents_of_other_pictures_are_refused() -> None:
    data = KINDS["4:2:0"]
    found, _, content = perturbed(data, "lsp", marked(data))
    way = coefficients.unpack(content.data, (found.height, found.width))
    for other in (KINDS["gray"], pillow(picture(40, 40)), KINDS["4:4:4"]):
        with pytest.raises(DamagedRecordError):
            coefficients.licensed_of(way, read(other))


@pytest.mark.parametrize("name", ["rue", "rue_gratings", "lsp", "offsets"])
def test_any_bytes_are_refused_in_plain_words(name: str) -> None:
    data = KINDS["gray"]
    if name == "offsets":
        found = read(data)
        content = coefficients.ByOffsets.of(marked(data)).pack()
    else:
        found, _, made = perturbed(data, name, marked(data))
        content = made.data
    rng = np.random.default_rng(3)
    for _ in range(300):
        broken = bytearray(content)
        for at in rng.integers(0, len(broken), rng.integers(1, 4)):
            broken[at] = rng.integers(256)
        cut = broken[: rng.integers(0, len(broken) + 1)]
        try:
            way = coefficients.unpack(bytes(cut), (found.height, found.width))
            licensed = coefficients.licensed_of(way, found)
        except ReueError:
            continue
        shapes = [one.blocks.shape for one in found.components]
        assert [one.blocks.shape for one in licensed.components] == shapes


def crafted(draw: np.random.Generator, rows: int, columns: int) -> bytes:
    """What whoever has a recipient's key can write into its box: well-formed, but of
    numbers that no release has."""
    count = int(draw.integers(1, 4))
    bands = draw.choice([0, 1, 16, 32, 59, 128, 255], (count, 2)).astype(np.uint8)
    amplitude, region = draw.choice([1, 6, 127]), draw.choice([1, 16, 0xFF])
    bytes_of_blocks = draw.choice([0, 1, 255], rows * columns).astype(np.uint8)
    packed = packing.pack(bytes_of_blocks.tobytes(), 3)
    if draw.integers(2):
        gain = int(draw.integers(0, int(amplitude) << 28, endpoint=True))
        field, scale = draw.choice([0, 3, 4, 15]), draw.integers(128, 257)
        numbers = (2, amplitude, field, scale, region, gain, count)
        secret = struct.pack(">BBBHHQB", *numbers) + bands.tobytes() + bytes(32)
        shares = draw.integers(-(1 << 15), 1 << 15, 2)
        return b"\4" + joined(
            b"rue", secret, struct.pack(">hhH", *shares, rows), packed
        )
    numbers = (amplitude, draw.integers(1, 3), region, count)
    expansion = struct.pack(">BBBBB", 1, *numbers) + bands.tobytes() + bytes(32)
    if draw.integers(2):
        gain = int(draw.integers(0, int(amplitude) << 28, endpoint=True))
        numbers = (amplitude, draw.choice([1, 16, 0xFFFF]), gain, count)
        emphasis = struct.pack(">BBHQB", 1, *numbers) + bands.tobytes() + bytes(32)
        expansion = bytes([2, draw.choice([1, 2, 64])]) + emphasis
    steps = draw.integers(draw.integers(2), draw.choice([2, 1 << 16]), 64)
    return b"\3" + joined(
        b"rue",
        expansion,
        struct.pack(">H", rows),
        b"\0" + steps.astype(">u2").tobytes(),
        packed,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_crafted_expansions_are_refused_or_give_something() -> None:
    draw = np.random.default_rng(4)
    found = read(KINDS["gray"])
    rows, columns = found.components[0].blocks.shape[:2]
    like = decoded(KINDS["gray"])[..., None]
    done = 0
    for _ in range(200):
        content = crafted(draw, rows, columns)
        for lead in (
            lambda way: coefficients.licensed_of(way, found),
            lambda way: coefficients.protected_of(way, found),
            lambda way: way.in_pixels(like).approximate(like, 1),
        ):
            try:
                lead(coefficients.unpack(content, (found.height, found.width)))
                done += 1
            except ReueError:
                continue
    assert done > 50


@pytest.mark.parametrize("kind", KINDS)
def test_steps_take_few_bytes(kind: str) -> None:
    found, _, content = perturbed(KINDS[kind], "rue", marked(KINDS[kind]))
    assert content.data[0] == coefficients.BySteps.code
    assert len(content.data) < 150 + found.components[0].blocks.size / 64 / 4


@pytest.mark.skipif(shutil.which("cjpeg") is None, reason="cjpeg makes such files")
@pytest.mark.parametrize("options", ["-rgb -sample 2x2", "-sample 1x1,2x2,1x1"])
def test_components_of_lower_resolution_get_a_pattern(options: str) -> None:
    data = cjpeg(picture(), *options.split())
    assert data is not None
    _, _, content = perturbed(data, "rue", marked(data))
    assert content.data[0] in (coefficients.ByPattern.code, coefficients.ByOffsets.code)


@pytest.mark.parametrize(
    ("side", "way"), [(63, coefficients.ByPattern), (64, coefficients.BySteps)]
)
def test_a_picture_gets_steps_by_its_own_size_not_its_blocks(side: int, way) -> None:
    data = pillow(picture(side, side + 20), quality=85)
    _, _, content = perturbed(data, "rue", marked(data))
    made = coefficients.unpack(content.data, (side + 20, side))
    assert isinstance(made, way)


@pytest.mark.parametrize(
    ("sides", "keep_rgb"),
    [((320, 240), False), ((320, 240), True), ((700, 600), False)],
)
def test_steps_are_told_from_an_edited_copy(
    sides: tuple[int, int], keep_rgb: bool
) -> None:
    data = pillow(picture(*sides), quality=90, keep_rgb=keep_rgb)
    found, copy, content = perturbed(data, "rue", marked(data))
    way = coefficients.unpack(content.data, (found.height, found.width))
    licensed = decoded(write(coefficients.licensed_of(way, copy))).astype(float)
    edited = decoded(pillow(decoded(write(copy)), quality=90))
    back = way.in_pixels(edited).approximate(edited, 3)
    before = np.square(edited - licensed).mean()
    assert np.square(back - licensed).mean() < before
    with pytest.raises(EditedImageError):
        way.in_pixels(edited[:100])


def test_what_was_never_changed_is_left_alone() -> None:
    data = pillow(picture(320, 240), quality=90)
    found, copy, content = perturbed(data, "rue", marked(data))
    way = coefficients.unpack(content.data, (found.height, found.width))
    way.in_pixels(decoded(write(copy)))
    with pytest.raises(EditedImageError, match="can't be found"):
        way.in_pixels(decoded(data))


@pytest.mark.parametrize("kind", ["4:2:0", "gray", "large", "rgb", "cmyk"])
def test_steps_lead_both_ways(kind: str) -> None:
    data = KINDS[kind]
    mark = marked(data)
    found, copy, content = perturbed(data, "rue", mark)
    way = coefficients.unpack(content.data, (found.height, found.width))
    licensed = added(found, mark)
    assert same_picture(coefficients.licensed_of(way, copy), licensed)
    assert same_picture(coefficients.protected_of(way, licensed), copy)
    assert not same_picture(copy, licensed)


def test_the_pattern_of_pixels_can_be_asked_for() -> None:
    data = KINDS["4:2:0"]
    _, _, content = perturbed(data, "rue", marked(data), expand=False)
    assert content.data[0] == coefficients.ByOffsets.code
