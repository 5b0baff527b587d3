"""Features moved to another class's, by networks of the owner's choice."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.extractors import Extractor
from fiftyone_reue.perturb import reversal
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.feature_shift.config import FeatureShiftConfig
from fiftyone_reue.perturb.feature_shift.method import FeatureShift
from fiftyone_reue.perturb.feature_shift.shift import Aim, shifted
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.tap.method import target_classes
from fiftyone_reue.progress import finish
from tests.extractors import TinyExtractor, exported

pytestmark = [pytest.mark.unit, pytest.mark.slow]

CLASSES = ("a", "b", "c")
OPTIONS = FitOptions(6, seed=1, key=b"k" * 32, device="cpu")
SAMPLE_KEY = b"s" * 32


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    return exported(TinyExtractor().eval(), folder / "tiny.pt2", side=64)


@pytest.fixture(autouse=True)
def _named(program, monkeypatch):
    monkeypatch.setenv("REUE_PRETRAINED", str(program))


@pytest.fixture(scope="module")
def data() -> FitData:
    """Noise around a colour a class."""
    draw = np.random.default_rng(0)
    labels = np.arange(24) % 3
    colours = np.array([(60, 110, 180), (180, 60, 110), (110, 180, 60)])
    noise = draw.integers(-40, 41, (24, 64, 64, 3))
    images = (colours[labels][:, None, None] + noise).astype(np.uint8)
    return FitData(images, labels, CLASSES)


@pytest.fixture
def state(data) -> State:
    fitted = finish(FeatureShift().fit(data, OPTIONS))
    return State.from_bytes(fitted.to_bytes())


def towards_target(state: State, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cosine of each image's features with where its class is moved to."""
    network = TinyExtractor().eval()
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    middle = torch.from_numpy(state.arrays["0/middle"]).float()
    centres = torch.from_numpy(state.arrays["0/classes"]).float()
    wanted = centres[state.arrays["targets"][labels]] - middle
    with torch.no_grad():
        features = network(values) - middle
        return torch.cosine_similarity(features, wanted).numpy()


def test_features_move_towards_the_keyed_target(data, state):
    assert np.array_equal(
        state.arrays["targets"], target_classes(3, OPTIONS, "feature_shift")
    )
    method = FeatureShift(FeatureShiftConfig(diverse=False))
    moved = np.empty_like(data.images)
    for place, image in enumerate(data.images):
        label = CLASSES[data.labels[place]]
        pattern = method.pattern(state, image, label, SAMPLE_KEY)
        assert set(np.unique(pattern)) <= {-6, 0, 6}
        moved[place] = (image.astype(int) + pattern).clip(0, 255)
    before = towards_target(state, data.images, data.labels)
    after = towards_target(state, moved, data.labels)
    assert (after > before).all()
    assert after.mean() > before.mean() + 0.1


def test_the_same_key_makes_the_same_pattern_and_another_one_another(data, state):
    method = FeatureShift()
    patterns = [
        method.pattern(state, data.images[0], "a", key)
        for key in (SAMPLE_KEY, SAMPLE_KEY, b"t" * 32)
    ]
    assert np.array_equal(patterns[0], patterns[1])
    assert not np.array_equal(patterns[0], patterns[2])


@pytest.mark.parametrize(
    ("shape", "dtype", "pattern"),
    [
        ((64, 64, 1), np.uint8, (64, 64, 1)),
        ((20, 33, 3), np.uint8, (20, 33, 3)),
        ((300, 448, 3), np.uint16, (112, 168, 3)),
        ((9, 600, 3), np.uint8, (9, 36, 3)),
    ],
)
def test_any_size_depth_and_gray_get_a_pattern_of_their_shape(
    state, shape, dtype, pattern
):
    draw = np.random.default_rng(0)
    image = draw.integers(0, np.iinfo(dtype).max, shape, dtype)
    made = FeatureShift().pattern(state, image, "b", SAMPLE_KEY)
    assert made.shape == pattern
    assert made.dtype == np.int8


