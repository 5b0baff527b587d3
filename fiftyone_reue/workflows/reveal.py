"""Reveal: what a method hid in the images, shown and weighed as a proof of ownership.

The method ``deep_hiding`` hides a scene in each image, drawn from the owner's keys.
What its network finds in a suspect is compared with that scene, and with decoys: the
scenes that other keys would have hidden there, drawn in the same way. Had nothing been
hidden, the owner's keys would be one draw among those, so the share of draws that agree
as well or better is the chance of such an agreement by accident.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from fiftyone_reue.batch import outputs, pipeline
from fiftyone_reue.batch.items import Item, with_distinct_outputs
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.errors import InputError, named
from fiftyone_reue.media import alpha, depth
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.names.display import count
from fiftyone_reue.perturb.base import Hidden, RevealingMethod, State, eight_bit
from fiftyone_reue.perturb.registry import create_method, list_methods
from fiftyone_reue.progress import Progress
from fiftyone_reue.releases.prepare import load_seed, load_state, sample_key
from fiftyone_reue.releases.tracing import Tracer
from fiftyone_reue.stores.address import Place
from fiftyone_reue.vault.entities import Record, Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark import match, read
from fiftyone_reue.workflows.decoys import DECOYS, MOST_DECOYS
from fiftyone_reue.workflows.what_it_is import naming

SURE = 0.01
"""The scenes count as found if keys drawn at random do as well so rarely."""

PANEL = 512
"""A panel's longer side at most, in pixels."""
GAP = 8
"""Pixels between panels."""
SMALL_PANEL = 252
"""The same of a small picture, so that two panels are at most 512 pixels wide."""

_READING = 0.1
"""The share of the time that reading takes, about."""


@dataclass(frozen=True)
class Revealed:
    """What was found in one file.

    Attributes:
        sample_id: of the job.
        path: its file.
        original: the sample that it is a copy of, as known at protect time.
        label: the class that it was protected as, or None.
        release: the name of the release that it is a copy from. Of an image that was
            changed, and is in several, the one whose scene agrees best.
        exact: whether the file's pixels are unchanged.
        tries: how many releases came into question; decoys had as many tries.
        revealed: ``(h, w)`` uint8, what the network finds: a scene in stripes.
        hidden: ``(h, w)`` uint8, what was hidden, in stripes as well.
        scene_revealed: ``(h, w)`` uint8, the scene as far as it can be seen in what
            the network finds.
        scene: ``(h, w)`` uint8, the scene that was hidden.
        agreement: their correlation coefficient, -1 to 1.
        as_good: how many decoys agree as well or better.
        decoys: how many there were.
        panels: the file with the four panels, below the output folder, or None.
    """

    sample_id: str
    path: str
    original: str
    label: str | None
    release: str
    exact: bool
    tries: int
    revealed: np.ndarray = field(repr=False)
    hidden: np.ndarray = field(repr=False)
    scene_revealed: np.ndarray = field(repr=False)
    scene: np.ndarray = field(repr=False)
    agreement: float
    as_good: int
    decoys: int
    panels: str | None

    @property
    def p_value(self) -> float:
        """The chance of such an agreement if nothing was hidden."""
        return (1 + self.as_good) / (1 + self.decoys)


@dataclass(frozen=True)
class RevealSummary:
    """What was found in a set of files.

    Attributes:
        images: every file in which something could be looked for, in order.
        decoys: keys drawn at random.
        as_good: how many of them agree as well or better, on average over the files.
            One key is tried on all files, so files that are alike count only once.
        outcome: counts, and the files that failed.
    """

    images: list[Revealed]
    decoys: int
    as_good: int
    outcome: Outcome

    @property
    def agreement(self) -> float | None:
        """The mean agreement; None without any image."""
        if not self.images:
            return None
        return float(np.mean([image.agreement for image in self.images]))

    @property
    def unrivalled(self) -> int:
        """In how many files no decoy agrees as well."""
        return sum(image.as_good == 0 for image in self.images)

    @property
    def p_value(self) -> float | None:
        """The chance of such a mean agreement if nothing was hidden."""
        return (1 + self.as_good) / (1 + self.decoys) if self.images else None

    @property
    def found(self) -> bool:
        """Whether what was hidden was found."""
        return self.p_value is not None and self.p_value <= SURE

    def verdict(self) -> str:
        """The result in words."""
        if not self.images:
            return "There is no image that something could be revealed in."
        of = f"{self.unrivalled} of {count(len(self.images), 'image')}"
        chance = (
            f"{self.as_good} of {count(self.decoys, 'key')} drawn at random "
            f"{'does' if self.as_good == 1 else 'do'} as well"
        )
        if self.found:
            return (
                "These images hold what this vault hid: the revealed scenes agree to "
                f"{self.agreement:.2f} on average, {chance} (chance "
                f"{self.p_value:.3f}), and in {of} no decoy does."
            )
        if (best := 1 / (1 + self.decoys)) > SURE:
            return (
                f"{count(self.decoys, 'decoy')} can't decide: the revealed scenes "
                f"agree to {self.agreement:.2f} on average, {chance}, and the chance "
                f"can't be shown to be below {best:.3f}; take at least "
                f"{round(1 / SURE) - 1}."
            )
        return (
            "These images don't show what this vault hid: the revealed scenes agree "
            f"to {self.agreement:.2f} on average, and {chance} (chance "
            f"{self.p_value:.3f})."
        )

    def to_dict(self) -> dict[str, Any]:
        """The result for machines."""
        return {
            "found": self.found,
            "agreement": self.agreement,
            "p_value": self.p_value,
            "decoys": self.decoys,
            "decoys_as_good": self.as_good,
            "images_revealed": len(self.images),
            "images_unrivalled": self.unrivalled,
            "images_failed": len(self.outcome.failures),
            "verdict": self.verdict(),
            "per_image": [_per_image(image) for image in self.images]
            + [
                {"image": failure.sample_id, "error": failure.reason}
                for failure in self.outcome.failures
            ],
        }


