"""Preview: a few images protected in memory, before anything is written anywhere.

They are protected for nobody, with keys that are drawn for it and thrown away: what
the copies will look like, how large they will be and how long it will take is the
same, and no vault has to be there.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import with_range
from fiftyone_reue.media.visibility import SCALE, advice, ssimulacra2
from fiftyone_reue.names.display import count, duration, file_size
from fiftyone_reue.perturb.strength import strength_text
from fiftyone_reue.perturb.weaker import weaker
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.prepare import fitted_state, open_release
from fiftyone_reue.vault.owner_keys import KEY_VARIABLE
from fiftyone_reue.vault.vault import create_folder
from fiftyone_reue.workflows.protect import require_classes, require_regions
from fiftyone_reue.workflows.protect_image import Look, Protected, Secrets
from fiftyone_reue.workflows.protect_work import Protecting, Task

IMAGES = 8
"""So many images are previewed, if nothing else is said."""

MOST_IMAGES = 32
"""What is previewed is held in memory."""

JPEG, LOSSLESS = "JPEG coefficients", "lossless pixels"
"""The carriers, as a person is told of them."""

_NOBODY = "preview"
_FITTING, _MAKING = 0.3, 0.5
"""Shares of the progress; the rest has the measuring."""


@dataclass(frozen=True)
class PreviewedImage:
    """One image as it would be protected.

    Attributes:
        sample_id: which.
        path: of the original.
        label: its class.
        carrier: what would hold the copy, :data:`JPEG` or :data:`LOSSLESS`.
        format: of the copy's file, such as "PNG".
        size_before: bytes of the original.
        size_after: bytes of the copy.
        psnr: of the copy against the original, in dB.
        ssimulacra2: how much alike both look, up to 100; None where it can't be told.
        notes: what the owner should know of this image.
        copy: the copy's file.
    """

    sample_id: str
    path: str
    label: str | None
    carrier: str
    format: str
    size_before: int
    size_after: int
    psnr: float
    ssimulacra2: float | None
    notes: tuple[str, ...] = ()
    copy: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.copy)


@dataclass(frozen=True)
class ExpectedKind:
    """What is expected of the files of one kind.

    Attributes:
        suffix: of their names, such as ".jpg".
        images: how many there are.
        carrier: what would hold their copies; None if none of them was previewed.
        format: of the copies; likewise.
        size_before: bytes of all of them.
        size_after: of all of their copies, estimated.
    """

    suffix: str
    images: int
    carrier: str | None
    format: str | None
    size_before: int
    size_after: int

    def text(self) -> str:
        """What is expected, in a sentence."""
        before, after = file_size(self.size_before), file_size(self.size_after)
        grow = f"{before} become about {after}"
        files = f"{count(self.images, 'file')} {self.suffix}"
        if self.carrier is None:
            return f"{files}: none was looked at; {grow} if they are like the others."
        return f"{files}: copies are {self.format} files, by {self.carrier}; {grow}."


@dataclass(frozen=True)
class Preview:
    """What protecting would give.

    Attributes:
        method: what perturbed the images.
        epsilon: the largest change of a sample.
        images: those that were previewed.
        failures: those that can't be protected, and why.
        total: images in the job.
        kinds: what is expected of each kind of file, the most frequent first.
        seconds: of making all copies on this machine, estimated, without the fit.
        fit: how long the method takes to be fitted to all images, in words.
        strength: what the tables say of the method's strength.
        quality: the least SSIMULACRA2 that was asked for.
    """

    method: str
    epsilon: int
    images: list[PreviewedImage]
    failures: list[Failure]
    total: int
    kinds: list[ExpectedKind]
    seconds: float
    fit: str
    strength: str
    quality: int | None = None

    @property
    def size_before(self) -> int:
        """Bytes of all originals."""
        return sum(kind.size_before for kind in self.kinds)

    @property
    def size_after(self) -> int:
        """Bytes of all copies, estimated."""
        return sum(kind.size_after for kind in self.kinds)

    def lines(self) -> list[str]:
        """What all of it would give, a sentence each."""
        mean = ""
        if self.psnr is not None:
            mean = f" PSNR {self.psnr:.1f} dB"
        if self.ssimulacra2 is not None:
            mean += f", SSIMULACRA2 {self.ssimulacra2:.0f} of 100 ({SCALE})"
        told = advice(self.ssimulacra2, self.quality)
        return [
            f"All {count(self.total, 'image')}: {file_size(self.size_before)} become "
            f"about {file_size(self.size_after)}, in {duration(self.seconds)} on this "
            "machine.",
            f"Time to fit the method before that: {self.fit}.",
            *(kind.text() for kind in self.kinds),
            f"In the mean:{mean}.",
            *([told] if told else []),
            *self._noted(),
            self.strength,
        ]

    def _noted(self) -> list[str]:
        notes = Counter(note for image in self.images for note in image.notes)
        return [f"{count(often, 'image')}: {note}." for note, often in notes.items()]

    def to_dict(self) -> dict[str, Any]:
        """For machines; without the copies' files."""
        images = []
        for one in self.images:
            row = asdict(replace(one, copy=b""))
            del row["copy"]
            images.append({**row, "notes": list(one.notes)})
        return {
            "method": self.method,
            "epsilon": self.epsilon,
            "images": images,
            "total": self.total,
            "kinds": [asdict(kind) for kind in self.kinds],
            "psnr": self.psnr,
            "ssimulacra2": self.ssimulacra2,
            "size_before": self.size_before,
            "size_after": self.size_after,
            "seconds": self.seconds,
            "fit": self.fit,
            "strength": self.strength,
            "failures": [
                {"image": one.sample_id, "reason": one.reason} for one in self.failures
            ],
        }

    @property
    def psnr(self) -> float | None:
        """The mean of the images, in dB."""
        return _mean([image.psnr for image in self.images])

    @property
    def ssimulacra2(self) -> float | None:
        """The mean of the images of which it could be told."""
        seen = [image.ssimulacra2 for image in self.images]
        return _mean([one for one in seen if one is not None])


