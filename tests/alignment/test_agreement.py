import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiftyone_reue.alignment import agreement

pytestmark = pytest.mark.unit


def recompressed(luma: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(luma.astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32)


def blurred(luma: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray(luma.astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32)


@pytest.mark.parametrize(
    "change",
    [
        lambda luma: recompressed(luma, 20),
        lambda luma: blurred(luma, 3),
        lambda luma: luma * 0.4 + 90,
        lambda luma: luma + np.random.default_rng(0).normal(0, 12, luma.shape),
    ],
)
def test_copies_are_proven(lumas, change):
    for luma in lumas.values():
        changed = change(luma).astype(np.float32)
        assert agreement.proof(changed, luma) > 1.5


def test_others_are_not(lumas):
    for name, luma in lumas.items():
        for other, wrong in lumas.items():
            if name != other:
                assert agreement.proof(wrong, luma) < 0.6


def test_a_flat_original_proves_nothing():
    """Whatever is near it in gray levels is not its copy."""
    draw = np.random.default_rng(0)
    flat = np.full((128, 128), 120, np.float32)
    ramp = np.linspace(110, 130, 128, dtype=np.float32)[None].repeat(128, 0)
    noisy = (flat + draw.normal(0, 2, flat.shape)).astype(np.float32)
    for suspect in (flat, ramp, noisy):
        assert agreement.proof(suspect, flat) < 0.5
    assert agreement.proof(ramp + noisy - 120, ramp) < 1


def test_a_part_is_proven_by_what_it_shows(lumas):
    luma = lumas["cat"]
    covered = np.zeros(luma.shape, bool)
    covered[50:150, 60:200] = True
    part = np.where(covered, luma, 0)
    assert agreement.proof(part, luma, covered) > 1.5
    wrong = np.where(covered, lumas["rocket"], 0)
    assert agreement.proof(wrong, luma, covered) < 0.6


def test_what_was_drawn_over_is_not_seen(lumas):
    luma, other = lumas["coffee"], lumas["rocket"]
    whole = np.ones(luma.shape, bool)
    pasted = luma.copy()
    pasted[:, 128:] = other[:, 128:]
    seen = agreement.seen(pasted * 0.7 + 20, luma, whole)
    assert seen[:, :110].mean() > 0.95
    assert seen[:, 140:].mean() < 0.2
    assert agreement.seen(recompressed(luma, 50), luma, whole).mean() > 0.97


def test_small_originals_are_seen_whole(lumas):
    small = lumas["cat"][:40, :40]
    whole = np.ones(small.shape, bool)
    assert agreement.seen(small * 0, small, whole).all()