def reveal(
    vault: Vault,
    items: Sequence[Item],
    output: Path | None = None,
    *,
    originals_folder: Place | None = None,
    decoys: int = DECOYS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, RevealSummary]:
    """Show what was hidden in images, and how sure that is.

    Args:
        vault: the owner's.
        items: protected copies, or suspects.
        output: where a picture of each goes: the image, the stripes that the network
            finds in it, the scene that is seen in them, and the scene that was hidden,
            side by side. None writes nothing.
        originals_folder: where the originals are now, if they moved since they were
            protected.
        decoys: how many keys to draw at random, 1..MOST_DECOYS.
        max_pixels: larger images are refused before they are decoded.

    Yields:
        Progress.

    Raises:
        InputError: nothing was ever protected with this vault, or by no method that
            hides something, or the number of decoys is no whole number or out of
            range.
        OutputError: nothing can be written.
    """
    if not isinstance(decoys, Integral) or isinstance(decoys, bool):
        raise InputError(
            f"The number of decoys must be a whole number from 1 to {MOST_DECOYS} "
            f"({DECOYS} is usual)"
        )
    if not 1 <= decoys <= MOST_DECOYS:
        raise InputError(
            f"{decoys} decoys are out of range; choose 1 to {MOST_DECOYS} ({DECOYS} is "
            "usual)"
        )
    revealer = _Revealer(vault, originals_folder, max_pixels)
    _require_hiding(vault)
    outcome = Outcome()
    findings: list[_Finding] = []
    if output is not None:
        outputs.prepare(output)
        named_panels = [replace(one, output=f"{one.output}.revealed") for one in items]
        items = with_distinct_outputs(named_panels, {})

    def work(item: Item) -> _Finding:
        with naming(item):
            return revealer.find(item, want_panels=output is not None)

    def commit(batch: list[_Finding]) -> list[Failure]:
        refused: dict[str, str] = {}
        if output is not None:
            files = [(_panels_name(one.item), one.panels) for one in batch]
            refused = outputs.write_below(output, files)
        failures = []
        for one in batch:
            reason = refused.get(_panels_name(one.item))
            if reason is None:
                findings.append(replace(one, panels=b""))
            else:
                failures.append(Failure(one.item.sample_id, one.item.path, reason))
        return failures

    for behind in pipeline.run(items, work, commit, outcome, together=True):
        label = f"Revealing: {behind} of {len(items)}"
        yield Progress(_READING * behind / len(items), label)
    if output is not None and not findings:
        outputs.remove_empty(output)
    agreements = np.empty((decoys, len(findings)))
    for number in range(decoys if findings else 0):
        agreements[number] = [revealer.decoy(one, number) for one in findings]
        fraction = _READING + (1 - _READING) * (number + 1) / decoys
        yield Progress(fraction, f"Drawing decoys: {number + 1} of {decoys}")
    images = [
        _revealed(one, agreements[:, index], output is not None)
        for index, one in enumerate(findings)
    ]
    mean = np.mean([image.agreement for image in images]) if images else 0.0
    as_good = int((agreements.mean(axis=1) >= mean).sum()) if images else 0
    return RevealSummary(images, decoys, as_good, outcome)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation coefficient of two images of one size, 0 if one is flat."""
    return float(np.vdot(_standardised(one), _standardised(other)))


def scenes_png(image: Revealed) -> bytes:
    """A small picture of the scene that is seen in an image, and of the hidden one.

    Args:
        image: what was found in it.

    Returns:
        A gray PNG file, at most 512 pixels wide: seen at the left, hidden at the right.
    """
    # Scenes are black and white, so that what is between them is neither.
    both = [image.scene_revealed, image.scene]
    scenes = side_by_side(both, SMALL_PANEL, between=128)
    return _png(scenes[..., 0])


def side_by_side(
    images: Sequence[np.ndarray], panel: int = PANEL, between: int = 255
) -> np.ndarray:
    """Images next to one another, all at the size of the first.

    A small image is made larger by a whole number, its pixels' edges kept.

    Args:
        images: ``(H, W)`` or ``(H, W, 3)`` uint8.
        panel: an image's longer side at most, in pixels.
        between: the gray level between images.

    Returns:
        ``(height, width, 3)`` uint8.
    """
    height, width = images[0].shape[:2]
    longer = max(height, width)
    share = panel / longer if longer > panel else panel // 2 // longer or 1
    size = max(1, round(width * share)), max(1, round(height * share))
    row: list[np.ndarray] = []
    for image in images:
        grows = image.shape[1] < size[0]
        way = Pillow.Resampling.NEAREST if grows else Pillow.Resampling.LANCZOS
        resized = Pillow.fromarray(image).convert("RGB").resize(size, way)
        gap = np.full((size[1], GAP, 3), between, np.uint8)
        row += [gap, np.asarray(resized)] if row else [np.asarray(resized)]
    return np.concatenate(row, axis=1)


@dataclass(frozen=True)
class _Made:
    """What a release was made with."""

    release: Release
    method: RevealingMethod
    state: State
    seed: bytes


@dataclass(frozen=True)
class _Try:
    """One record that a file may be a copy of, and what is found if it is."""

    record: Record
    made: _Made
    hiding: Hidden
    revealed: np.ndarray
    hidden: np.ndarray

    @functools.cached_property
    def agreement(self) -> float:
        return agreement(self.revealed, self.hidden)

    @functools.cached_property
    def scenes(self) -> tuple[np.ndarray, np.ndarray]:
        """As it is seen in what was found, and as it was hidden."""
        height, width = self.revealed.shape
        hidden = self.hiding.light_parts(height, width)
        return self.hiding.scene_in(self.revealed), 255 * hidden.astype(np.uint8)


@dataclass(frozen=True)
class _Finding:
    item: Item
    exact: bool
    tries: list[_Try]
    panels: bytes

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.panels) + 4 * sum(one.revealed.size for one in self.tries)

    @property
    def best(self) -> _Try:
        return max(self.tries, key=lambda one: one.agreement)


class _Revealer:
    """Finds files' records and what was hidden by them. Usable from threads."""

    def __init__(
        self, vault: Vault, originals_folder: Place | None, max_pixels: int
    ) -> None:
        self._vault = vault
        self._max_pixels = max_pixels
        self._tracer = Tracer(vault, originals_folder, max_pixels=max_pixels)
        self._made = functools.lru_cache(maxsize=None)(self._load)

    def find(self, item: Item, *, want_panels: bool) -> _Finding:
        """Reveal one file by each record that it may be a copy of.

        Raises:
            UnreadableImageError, UnsupportedImageError: it can't be read.
            InputError: it is a copy of nothing, or nothing is hidden in it.
        """
        raster = load(
            item.path,
            name=item.sample_id,
            max_pixels=self._max_pixels,
            ignore_record=True,
        ).raster
        raster = depth.with_range(raster)
        with named(item.sample_id):
            exact, shown, luma, found = self._records(raster)
            gray = luma.clip(0, 255).astype(np.uint8)[..., None]
            tries = [self._try(record, gray) for record in self._hiding(found)]
        finding = _Finding(item, exact, tries, b"")
        if not want_panels:
            return finding
        best = finding.best
        panels = side_by_side([shown, best.revealed, *best.scenes])
        return replace(finding, panels=_png(panels))

    def decoy(self, finding: _Finding, number: int) -> float:
        """How well a file agrees with what another key would have hidden.

        As many scenes are tried as of the owner's, and the best one counts.
        """
        best = -1.0
        for one in finding.tries:
            made = one.made
            other = made.method.decoy(made.state, number)
            secret = _secret(one.record, made.method, other, made.seed)
            scene = made.method.hiding(secret).hidden(*one.revealed.shape)
            best = max(best, agreement(one.revealed, scene))
        return best

    def _records(
        self, raster: Raster
    ) -> tuple[bool, np.ndarray, np.ndarray, list[Record]]:
        """The records that a file may be a copy of.

        Returns:
            Whether its pixels are unchanged; the image and its luma, both turned as
            the original is, the luma of the original's size; and the records.
        """
        colours = raster.colour_channels
        seen = alpha.flattened(
            depth.shown(raster), colours, np.iinfo(raster.samples.dtype).max
        )
        seen = eight_bit(seen)
        seen = seen[..., 0] if colours == 1 else seen
        known = self._tracer.exact(raster)
        if known is not None:
            record, tier = known
            if tier == "licensed":
                raise InputError(
                    "this is a licensed copy: what was hidden was taken out of it when "
                    "it was restored; give the protected copy"
                )
            luma = read.luma(raster.samples, colours, raster.peak)
            return True, seen, luma, [record]
        near = self._tracer.nearest(raster)
        found = self._vault.ledger.records_by_image(near.image.id)
        luma = match.resize(near.luma, near.image.height, near.image.width)
        return False, match.orient(seen, near.orientation), luma, found

    def _hiding(self, found: list[Record]) -> list[Record]:
        """Those of them in whose release something is hidden."""
        hiding = [r for r in found if isinstance(self._made(r.release_id), _Made)]
        if hiding:
            return hiding
        releases = {r.release_id: self._made(r.release_id) for r in found}
        names = sorted({one for one in releases.values() if isinstance(one, str)})
        raise InputError(
            f"this is a copy from a release made with {', '.join(names)}, which hides "
            f"nothing that could be revealed; {_able()} does. Its watermark can be "
            "traced (reue extract)"
        )

    def _try(self, record: Record, gray: np.ndarray) -> _Try:
        made = self._made(record.release_id)
        assert isinstance(made, _Made)
        secret = _secret(record, made.method, made.state, made.seed)
        hiding = made.method.hiding(secret)
        revealed = made.method.reveal(secret, gray)
        height, width = revealed.shape
        return _Try(record, made, hiding, revealed, hiding.hidden(height, width))

    def _load(self, release_id: str) -> _Made | str:
        """What a release was made with, or only its method's name if that hides
        nothing."""
        release = self._vault.ledger.release(release_id)
        if release is None:
            raise InputError("the ledger has lost the release that this is a copy from")
        method = create_method(release.method)
        if not isinstance(method, RevealingMethod):
            return release.method
        state = load_state(self._vault, release)
        return _Made(release, method, state, load_seed(self._vault, release))


