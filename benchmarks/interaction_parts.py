"""The two parts of the watermark interaction benchmark."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import click
import numpy as np
from data import audit_of, shown
from interaction_images import ImageSet, Pixels, mean_psnr
from interaction_noise import PERTURBATION, PUBLISHED, Noise, make_noise, perturbed
from interaction_ours import MARK, licensed, read_ours
from interaction_published import SMALL_BITS, payloads, read_published, written
from published_marks import SLOW, PublishedMark

from fiftyone_reue.auditing import subjects
from fiftyone_reue.auditing.cell_store import CellStore
from fiftyone_reue.auditing.grid import Attacked, HeldOut, Plan, run_grid
from fiftyone_reue.auditing.holdings import Holdings
from fiftyone_reue.auditing.results import Subject
from fiftyone_reue.perturb.base import FitData
from fiftyone_reue.perturb.registry import create_method

MARKED = f"our mark ±{MARK}"
PERTURBED = f"rue ±{PERTURBATION}"
PROTECTED = f"our mark ±{MARK}, then rue ±{PERTURBATION}"
NOISY = f"em_class ±{PUBLISHED}"
NAIVE = f"em_class ±{PUBLISHED}, then blind_watermark"
WHOLE = f"rue ±{MARK + PERTURBATION}"
"""What networks are trained on, beside the originals."""


def reading_part(
    photos: list[ImageSet],
    small: ImageSet,
    noises: Sequence[Noise],
    marks: Sequence[PublishedMark],
    slow: int | None,
) -> dict:
    """How well marks are read, on all sets of images.

    Args:
        photos: sets that the noises without a fit are added to.
        small: a set of CIFAR-10, which the fitted noises are made for too.
        noises: every noise.
        marks: the published ones.
        slow: images of a set that a mark of SLOW is measured on at most.
    """
    of_photos = [n for n in noises if not create_method(n.method).info.needs_fit]
    sets = [*((images, of_photos) for images in photos), (small, noises)]
    ours: list[dict] = []
    published: list[dict] = []
    for images, added in sets:
        _say(f"Our mark: {images.name}")
        ours += read_ours(images, added)
    for mark in marks:
        for images, added in sets:
            _say(f"{mark.name}: {images.name}")
            some = images.first(slow) if mark.name in SLOW else images
            published += read_published(some, mark, added)
        if mark.name == "blind_watermark":
            published += read_published(small, mark, noises, SMALL_BITS)
    counts = {images.name: len(images.images) for images in [*photos, small]}
    return {"counts": counts, "ours": ours, "published": published}


def training_part(
    holdings: Holdings,
    classes: tuple[str, ...],
    test: HeldOut,
    plan: Plan,
    store: CellStore,
    mark: PublishedMark | None,
) -> dict:
    """What networks learn with the perturbation, the mark, and both."""
    started = time.monotonic()
    data = FitData(holdings.originals, holdings.labels, classes)
    labels = holdings.labels.tolist()
    ours = make_noise("rue", PERTURBATION, data, plan.device)
    whole = make_noise("rue", MARK + PERTURBATION, data, plan.device)
    originals = list(holdings.originals)
    marked = [licensed(image) for image in originals]
    made: dict[str, Sequence[Pixels]] = {
        MARKED: marked,
        PERTURBED: perturbed(ours, originals, labels),
        PROTECTED: perturbed(ours, marked, labels),
    }
    if mark is not None:
        noise = make_noise("em_class", PUBLISHED, data, plan.device)
        made[NOISY] = perturbed(noise, originals, labels)
        sent = payloads(len(originals), SMALL_BITS)
        made[NAIVE] = written(mark, made[NOISY], sent)
    made[WHOLE] = perturbed(whole, originals, labels)
    attacked = [subjects.originals(holdings)]
    for title, images in made.items():
        attacked.append(_attacked(title, np.stack(images), holdings))
    cells = shown(run_grid(attacked, test, plan, store))
    name = "watermark_interaction"
    audit = audit_of(name, attacked, cells, plan, test, classes, {}, started)
    return audit.to_dict()


def _attacked(title: str, images: np.ndarray, holdings: Holdings) -> Attacked:
    change = images.astype(np.int16) - holdings.originals
    subject = Subject(
        name=title,
        title=title,
        role="method",
        psnr=mean_psnr(list(holdings.originals), list(images)),
        largest_change=int(np.abs(change).max()),
    )
    return Attacked(subject, replace(holdings, images=images))


def _say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)
