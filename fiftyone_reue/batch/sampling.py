"""Which images, and at which size, networks are fitted and trained on."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import read_file
from fiftyone_reue.networks.recipe import SIDES


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


_REACH = 1.5
"""Images up to so many times a side are trained on at it; larger ones at the next."""


def suitable_size(items: Sequence[Item], longest: int = 64) -> int:
    """The side, in pixels, at which methods are fitted on images like these.

    Args:
        items: the first of them are looked at.
        longest: what the method can be fitted at.

    Returns:
        What they are trained at, or ``longest`` if that is less.
    """
    return min(longest, training_side(items))


def training_side(items: Sequence[Item]) -> int:
    """The side, in pixels, at which people train on images like these.

    Args:
        items: the first of them are looked at.

    Returns:
        One of :data:`~fiftyone_reue.networks.recipe.SIDES`: 32 where half of the
        shorter sides are up to 48 pixels, 64 up to 96, 128 up to 192, else 224.
    """
    sides = [side for side in map(_shorter_side, items[:64]) if side]
    middle = float(np.median(sides)) if sides else 0.0
    return next((one for one in SIDES if middle <= _REACH * one), SIDES[-1])


def side_to_train_at(usual: int, longest: int, asked: int | None) -> int:
    """The side to train at.

    Args:
        usual: see :func:`training_side`.
        longest: what there is time for, pixels.
        asked: what a person asked for instead, one of the sides above, or None.

    Raises:
        InputError: nobody trains at what was asked for.
    """
    if asked is None:
        return min(usual, longest)
    if asked not in SIDES:
        raise InputError(
            f"Images can't be trained on at {asked} pixels a side; choose one of "
            f"{', '.join(map(str, SIDES))}"
        )
    return asked


def _shorter_side(item: Item) -> int:
    try:
        with Image.open(io.BytesIO(read_file(item.path))) as image:
            return min(image.size)
    except Exception:
        return 0  # reading it in full reports what is wrong with it
