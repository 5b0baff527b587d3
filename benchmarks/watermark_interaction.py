"""Whether watermark and perturbation spoil each other: RUE's and the naive sum.

    python benchmarks/watermark_interaction.py --photos photos.zip
    python benchmarks/watermark_interaction.py --part training --seeds 3

Two parts. "reading": how well a mark is read when a perturbation lies over it or
under it, unchanged and after JPEG, for ours and for published marks. "training": what
a network learns from the images with the perturbation alone, the mark alone, and both.

Wang et al. (IEEE TCSVT 2026) claim that a published watermark and a published
unlearnable noise, simply added, are both worse for it. The published watermarks are
no dependencies of this project; to measure them:

    pip install invisible-watermark blind-watermark     # and onnxruntime for rivaGan

It writes NAME.json and NAME.md; a run of one part keeps the other part's results.
Noise that needs a fit is kept in the cache, and trained cells in NAME.cells.jsonl.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

import click
import numpy as np
from data import RESULTS, audit_of, plan_of, read_data, shown
from PIL import Image

from fiftyone_reue.audit import subjects
from fiftyone_reue.audit.budgets import budget_named
from fiftyone_reue.audit.cell_store import CellStore
from fiftyone_reue.audit.environment import environment
from fiftyone_reue.audit.grid import NONE, Attacked, HeldOut, Plan, run_grid
from fiftyone_reue.audit.holdings import Holdings
from fiftyone_reue.audit.results import ORIGINALS, Audit, Subject, Summary
from fiftyone_reue.audit.table import accuracy_text
from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.media import offsets
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import FitData, State, clipped
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.prf import derive
from fiftyone_reue.protect import psnr
from fiftyone_reue.release import ProtectConfig
from fiftyone_reue.steps import Progress, mapped
from fiftyone_reue.watermark import carriers, codes, embed, read
from fiftyone_reue.watermark.evidence import (
    FALSE_ACCUSATION,
    Reading,
    bound,
    decoy_statistics,
    statistic,
)

CACHE = Path(__file__).parent / "cache"
KEY = hashlib.sha256(b"benchmarks/watermark_interaction").digest()
MARK_KEY = derive(KEY, "mark")
CODE_SEED = derive(KEY, "code")

DEFAULT = ProtectConfig()
MARK, PERTURBATION = DEFAULT.mark_amplitude, DEFAULT.perturbation_amplitude
PUBLISHED = 8
"""Amplitude of the published noises, gray levels."""

RECIPIENTS = 1000
"""Among whom one is named when an image's reading is called enough on its own."""

DECOYS = 100
"""Codes that nobody holds, read from every image to check the instrument."""

BITS = 32
"""Of a published mark; SMALL_BITS are all that blind_watermark can put in 32 px."""
SMALL_BITS = 8

EDITS: dict[str, int | None] = {"unchanged": None, "JPEG-75": 75, "JPEG-50": 50}
"""What happens to a suspect before it is read: JPEG qualities."""

MARKS = ("dwtDct", "dwtDctSvd", "rivaGan", "blind_watermark")
SLOW = ("rivaGan", "blind_watermark")
"""Those that take seconds an image."""
PACKAGES = ("invisible-watermark", "blind-watermark")

MARKED = f"our mark ±{MARK}"
PERTURBED = f"rue ±{PERTURBATION}"
PROTECTED = f"our mark ±{MARK}, then rue ±{PERTURBATION}"
NOISY = f"em_class ±{PUBLISHED}"
NAIVE = f"em_class ±{PUBLISHED}, then blind_watermark"
WHOLE = f"rue ±{MARK + PERTURBATION}"
"""What networks are trained on, beside the originals."""

