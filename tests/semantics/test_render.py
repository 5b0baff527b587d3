from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from fiftyone_reue.semantics.render import bank_image
from fiftyone_reue.semantics.scene import (
    BACKGROUNDS,
    LAYOUTS,
    NO_SCALING,
    PATTERNS,
    Background,
    Camera,
    Scene,
    Texture,
    Thing,
)
from fiftyone_reue.semantics.shapes import SHAPES

pytestmark = pytest.mark.unit

NIGHT = Texture("plain", 0, 1000, 0, ((10, 20, 60), (0, 0, 0)))
SAND = Texture("plain", 0, 1000, 0, ((90, 80, 40), (0, 0, 0)))
WHITE = Texture("plain", 0, 1000, 0, ((250, 250, 250), (0, 0, 0)))
SCENE = Scene(
    Background("flat", 0, 0, NIGHT, SAND), "single", (Thing("disc", 0, False, WHITE),)
)


def test_a_disc_on_a_flat_background():
    image = bank_image(SCENE, 32)
    assert image.shape == (32, 32, 3)
    assert image.dtype == np.uint8
    assert image[0, 0].tolist() == [10, 20, 60]
    assert image[16, 16].tolist() == [250, 250, 250]
    white = (image[..., 0] > 130).mean()
    assert white == pytest.approx(np.pi / 4 * (3700 * 3400 / 4096**2) ** 2, abs=0.02)


@pytest.mark.parametrize("size", [8, 16, 33])
def test_sizes_show_the_same(size):
    small, large = bank_image(SCENE, size), bank_image(SCENE, 4 * size)
    means = large.reshape(size, 4, size, 4, 3).mean(axis=(1, 3))
    assert np.abs(means - small).mean() < 4


def test_edges_are_smooth():
    assert len(np.unique(bank_image(SCENE, 32)[..., 0])) > 5


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_shows_objects_on_a_background(layout):
    image = bank_image(replace(SCENE, layout=layout), 32)
    share = (image[..., 0] > 130).mean()
    assert 0.1 < share < 0.95


def test_things_take_the_spots_in_turn():
    black = replace(WHITE, colours=((0, 0, 0), (0, 0, 0)))
    things = (*SCENE.things, Thing("square", 0, False, black))
    image = bank_image(replace(SCENE, layout="beside", things=things), 32)
    assert image[16, 8, 0] == 250
    assert image[16, 24, 0] == 0


def test_the_camera_moves_grows_and_turns():
    def centre(camera):
        return np.argwhere(
            bank_image(replace(SCENE, layout="upper left", camera=camera), 64)[..., 0]
            > 130
        ).mean(axis=0)

    down, across = centre(Camera())
    assert down == pytest.approx(across, abs=0.5)
    assert centre(Camera(across=640))[1] > across + 4
    assert centre(Camera(down=640))[0] > down + 4
    assert centre(Camera(scale=NO_SCALING * 9 // 10))[0] > down + 0.5
    clockwise = centre(Camera(angle=40))
    assert clockwise[0] < down
    assert clockwise[1] > across


def test_mirrored_is_left_for_right():
    bolt = replace(SCENE, things=(Thing("bolt", 0, False, WHITE),))
    mirrored = replace(SCENE, things=(Thing("bolt", 0, True, WHITE),))
    flipped = bank_image(mirrored, 32)[:, ::-1].astype(int)
    assert np.abs(flipped - bank_image(bolt, 32)).max() <= 80


@pytest.mark.parametrize("kind", BACKGROUNDS[1:])
def test_backgrounds_go_from_near_to_far(kind):
    behind = Background(kind, 0, 1200, NIGHT, SAND)
    reds = bank_image(replace(SCENE, background=behind, layout="column"), 32)[:, :4, 0]
    everywhere = bank_image(replace(SCENE, background=behind), 32)[..., 0]
    assert reds.min() >= 10
    assert reds.max() <= 90
    assert len(np.unique(everywhere[everywhere <= 90])) > 1


@pytest.mark.parametrize("kind", PATTERNS)
def test_patterns_show_both_colours(kind):
    texture = Texture(kind, 60, 1500, 300, ((200, 200, 200), (120, 120, 120)))
    image = bank_image(replace(SCENE, things=(Thing("disc", 0, False, texture),)), 64)
    middle = image[24:40, 24:40, 0]
    assert middle.min() < 140
    assert middle.max() > 180


def test_every_silhouette_keeps_its_bytes():
    """Images that were sealed must come again: on any machine, in any version."""
    digest = sha256()
    for place, name in enumerate(SHAPES):
        colours = (9, 8, 7), (240, 30, 130)
        texture = Texture(PATTERNS[place % 4], 37 * place, 1100, 77, colours)
        kind = BACKGROUNDS[place % len(BACKGROUNDS)]
        scene = Scene(
            Background(kind, 91 * place, 1300, SAND, WHITE),
            list(LAYOUTS)[place % len(LAYOUTS)],
            (Thing(name, 53 * place, place % 2 == 1, texture),),
            Camera(100, -200, 1000 + place, 5 * place),
        )
        digest.update(bank_image(scene, 24).tobytes())
    assert (
        digest.hexdigest()
        == "4aebac85b3b67b14c7d3e0923e17af75de36b04da38e1883e822643de16bc0ad"
    )
