"""Larger coefficients, and what they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.perturb.rue.bands import apart
from fiftyone_reue.perturb.rue.expansion import Expansion

pytestmark = pytest.mark.unit

BANDS = apart(20, bytes(32))
ONE_BAND = np.array([[48, 32]], np.uint8)


def expansion(draw: np.random.Generator) -> Expansion:
    count = int(draw.integers(1, 4))
    return Expansion(
        int(draw.integers(1, 128)),
        int(draw.integers(1, 3)),
        int(draw.integers(1, 40)),
        BANDS[draw.choice(20, count, replace=False)],
        draw.bytes(32),
    )


def photograph(rows: int = 60, columns: int = 60) -> np.ndarray:
    """Coefficients as photographs have them: small, most of them 0."""
    high = np.add.outer(np.arange(8), np.arange(8)) + 1
    draw = np.random.default_rng(0)
    return np.rint(draw.laplace(0, 8 / high, (rows, columns, 8, 8))).astype(np.int16)


@pytest.mark.slow
@settings(deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_every_coefficient_comes_back(seed: int) -> None:
    draw = np.random.default_rng(seed)
    one = expansion(draw)
    rows, columns = draw.integers(1, 6, 2)
    much = draw.choice([2, 30, 1024])
    blocks = draw.integers(-much, much, (rows, columns, 8, 8)).astype(np.int16)
    blocks[draw.random(blocks.shape) < draw.random()] = 0
    steps = draw.integers(1, draw.choice([20, 256, 65536]), (8, 8)).astype(np.uint16)
    levels = draw.integers(0, draw.choice([2, 256]), (rows, columns)).astype(np.uint8)
    larger = one.expanded(blocks, steps, levels)
    assert np.array_equal(one.contracted(larger, steps, levels), blocks)
    kept = (larger == blocks) | (np.sign(larger) == np.sign(blocks)) | (blocks == 0)
    assert kept.all()
    assert (np.abs(larger) >= np.abs(blocks)).all()
    assert ((larger != blocks).sum(axis=(2, 3)) <= 1).all()


@pytest.mark.slow
@settings(deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_it_is_packed(seed: int) -> None:
    one = expansion(np.random.default_rng(seed))
    again = Expansion.unpack(one.pack())
    assert again.pack() == one.pack()
    assert np.array_equal(again.bands, one.bands)


def test_what_nothing_gives_is_refused() -> None:
    one = Expansion(6, 1, 16, BANDS[:1], bytes(32))
    steps, levels = np.full((8, 8), 5, np.uint16), np.zeros((60, 60), np.uint8)
    with pytest.raises(DamagedRecordError, match="fit this image"):
        one.contracted(photograph(), steps, levels)


@pytest.mark.parametrize("band", [(0, 0), (255, 255), (48, 255), (128, 0)])
def test_bands_without_coefficients_are_refused(band: tuple[int, int]) -> None:
    bands = np.array([(48, 32), band], np.uint8)
    with pytest.raises(DamagedRecordError):
        Expansion.unpack(Expansion(6, 1, 16, bands, bytes(32)).pack())


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_other_bytes_are_refused(at: int) -> None:
    packed = bytearray(Expansion(6, 1, 16, BANDS[:1], bytes(32)).pack())
    packed[at] = 0
    with pytest.raises(DamagedRecordError):
        Expansion.unpack(bytes(packed))
    with pytest.raises(DamagedRecordError):
        Expansion.unpack(b"\1")


def test_only_frequencies_near_the_band_change() -> None:
    steps, levels = np.full((8, 8), 4, np.uint16), np.zeros((60, 60), np.uint8)
    for band, near in (
        ([48, 32], {(3, 2)}),
        ([40, 32], {(2, 2), (3, 2)}),
        ([44, 30], {(2, 2), (3, 2), (2, 1), (3, 1)}),
    ):
        one = Expansion(6, 1, 16, np.array([band], np.uint8), bytes(32))
        blocks = photograph()
        changed = (one.expanded(blocks, steps, levels) != blocks).any(axis=(0, 1))
        assert {tuple(at) for at in np.argwhere(changed).tolist()} <= near
        assert changed[3, 2]


def test_less_is_put_where_there_is_no_texture() -> None:
    one = Expansion(6, 1, 16, ONE_BAND, bytes(32))
    steps, levels = np.full((8, 8), 2, np.uint16), np.zeros((60, 60), np.uint8)
    flat = np.zeros((60, 60, 8, 8), np.int16)
    busy = np.ones((60, 60, 8, 8), np.int16)
    change = [
        np.abs(one.expanded(blocks, steps, levels) - blocks).sum()
        for blocks in (flat, busy)
    ]
    assert change[0] < 0.7 * change[1]


def test_coarse_steps_are_made_sometimes() -> None:
    """What is drawn lies between two steps, and both are taken in turn."""
    one = Expansion(6, 1, 16, ONE_BAND, bytes(32))
    steps, levels = np.full((8, 8), 30, np.uint16), np.zeros((60, 60), np.uint8)
    blocks = photograph()
    change = np.abs(one.expanded(blocks, steps, levels) - blocks)[..., 3, 2]
    assert {0, 1} < set(np.unique(change).tolist())
