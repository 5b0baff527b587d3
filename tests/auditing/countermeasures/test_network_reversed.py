"""Deep Hiding's network backwards."""

import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.network_reversed import (
    AMPLITUDE,
    NetworkReversed,
)
from fiftyone_reue.perturb.base import FitData, FitOptions
from fiftyone_reue.perturb.deep_hiding.method import DeepHiding
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_it_takes_some_of_what_was_hidden_off() -> None:
    ramp = np.linspace(60, 190, 64)[:, None, None]
    originals = np.broadcast_to(ramp, (4, 64, 64, 3)).round().astype(np.uint8)
    data = FitData(originals, np.array([0, 1, 2, 0]), ("a", "b", "c"))
    steps = DeepHiding().perturb_steps(data, FitOptions(8, seed=0, key=bytes(32)))
    protected = finish(steps)
    cleaned = NetworkReversed().apply(protected)
    assert cleaned.shape == protected.shape
    assert cleaned.dtype == np.uint8
    assert np.abs(cleaned.astype(int) - protected).max() <= AMPLITUDE

    def error(images: np.ndarray) -> float:
        return float(np.square(images.astype(float) - originals).mean())

    assert error(cleaned) < 0.8 * error(protected)