Pixels = np.ndarray
"""``(H, W, 3)`` uint8."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one size.

    Attributes:
        name: for the tables.
        images: what is protected.
        labels: indices into CIFAR-10's classes; photographs, which have no class of
            their own, are given one in turn.
    """

    name: str
    images: list[Pixels]
    labels: list[int]

    def first(self, count: int | None) -> ImageSet:
        """So many of them; None for all."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    @staticmethod
    def in_turn(name: str, images: list[Pixels], classes: int) -> ImageSet:
        """With classes given in turn."""
        return ImageSet(name, images, [n % classes for n in range(len(images))])


@dataclass(frozen=True)
class Noise:
    """A perturbation that is ready to be added."""

    title: str
    method: str
    state: State

    def offset(self, image: Pixels, label: int, place: int) -> np.ndarray:
        """The perturbation of one image.

        Args:
            image: what it is added to.
            label: its class.
            place: its number, which a sample's variety is drawn by.

        Returns:
            ``(H, W, c)`` int8, c 1 or 3.
        """
        sample_key = derive(KEY, "variety", str(place))
        name = self.state.classes[label]
        pattern = create_method(self.method).pattern(
            self.state, image, name, sample_key
        )
        return expand(pattern, *image.shape[:2])


def make_noise(
    method: str, amplitude: int, data: FitData, device: str = "auto"
) -> Noise:
    """Fit a method on CIFAR-10, or take the fit of an earlier run from the cache."""
    found = hashlib.sha256(data.images.tobytes() + data.labels.tobytes()).hexdigest()
    kept = CACHE / f"interaction_{method}_{amplitude}_{found[:16]}.state"
    title = f"{method} ±{amplitude}"
    info = create_method(method).info
    if info.needs_fit and kept.exists():
        return Noise(title, method, State.from_bytes(kept.read_bytes()))
    steps = create_method(method).fit(
        data, amplitude=amplitude, seed=0, key=KEY, device=device
    )
    state = shown(mapped(steps, lambda done: Progress(done, f"Perturbation: {title}")))
    if info.needs_fit:
        CACHE.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(state.to_bytes())
    return Noise(title, method, state)


# Ours


def image_id(image: Pixels) -> str:
    """Which original."""
    return hashlib.blake2b(image.tobytes(), key=KEY, digest_size=16).hexdigest()


def licensed(image: Pixels) -> Pixels:
    """W: the original with our mark, as a release has it."""
    height, width = image.shape[:2]
    which = image_id(image)
    code = codes.code(CODE_SEED, which, carriers.bit_count(height, width))
    mark = embed.mark(MARK_KEY, which, code, height, width, MARK)
    return offsets.add(image, mark, 3)[0]


def our_reading(suspect: Pixels, reference: Pixels, original: Pixels) -> Reading:
    """The soft bits that an extractor finds.

    Args:
        suspect: what is read.
        reference: what the extractor takes away: the original for restored images,
            the original with the perturbation for protected ones.
        original: whose mark it is.
    """
    left = read.residual(read.luma(suspect, 3), read.luma(reference, 3))
    which = image_id(original)
    return Reading(which, read.soft_bits(left, MARK_KEY, which, MARK))


def read_ours(images: ImageSet, noises: Sequence[Noise]) -> list[dict]:
    """Rows of our mark on a set of images.

    The suspects are W, and W with each noise, which is read by both extractors. The
    shortcut for unchanged files, whose digest tells the exact perturbation, isn't
    taken.
    """
    marked = [licensed(image) for image in images.images]
    rows = [_our_row(images, marked, images.images, "W", "O")]
    for noise in noises:
        suspects, perturbed = [], []
        for place, original in enumerate(images.images):
            offset = noise.offset(marked[place], images.labels[place], place)
            suspects.append(clipped(marked[place], offset))
            perturbed.append(clipped(original, offset))
        title = f"W + {noise.title}"
        rows.append(_our_row(images, suspects, perturbed, title, "O + δ"))
        rows.append(_our_row(images, suspects, images.images, title, "O"))
    return rows


def _our_row(
    images: ImageSet,
    suspects: list[Pixels],
    references: list[Pixels],
    title: str,
    subtracted: str,
) -> dict:
    found = {}
    for edit, quality in EDITS.items():
        z, right, innocent, margins = [], [], [], []
        for original, suspect, reference in zip(
            images.images, suspects, references, strict=True
        ):
            reading = our_reading(edited(suspect, quality), reference, original)
            code = codes.code(CODE_SEED, reading.image_id, len(reading.soft))
            z.append(statistic([reading], CODE_SEED))
            margins.append(margin(reading.soft * code))
            right.append(np.mean(np.where(reading.soft > 0, 1, -1) == code))
            innocent.append(decoy_statistics([reading], DECOYS))
        decided = [bound(one, RECIPIENTS) <= FALSE_ACCUSATION for one in z]
        found[edit] = {
            "z": _mean(z),
            "z_sd": float(np.std(z, ddof=1)),
            "margin": _mean(margins),
            "bits": _mean(right),
            "named_alone": _mean(decided),
            "decoys_z": float(np.mean(innocent)),
            "decoys_sd": float(np.std(innocent)),
        }
    return {
        "images": images.name,
        "suspect": title,
        "subtracted": subtracted,
        "psnr": mean_psnr(images.images, suspects),
        "edits": found,
    }


def margin(agreed: np.ndarray) -> float:
    """How far soft bits are on their code's side: their mean over their spread.

    Unlike Z, which is at most the root of the number of bits, it has no ceiling.

    Args:
        agreed: ``(bits,)`` soft bits times code bits.
    """
    return float(agreed.mean() / agreed.std())


# Published


@dataclass(frozen=True)
class PublishedMark:
    """A published blind watermark.

    Attributes:
        name: one of :data:`MARKS`.
        write: of an image and ``(bits,)`` uint8, the marked image.
        read: of an image and the number of bits, ``(bits,)`` 0 or 1.
    """

    name: str
    write: Callable[[Pixels, np.ndarray], Pixels]
    read: Callable[[Pixels, int], np.ndarray]


def published_mark(name: str) -> PublishedMark:
    """A mark of :data:`MARKS`.

    Raises:
        InputError: its package isn't installed, or there is no such mark.
    """
    if name not in MARKS:
        raise InputError(f"There is no mark {name!r}; choose of {', '.join(MARKS)}")
    try:
        return _blind_watermark() if name == "blind_watermark" else _imwatermark(name)
    except ImportError as error:
        more = " onnxruntime" if name == "rivaGan" else ""
        raise InputError(
            f"{name} is not installed: pip install {' '.join(PACKAGES)}{more}, or "
            "leave the published marks out (--no-published)"
        ) from error


def _imwatermark(name: str) -> PublishedMark:
    from imwatermark import WatermarkDecoder, WatermarkEncoder

    if name == "rivaGan":
        WatermarkEncoder.loadModel()

    def write(image: Pixels, bits: np.ndarray) -> Pixels:
        encoder = WatermarkEncoder()
        encoder.set_watermark("bits", bits.tolist())
        return _as_bytes(encoder.encode(_swapped(image), name))

    def find(image: Pixels, count: int) -> np.ndarray:
        decoder = WatermarkDecoder("bits", count)
        return np.asarray(decoder.decode(_swapped(image), name)).astype(int)

    return PublishedMark(name, write, find)


def _blind_watermark() -> PublishedMark:
    import blind_watermark

    blind_watermark.bw_notes.close()

    def write(image: Pixels, bits: np.ndarray) -> Pixels:
        marker = blind_watermark.WaterMark(password_img=1, password_wm=1)
        marker.read_img(img=_swapped(image))
        marker.read_wm(bits.astype(bool), mode="bit")
        return _as_bytes(marker.embed())

    def find(image: Pixels, count: int) -> np.ndarray:
        marker = blind_watermark.WaterMark(password_img=1, password_wm=1)
        found = marker.extract(embed_img=_swapped(image), wm_shape=(count,), mode="bit")
        return np.asarray(found).astype(int)

    return PublishedMark("blind_watermark", write, find)


def _swapped(image: np.ndarray) -> np.ndarray:
    """RGB to OpenCV's BGR and back."""
    return np.ascontiguousarray(image[..., ::-1])


