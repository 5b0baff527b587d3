"""Score: measure a release's unlearnability from its files and the vault alone."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from fiftyone_reue.audit.unlearnability import Scores, measure
from fiftyone_reue.items import Item
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS
from fiftyone_reue.networks.training import Recipe
from fiftyone_reue.pairs import chosen_and_size, read_pairs
from fiftyone_reue.pipeline import Outcome
from fiftyone_reue.steps import Progress, mapped
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
    chosen, size = chosen_and_size(items, config.max_images, config.seed)
    reading = read_pairs(vault, chosen, size=size, max_pixels=config.max_pixels)
    count = len(chosen)
    pairs = yield from mapped(
        reading,
        lambda done: Progress(0.2 * done / count, f"Reading images: {done} of {count}"),
    )
    steps = measure(
        pairs.originals,
        pairs.protected,
        pairs.labels,
        len(pairs.classes),
        recipe=Recipe(),
        seed=config.seed,
        device=config.device,
    )
    scores = yield from mapped(
        steps, lambda f: Progress(0.2 + 0.8 * f, "Training models to compare")
    )
    summary = ScoreSummary(pairs.release_id, scores, pairs.items, pairs.outcome)
    _keep(vault, summary)
    return summary


def _keep(vault: Vault, summary: ScoreSummary) -> None:
    release = vault.ledger.release(summary.release_id)
    if release is not None:
        figures = {k: v for k, v in summary.to_dict().items() if k != "per_image"}
        figures["measured"] = time.time()
        scores = {**release.scores, **figures}
        vault.ledger.put_release(replace(release, scores=scores))
