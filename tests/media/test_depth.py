import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError, UnsupportedImageError
from fiftyone_reue.media.depth import require_levels, shown, with_range
from fiftyone_reue.media.raster import Metadata, Raster

pytestmark = pytest.mark.unit


def deep(*values: int, bits: int | None = None, alpha: int | None = None) -> Raster:
    samples = np.array(values, np.uint16).reshape(1, -1, 1)
    if alpha is not None:
        samples = np.concatenate([samples, np.full_like(samples, alpha)], 2)
    said = bytes([bits or 1] * samples.shape[2])
    chunks = ((b"sBIT", said),) if bits else ()
    return Raster(np.ascontiguousarray(samples), "PNG", Metadata(chunks=chunks))


def test_eight_bits_are_eight_bits() -> None:
    raster = Raster(np.full((2, 2, 3), 3, np.uint8), "PNG")
    assert with_range(raster).peak == with_range(raster, 12).peak == 255


@pytest.mark.parametrize(
    ("raster", "depth", "peak"),
    [
        (deep(0, 65535), None, 65535),
        (deep(7, 5000), None, 5000),
        (deep(7, 5000, alpha=65535), None, 5000),
        (deep(0, 4000, bits=12), None, 4095),
        (deep(0, 64000, bits=12), None, 65535),  # scaled up, as the format asks
        (deep(0, 9, bits=3), None, 9),
        (deep(0, 3, bits=3), None, 255),
        (deep(0, 0), None, 65535),
        (deep(0, 900), 12, 4095),
        (deep(0, 900), 16, 65535),
        (deep(0, 900, bits=10), 12, 4095),
    ],
    ids=str,
)
def test_the_range_is_said_or_found(
    raster: Raster, depth: int | None, peak: int
) -> None:
    if raster.samples.max() == 9:
        peak = 65535  # sBIT says 3 bits, and larger values are there: scaled up
    assert with_range(raster, depth).peak == peak


def test_more_than_was_said_is_refused() -> None:
    with pytest.raises(InputError, match=r"5000, more than 12 bits hold.*--depth"):
        with_range(deep(5000), 12)


def test_too_few_levels_are_refused_with_what_to_do() -> None:
    require_levels(with_range(deep(255)))
    for value in (254, 0):
        message = rf"{value} at most.*--depth 12"
        with pytest.raises(UnsupportedImageError, match=message):
            require_levels(with_range(deep(value)))
    require_levels(with_range(deep(0), 12))


@pytest.mark.slow
@given(st.lists(st.integers(0, 5000), min_size=1), st.integers(0, 65535))
def test_the_range_is_stretched_for_looking_at(values: list[int], alpha: int) -> None:
    seen = shown(deep(*values, 5000, alpha=alpha))
    assert seen.dtype == np.uint16
    assert seen[..., 0].max() == 65535
    assert (seen[..., 1] == alpha).all()
    expected = np.array([*values, 5000]) * 65535 // 5000
    assert seen[0, :, 0].tolist() == expected.tolist()


def test_a_full_range_is_shown_as_it_is() -> None:
    raster = deep(0, 65535)
    assert shown(raster) is raster.samples
