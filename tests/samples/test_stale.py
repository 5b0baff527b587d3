"""Copies of what was changed since, and bringing them up to date."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_reue import samples as reue
from tests.samples.datasets import CLASSES, COUNT

pytestmark = pytest.mark.integration


def turned(path: str) -> None:
    """Replace an image by another of the same name, of an older date."""
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.ROTATE_90)
    other.save(path)
    os.utime(path, (1, 1))


def relabel(sample: Any) -> None:
    """Give a sample the other class."""
    (other,) = set(CLASSES) - {sample.ground_truth.label}
    sample.ground_truth.label = other
    sample.save()


def test_stale_copies(dataset: Any, vault: Any, protect: Any) -> None:
    assert reue.find_stale(dataset).ids == []
    protect(dataset)
    assert reue.find_stale(dataset).ids == []
    first, second, third, fourth, fifth, sixth = list(dataset[:6])
    turned(first.filepath)
    Path(second.protected_filepath).unlink()
    Path(third.filepath).unlink()
    later = time.time() + 1000
    os.utime(fourth.filepath, (later, later))
    relabel(fifth)
    Path(sixth.protected_filepath).write_bytes(b"cut short")
    stale = reue.find_stale(dataset)
    assert stale.changed == [first.id, fifth.id]
    assert stale.missing == [second.id, sixth.id]
    assert reue.find_stale(dataset[5:]).ids == [sixth.id]
    protect(dataset)
    assert reue.find_stale(dataset).ids == []


def test_what_changed_in_a_dataset_is_brought_up_to_date(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    replaced, corrected, deleted = list(dataset[:3])
    turned(replaced.filepath)
    old = corrected.protected_filepath
    relabel(corrected)
    gone = deleted.protected_filepath
    dataset.delete_samples([deleted.id])
    result = protect(dataset)
    assert (result.protected, result.changed, result.skipped) == (2, 2, COUNT - 3)
    assert (result.obsolete, result.pruned) == ([deleted.id], 0)
    assert "2 anew" in result.text()
    assert "1 copy without a sample any more kept" in result.text()
    new = dataset[corrected.id].protected_filepath
    assert Path(new).parent.name == corrected.ground_truth.label
    assert Path(new).name == Path(old).name
    assert not Path(old).exists()
    assert Path(gone).exists()
    result = protect(dataset[:5], prune=True)
    assert (result.protected, result.obsolete, result.pruned) == (0, [], 1)
    assert not Path(gone).exists()
    assert all(Path(path).is_file() for path in dataset.values("protected_filepath"))
    assert vault.ledger.count_records(result.release_id) == COUNT - 1
