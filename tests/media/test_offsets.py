import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.media import offsets
from fiftyone_reue.media.packing import pack

pytestmark = pytest.mark.unit

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@pytest.mark.slow
@given(data=st.data())
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("channels", "colours"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_subtract_undoes_add(data, dtype, channels, colours):
    peak = np.iinfo(dtype).max
    shape = data.draw(SHAPES)
    near = st.sampled_from([0, 1, 7, peak - 7, peak - 1, peak])
    values = near | st.integers(0, peak)
    samples = data.draw(arrays(dtype, (*shape, channels), elements=values))
    depth = data.draw(st.sampled_from([1, colours]))
    kinds = st.sampled_from([(np.int8, -128, 127), (np.int16, -255, 255)])
    kind, *ends = data.draw(kinds)
    levels = st.sampled_from(ends) | st.integers(*ends)
    offset = data.draw(arrays(kind, (*shape, depth), elements=levels))
    after, lost = offsets.add(samples, offset, colours)
    wanted = samples[..., :colours] + offset.astype(int) * (peak // 255)
    assert after.dtype == samples.dtype
    assert np.array_equal(after[..., :colours], wanted.clip(0, peak))
    assert np.array_equal(after[..., colours:], samples[..., colours:])
    assert np.array_equal(offsets.subtract(after, offset, colours, lost), samples)
    same, inside = offsets.add(samples, offset, colours, inside=True)
    assert np.array_equal(same, after)
    again = offsets.subtract(after, offset, colours, inside, inside=True)
    assert np.array_equal(again, samples)


def test_what_is_on_the_rail_already_takes_no_byte_told_from_inside():
    draw = np.random.default_rng(0)
    samples = draw.integers(0, 2, (64, 64, 3), np.uint8) * 255
    offset = draw.integers(-8, 9, (64, 64, 1)).astype(np.int8)
    after, lost = offsets.add(samples, offset, 3, inside=True)
    assert lost == b""
    assert len(offsets.add(samples, offset, 3)[1]) > 1000
    assert np.array_equal(offsets.subtract(after, offset, 3, b"", inside=True), samples)


def test_nothing_is_lost_away_from_the_rails():
    samples = np.full((5, 5, 3), 128, np.uint8)
    _, lost = offsets.add(samples, np.full((5, 5, 3), 127, np.int8), 3)
    assert lost == b""


def test_only_what_the_clip_took_is_kept():
    samples = np.array([[[250]], [[3]], [[100]]], np.uint8)
    after, lost = offsets.add(samples, np.array([[[8]], [[-8]], [[8]]], np.int8), 1)
    assert after.ravel().tolist() == [255, 0, 108]
    assert offsets.subtract(
        after, np.array([[[8]], [[-8]], [[8]]], np.int8), 1, lost
    ).ravel().tolist() == [250, 3, 100]


@pytest.fixture
def railed() -> tuple[np.ndarray, np.ndarray, bytes]:
    """Samples, their offset and what was lost."""
    draw = np.random.default_rng(0)
    offset = draw.integers(-8, 9, (16, 16, 3)).astype(np.int8)
    samples = draw.integers(250, 256, (16, 16, 3)).astype(np.uint8)
    after, lost = offsets.add(samples, offset, 3)
    return after, offset, lost


def test_damaged_rail_values_are_refused(railed):
    after, offset, lost = railed
    for damaged in (lost[:-3], b"x" + lost[1:], lost[: len(lost) // 2], b"nonsense"):
        with pytest.raises(DamagedRecordError):
            offsets.subtract(after, offset, 3, damaged)


def test_rail_values_of_another_image_are_refused(railed):
    after, offset, lost = railed
    with pytest.raises(DamagedRecordError, match="length"):
        offsets.subtract(np.full_like(after, 255), offset, 3, lost)


@pytest.mark.slow
@given(data=st.data())
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_offsets_of_any_size_restore_something_or_are_refused(data, dtype):
    """An offset out of a damaged record may be anything; nothing wraps around."""
    peak = np.iinfo(dtype).max
    offset = np.int16(data.draw(st.integers(-(1 << 15), (1 << 15) - 1)))
    sample = data.draw(st.integers(0, peak))
    offset, after = np.full((1, 1, 1), offset), np.full((1, 1, 1), sample, dtype)
    before = sample - int(offset[0, 0, 0]) * (peak // 255)
    if 0 <= before <= peak:
        assert offsets.subtract(after, offset, 1, b"").ravel().tolist() == [before]
    else:
        with pytest.raises(DamagedRecordError, match="range"):
            offsets.subtract(after, offset, 1, b"")


def test_rail_values_that_outgrow_the_image_are_refused(railed):
    after, offset, _ = railed
    with pytest.raises(DamagedRecordError, match="larger than its image"):
        offsets.subtract(after, offset, 3, pack(bytes(1 << 24), 19))


def test_samples_that_the_offset_can_not_have_made_are_refused():
    samples = np.full((4, 4, 1), 3, np.uint8)
    with pytest.raises(DamagedRecordError, match="range"):
        offsets.subtract(samples, np.full((4, 4, 1), 8, np.int8), 1, b"")