def _as_bytes(image: np.ndarray) -> Pixels:
    return _swapped(np.rint(image).clip(0, 255).astype(np.uint8))


def payloads(count: int, bits: int) -> np.ndarray:
    """``(count, bits)`` uint8: a payload an image, half of its bits 1.

    blind_watermark sorts bits into two groups and fails where there is but one.
    """
    draw = np.random.default_rng(0)
    half = np.arange(bits) < bits // 2
    return np.stack([draw.permutation(half) for _ in range(count)]).astype(np.uint8)


def read_published(
    images: ImageSet, mark: PublishedMark, noises: Sequence[Noise], bits: int = BITS
) -> list[dict]:
    """Rows of a published mark: alone, under each noise, and over it.

    A mark that refuses these images gets one row that says so.
    """
    sent = payloads(len(images.images), bits)
    about = {
        "images": images.name,
        "count": len(images.images),
        "mark": mark.name,
        "bits": bits,
    }
    try:
        marked = _written(mark, images.images, sent)
        rows = [_published_row(images, mark, sent, marked, "W'")]
        for noise in noises:
            under = _perturbed(noise, marked, images.labels)
            title = f"W' + {noise.title}"
            rows.append(_published_row(images, mark, sent, under, title))
            first = _perturbed(noise, images.images, images.labels)
            over = _written(mark, first, sent)
            title = f"{noise.title}, then marked"
            rows.append(_published_row(images, mark, sent, over, title))
    except (RuntimeError, AssertionError) as error:
        # The one's message is in Chinese; both say that the image is too small.
        reason = f"refused with {type(error).__name__}: the images are too small"
        return [{**about, "suspect": "W'", "refused": reason}]
    return [{**about, **row} for row in rows]


