"""How RAEG turns images, and what of it is sealed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.invertible.weights import identity
from fiftyone_reue.perturb.gratings import HIGHEST, LOWEST
from fiftyone_reue.perturb.raeg.turning import (
    Stripes,
    Turning,
    striped,
    turn,
    turn_back,
)
from fiftyone_reue.together import each
from tests.perturb.devices import on_both, same

pytestmark = pytest.mark.unit

LINES = st.integers(LOWEST, HIGHEST)
WAVES = st.lists(
    LINES.flatmap(lambda n: st.sampled_from([(n, 0), (0, n)])), min_size=1, max_size=3
).map(tuple)


@st.composite
def stripes(draw: st.DrawFn) -> Stripes:
    waves = draw(WAVES)
    phase = st.integers(0, 1023)
    phases = draw(st.lists(phase, min_size=len(waves), max_size=len(waves)))
    return Stripes(draw(st.integers(1, 120)), waves, tuple(phases))


@st.composite
def turnings(draw: st.DrawFn, colours: int, height: int, width: int) -> Turning:
    cells = colours * (height // 2) * (width // 2)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Turning(
        "raeg",
        identity("raeg"),
        draw(st.integers(1, 127)),
        draw(st.none() | stripes()),
        generator.integers(-9, 10, cells).astype(np.int8),
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(turnings(3, 16, 24))
def test_its_bytes_are_it(turning: Turning) -> None:
    again = Turning.unpack(turning.pack())
    assert again.pack() == turning.pack()
    assert again.stripes == turning.stripes
    assert (again.weights, again.identity) == (turning.weights, turning.identity)
    assert again.amplitude == turning.amplitude
    assert np.array_equal(again.code, turning.code)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from([(16, 24, 1), (16, 24, 3), (21, 39, 3)]))
def test_turning_back_is_exact(
    data: st.DataObject, shape: tuple[int, int, int]
) -> None:
    height, width, colours = shape
    turning = data.draw(turnings(colours, height - height % 4, width - width % 4))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    image = generator.integers(0, 256, shape).astype(np.uint8)
    moved = turn(turning, image)
    assert not np.array_equal(moved, image)
    assert np.array_equal(turn_back(turning, moved), image)


def test_stripes_have_their_strength_and_lie_in_one_line() -> None:
    image = np.full((64, 64, 3), 100, np.uint8)
    turning = Turning("raeg", b"", 8, Stripes(40, ((0, 9),), (300,)))
    change = striped(turning, image) - image
    assert change.std() == pytest.approx(2.5, abs=0.15)
    assert (change == change[:1, :, :1]).all()
    power = np.abs(np.fft.rfft(change[0, :, 0].astype(float)))
    assert power.argmax() == 9


def test_without_stripes_an_image_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 1)).astype(np.uint8)
    assert np.array_equal(striped(Turning("raeg", b"", 8), image), image)


@pytest.mark.slow
@given(st.data())
def test_missing_bytes_are_noticed(data: st.DataObject) -> None:
    turning = data.draw(turnings(1, 8, 8))
    packed = turning.pack()
    kept = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(DamagedRecordError, match="damaged"):
        Turning.unpack(packed[:kept])


Case = tuple[np.ndarray, Turning]


@st.composite
def cases(draw: st.DrawFn) -> list[Case]:
    """Images of few sizes, the last of which the network sees by halves."""
    sizes = st.sampled_from([(16, 24, 3), (17, 26, 3), (16, 24, 1), (260, 266, 3)])
    made: list[Case] = []
    for height, width, colours in draw(st.lists(sizes, min_size=1, max_size=6)):
        generator = np.random.default_rng(draw(st.integers(0, 2**32)))
        image = generator.integers(0, 256, (height, width, colours)).astype(np.uint8)
        halvings = 0 if height < 128 else 2
        seen = [(side >> halvings) // 4 * 4 for side in (height, width)]
        made.append((image, draw(turnings(colours, *seen))))
    return made


def _there_and_back(case: Case) -> tuple[np.ndarray, ...]:
    image, turning = case
    moved = turn(turning, image)
    return moved, turn_back(turning, moved)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(cases())
def test_images_together_are_as_each_alone(made: list[Case]) -> None:
    found = each(_there_and_back, made)
    assert same(found, list(map(_there_and_back, made)))
    for (image, _), (_, back) in zip(made, found, strict=True):
        assert np.array_equal(back, image)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@settings(max_examples=20, deadline=None)
@given(cases())
def test_a_gpu_gives_the_same_bytes(made: list[Case]) -> None:
    on_both(lambda: each(_there_and_back, made))
