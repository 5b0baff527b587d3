"""One class for an image that has several labels.

Where boxes or masks say which class is where, each region is perturbed by its own
(:mod:`~.regions`). Else the perturbation of an image is made for one class: of boxes
that of the largest, of labels without a place the most frequent, which is what a
network that looks at the whole image would most likely be asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

BOXES, LABELS = "detections", "classifications"
"""What FiftyOne calls the list in a Detections and in a Classifications field."""

MASK = "mask"
"""What FiftyOne calls the picture of classes in a Segmentation field."""


def list_of(path: str) -> str | None:
    """Which of the lists a path of labels leads through, or the mask; or None."""
    parts = path.split(".")
    if len(parts) == 2 and parts[1] == MASK:
        return MASK
    named = parts[-2] if len(parts) > 2 and parts[-1] == "label" else None
    return named if named in (BOXES, LABELS) else None


def of_boxes(
    labels: Sequence[str | None] | None, boxes: Sequence[Sequence[float] | None] | None
) -> str | None:
    """The label of the largest box; of several as large, the first in the alphabet.

    Args:
        labels: of each box; None where there is none.
        boxes: left, top, width and height of each, in shares of the image.

    Returns:
        None where no box has a label.
    """
    areas = [
        (-(box[2] * box[3]) if box else 0.0, label)
        for label, box in zip(labels or (), boxes or (), strict=True)
        if label
    ]
    return min(areas)[1] if areas else None


def of_labels(labels: Sequence[str | None] | None) -> str | None:
    """The most frequent label; of several, the first in the alphabet."""
    counts = Counter(label for label in labels or () if label)
    return min(counts, key=lambda label: (-counts[label], label), default=None)
