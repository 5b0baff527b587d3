"""Which images, and at which size, networks are fitted and trained on."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fiftyone_reue.batch.items import Item
from fiftyone_reue.media.codec import read_file


def stratified(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """At most ``count`` items, the classes' shares evened out as far as they go.

    Args:
        items: with labels.
        count: how many at most.
        seed: of the choice within a class.
    """
    if len(items) <= count:
        return list(items)
    generator = np.random.default_rng(seed)
    by_label: dict[str | None, list[Item]] = {}
    for item in items:
        by_label.setdefault(item.label, []).append(item)
    for members in by_label.values():
        generator.shuffle(members)
    chosen: list[Item] = []
    depth = 0
    while len(chosen) < count:
        chosen += [
            members[depth] for members in by_label.values() if depth < len(members)
        ]
        depth += 1
    return chosen[:count]


def suitable_size(items: Sequence[Item]) -> int:
    """The side, in pixels, at which images like these are fitted and trained on.

    Args:
        items: the first of them are looked at.

    Returns:
        32 for images about as small as that, else 64.
    """
    sides = [side for side in map(_shorter_side, items[:64]) if side]
    return 32 if not sides or float(np.median(sides)) <= 48 else 64


def _shorter_side(item: Item) -> int:
    try:
        with Image.open(io.BytesIO(read_file(item.path))) as image:
            return min(image.size)
    except Exception:
        return 0  # reading it in full reports what is wrong with it
