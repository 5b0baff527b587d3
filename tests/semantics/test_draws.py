import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.semantics.draws import DRAWS, Draws, drawn_scene, keyed_words, toned

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
_WORDS = st.sampled_from([0, 2**31, 2**32 - 1])


def _luma(colour):
    return (77 * colour[0] + 150 * colour[1] + 29 * colour[2]) / 256


def test_numbers_stay_within():
    draws = Draws([0, 2**32 - 1] * 3)
    assert [draws.below(7), draws.below(7)] == [0, 6]
    assert [draws.within(-3, 3), draws.within(-3, 3)] == [-3, 3]
    assert [draws.one_of("abc"), draws.one_of("abc")] == ["a", "c"]


@pytest.mark.slow
@given(st.lists(_WORDS, min_size=DRAWS, max_size=DRAWS))
def test_any_words_give_a_scene(words):
    scene = drawn_scene(Draws(words))
    assert scene == drawn_scene(Draws(words))
    assert scene.things


def test_words_are_keyed():
    assert keyed_words(KEY, 2, 3) == keyed_words(KEY, 2, 3)
    assert keyed_words(KEY, 2, 3) != keyed_words(bytes(32), 2, 3)


@given(
    st.tuples(*[st.integers(20, 240)] * 3),
    st.integers(0, 255),
)
def test_a_hue_gets_the_luma_it_should(hue, luma):
    colour = toned(hue, luma)
    assert all(0 <= value <= 255 for value in colour)
    assert _luma(colour) == pytest.approx(luma, abs=14)


def test_objects_stand_out_in_luma():
    rows = keyed_words(KEY, 300, DRAWS)
    for scene in (drawn_scene(Draws(row)) for row in rows):
        near, far = scene.background.near, scene.background.far
        behind = [_luma(texture.colours[0]) for texture in (near, far)]
        for thing in scene.things:
            before = _luma(thing.texture.colours[0])
            assert min(abs(before - value) for value in behind) > 90
