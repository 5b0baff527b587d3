import numpy as np
import pytest

from fiftyone_reue.semantics.bank import class_scenes, descriptor
from fiftyone_reue.semantics.render import bank_image

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_a_thousand_classes_are_all_different():
    scenes = class_scenes(1000, bytes(range(32)))
    assert len(set(scenes)) == 1000
    points = [descriptor(bank_image(scene, 16, samples=2)) for scene in scenes]
    apart = np.array(points, float)
    squares = (apart**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * apart @ apart.T
    np.fill_diagonal(distances, np.inf)
    # Ten gray levels on average in each of the 64 cells.
    assert distances.min() > 64 * 10**2