def _written(
    mark: PublishedMark, images: Sequence[Pixels], sent: np.ndarray
) -> list[Pixels]:
    return [mark.write(*pair) for pair in zip(images, sent, strict=True)]


def _perturbed(
    noise: Noise, images: Sequence[Pixels], labels: Sequence[int]
) -> list[Pixels]:
    return [
        clipped(image, noise.offset(image, label, place))
        for place, (image, label) in enumerate(zip(images, labels, strict=True))
    ]


def _published_row(
    images: ImageSet,
    mark: PublishedMark,
    sent: np.ndarray,
    suspects: list[Pixels],
    title: str,
) -> dict:
    found = {}
    for edit, quality in EDITS.items():
        right = [
            float(np.mean(mark.read(edited(suspect, quality), len(bits)) == bits))
            for suspect, bits in zip(suspects, sent, strict=True)
        ]
        found[edit] = {
            "bits": _mean(right),
            "all_right": _mean([share == 1 for share in right]),
        }
    return {
        "suspect": title,
        "psnr": mean_psnr(images.images, suspects),
        "edits": found,
    }


# Images


def edited(image: Pixels, quality: int | None) -> Pixels:
    """After JPEG of that quality; None leaves the image as it is."""
    if quality is None:
        return image
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def mean_psnr(originals: Sequence[Pixels], changed: Sequence[Pixels]) -> float:
    """Mean over the images, dB."""
    pairs = zip(originals, changed, strict=True)
    return _mean([psnr(before, after, 3) for before, after in pairs])


def read_photos(path: Path) -> Iterator[Image.Image]:
    """The images of a zip archive or a folder, by name.

    Raises:
        InputError: it isn't there.
    """
    if not path.exists():
        raise InputError(f"{path}: not there; say where photographs are (--photos)")
    if path.is_dir():
        for file in sorted(path.rglob("*.png")):
            yield Image.open(file).convert("RGB")
        return
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".png"):
                yield Image.open(io.BytesIO(archive.read(name))).convert("RGB")


def photo_sets(photos: Sequence[Image.Image], classes: int) -> list[ImageSet]:
    """The largest square of each at 256 px; 512 px of those that have them."""
    small = [_square(photo, min(photo.size)).resize((256, 256)) for photo in photos]
    large = [_square(photo, 512) for photo in photos if min(photo.size) >= 512]
    sets = []
    for size, chosen in ((512, large), (256, small)):
        if chosen:
            images = [np.asarray(image) for image in chosen]
            name = f"photographs, {size} px"
            sets.append(ImageSet.in_turn(name, images, classes))
    return sets


def _square(photo: Image.Image, side: int) -> Image.Image:
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


# The parts


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
        PERTURBED: _perturbed(ours, originals, labels),
        PROTECTED: _perturbed(ours, marked, labels),
    }
    if mark is not None:
        noise = make_noise("em_class", PUBLISHED, data, plan.device)
        made[NOISY] = _perturbed(noise, originals, labels)
        sent = payloads(len(originals), SMALL_BITS)
        made[NAIVE] = _written(mark, made[NOISY], sent)
    made[WHOLE] = _perturbed(whole, originals, labels)
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


# Tables


