import numpy as np
import pytest

from fiftyone_reue.media.visibility import SMALLEST, WINDOW, advice, ssimulacra2

pytestmark = pytest.mark.unit


def picture(height: int, width: int, colours: int = 3) -> np.ndarray:
    """Soft waves under a little noise."""
    rows, columns = np.indices((height, width))
    waves = 128 + 60 * np.sin(rows / 17)[..., None] * np.cos(columns / 23)[..., None]
    noise = np.random.default_rng(0).normal(0, 4, (height, width, colours))
    return (waves + noise).clip(0, 255).astype(np.uint8)


def noisy(image: np.ndarray, amplitude: int) -> np.ndarray:
    draw = np.random.default_rng(1).integers(-amplitude, amplitude + 1, image.shape)
    return (image.astype(int) + draw).clip(0, 255).astype(np.uint8)


def test_the_same_is_100_and_more_noise_is_less():
    image = picture(160, 130)
    assert ssimulacra2(image, image, 3) == 100
    found = [ssimulacra2(image, noisy(image, a), 3) for a in (1, 4, 16, 64)]
    assert found == sorted(found, reverse=True)
    assert 80 < found[0] < 100
    assert found[-1] < 40


def test_it_is_what_the_package_says_of_files(tmp_path):
    from PIL import Image
    from ssimulacra2 import compute_ssimulacra2

    image = picture(130, 145)
    changed = noisy(image, 6)
    for name, samples in (("a.png", image), ("b.png", changed)):
        Image.fromarray(samples).save(tmp_path / name)
    paths = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    assert ssimulacra2(image, changed, 3) == compute_ssimulacra2(*paths)


def test_gray_alpha_and_16_bits_are_seen_as_they_show():
    gray = picture(128, 128, 1)
    changed = noisy(gray, 8)
    coloured = [np.repeat(one, 3, axis=2) for one in (gray, changed)]
    expected = ssimulacra2(*coloured, 3)
    assert ssimulacra2(gray, changed, 1) == expected
    alpha = np.random.default_rng(2).integers(0, 256, (2, 128, 128, 1), np.uint8)
    both = [
        np.concatenate([one, extra], axis=2)
        for one, extra in zip((gray, changed), alpha, strict=True)
    ]
    assert ssimulacra2(*both, 1) == expected
    wide = [one.astype(np.uint16) * 257 for one in (gray, changed)]
    assert ssimulacra2(*wide, 1) == expected
    dark = [one.astype(np.uint16) for one in (gray, changed)]
    assert ssimulacra2(*dark, 1, 255) == expected


def test_of_large_images_the_middle_is_measured():
    image = np.full((SMALLEST, WINDOW + 200, 3), 90, np.uint8)
    changed = image.copy()
    changed[:, :100] += 40
    changed[:, -100:] += 40
    assert ssimulacra2(image, changed, 3) == 100
    changed[:, 300:400] += 40
    assert ssimulacra2(image, changed, 3) < 90


def test_what_is_too_small_has_no_figure():
    small, enough = picture(SMALLEST - 1, 300), picture(SMALLEST, 300)
    assert ssimulacra2(small, small, 3) is None
    assert ssimulacra2(enough, enough, 3) == 100


@pytest.mark.parametrize(
    ("seen", "quality", "told"),
    [(30.0, None, True), (59.9, None, True), (60.0, None, False), (30.0, 40, False)],
)
def test_a_plain_change_is_said_with_what_to_do(
    seen: float, quality: int | None, told: bool
) -> None:
    said = advice(seen, quality)
    assert (said is not None and "--quality 70" in said) == told
    assert advice(None, quality) is None
