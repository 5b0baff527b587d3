"""Deep Hiding."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fiftyone_reue.errors import DamagedRecordError, InputError
from fiftyone_reue.perturb.base import FitData, FitOptions, State, bounded
from fiftyone_reue.perturb.deep_hiding.config import DeepHidingConfig
from fiftyone_reue.perturb.deep_hiding.hatching import BENT, INVERTED
from fiftyone_reue.perturb.deep_hiding.method import (
    DeepHiding,
    DeepHidingUnbounded,
    change,
    hiding_of,
    own_scenes,
    reveal,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import finish
from fiftyone_reue.together import each
from tests.perturb.devices import on_both, same

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
CLASSES = ("cat", "dog", "owl")


def _state(key: bytes = KEY, amplitude: int = 6, scenes: Path | None = None) -> State:
    data = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.int64), CLASSES)
    method = DeepHiding(DeepHidingConfig(scenes=scenes))
    return finish(method.fit(data, FitOptions(amplitude, seed=1, key=key)))


def _image(
    seed: int, height: int = 32, width: int = 32, colours: int = 3
) -> np.ndarray:
    """Smooth, with some noise, as photographs are."""
    generator = np.random.default_rng(seed)
    small = generator.integers(20, 236, (4, 4, colours)).astype(np.uint8)
    grown = [
        np.asarray(
            Image.fromarray(small[..., c]).resize((width, height), Image.BICUBIC)
        )
        for c in range(colours)
    ]
    noise = generator.integers(-4, 5, (height, width, colours))
    return (np.stack(grown, axis=2).astype(int) + noise).clip(0, 255).astype(np.uint8)


def _secret(
    state: State, image: np.ndarray, label: str = "dog", number: int = 0
) -> bytes:
    key = derive(KEY, "sample", str(number))
    return DeepHiding().secret(state, image, label, key)


@pytest.mark.slow
def test_the_scene_is_seen_in_what_is_revealed() -> None:
    image = _image(3, 96, 96)
    hiding = hiding_of(_secret(_state(), image))
    protected = (image + change(hiding, image)).clip(0, 255).astype(np.uint8)
    found = reveal(hiding, protected)
    light = hiding.light_parts(*found.shape)
    seen = hiding.scene_in(found)
    assert np.corrcoef(seen.ravel(), light.ravel())[0, 1] > 0.6


@pytest.mark.slow
def test_the_first_releases_are_read_as_they_were_made() -> None:
    image = _image(4)
    secret = bytearray(_secret(_state(), image))
    place = 1 + 8 + 16  # after amplitude, identity and root: the name's length
    secret[place] &= 0x7F
    old, new = hiding_of(bytes(secret)), hiding_of(_secret(_state(), image))
    assert (old.hatching, new.hatching) == (INVERTED, BENT)
    assert replace(old, hatching=BENT).phases == new.phases
    assert np.array_equal(old.scene, new.scene)
    moved = DeepHiding().move(bytes(secret), image)
    assert np.array_equal(DeepHiding().undo(bytes(secret), moved), image)
    assert not np.array_equal(moved, DeepHiding().move(_secret(_state(), image), image))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(16, 90),
    st.integers(16, 90),
    st.sampled_from([1, 3]),
)
def test_the_original_is_found_again(
    seed: int, height: int, width: int, colours: int
) -> None:
    method, image = DeepHiding(), _image(seed, height, width, colours)
    secret = _secret(_state(), image)
    moved = method.move(secret, image)
    assert np.abs(moved - image).max() <= 6
    found = method.undo(secret, moved)
    assert np.mean(found != image) < 0.02


@pytest.mark.slow
def test_changes_are_within_the_amplitude_and_not_nothing() -> None:
    image = _image(3)
    for amplitude in (3, 6, 8, 16):
        secret = _secret(_state(amplitude=amplitude), image)
        change = DeepHiding().move(secret, image) - image
        assert np.abs(change).max() <= amplitude
        assert np.abs(change).mean() > amplitude / 2
        assert DeepHiding().amplitude(secret) == amplitude


def test_the_unbounded_way_changes_more_and_is_undone() -> None:
    method, image = DeepHidingUnbounded(), _image(4)
    data = FitData(image[None], np.zeros(1, np.int64), CLASSES)
    state = finish(method.fit(data, FitOptions(8, seed=1, key=KEY)))
    secret = method.secret(state, image, "dog", KEY)
    assert method.amplitude(secret) == 24
    moved = method.move(secret, image)
    assert 16 < np.abs(moved - image).max() <= 24
    assert np.mean(method.undo(secret, moved) != image) < 0.02


@pytest.mark.slow
def test_what_is_hidden_is_the_classes_own_and_varies() -> None:
    state, image = _state(), _image(0)
    one, other = (hiding_of(_secret(state, image, "dog", n)) for n in (0, 1))
    owl = hiding_of(_secret(state, image, "owl"))
    assert one.waves == other.waves != owl.waves
    assert one.phases != other.phases
    assert not np.array_equal(one.hidden(32, 32), other.hidden(32, 32))
    foreign = hiding_of(_secret(_state(key=KEY[::-1]), image, "dog", 0))
    assert not np.array_equal(foreign.scene, one.scene)


@pytest.mark.slow
def test_the_scene_is_revealed_also_from_a_jpeg() -> None:
    state, method = _state(amplitude=8), DeepHiding()
    for seed in range(3):
        image = _image(seed, 64, 64)
        secret = _secret(state, image, number=seed)
        protected = bounded(method.move(secret, image), image, 8).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(protected).save(buffer, "JPEG", quality=75)
        copy = np.asarray(Image.open(buffer))
        hiding = hiding_of(secret)
        hidden = hiding.hidden(64, 64).ravel()
        for seen in (protected, copy):
            agreement = np.corrcoef(reveal(hiding, seen).ravel(), hidden)[0, 1]
            assert agreement > 0.3
        nothing = np.corrcoef(reveal(hiding, image).ravel(), hidden)[0, 1]
        assert abs(nothing) < 0.2


def test_a_large_image_is_changed_by_squares() -> None:
    method, image = DeepHiding(), _image(5, 200, 300)
    secret = _secret(_state(), image)
    moved = method.move(secret, image)
    change = (moved - image)[:, :, 0]
    assert np.array_equal(change[0:200:4], change[3:200:4])
    assert np.array_equal(method.undo(secret, moved), image)


def test_scenes_of_ones_own_are_hidden(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / name).mkdir()
        image = generator.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / name / "one.png")
    state, image = _state(scenes=tmp_path), _image(1)
    hiding = hiding_of(_secret(state, image, "cat"))
    own = np.asarray(Image.open(tmp_path / "cat" / "one.png")).astype(int)
    assert np.array_equal(hiding.scene, own.sum(axis=2) // 3)
    again = State.from_bytes(state.to_bytes())
    assert _secret(again, image, "cat") == _secret(state, image, "cat")
    (tmp_path / "owl" / "one.png").unlink()
    with pytest.raises(InputError, match="'owl'"):
        own_scenes(tmp_path, CLASSES)


def test_states_outlive_storing() -> None:
    state, image = _state(), _image(2)
    again = State.from_bytes(state.to_bytes())
    assert _secret(again, image) == _secret(state, image)
    assert len(state.to_bytes()) < 2000


def test_an_unknown_class_and_a_damaged_secret_say_so() -> None:
    state, image = _state(), _image(2)
    with pytest.raises(InputError, match="'fox'"):
        _secret(state, image, "fox")
    secret = _secret(state, image)
    for end in (0, 5, len(secret) - 3):
        with pytest.raises(DamagedRecordError):
            hiding_of(secret[:end])
    with pytest.raises(DamagedRecordError):
        hiding_of(secret + b"more")


Case = tuple[int, tuple[int, int], int, int, str]

SIZES = st.sampled_from([(32, 32), (33, 25), (70, 67)])
"""Of which the network sees the first as it is, and the last by halves."""
CASES = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        SIZES,
        st.sampled_from([1, 3]),
        st.integers(1, 24),
        st.sampled_from(CLASSES),
    ),
    min_size=1,
    max_size=7,
)


def _there_and_back(case: Case) -> tuple[np.ndarray, ...]:
    """What hiding makes of an image, what it is undone to, and what is revealed."""
    seed, size, colours, amplitude, label = case
    image = _image(seed, *size, colours)
    secret = _secret(_state(amplitude=amplitude), image, label, number=seed)
    method = DeepHiding()
    moved = method.move(secret, image)
    protected = moved.clip(0, 255).astype(np.uint8)
    return moved, method.undo(secret, moved), method.reveal(secret, protected)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(CASES)
def test_images_together_are_as_each_alone(cases: list[Case]) -> None:
    alone = list(map(_there_and_back, cases))
    assert same(each(_there_and_back, cases), alone)


@pytest.mark.slow
def test_images_of_one_size_are_computed_by_one_call(monkeypatch) -> None:
    from fiftyone_reue.invertible.hiding import HidingNetwork

    counts, real = [], HidingNetwork.hide

    def hide(self, cover, secret, amplitude):
        counts.append((len(cover), amplitude.unique().numel()))
        return real(self, cover, secret, amplitude)

    monkeypatch.setattr(HidingNetwork, "hide", hide)
    each(_there_and_back, [(n, (32, 32), 3, 4 + n, "cat") for n in range(4)])
    assert counts[:3] == [(4, 4)] * 3  # hidden, and undone by twice at least


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@settings(max_examples=20, deadline=None)
@given(CASES)
def test_a_gpu_gives_the_same_bytes(cases: list[Case]) -> None:
    on_both(lambda: each(_there_and_back, cases))
