"""Fields get the band that surrounds them, and it is told again."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.perturb.rue import surroundings
from fiftyone_reue.perturb.rue.bands import BandsConfig, apart
from fiftyone_reue.perturb.rue.surroundings import (
    FORMS,
    LONG,
    SHORT,
    Form,
    Surroundings,
)

pytestmark = pytest.mark.unit

BANDS = apart(20, bytes(32))
WAVES = ("short", "long")
ONE_BAND = np.array([[40, 24]], np.uint8)


def textured(draw: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise on shades that change slowly, ``(height, width, 1)`` uint8."""
    rows, columns = np.ogrid[:height, :width]
    shades = 128 + 60 * np.sin(rows / 31) * np.cos(columns / 47)
    made = shades + draw.normal(0, draw.choice([0, 3, 25]), (height, width))
    return np.rint(made.clip(0, 255)).astype(np.uint8)[..., None]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    height=st.integers(64, 330),
    width=st.integers(64, 330),
    field=st.sampled_from((1, 8, 16)),
    waves=st.sampled_from(WAVES),
)
def test_every_sample_comes_back(
    seed: int, height: int, width: int, field: int, waves: str
) -> None:
    draw = np.random.default_rng(seed)
    image = textured(draw, height, width)
    bands = BANDS[draw.choice(20, draw.integers(1, 4), replace=False)]
    config = BandsConfig(waves=waves)
    one = Surroundings.of(image, bands, 6, draw.bytes(32), config, field=field)
    again = Surroundings.unpack(one.pack())
    assert again.pack() == one.pack()
    changed = image.astype(np.int16)
    for number in range(surroundings.STEPS):
        added = one.step(number, changed.clip(0, 255).astype(np.uint8))
        assert added.shape == image.shape
        assert np.abs(added).max() <= 6
        changed = changed + added
    # What was cut off at black and white is a record's; here nothing is.
    if changed.min() < 0 or changed.max() > 255:
        return
    back = changed
    for number in reversed(range(surroundings.STEPS)):
        back = back - again.step(number, back.clip(0, 255).astype(np.uint8))
    assert np.array_equal(back, image)


@pytest.mark.parametrize("sides", [(128, 128), (224, 300), (260, 512), (1030, 1100)])
def test_a_step_looks_at_other_fields_alone(sides: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    image = textured(draw, *sides)
    one = Surroundings.of(image, ONE_BAND, 6, bytes(32))
    for number in range(surroundings.STEPS):
        added = one.step(number, image)
        assert added.any()
        rows, columns = (np.arange(side) // one.field for side in sides)
        mine = (rows[:, None] + columns) % 2 == number
        assert not added[..., 0][~mine].any()
        other = image.copy()
        other[mine] = draw.integers(0, 256, other[mine].shape)
        assert np.array_equal(one.step(number, other), added)


def test_steps_are_those_of_the_first_version() -> None:
    """Records hold secrets, not what was added: it must be told like this for ever."""
    digest, long = hashlib.sha256(), BandsConfig(waves="long")
    for place, sides in enumerate([(64, 72), (137, 161), (224, 260), (1030, 1100)]):
        rows, columns, colours = np.ogrid[: sides[0], : sides[1], : 1 + 2 * (place % 2)]
        image = (rows * rows // 7 + columns * (rows % 13) + 31 * colours) % 256
        bands = BANDS[3 * place : 3 * place + 1 + place % 3]
        one = Surroundings.of(
            image.astype(np.uint8), bands, 6, bytes([place]) * 32, long
        )
        digest.update(one.pack())
        for number in range(surroundings.STEPS):
            digest.update(one.step(number, image.astype(np.uint8)).tobytes())
    assert digest.hexdigest()[:32] == "fe010c8bafef43f34d572427b14ebc90"


@pytest.mark.parametrize("waves", WAVES)
@pytest.mark.parametrize("side", [128, 192, 224, 256, 400, 640])
def test_bands_scale_with_the_picture(side: int, waves: str) -> None:
    """As many waves over the shorter side, whatever that is from the least on."""
    draw = np.random.default_rng(1)
    image = draw.integers(0, 256, (side, side, 1)).astype(np.uint8)
    one = Surroundings.of(image, ONE_BAND, 6, bytes(32), BandsConfig(waves=waves))
    added = (one.step(0, image) + one.step(1, image))[..., 0].astype(float)
    power = np.abs(np.fft.fft2(added)) ** 2
    # Half cycles of 8 cells, in 1/16: cycles of the side to which it is reduced.
    least = min(side, one.form.working)
    down, across = (int(number) * least // 8 // 16 // 2 for number in ONE_BAND[0])
    reach = 8
    rows = slice(down - reach, down + reach + 1)
    columns = slice(across - reach, across + reach + 1)
    near = power[rows, columns].sum() + power[rows, ::-1][:, columns].sum()
    area = 4 * (2 * reach + 1) ** 2 / side**2
    assert 2 * near / power.sum() > max(5 * area, 0.3)


@pytest.mark.parametrize("form", FORMS.values(), ids=("long", "short"))
def test_windows_are_the_same_everywhere(form: Form) -> None:
    """No value lies so near to a half that machines could round it in two ways."""
    for scale in range(surroundings.WHOLE // 2, surroundings.WHOLE + 1):
        width = form.width * surroundings.WHOLE / scale
        places = np.arange(int(2.25 * width) + 1)
        values = 256 * np.exp(-((places / width) ** 2) / 2)
        assert np.abs(values % 1 - 0.5).min() > 1e-6


def test_windows_are_what_they_were() -> None:
    assert surroundings.window(256, LONG.width).tolist() == [
        *(256, 248, 226, 193, 155, 117, 83, 55, 35, 20)
    ]
    assert surroundings.window(256, SHORT.width).tolist() == [
        *(256, 253, 246, 234, 217, 198, 177, 155, 133, 112, 92, 74, 59, 46, 35, 26)
    ]


@pytest.mark.parametrize("at", [0, 1, 3, 4, 5])
def test_other_bytes_are_refused(at: int) -> None:
    image = np.full((64, 64, 1), 99, np.uint8)
    packed = bytearray(Surroundings.of(image, BANDS[:1], 6, bytes(32)).pack())
    packed[at] = 0xFF if at in (1, 3) else 0
    if at == 4:  # half of a scale, or of a region
        packed[3] = 0
    if at == 5:
        packed[6] = 0
    with pytest.raises(DamagedRecordError):
        Surroundings.unpack(bytes(packed))
    with pytest.raises(DamagedRecordError):
        Surroundings.unpack(b"\2")


def test_small_pictures_are_refused() -> None:
    one = Surroundings.of(np.zeros((64, 64, 1), np.uint8), BANDS[:1], 6, bytes(32))
    with pytest.raises(DamagedRecordError, match="too small"):
        one.step(0, np.zeros((63, 200, 1), np.uint8))