def preview(
    items: Sequence[Item], *, config: ProtectConfig, count: int = IMAGES
) -> Generator[Progress, None, Preview]:
    """Protect a few images of a job in memory, and say what all of it would give.

    They are spread over kinds of files and classes. A method that is fitted to images
    is fitted to these few alone, so that its pattern will be another than the one that
    is shown. Which cluster an image would get is not worked out either.

    Args:
        items: the job's originals, each with a label unless clusters are to be the
            classes.
        config: how to protect.
        count: how many to protect, 1 to :data:`MOST_IMAGES`.

    Yields:
        Progress.

    Raises:
        InputError: something can't be used as it was given, or none of the few images
            can be protected.
    """
    config.check()
    if not 1 <= count <= MOST_IMAGES:
        raise InputError(f"Preview 1 to {MOST_IMAGES} images, not {count}")
    if not items:
        raise InputError("There is no image to preview")
    labelled = _classed(items, config)
    chosen = _spread(labelled, count)
    yield Progress(0.0, f"Choosing {len(chosen)} of {len(items)} images")
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="reue-preview-") as folder:
        steps = _protected(labelled, chosen, Path(folder), config, outcome)
        made, seconds = yield from steps
    if not made:
        raise InputError(
            "None of the images that were looked at can be protected\n"
            + pipeline.first_failures(outcome.failures)
        )
    images: list[PreviewedImage] = []
    share = _FITTING + _MAKING
    for number, one in enumerate(made, 1):
        images.append(_measured(one, config))
        fraction = share + (1 - share) * number / len(made)
        yield Progress(fraction, f"Measuring: {number} of {len(made)}")
    info = config.perturbation().info
    return Preview(
        method=config.method,
        epsilon=config.epsilon,
        images=images,
        failures=outcome.failures,
        total=len(items),
        kinds=_kinds(items, images),
        seconds=seconds * len(items),
        fit=info.cost,
        strength=strength_text(
            config.method, jpeg=any(one.carrier == JPEG for one in images)
        ),
        quality=config.quality,
    )


def _classed(items: Sequence[Item], config: ProtectConfig) -> list[Item]:
    """The items with the classes that the copies are made for."""
    if config.clusters is not None:
        return [
            replace(item, regions=None, label=f"cluster {n % config.clusters}")
            for n, item in enumerate(items)
        ]
    if config.whole_images:
        items = [replace(item, regions=None) for item in items]
    if any(item.regions is not None for item in items):
        require_regions(config)
    require_classes(items, config)
    return list(items)


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Some of the items: of all kinds of files in turn, and of all classes of each.

    Of a class they lie apart: files that follow one another show one scene.
    """
    groups: dict[str, dict[str | None, list[Item]]] = {}
    for item in items:
        groups.setdefault(_suffix(item), {}).setdefault(item.label, []).append(item)
    queues = [
        _in_turn([_apart(some) for some in classes.values()])
        for classes in groups.values()
    ]
    return _in_turn(queues)[:count]


def _apart(items: Sequence[Item]) -> list[Item]:
    """The first, the one in the middle, those in the halves' middles, and so on."""

    def turned(number: int) -> float:
        digits = bin(number)[:1:-1]
        return sum(int(one) / 2**place for place, one in enumerate(digits, 1))

    longest = 1 << max(0, len(items) - 1).bit_length()
    places = (int(turned(number) * longest) for number in range(longest))
    return [items[place] for place in places if place < len(items)]


def _in_turn(groups: Sequence[Sequence[Item]]) -> list[Item]:
    longest = max(map(len, groups))
    return [group[n] for n in range(longest) for group in groups if n < len(group)]


