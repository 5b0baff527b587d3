"""The detector's benchmark: what is in a scene, and how a victim is judged."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from benchmarks import detection

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def scenes() -> detection.Scenes:
    draw = np.random.default_rng(0)
    photographs = {
        kind: [Image.fromarray(draw.integers(60, 200, (64, 64, 3)).astype(np.uint8))]
        for kind in (*detection.KINDS, "other")
    }
    return detection.scenes_of(photographs, 4, seed=1)


class Said(nn.Module):
    """Says what it was told to."""

    def __init__(self, cells: np.ndarray) -> None:
        super().__init__()
        classes = functional.one_hot(torch.from_numpy(cells), len(detection.KINDS) + 1)
        self.left = list(classes.permute(0, 3, 1, 2).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        some, self.left = self.left[: len(x)], self.left[len(x) :]
        return torch.stack(some) if some else torch.zeros(0, 6, 16, 16)


def test_objects_lie_beside_one_another_in_their_cells(scenes) -> None:
    assert scenes.images.shape == (4, 128, 128, 3)
    cells = scenes.cells()
    assert cells.shape == (4, 16, 16)
    for found, regions in zip(cells, scenes.regions, strict=True):
        assert len(regions.objects) == 2
        share = sum(one.shape.area for one in regions.objects) / 128**2
        assert abs((found > 0).mean() - share) < 0.12


def test_a_victim_is_judged_by_what_it_says(scenes) -> None:
    cells = scenes.cells()
    right = detection.asked(Said(cells), scenes)
    assert right["objects found"] == 100
    assert right["objects' cells called background"] == 0
    nothing = detection.asked(Said(np.zeros_like(cells)), scenes)
    assert nothing["objects found"] == nothing["mean IoU"] == 0
    assert nothing["objects' cells called background"] == 100


def test_subjects_change_what_they_say(scenes) -> None:
    beside = scenes.cells() == 0
    beside = beside.repeat(8, 1).repeat(8, 2)
    changes = {
        subject: np.abs(
            detection.protected(scenes, subject).astype(int) - scenes.images
        )
        for subject in detection.SUBJECTS
    }
    assert not changes["originals"].any()
    for subject in detection.SUBJECTS[1:]:
        assert 4 < changes[subject].max() <= 8
    assert changes["regions"][beside].max() <= 2
    assert changes["regions and the rest"][beside].max() > 4