def markdown(results: dict) -> str:
    """The results as tables, with what they say."""
    lines = [
        "# Do watermark and perturbation spoil each other?",
        "",
        "Made by:",
        "",
        "```",
        *(
            results[part]["command"]
            for part in ("reading", "training")
            if part in results
        ),
        "```",
        "",
    ]
    if "reading" in results:
        lines += _reading_lines(results["reading"])
    if "training" in results:
        lines += _training_lines(results["training"])
    return "\n".join(lines).rstrip() + "\n"


def _reading_lines(part: dict) -> list[str]:
    counts = ", ".join(f"{count} {name}" for name, count in part["counts"].items())
    lines = [
        "## Reading the mark",
        "",
        f"Images: {counts}. The perturbation lies over the mark unless it says "
        '"then marked". Photographs have a class in turn; em_class, which is fitted to '
        "images of one size, is added to CIFAR-10's alone.",
        "",
        "### Ours, informed",
        "",
        f"Mark ±{MARK}. Z: evidence of one image, mean ± standard deviation over the "
        "images; it can't exceed the root of the number of bits, 11.3 (128 bits), and "
        "5.7 at 32 px (32 bits). Margin: mean of the soft bits in their code's "
        "direction over their spread, which has no ceiling. Bits: code bits read right "
        "(50 % is chance). "
        '"Subtracted": O + δ is the extractor for protected suspects, O the one for '
        "restored suspects; O under a perturbation is the wrong one, as an ablation.",
        "",
    ]
    head = ["Images", "Suspect", "Subtracted", "PSNR, dB"]
    for edit in EDITS:
        head += [f"{edit}: Z", "margin", "bits, %"]
    rows = [[*_our_about(row), *_our_cells(row)] for row in part["ours"]]
    lines += [_table(head, rows, 3), *_published_lines(part["published"])]
    return [*lines, "### What it says", "", *_reading_words(part), ""]


def _published_lines(published: list[dict]) -> list[str]:
    if not published:
        return []
    head = ["Mark", "Images", "Suspect", "PSNR, dB"]
    for edit in EDITS:
        head += [f"{edit}: bits, %", "all right, %"]
    rows = []
    for row in published:
        mark = f"{row['mark']}, {row['bits']} bits"
        about = [mark, f"{row['count']} {row['images']}", row["suspect"]]
        if "refused" in row:
            about[2] = row["refused"]
            rows.append([*about, *["–"] * (len(head) - 3)])
            continue
        cells = [f"{row['psnr']:.1f}"]
        for found in row["edits"].values():
            cells += [_percent(found["bits"]), _percent(found["all_right"])]
        rows.append([*about, *cells])
    return [
        "### Published, blind",
        "",
        "W' is the image with the published mark. Bits: read right (50 % is chance); "
        "all right: images whose whole payload is. They are read without the original, "
        "which ours needs: compare what a perturbation changes, not the marks.",
        "",
        _table(head, rows, 3),
    ]


def _our_about(row: dict) -> list[str]:
    return [row["images"], row["suspect"], row["subtracted"], f"{row['psnr']:.1f}"]


def _our_cells(row: dict) -> list[str]:
    cells = []
    for found in row["edits"].values():
        cells.append(f"{found['z']:.1f} ± {found['z_sd']:.1f}")
        cells += [f"{found['margin']:.1f}", _percent(found["bits"])]
    return cells


def _training_lines(part: dict) -> list[str]:
    audit = Audit.from_dict({k: v for k, v in part.items() if k != "command"})
    seeds = len(audit.seeds)
    rows = []
    for subject in audit.subjects:
        change = str(subject.largest_change) if subject.psnr is not None else "–"
        loud = f"{subject.psnr:.1f}" if subject.psnr is not None else "–"
        accuracy = accuracy_text(audit.summary(subject.name, NONE))
        each = [_percent(c.accuracy) for c in audit.cells if c.subject == subject.name]
        rows.append([subject.title, accuracy, ", ".join(each), loud, change])
    head = ["Trained on", "accuracy, %", "each seed", "PSNR, dB", "largest change"]
    return [
        "## Training on the images",
        "",
        f"CIFAR-10, {audit.counts['train']} training and {audit.counts['test']} clean "
        f"test images, {audit.victims[0]}, {audit.settings['epochs']} epochs (at least "
        f"{audit.settings['least_steps']} steps), no countermeasure, last epoch; mean "
        f"± standard deviation over {seeds} seeds. Chance: {100 * audit.chance:.0f} %. "
        f"blind_watermark carries {SMALL_BITS} bits here, which is what fits in 32 px; "
        "dwtDct and dwtDctSvd refuse images of this size.",
        "",
        _table(head, rows, 1),
        "### What it says",
        "",
        *_training_words(audit),
        "",
        f"Measured on {audit.environment['device']} with torch "
        f"{audit.environment['torch']}.",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, rule, *rows])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


