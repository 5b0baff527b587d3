"""Regions get their own class's texture, and nothing else changes; all comes off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import DamagedRecordError, InputError
from fiftyone_reue.media.jpeg_coefficients.coefficients import same_picture
from fiftyone_reue.media.jpeg_coefficients.reading import read
from fiftyone_reue.media.jpeg_coefficients.writing import write
from fiftyone_reue.perturb import coefficients, reversal
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.class_map import ClassMap
from fiftyone_reue.perturb.registry import create_method, list_methods
from fiftyone_reue.perturb.rue.by_region import ByRegion
from fiftyone_reue.perturb.rue.emphasis import Emphasis
from fiftyone_reue.perturb.rue.surroundings import Surroundings
from fiftyone_reue.progress import finish
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.unit

CLASSES = ("", *(f"class {n:02}" for n in range(19)))
KEY = bytes(range(32))
AMPLITUDE = 6


def fitted(classes: tuple[str, ...] = CLASSES) -> State:
    empty = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int), classes)
    options = FitOptions(AMPLITUDE, seed=0, key=bytes(32))
    return finish(create_method("rue").fit(empty, options))


def drawn_map(draw: np.random.Generator, height: int, width: int) -> ClassMap:
    """Rectangles of some classes on nothing, or on a class."""
    count = int(draw.integers(0, 5))
    names = tuple(draw.choice(CLASSES, count, replace=False).tolist())
    places = np.zeros((height, width), np.uint8)
    for _ in range(6 if count else 0):
        (top, bottom), (left, right) = (
            sorted(draw.integers(0, side + 1, 2)) for side in (height, width)
        )
        places[top:bottom, left:right] = draw.integers(0, count + 1)
    return ClassMap(names, places)


def photo(draw: np.random.Generator, height: int, width: int, colours: int):
    rows, columns = np.ogrid[:height, :width]
    shades = 128 + 110 * np.sin(rows / 31) * np.cos(columns / 47)
    noise = draw.normal(0, draw.choice([0, 3, 25]), (height, width, colours))
    return np.rint((shades[..., None] + noise).clip(0, 255)).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    height=st.integers(40, 300),
    width=st.integers(64, 300),
    colours=st.sampled_from((1, 3)),
)
def test_pixels_come_back(seed: int, height: int, width: int, colours: int) -> None:
    draw = np.random.default_rng(seed)
    image, regions = photo(draw, height, width, colours), drawn_map(draw, height, width)
    method = create_method("rue").by_region(regions)
    made = reversal.perturb(
        method, fitted(), image, colours, "not asked for", KEY, name="x"
    )
    content = reversal.smallest(made, image, colours, name="x")
    way = reversal.unpack(content, image, colours)
    assert np.array_equal(way.licensed(made.samples, colours), image)
    change = made.samples.astype(int) - image
    assert np.abs(change).max(initial=0) <= AMPLITUDE
    none = regions.fields(8).repeat(8, 0).repeat(8, 1)[:height, :width] == 0
    assert not change[none].any()
    if height >= 64:
        assert len(content.data) < 500 + sum(map(len, way.lost))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    height=st.integers(40, 260),
    width=st.integers(64, 260),
    mode=st.sampled_from(("L", "RGB", "CMYK")),
    quality=st.sampled_from((40, 75, 95)),
)
def test_jpegs_come_back(
    seed: int, height: int, width: int, mode: str, quality: int
) -> None:
    draw = np.random.default_rng(seed)
    found = read(pillow(photo(draw, height, width, 3), mode, quality=quality))
    regions = drawn_map(draw, height, width)
    copy, content = coefficients.perturb(
        create_method("rue").by_region(regions),
        fitted(),
        found,
        found,
        lambda: np.zeros((height, width, 1 if mode == "L" else 3), np.uint8),
        "not asked for",
        KEY,
        name="x",
        epsilon=8,
        amplitude=AMPLITUDE,
    )
    way = coefficients.unpack(content.data, (height, width))
    again = read(write(copy))
    assert same_picture(coefficients.licensed_of(way, again), found)
    assert same_picture(coefficients.protected_of(way, found), copy)
    if mode != "CMYK" or content.data[0] == coefficients.BySteps.code:
        luma = copy.components[0].blocks - found.components[0].blocks
        assert not luma[regions.fields(8) == 0].any()


@pytest.mark.parametrize("kind", [Emphasis, Surroundings])
def test_each_region_has_what_its_class_alone_would_have(kind: type) -> None:
    """As strong as its own part asks for, whatever is beside it."""
    draw = np.random.default_rng(3)
    image = draw.integers(60, 200, (128, 160, 1)).astype(np.uint8)
    image[:, 80:] = 128 + draw.integers(-3, 4, (128, 80, 1))
    places = np.ones((128, 160), np.uint8)
    places[:, 80:] = 2
    bands = np.array([[40, 24]], np.uint8), np.array([[24, 40]], np.uint8)
    both = ByRegion.of(kind, image, ClassMap(("a", "b"), places), bands, 6, KEY)
    left, right = places == 1, places == 2
    for number, here in ((0, left), (1, right)):
        alone = kind.of(image, bands[number], 6, KEY, where=here)
        assert both.parts[number].pack() == alone.pack()
        change = both.step(1, image)
        whole = alone.step(1, image)
        assert np.array_equal(change[here], whole[here])
    assert both.parts[0].gain != both.parts[1].gain


def test_classes_that_own_no_field_are_left_out() -> None:
    places = np.ones((96, 96), np.uint8)
    places[3, 3] = 2
    regions = ClassMap(("a", "b"), places)
    image = picture(96, 96)[..., :1].copy()
    bands = np.array([[40, 24]], np.uint8), np.array([[24, 40]], np.uint8)
    made = ByRegion.of(Emphasis, image, regions, bands, 6, KEY)
    assert len(made.parts) == 1
    again = ByRegion.unpack(made.pack(), 96, 96)
    assert np.array_equal(again.step(0, image), made.step(0, image))


def test_other_bytes_are_refused() -> None:
    image = picture(96, 96)[..., :1].copy()
    regions = ClassMap(("a",), np.ones((96, 96), np.uint8))
    packed = ByRegion.of(
        Emphasis, image, regions, (np.array([[40, 24]], np.uint8),), 6, KEY
    ).pack()
    assert ByRegion.unpack(packed, 96, 96).pack() == packed
    for data, sides in (
        (b"", (96, 96)),
        (packed[:2], (96, 96)),
        (packed[:-3], (96, 96)),
        (bytes([9]) + packed[1:], (96, 96)),
        (packed[:1] + b"\x20" + packed[2:], (96, 96)),
        (packed[:2] + b"\x02" + packed[3:], (96, 96)),
        (packed[:2] + b"\x00" + packed[3:], (96, 96)),
        (packed, (96, 104)),
        (packed, (960, 960)),
    ):
        with pytest.raises(DamagedRecordError):
            ByRegion.unpack(data, *sides)


def test_methods_for_whole_images_say_so() -> None:
    regions = ClassMap(("a",), np.ones((96, 96), np.uint8))
    for info in list_methods():
        method = create_method(info.name)
        if info.regions:
            assert method.by_region(regions).info is method.info
            continue
        with pytest.raises(InputError, match="whole image, not for each object"):
            method.by_region(regions)
