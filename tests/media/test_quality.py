import numpy as np
import pytest

from fiftyone_reue.media.quality import psnr

pytestmark = pytest.mark.unit


def test_psnr_counts_colour_only_and_has_a_ceiling():
    original = np.full((4, 4, 4), 100, np.uint8)
    changed = original.copy()
    changed[..., :3] += 5
    changed[..., 3] = 0
    assert psnr(original, changed, 3) == pytest.approx(34.15, abs=0.01)
    assert psnr(original, original, 3) == 99
    deep = [a.astype(np.uint16) * 257 for a in (original, changed)]
    assert psnr(*deep, 3) == pytest.approx(34.15, abs=0.01)
    assert psnr(*deep, 3, 4095) == pytest.approx(34.15 - 24.09, abs=0.01)