def _protected(
    items: Sequence[Item],
    chosen: Sequence[Item],
    folder: Path,
    config: ProtectConfig,
    outcome: Outcome,
) -> Generator[Progress, None, tuple[list[Protected], float]]:
    """Protect the chosen images with keys that nobody keeps.

    Returns:
        What was made, and the seconds that an image of such a job takes.
    """
    secret = {KEY_VARIABLE: os.urandom(32).hex()}
    with create_folder(folder / "vault", secrets=secret) as vault:
        person, _ = vault.add_recipient(_NOBODY)
        release, seed = open_release(
            vault,
            person,
            name=_NOBODY,
            source=_NOBODY,
            output=folder / "copies",
            config=config,
            regions=any(item.regions is not None for item in items),
        )
        method = config.perturbation()
        # What isn't fitted looks at no image, but at all classes.
        fitting = chosen if method.info.needs_fit else items
        state, release = yield from mapped(
            fitted_state(vault, fitting, release, config),
            lambda p: Progress(_FITTING * p.fraction, p.label),
        )
        if config.quality is not None:
            weaker(state, 1, config.perturbation_amplitude)  # it says if it can't
        secrets = Secrets.of(vault, person, release.id, seed)
        look = Look(config.max_pixels, config.depth)
        protecting = Protecting.of(release, secrets.boxes, state, config)

        def work(item: Item) -> Protected:
            return protecting(Task(item, secrets.own(look(item)), measure=False))

        # Protecting asks networks for many images at once, and so does this.
        alone = config.quality is not None or not method.info.uses_gpu
        most = 1 if alone else -(-(len(chosen) - 1) // pipeline.default_workers())
        made: list[Protected] = []
        # The first image loads what the others find loaded; it isn't timed.
        first, rest = chosen[:1], chosen[1:]
        total = max(2, len(chosen))
        yield from _run(first, work, made.extend, outcome, 0, total)
        begun = time.monotonic()
        if rest:
            yield from _run(rest, work, made.extend, outcome, 1, total, most)
        else:
            yield from _run(first, work, lambda _: None, Outcome(), 1, total)
        took = time.monotonic() - begun
    return made, took / (total - 1)


def _run(
    items: Sequence[Item],
    work: Callable[[Item], Protected],
    keep: Callable[[list[Protected]], None],
    outcome: Outcome,
    before: int,
    total: int,
    most: int = 1,
) -> Generator[Progress, None, None]:
    """Protect images, so many by one thread at a time."""
    running = pipeline.run(items, work, keep, outcome, chunk_items=most, together=True)
    for behind in running:
        done = before + behind
        fraction = _FITTING + _MAKING * done / total
        yield Progress(fraction, f"Protecting in memory: {done} of {total}")


def _measured(one: Protected, config: ProtectConfig) -> PreviewedImage:
    before = load(one.item.path, name=one.item.sample_id, max_pixels=config.max_pixels)
    original = with_range(before.raster, config.depth)
    copy = load(one.data, name=one.item.sample_id).raster
    seen = one.ssimulacra2
    if seen is None:
        seen = ssimulacra2(
            original.samples, copy.samples, original.colour_channels, original.peak
        )
    return PreviewedImage(
        sample_id=one.item.sample_id,
        path=one.item.path,
        label=one.item.label,
        carrier=JPEG if copy.format == "JPEG" else LOSSLESS,
        format=copy.format,
        size_before=_size(one.item),
        size_after=len(one.data),
        psnr=one.record.psnr,
        ssimulacra2=seen,
        notes=one.notes,
        copy=one.data,
    )


def _kinds(
    items: Sequence[Item], images: Sequence[PreviewedImage]
) -> list[ExpectedKind]:
    """What to expect of each kind of file; one of which no image was looked at grows
    as the others do."""
    by_suffix: dict[str, list[Item]] = {}
    for item in items:
        by_suffix.setdefault(_suffix(item), []).append(item)
    usual = _growth(images)
    kinds = []
    for suffix, members in by_suffix.items():
        like = [one for one in images if Path(one.path).suffix.lower() == suffix]
        before = sum(_size(item) for item in members)
        growth = _growth(like) if like else usual
        kinds.append(
            ExpectedKind(
                suffix=suffix,
                images=len(members),
                carrier=like[0].carrier if like else None,
                format=like[0].format if like else None,
                size_before=before,
                size_after=round(before * growth),
            )
        )
    return sorted(kinds, key=lambda kind: (-kind.images, kind.suffix))


def _growth(images: Sequence[PreviewedImage]) -> float:
    before = sum(one.size_before for one in images)
    return sum(one.size_after for one in images) / before if before else 1.0


def _suffix(item: Item) -> str:
    return Path(item.path).suffix.lower()


def _size(item: Item) -> int:
    if item.size is not None:
        return item.size
    try:
        return os.stat(item.path).st_size
    except OSError:
        return 0  # protecting will say so


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
