"""Score: measure a release's unlearnability from its files and the vault alone."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fiftyone_reue.auditing.unlearnability import FEWEST_TOLD, Scores, measure
from fiftyone_reue.auditing.verdict import BROKEN, HOLDS, WEAKENED
from fiftyone_reue.batch import sampling
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.names.display import count
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import PHOTOGRAPH_SIDE, Recipe
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases.pairs import (
    Pair,
    Pairs,
    read_pairs,
    stream_pairs,
)
from fiftyone_reue.vault.vault import Vault

MAX_IMAGES, MAX_PHOTOGRAPHS = 6000, 2000
"""More images than this are sampled, evenly over the classes: small ones, and those
with at least ``PHOTOGRAPH_SIDE`` pixels a side."""

LONGEST = PHOTOGRAPH_SIDE
"""Pixels a side that there is time for, if nobody asks for more."""


@dataclass(frozen=True)
class ScoreConfig:
    """How to measure.

    Example::

        config = reue.ScoreConfig(max_images=2000, every=False)
        print(reue.score("for_alice", vault="vault", config=config).to_dict())

    Attributes:
        seed: of the split and the models.
        device: "auto", "cpu" or a torch device.
        max_images: how many images to train on at most; the models judge the rest.
            None for :data:`MAX_IMAGES` or, of photographs, :data:`MAX_PHOTOGRAPHS`.
        every: whether to score the rest at all.
        max_pixels: larger images are refused before they are decoded.
        size: pixels a side to train at: 32, 64, 128 or 224. None for that at which
            people train on images like these, up to :data:`LONGEST`.
    """

    seed: int = 0
    device: str = "auto"
    max_images: int | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    every: bool = True
    size: int | None = None

    def most_images(self, size: int) -> int:
        """How many to train on at most, at so many pixels a side."""
        if self.max_images is not None:
            return self.max_images
        return MAX_IMAGES if size < PHOTOGRAPH_SIDE else MAX_PHOTOGRAPHS


@dataclass(frozen=True)
class ScoreSummary:
    """What was measured on a release.

    Attributes:
        release_id: which release.
        scores: the figures, of the images that were trained on.
        items: the images, those first.
        per_image: their scores, 0 to 1, in the same order.
        outcome: counts and failures.
        size: pixels a side that was trained at.
        usual_size: that at which people train on images like these.
    """

    release_id: str
    scores: Scores
    items: list[Item]
    per_image: list[float]
    outcome: Outcome
    size: int
    usual_size: int

    def to_dict(self) -> dict[str, Any]:
        """The figures for machines; accuracies, chance and scores from 0 to 1."""
        return {
            "release": self.release_id,
            "accuracy_clean": round(self.scores.accuracy_clean, 4),
            "accuracy_protected": round(self.scores.accuracy_protected, 4),
            "chance": round(self.scores.chance, 4),
            "unlearnability": self.scores.unlearnability,
            "margin": self.scores.margin,
            "level": self.scores.level,
            "size": self.size,
            "usual_size": self.usual_size,
            "images": len(self.items),
            "images_trained_on": len(self.scores.clean),
            "images_failed": len(self.outcome.failures),
            "per_image": [
                {"image": item.sample_id, "class": item.label, "score": round(s, 4)}
                for item, s in zip(self.items, self.per_image, strict=True)
            ]
            + [
                {"image": failure.sample_id, "score": None, "error": failure.reason}
                for failure in self.outcome.failures
            ],
        }


_JUDGED = {
    HOLDS: "a model learns next to nothing from the copies",
    WEAKENED: "a model learns from the copies, but less than from originals",
    BROKEN: "a model learns much of what originals teach from the copies, too",
}


def described(figures: Mapping[str, Any]) -> str:
    """What :meth:`ScoreSummary.to_dict` says, in sentences."""
    sentences = [
        f"Trained on originals {figures['accuracy_clean']:.1%}, on protected copies "
        f"{figures['accuracy_protected']:.1%}, chance {figures['chance']:.1%}, at "
        f"{figures['size']} pixels a side."
    ]
    value, margin = figures["unlearnability"], figures["margin"]
    images = figures["images_trained_on"]
    if images < FEWEST_TOLD:
        sentences.append(
            "Nothing can be told of unlearnability from so few: "
            f"{count(images, 'image')} {'was' if images == 1 else 'were'} trained on, "
            f"and it takes {FEWEST_TOLD}."
        )
    elif margin is None:
        sentences.append(
            "The originals themselves can't be learned from so few images, so nothing "
            "can be told of unlearnability."
        )
    elif value is None:
        sentences.append(
            "Nothing can be told of unlearnability: from so few images, or with "
            "originals that teach so little, it is known only to within "
            f"± {margin:.2f}."
        )
    else:
        low, high = max(0.0, value - margin), min(1.0, value + margin)
        sentences.append(
            f"Unlearnability {value:.2f} ({low:.2f} to {high:.2f}; 1: no better than "
            f"guessing): {_JUDGED[figures['level']]}."
        )
    if figures["size"] < figures["usual_size"]:
        sentences.append(
            f"People train on images like these at {figures['usual_size']} pixels, "
            "where the picture may be another; it takes longer."
        )
    return " ".join(sentences)


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
    usual = sampling.training_side(items)
    size = sampling.side_to_train_at(usual, LONGEST, config.size)
    chosen = sampling.stratified(items, config.most_images(size), config.seed)
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
        context=TrainingContext(config.seed, config.device),
        recipe=Recipe().at(size),
    )
    more = config.every and len(items) > count
    share = 0.6 if more else 0.8
    scores = yield from mapped(
        steps, lambda f: Progress(0.2 + share * f, "Training models to compare")
    )
    summary = ScoreSummary(
        pairs.release_id,
        scores,
        list(pairs.items),
        scores.per_image.tolist(),
        pairs.outcome,
        size,
        usual,
    )
    if more:
        yield from _judge_the_rest(vault, items, chosen, pairs, summary, config, size)
    _keep(vault, summary)
    return summary


def _judge_the_rest(
    vault: Vault,
    items: Sequence[Item],
    chosen: Sequence[Item],
    pairs: Pairs,
    summary: ScoreSummary,
    config: ScoreConfig,
    size: int,
) -> Generator[Progress, None, None]:
    """Score the images that weren't chosen, into the summary."""
    done_ones = {item.sample_id for item in chosen}
    rest = [item for item in items if item.sample_id not in done_ones]
    index = {name: number for number, name in enumerate(pairs.classes)}

    def judge(some: list[Pair]) -> None:
        known = [pair for pair in some if pair.item.label in index]
        if not known:
            return
        labels = np.array([index[pair.item.label or ""] for pair in known], np.int64)
        originals = np.stack([pair.original for pair in known])
        summary.items.extend(pair.item for pair in known)
        scored = summary.scores.judges.scores(originals, labels)
        summary.per_image.extend(scored.tolist())

    reading = stream_pairs(
        vault, rest, judge, summary.outcome, size=size, max_pixels=config.max_pixels
    )
    yield from mapped(
        reading,
        lambda done: Progress(
            0.8 + 0.2 * done / len(rest), f"Judging the rest: {done} of {len(rest)}"
        ),
    )


def _keep(vault: Vault, summary: ScoreSummary) -> None:
    release = vault.ledger.release(summary.release_id)
    if release is not None:
        figures = {k: v for k, v in summary.to_dict().items() if k != "per_image"}
        figures["measured"] = time.time()
        scores = {**release.scores, **figures}
        vault.ledger.put_release(replace(release, scores=scores))