# Words


@dataclass(frozen=True)
class Loss:
    """What a perturbation takes from a mark where it takes most.

    Attributes:
        points: per cent of the bits.
        where: the images, suspect and edit, and both shares.
    """

    points: float
    where: str


def largest_loss(rows: Sequence[dict], alone: Sequence[dict]) -> Loss:
    """Of rows, beside the row of ``alone`` with the same images and bits."""
    found = []
    for row in rows:
        (mark,) = (
            one
            for one in alone
            if (one["images"], one.get("bits")) == (row["images"], row.get("bits"))
        )
        for edit in EDITS:
            before, after = (one["edits"][edit]["bits"] for one in (mark, row))
            where = f"{row['images']}, {row['suspect']}, {edit}: {_percent(before)} % "
            where += f"to {_percent(after)} %"
            found.append(Loss(100 * (before - after), where))
    return max(found, key=lambda loss: loss.points)


def _reading_words(part: dict) -> list[str]:
    lines = [_our_words(part["ours"]), _decoy_words(part["ours"])]
    for mark in dict.fromkeys(row["mark"] for row in part["published"]):
        rows = [row for row in part["published"] if row["mark"] == mark]
        lines += _mark_words(mark, rows)
    return lines


def _our_words(ours: list[dict]) -> str:
    alone = [row for row in ours if row["suspect"] == "W"]
    right = [row for row in ours if row["subtracted"] == "O + δ"]
    wrong = [row for row in ours if row["subtracted"] == "O" and row not in alone]
    kept, lost = largest_loss(right, alone), largest_loss(wrong, alone)
    weakest = min(right, key=lambda row: row["edits"]["JPEG-50"]["z"])
    needed = pooled(weakest["edits"]["JPEG-50"]["z"])
    return (
        f"- Ours, read by the right extractor: a perturbation takes at most "
        f"{kept.points:.1f} points of the bits ({kept.where}). By the wrong one: at "
        f"most {lost.points:.1f} ({lost.where}). Where least is left after JPEG-50 "
        f"({weakest['images']}, {weakest['suspect']}), {needed} "
        f"{'image names' if needed == 1 else 'images together name'} one of "
        f"{RECIPIENTS:,} recipients."
    )


def _mark_words(mark: str, rows: list[dict]) -> list[str]:
    lines = []
    read_ones = [row for row in rows if "edits" in row]
    alone = [row for row in read_ones if row["suspect"] == "W'"]
    under = [row for row in read_ones if row["suspect"].startswith("W' +")]
    over = [row for row in read_ones if row["suspect"].endswith("then marked")]
    if under and over:
        lost, kept = largest_loss(under, alone), largest_loss(over, alone)
        lines.append(
            f"- {mark}: a perturbation over the mark takes up to {lost.points:.1f} "
            f"points of the bits ({lost.where}); one under it, up to "
            f"{kept.points:.1f} ({kept.where})."
        )
    lines += [
        f"- {mark}, {row['images']}, {row['bits']} bits: {row['refused']}."
        for row in rows
        if "refused" in row
    ]
    return lines


def pooled(z: float) -> int:
    """How many images of that Z name one of RECIPIENTS: Z grows as their root."""
    needed = math.sqrt(2 * math.log(RECIPIENTS / FALSE_ACCUSATION))
    return math.ceil((needed / z) ** 2)


def _decoy_words(ours: list[dict]) -> str:
    found = [edit for row in ours for edit in row["edits"].values()]
    means = [edit["decoys_z"] for edit in found]
    spreads = [edit["decoys_sd"] for edit in found]
    return (
        f"- Codes that nobody holds read as Z between {min(means):+.2f} and "
        f"{max(means):+.2f} on average, with a standard deviation of at most "
        f"{max(spreads):.2f}: what is read above is the mark."
    )


