"""RAEG."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from fiftyone_reue.errors import DamagedRecordError, InputError
from fiftyone_reue.networks.registry import create_network
from fiftyone_reue.perturb.base import FitData, FitOptions, State, bounded
from fiftyone_reue.perturb.raeg.code import CodeConfig, find_code
from fiftyone_reue.perturb.raeg.config import RaegConfig
from fiftyone_reue.perturb.raeg.method import Raeg
from fiftyone_reue.perturb.raeg.turning import Turning
from fiftyone_reue.perturb.surrogate import restored_network
from fiftyone_reue.perturb.tap.config import TapConfig
from fiftyone_reue.progress import finish
from fiftyone_reue.together import each

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
CLASSES = ("flat", "rows", "columns")


def _data(count: int = 90, size: int = 32) -> FitData:
    """Three textures that a network tells apart soon."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = generator.integers(90, 140, (count, size, size, 3))
    images[labels == 1, ::4] += 14
    images[labels == 2, :, ::4] += 14
    return FitData(images.clip(0, 255).astype(np.uint8), labels, CLASSES)


@pytest.fixture(scope="module")
def method() -> Raeg:
    training = TapConfig(epochs=4, least_steps=40)
    return Raeg(RaegConfig(training=training), CodeConfig(steps=12, psnr=34))


@pytest.fixture(scope="module")
def state(method: Raeg) -> State:
    return finish(method.fit(_data(), FitOptions(8, 0, KEY, "cpu")))


def _named(state: State, image: np.ndarray) -> str:
    network = restored_network(
        state, "small_resnet", 32, torch.device("cpu"), prefix="0/"
    )
    batch = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    return CLASSES[int(network(batch.float()).argmax())]


@pytest.mark.slow
def test_images_are_moved_to_another_class_and_back(method: Raeg, state: State) -> None:
    data = _data()
    fooled = 0
    for place in range(9):
        image, label = data.images[place], CLASSES[data.labels[place]]
        secret = method.secret(state, image, label, KEY)
        moved = method.move(secret, image)
        protected = bounded(moved, image, 8).astype(np.uint8)
        assert np.array_equal(method.undo(secret, moved), image)
        assert np.abs(protected.astype(int) - image).max() <= 8
        assert _named(state, image) == label
        fooled += _named(state, protected) != label
        error = np.square(protected.astype(float) - image).mean()
        assert 10 * np.log10(255**2 / error) > 32
    assert fooled >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [(17, 23, 3), (40, 33, 1), (64, 64, 1), (300, 260, 3)]
)
def test_every_size_comes_back(
    method: Raeg, state: State, shape: tuple[int, int, int]
) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    secret = method.secret(state, image, "rows", KEY)
    moved = method.move(secret, image)
    assert moved.shape == image.shape
    assert not np.array_equal(moved, image)
    assert np.array_equal(method.undo(secret, moved), image)


@pytest.mark.slow
def test_all_at_once_is_within_the_amplitude(method: Raeg) -> None:
    data = _data(30)
    steps = method.perturb_steps(data, FitOptions(6, 0, KEY, "cpu"))
    perturbed = finish(steps)
    change = perturbed.astype(int) - data.images
    assert perturbed.shape == data.images.shape
    assert 0 < np.abs(change).max() <= 6


@pytest.mark.slow
def test_codes_can_be_made_against_ones_own_classifier(method: Raeg) -> None:
    network = create_network("small_resnet", 4, 48, seed=5).eval().requires_grad_(False)
    image = np.random.default_rng(2).integers(60, 190, (48, 48, 3)).astype(np.uint8)

    def logits(values: np.ndarray) -> torch.Tensor:
        return network(torch.from_numpy(values).permute(2, 0, 1)[None].float() / 255)

    before = int(logits(image).argmax())

    def loss(images: torch.Tensor) -> torch.Tensor:
        return network(images)[:, before].sum()

    secret = method.secret_against([loss], image, 8, seed=1)
    moved = method.move(secret, image)
    assert np.array_equal(method.undo(secret, moved), image)
    protected = bounded(moved, image, 8).astype(np.uint8)
    assert float(logits(protected)[0, before]) < float(logits(image)[0, before])


def _brighter(images: torch.Tensor) -> torch.Tensor:
    return -images.sum()


@pytest.mark.parametrize("colours", [1, 3])
def test_codes_keep_the_promised_psnr(colours: int) -> None:
    image = torch.full((2, 3, 16, 16), 120.0)
    config = CodeConfig(steps=10, psnr=40.0)
    losses: list[Callable] = [_brighter]
    code = find_code(
        losses, image, image.clone(), config, amplitude=8, colours=colours, seed=0
    )
    assert code.shape == (2, colours, 8, 8)
    assert torch.equal(code, code.round())
    assert (code > 0).all()
    assert (code <= 3).all()  # 40 dB are 2.55 gray levels


@pytest.mark.slow
def test_damaged_secrets_say_so(method: Raeg, state: State) -> None:
    image = _data().images[0]
    secret = method.secret(state, image, "flat", KEY)
    with pytest.raises(DamagedRecordError):
        Turning.unpack(secret[:8])
    with pytest.raises(DamagedRecordError):
        Turning.unpack(secret[:-4])
    with pytest.raises(DamagedRecordError, match="another size"):
        method.undo(secret, np.zeros((48, 48, 3), np.int16))
    with pytest.raises(InputError, match="'fox'"):
        method.secret(state, image, "fox", KEY)


@pytest.mark.slow
def test_codes_are_found_together_and_each_for_its_own_image(
    method: Raeg, state: State, monkeypatch
) -> None:
    from fiftyone_reue.perturb.raeg import code

    counts, real = [], code.find_code

    def find(losses, image, *rest, **more):
        counts.append(len(image))
        return real(losses, image, *rest, **more)

    monkeypatch.setattr(code, "find_code", find)
    data = _data()

    def secret(place: int) -> bytes:
        label = CLASSES[data.labels[place]]
        return method.secret(state, data.images[place], label, bytes([place]) * 32)

    together = list(map(Turning.unpack, each(secret, range(6))))
    alone = list(map(Turning.unpack, map(secret, range(6))))
    assert counts == [6, 1, 1, 1, 1, 1, 1]
    for one, its in zip(together, alone, strict=True):
        assert one.stripes == its.stripes
        # Sums are rounded otherwise in a batch, and a search may go another way by it.
        assert np.corrcoef(one.code, its.code)[0, 1] > 0.8
    other = np.corrcoef(together[0].code, together[3].code)[0, 1]
    assert abs(other) < 0.5
