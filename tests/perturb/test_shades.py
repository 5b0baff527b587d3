"""Blocks' shades, changed and told again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.perturb.rue.bands import apart
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


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 32), group=st.sampled_from((1, 1, 1, 2)))
def test_every_shade_comes_back(seed: int, group: int) -> None:
    draw = np.random.default_rng(seed)
    blocks = pictured(draw, SIDES[group])
    steps = np.full((8, 8), draw.choice([1, 3, 8, 40]), np.uint16)
    bands = BANDS[draw.choice(20, draw.integers(1, 4), replace=False)]
    one = Shades.of(SIDES[group], blocks, steps, bands, 6, draw.bytes(32))
    assert one.group == group
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
    one = Shades.of((1024, 1024), blocks, steps, band, 6, bytes(32))
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
    steps = np.full((8, 8), 8, np.uint16)
    packed = bytearray(
        Shades.of((512, 600), blocks, steps, BANDS[:1], 6, bytes(32)).pack()
    )
    packed[at] = 0
    with pytest.raises(DamagedRecordError):
        Shades.unpack(bytes(packed))
    with pytest.raises(DamagedRecordError):
        Shades.unpack(b"\2")


def test_coarse_steps_have_no_room() -> None:
    blocks = pictured(np.random.default_rng(0), (512, 600))
    for step, room in ((48, True), (49, False)):
        steps = np.full((8, 8), step, np.uint16)
        one = Shades.of((512, 600), blocks, steps, BANDS[:1], 6, bytes(32))
        assert one.fits(steps) is room