def _training_words(audit: Audit) -> list[str]:
    pairs = [
        (ORIGINALS, MARKED, "Our mark alone against the originals"),
        (PERTURBED, PROTECTED, "Our mark under our perturbation against the latter"),
        (WHOLE, PROTECTED, "The same against rue with the mark's share of epsilon too"),
        (NOISY, NAIVE, "blind_watermark over em_class against em_class alone"),
    ]
    lines = []
    for before, after, text in pairs:
        one, other = (audit.summary(name, NONE) for name in (before, after))
        if one is not None and other is not None:
            lines.append(f"- {text}: {difference(one, other)}.")
    return lines


def difference(before: Summary, after: Summary) -> str:
    """By how many points, and whether that is more than the seeds' spread."""
    points = 100 * (after.mean - before.mean)
    if before.spread is None or after.spread is None:
        return f"{points:+.1f} points, one seed each, so that nothing is known of it"
    error = 100 * math.hypot(
        before.spread / math.sqrt(before.count), after.spread / math.sqrt(after.count)
    )
    if abs(points) > 2 * error:
        return (
            f"{points:+.1f} points, more than twice the standard error of {error:.1f}"
        )
    return (
        f"{points:+.1f} points, within twice the standard error of {error:.1f}: no "
        f"effect is shown, nor one of less than {2 * error:.0f} points ruled out"
    )


@click.command(help=__doc__.split("\n\n")[0])
@click.option(
    "--photos",
    type=Path,
    default=Path("../shared/data/photos.zip"),
    help="A folder or zip archive of PNG photographs.",
)
@click.option("--data-dir", type=Path, default=None, help="Where CIFAR-10's zips are.")
@click.option(
    "--part", type=click.Choice(["reading", "training", "both"]), default="both"
)
@click.option("--marks", default="dwtDct,dwtDctSvd,blind_watermark", show_default=True)
@click.option("--published/--no-published", default=True, help="Published marks.")
@click.option("--count", type=click.IntRange(2), default=200, help="CIFAR-10 to read.")
@click.option("--limit", type=click.IntRange(2), default=None, help="Photographs.")
@click.option("--slow", type=click.IntRange(2), default=None, help="For slow marks.")
@click.option("--train", type=click.IntRange(20), default=2000, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=Path, default=RESULTS, show_default=False)
@click.option("--name", default="watermark_interaction", show_default=True)
def main(
    photos: Path,
    data_dir: Path | None,
    part: str,
    marks: str,
    published: bool,
    count: int,
    limit: int | None,
    slow: int | None,
    train: int,
    seeds: int,
    device: str,
    out: Path,
    name: str,
) -> None:
    """Measure, then write the tables."""
    parts = ["reading", "training"] if part == "both" else [part]
    budget = replace(budget_named("quick"), train=train, seeds=seeds)
    measured: dict
    try:
        names = [one.strip() for one in marks.split(",")] if published else []
        chosen = [published_mark(one) for one in names]
        summed = published_mark("blind_watermark") if published else None
        holdings, test, classes = read_data("cifar10", data_dir, budget)
        for one in parts:
            if one == "reading":
                data = FitData(holdings.originals, holdings.labels, classes)
                small = ImageSet(
                    "CIFAR-10, 32 px",
                    list(holdings.originals[:count]),
                    holdings.labels[:count].tolist(),
                )
                opened = list(islice(read_photos(photos), limit))
                sets = photo_sets(opened, len(classes))
                noises = [
                    make_noise("rue", PERTURBATION, data, device),
                    make_noise("lsp", PUBLISHED, data, device),
                    make_noise("em_class", PUBLISHED, data, device),
                ]
                measured = reading_part(sets, small, noises, chosen, slow)
                measured["environment"] = environment(device) | _versions()
            else:
                plan = plan_of(budget, [NONE], device)
                store = CellStore(out / f"{name}.cells.jsonl")
                measured = training_part(holdings, classes, test, plan, store, summed)
                measured["environment"] |= _versions()
            _write(one, measured, out, name)
    except ReueError as error:
        sys.exit(str(error))


def _write(part: str, measured: dict, out: Path, name: str) -> None:
    """Put a part beside what another run found of the other part."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    command = ["python benchmarks/watermark_interaction.py", *sys.argv[1:]]
    results[part] = {**measured, "command": " ".join(command)}
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(results))
    click.echo(path.with_suffix(".md"))


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