@settings(max_examples=12, deadline=None)
@given(st.integers(16, 70), st.integers(16, 70), st.booleans(), st.integers(0, 99))
def test_every_image_comes_back_exactly(fitted_once, height, width, gray, seed):
    state = fitted_once
    draw = np.random.default_rng(seed)
    # Rails and all.
    image = draw.integers(-40, 296, (height, width, 1 if gray else 3))
    licensed = image.clip(0, 255).astype(np.uint8)
    colours = licensed.shape[2]
    method = FeatureShift(FeatureShiftConfig(steps=2))
    made = reversal.perturb(method, state, licensed, colours, "a", SAMPLE_KEY, name="x")
    content = reversal.smallest(made, licensed, colours, name="x")
    with pytest.MonkeyPatch.context() as without:
        # Who restores has no network.
        without.delenv("REUE_PRETRAINED")
        back = reversal.unpack(content, made.samples, colours)
        assert np.array_equal(back.licensed(made.samples, colours), licensed)


@pytest.fixture(scope="module")
def fitted_once(data, program):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("REUE_PRETRAINED", str(program))
        return finish(FeatureShift().fit(data, OPTIONS))


def test_other_networks_make_another_fit(program, tmp_path, monkeypatch):
    method = create_method("feature_shift")
    one = method.identity(CLASSES)
    moved = shutil.copy(program, tmp_path / "moved.pt2")
    monkeypatch.setenv("REUE_PRETRAINED", str(moved))
    assert method.identity(CLASSES) == one
    Path(moved).write_bytes(b"other")
    assert method.identity(CLASSES) != one


def test_without_its_network_nothing_is_made(state, data, tmp_path, monkeypatch):
    other = tmp_path / "other.pth"
    other.write_bytes(b"x")
    monkeypatch.setenv("REUE_PRETRAINED", str(other))
    with pytest.raises(InputError, match=r"network tiny\.pt2 .* REUE_PRETRAINED"):
        FeatureShift().pattern(state, data.images[0], "a", SAMPLE_KEY)
    monkeypatch.delenv("REUE_PRETRAINED")
    for call in (
        lambda: FeatureShift().identity(CLASSES),
        lambda: finish(FeatureShift().fit(data, OPTIONS)),
    ):
        with pytest.raises(InputError, match="Set the environment variable"):
            call()


def test_one_class_and_classes_without_images_are_refused(data):
    alone = FitData(data.images, np.zeros(24, np.int64), ("a",))
    with pytest.raises(InputError, match="at least two classes: feature_shift"):
        finish(FeatureShift().fit(alone, OPTIONS))
    more = FitData(data.images, data.labels, (*CLASSES, "d"))
    with pytest.raises(InputError, match="Class 'd' has no image"):
        finish(FeatureShift().fit(more, OPTIONS))


def test_several_networks_are_asked(data, program, tmp_path, monkeypatch):
    second = shutil.copy(program, tmp_path / "second.pt2")
    monkeypatch.setenv("REUE_PRETRAINED", os.pathsep.join((str(program), str(second))))
    made = finish(FeatureShift().fit(data, OPTIONS))
    assert made.summary["networks"] == ["tiny.pt2", "second.pt2"]
    assert np.array_equal(made.arrays["0/classes"], made.arrays["1/classes"])
    assert FeatureShift().pattern(made, data.images[0], "a", SAMPLE_KEY).any()


@pytest.mark.parametrize(("alternate", "asked"), [(False, [8, 8]), (True, [4, 4])])
def test_networks_are_asked_all_at_once_or_in_turn(alternate, asked):
    class Counting(TinyExtractor):
        calls = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(images)

    networks = [Counting().eval() for _ in range(2)]
    direction = torch.linspace(-1, 1, 12)
    aims = [
        Aim(Extractor(network, (64,)), torch.zeros(12), direction)
        for network in networks
    ]
    shifted(
        torch.full((1, 3, 64, 64), 0.5),
        aims,
        grid=(16, 16),
        colours=3,
        amplitude=6,
        config=FeatureShiftConfig(steps=8, alternate=alternate),
        numbers=torch.Generator().manual_seed(0),
    )
    assert [network.calls for network in networks] == asked
