"""Score: measure a release's unlearnability from its files and the vault alone."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fiftyone_reue import pipeline, thumbnails
from fiftyone_reue.audit.unlearnability import Scores, measure
from fiftyone_reue.errors import InputError, NoRecordError
from fiftyone_reue.items import Item
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.square import to_square
from fiftyone_reue.networks.training import Recipe
from fiftyone_reue.pipeline import Outcome, Progress
from fiftyone_reue.restore import Originals, named
from fiftyone_reue.steps import mapped
from fiftyone_reue.vault import records
from fiftyone_reue.vault.vault import Vault

MAX_IMAGES = 6000
"""More images than this are sampled, evenly over the classes."""


@dataclass(frozen=True)
class ScoreConfig:
    """How to measure.

    Attributes:
        seed: of the split and the models.
        device: "auto", "cpu" or a torch device.
        max_images: how many images to use at most.
        max_pixels: larger images are refused before they are decoded.
    """

    seed: int = 0
    device: str = "auto"
    max_images: int = MAX_IMAGES
    max_pixels: int = DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class ScoreSummary:
    """What was measured on a release.

    Attributes:
        release_id: which release.
        scores: the figures.
        items: the images, in the order of ``scores.per_image``.
        outcome: counts and failures.
    """

    release_id: str
    scores: Scores
    items: list[Item]
    outcome: Outcome

    def to_dict(self) -> dict:
        """The figures for machines; accuracies, chance and scores from 0 to 1."""
        return {
            "release": self.release_id,
            "accuracy_clean": round(self.scores.accuracy_clean, 4),
            "accuracy_protected": round(self.scores.accuracy_protected, 4),
            "chance": round(self.scores.chance, 4),
            "unlearnability": self.scores.unlearnability,
            "images": len(self.items),
            "images_failed": len(self.outcome.failures),
            "per_image": [
                {"image": item.sample_id, "class": item.label, "score": round(s, 4)}
                for item, s in zip(
                    self.items, self.scores.per_image.tolist(), strict=True
                )
            ]
            + [
                {"image": failure.sample_id, "score": None, "error": failure.reason}
                for failure in self.outcome.failures
            ],
        }


@dataclass(frozen=True)
class _Pair:
    item: Item
    release: str
    original: np.ndarray
    protected: np.ndarray

    @property
    def size(self) -> int:
        return 2 * self.original.nbytes


def score(
    vault: Vault, items: Sequence[Item], config: ScoreConfig
) -> Generator[Progress, None, ScoreSummary]:
    """Measure a release.

    The originals are taken from the protected files and the vault, so it doesn't
    matter where they are.

    Args:
        vault: the owner's.
        items: a release's protected files, with labels.
        config: how.

    Yields:
        Progress.

    Raises:
        InputError: too few images or classes, or files of several releases.
    """
    chosen = thumbnails.stratified(items, config.max_images, config.seed)
    unlabelled = [item.sample_id for item in chosen if item.label is None]
    if unlabelled:
        raise InputError(
            f"{unlabelled[0]}: has no class; give the release's folder, which has a "
            "folder for each class"
        )
    originals = Originals(vault)
    size = thumbnails.suitable_size(chosen)

    def read(item: Item) -> _Pair:
        loaded = load(item.path, name=item.sample_id, max_pixels=config.max_pixels)
        if loaded.record is None:
            raise NoRecordError(
                f"{item.sample_id}: not a protected file of this vault (no record)"
            )
        with named(item.sample_id):
            header = records.unpack(loaded.record).header
            if header.tier != "protected":
                raise InputError(
                    "this is a licensed copy, which is meant to be learned"
                )
        raster = loaded.raster
        original = originals.from_raster(raster, loaded.record, item.sample_id)
        colours = raster.colour_channels
        return _Pair(
            item,
            header.release,
            to_square(original, colours, size),
            to_square(raster.samples, colours, size),
        )

    outcome = Outcome()
    pairs: list[_Pair] = []
    for behind in pipeline.run(chosen, read, pairs.extend, outcome):
        label = f"Reading images: {behind} of {len(chosen)}"
        yield Progress(0.2 * behind / len(chosen), label)
    if not pairs:
        reasons = pipeline.first_failures(outcome.failures)
        raise InputError(f"None of the images can be scored\n{reasons}")
    releases = {pair.release for pair in pairs}
    if len(releases) > 1:
        raise InputError(
            f"The images are of {len(releases)} releases; score one release at a time"
        )
    classes = sorted({pair.item.label or "" for pair in pairs})
    index = {name: place for place, name in enumerate(classes)}
    steps = measure(
        np.stack([pair.original for pair in pairs]),
        np.stack([pair.protected for pair in pairs]),
        np.array([index[pair.item.label or ""] for pair in pairs], np.int64),
        len(classes),
        recipe=Recipe(),
        seed=config.seed,
        device=config.device,
    )
    scores = yield from mapped(
        steps, lambda f: Progress(0.2 + 0.8 * f, "Training models to compare")
    )
    summary = ScoreSummary(
        releases.pop(), scores, [pair.item for pair in pairs], outcome
    )
    _keep(vault, summary)
    return summary


def _keep(vault: Vault, summary: ScoreSummary) -> None:
    release = vault.ledger.release(summary.release_id)
    if release is not None:
        figures = {k: v for k, v in summary.to_dict().items() if k != "per_image"}
        figures["measured"] = time.time()
        vault.ledger.put_release(replace(release, scores=figures))
