"""Quantisation tables in few bytes."""

import numpy as np
import pytest

from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.steps import (
    packed_steps,
    standard_luma,
    unpacked_steps,
)
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("quality", [1, 5, 30, 49, 50, 51, 75, 90, 100])
def test_libjpegs_tables_take_a_byte(quality: int) -> None:
    steps = read(pillow(picture(), quality=quality)).components[0].quantisation
    assert np.array_equal(steps, standard_luma(quality))
    packed = packed_steps(steps)
    assert len(packed) == 1
    assert np.array_equal(unpacked_steps(packed), steps)


def test_any_table_comes_back() -> None:
    steps = np.random.default_rng(0).integers(1, 1 << 16, (8, 8)).astype(np.uint16)
    assert np.array_equal(unpacked_steps(packed_steps(steps)), steps)


@pytest.mark.parametrize("packed", [b"", b"\0", b"\x65", b"\0" * 128, b"\1\2"])
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="no steps"):
        unpacked_steps(packed)


def test_a_step_of_zero_is_refused() -> None:
    steps = np.ones(64, ">u2")
    steps[63] = 0
    with pytest.raises(ValueError, match="a step is 0"):
        unpacked_steps(b"\0" + steps.tobytes())
