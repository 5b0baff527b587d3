import numpy as np
import pytest

from fiftyone_reue.auditing.countermeasures.partial_protection import PartialProtection
from fiftyone_reue.auditing.holdings import Effort, Holdings
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.progress import finish

pytestmark = pytest.mark.unit

CONTEXT = TrainingContext(0, "cpu")


def test_a_fifth_of_each_class_is_original_again():
    originals = np.random.default_rng(0).integers(0, 200, (50, 16, 16, 3), np.uint8)
    protected = originals + 8
    labels = np.repeat(np.arange(2), [30, 20])
    held = Holdings(protected, labels, 2, originals, originals, labels)
    countermeasure = PartialProtection(80)
    assert countermeasure.info.name == "partial_80"
    made = finish(countermeasure.prepare(held, effort=Effort(), context=CONTEXT))
    is_original = (made.images == originals).all(axis=(1, 2, 3))
    is_protected = (made.images == protected).all(axis=(1, 2, 3))
    assert np.array_equal(is_original, ~is_protected)
    assert np.bincount(labels[is_original]).tolist() == [6, 4]
    assert np.array_equal(made.labels, labels)
    assert np.array_equal(protected, originals + 8)
    other = finish(
        countermeasure.prepare(held, effort=Effort(), context=TrainingContext(1, "cpu"))
    )
    assert not np.array_equal(other.images, made.images)
