"""Blocks' shades, changed and told again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.perturb.rue.bands import UNIT, apart
from fiftyone_reue.perturb.rue.emphasis import Emphasis
from fiftyone_reue.perturb.rue.shades import Shades

pytestmark = pytest.mark.unit

BANDS = apart(20, bytes(32))
SIDES = {1: (512, 600), 2: (2048, 2100), 4: (4096, 4100)}


def pictured(draw: np.random.Generator, sides: tuple[int, int]) -> np.ndarray:
    """Blocks of which the shades are a walk, as a picture's are."""
    rows, columns = (-(-side // 8) for side in sides)
    blocks = np.zeros((rows, columns, 8, 8), np.int16)
    walk = draw.integers(-9, 10, (rows, columns)).cumsum(axis=1)
    blocks[..., 0, 0] = np.clip(walk, -1024, 1023)
    return blocks


def shades(
    blocks: np.ndarray, step: int, bands: np.ndarray, key: bytes, group: int = 1
) -> Shades:
    """As strong as they were made of such a picture."""
    rows, columns = (side - side % group for side in blocks.shape[:2])
    cells = blocks[:rows, :columns, 0, 0].astype(np.int64) * step * UNIT // 8
    high, wide = rows // group, columns // group
    cells = cells.reshape(high, group, wide, group).sum(axis=(1, 3)) // group**2
    return Shades(group, Emphasis.of_levels(cells + 128 * UNIT, bands, 6, key))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 32), group=st.sampled_from((1, 1, 1, 2)))
def test_every_shade_comes_back(seed: int, group: int) -> None:
    draw = np.random.default_rng(seed)
    blocks = pictured(draw, SIDES[group])
    steps = np.full((8, 8), draw.choice([1, 3, 8, 40]), np.uint16)
    bands = BANDS[draw.choice(20, draw.integers(1, 4), replace=False)]
    one = shades(blocks, int(steps[0, 0]), bands, draw.bytes(32), group)
    levels = draw.integers(0, draw.choice([1, 2, 256]), blocks.shape[:2])
    levels = levels.astype(np.uint8)
    changed = one.expanded(blocks, steps, levels)
    assert np.array_equal(one.contracted(changed, steps, levels), blocks)
    moved = np.abs(changed - blocks)
    assert moved[..., 0, 0].any() or levels.any()
    assert not moved.reshape(*levels.shape, 64)[..., 1:].any()
    assert (moved[..., 0, 0] * int(steps[0, 0]) <= 6 * 8 + steps[0, 0] // 2).all()
    assert Shades.unpack(one.pack()).pack() == one.pack()


def test_changes_are_of_the_class_frequency() -> None:
    draw = np.random.default_rng(0)
    blocks = pictured(draw, (1024, 1024))
    steps = np.full((8, 8), 2, np.uint16)
    levels = np.zeros(blocks.shape[:2], np.uint8)
    # Three half cycles per eight cells, which are blocks here, down and two across.
    band = np.array([[48, 32]], np.uint8)
    one = shades(blocks, 2, band, bytes(32))
    change = (one.expanded(blocks, steps, levels) - blocks)[..., 0, 0]
    power = np.abs(np.fft.fft2(change)) ** 2
    half = len(change) // 2
    near = sum(
        power[down * 24 + i, across * 16 + j]
        for down in (1, -1)
        for across in (1, -1)
        for i in range(-6, 7)
        for j in range(-6, 7)
    )
    area = 4 * 13**2 / (2 * half) ** 2
    assert near / power.sum() > 4 * area


@pytest.mark.parametrize("at", [0, 1, 2])
def test_other_bytes_are_refused(at: int) -> None:
    blocks = pictured(np.random.default_rng(0), (512, 600))
    packed = bytearray(shades(blocks, 8, BANDS[:1], bytes(32)).pack())
    packed[at] = 0
    with pytest.raises(DamagedRecordError):
        Shades.unpack(bytes(packed))
    with pytest.raises(DamagedRecordError):
        Shades.unpack(b"\2")