_NO_IMAGE = np.zeros((1, 1, 1), np.uint8)


def _secret(
    record: Record, method: RevealingMethod, state: State, seed: bytes
) -> bytes:
    """What protecting hid by; it never looks at the image."""
    own = sample_key(seed, record.sample_id)
    return method.secret(state, _NO_IMAGE, record.label or "", own)


def _hides(method: str) -> bool:
    return isinstance(create_method(method), RevealingMethod)


def _able() -> str:
    """The methods that hide something."""
    return ", ".join(i.name for i in list_methods(releasable=True) if _hides(i.name))


def _require_hiding(vault: Vault) -> None:
    """Refuse to look for what nothing that was made with a vault hides.

    Raises:
        InputError: says by which methods something is hidden.
    """
    used = sorted({release.method for release in vault.ledger.releases()})
    if not any(map(_hides, used)):
        raise InputError(
            f"Everything was protected with {', '.join(used)}, which hides nothing "
            f"that could be revealed; {_able()} does. Watermarks can be traced "
            "(reue extract)"
        )


def _standardised(image: np.ndarray) -> np.ndarray:
    """Without mean, and of length 1, so that products are correlations."""
    centred = image.astype(np.float64)
    centred -= centred.mean()
    length = float(np.sqrt(np.vdot(centred, centred)))
    return centred / length if length else centred


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _panels_name(item: Item) -> str:
    return f"{item.output}.png"


def _revealed(finding: _Finding, decoys: np.ndarray, panels: bool) -> Revealed:
    best = finding.best
    return Revealed(
        sample_id=finding.item.sample_id,
        path=finding.item.path,
        original=best.record.sample_id,
        label=best.record.label,
        release=best.made.release.name,
        exact=finding.exact,
        tries=len(finding.tries),
        revealed=best.revealed,
        hidden=best.hidden,
        scene_revealed=best.scenes[0],
        scene=best.scenes[1],
        agreement=best.agreement,
        as_good=int((decoys >= best.agreement).sum()),
        decoys=len(decoys),
        panels=_panels_name(finding.item) if panels else None,
    )


def _per_image(image: Revealed) -> dict[str, Any]:
    return {
        "image": image.sample_id,
        "original": image.original,
        "release": image.release,
        "exact": image.exact,
        "tries": image.tries,
        "agreement": image.agreement,
        "decoys_as_good": image.as_good,
        "p_value": image.p_value,
        "panels": image.panels,
    }
