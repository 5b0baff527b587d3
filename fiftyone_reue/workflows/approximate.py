"""What is left of a licensed copy in a file whose pixels changed since.

Nothing here is exact, and nothing of it happens unless the recipient asks for it. The
change that made P is known, either from the file's record or from the file as it was
delivered; it is taken off pixels that aren't P's any more. What the other change did
to them (compression, an edit) stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fiftyone_reue.batch.folders import suspect_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import EditedImageError
from fiftyone_reue.media import alpha, offsets, template_matching
from fiftyone_reue.media.quality import psnr
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.perturb.reversal import ByPattern, Reversal
from fiftyone_reue.stores.address import Place
from fiftyone_reue.watermark.read import luma

SUFFIX = ".approximate.png"
"""What ends the name of an approximation's file."""

LEAST_CORRELATION = 0.9
"""A worse match with the delivered file is none."""

LEAST_PSNR = 30.0
"""A file of the delivered one's size may be so much alike instead, in dB: plain images
correlate little."""

DRAWN_OVER = 0.1
"""So much of it may be anything at all, such as a caption."""

LEAST_SHARE = 0.4
"""So much of a pattern must be found in an image before it is taken off. Of ten Kodak
photographs, 224 pixels a side, JPEG-75 keeps 0.78 to 0.88 of a pattern by rue and 0.44
to 0.73 of one by lsp; crops, over which it is stretched wrongly, show at most 0.20 and
0.41, unchanged photographs 0.14 and 0.17."""

_STEEPEST = 32.0


@dataclass(frozen=True)
class Approximation:
    """How close one image came.

    Attributes:
        sample_id: which.
        output: its file below the output folder.
        psnr: of the approximation against the licensed copy in dB, 99 at most; None
            where the licensed copy isn't known.
        psnr_before: the same of the pixels as they were, to see whether it was worth
            it.
        exact: whether it is the licensed copy after all; the record tells.
    """

    sample_id: str
    output: str
    psnr: float | None
    psnr_before: float | None
    exact: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Delivered:
    """The files of a release as they were delivered.

    Args:
        place: their folder, or one file.

    Raises:
        InputError: there is no such folder, or no image in it.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._items = suspect_items(place)
        self._by_output = {item.output: item for item in self._items}
        self._by_stem: dict[str, list[Item]] = {}
        for item in self._items:
            self._by_stem.setdefault(Path(item.path).stem, []).append(item)

    def candidates(self, item: Item) -> list[Item]:
        """The files that this one may come from: of the same path, else of the same
        name, else the only one there is. Suffixes don't count."""
        same = self._by_output.get(item.output)
        if same is not None:
            return [same]
        named = self._by_stem.get(Path(item.path).stem, [])
        if named:
            return named
        return self._items if len(self._items) == 1 else []


def by_record(edited: Raster, way: Reversal) -> np.ndarray:
    """Samples near W's, by what the record tells.

    Args:
        edited: an image of P's size.
        way: back from P.

    Raises:
        EditedImageError: the change isn't there any more.
    """
    colours = edited.colour_channels
    if isinstance(way, ByPattern) and _share(edited, way.offset) < LEAST_SHARE:
        raise EditedImageError(
            "What was added to protect this image can't be found in it: it was "
            "cropped, scaled or changed too much for an approximation. Of a crop, "
            "give the release as it was delivered as well (--records)"
        )
    return way.approximate(edited.samples, colours)


def by_delivered(
    edited: Raster, protected: Raster, licensed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Samples near W's, by P and W themselves.

    Where P has an alpha channel and the edited image has none, they are compared and
    approximated as they look without it, or on a plain background.

    Args:
        edited: made from P, maybe a part of it.
        protected: P.
        licensed: W's samples.

    Returns:
        The samples, and W's in the same place and depth.

    Raises:
        EditedImageError: they don't match.
    """
    colours = edited.colour_channels
    if colours != protected.colour_channels:
        raise EditedImageError(
            "The file and the one as delivered aren't both gray or both in colour, so "
            "the change can't be taken off; convert it back first"
        )
    _require_room(edited, protected)
    if protected.has_alpha and not edited.has_alpha:
        protected, licensed = _without_alpha(edited, protected, licensed)
    part = _place(edited, protected)
    before = _in_range(protected.samples[part], protected, edited)[..., :colours]
    truth = _in_range(licensed[part], protected, edited)
    wide = edited.samples[..., :colours].astype(np.int32)
    wide += truth[..., :colours].astype(np.int32) - before
    samples = edited.samples.copy()
    samples[..., :colours] = wide.clip(0, edited.peak)
    return samples, truth


def measured(
    item: Item,
    edited: Raster,
    samples: np.ndarray,
    truth: np.ndarray | None,
    *,
    exact: bool = False,
) -> Approximation:
    """How close an approximation came.

    Args:
        item: what it was made from.
        edited: its pixels as they were.
        samples: the approximation.
        truth: W's samples, or None.
        exact: whether the record vouches for the approximation.
    """
    output = item.output + SUFFIX
    if truth is None:
        return Approximation(item.sample_id, output, None, None, exact)
    colours = edited.colour_channels
    return Approximation(
        item.sample_id,
        output,
        round(psnr(truth, samples, colours, edited.peak), 2),
        round(psnr(truth, edited.samples, colours, edited.peak), 2),
        exact,
    )


def described(approximations: Sequence[Approximation]) -> str:
    """How many images are only approximate, and how close they came, in words.

    Returns:
        Sentences, or nothing where there are none.
    """
    if not approximations:
        return ""
    said = [
        f"{_images(len(approximations), 'is', 'are')} only approximate "
        f"(*{SUFFIX}, without a record)"
    ]
    itself = sum(one.exact for one in approximations)
    if itself:
        said.append(
            f"{_images(itself, 'is', 'are')} the licensed copy itself, which the "
            "record holds; edits are gone"
        )
    known = [one for one in approximations if one.psnr is not None and not one.exact]
    if known:
        after = sum(one.psnr or 0.0 for one in known) / len(known)
        before = sum(one.psnr_before or 0.0 for one in known) / len(known)
        said.append(
            f"PSNR against the licensed copy is {after:.1f} dB, without the "
            f"approximation {before:.1f} dB (mean of {len(known)})"
        )
    unknown = sum(one.psnr is None for one in approximations)
    if unknown:
        said.append(
            f"how close {_images(unknown, 'is', 'are')} can't be known without the "
            "release as delivered (--records)"
        )
    return "; ".join(said)


def _images(count: int, one: str, several: str) -> str:
    return f"{count} image {one}" if count == 1 else f"{count} images {several}"


def _require_room(edited: Raster, protected: Raster) -> None:
    size = f"{edited.width} x {edited.height}"
    if edited.height > protected.height or edited.width > protected.width:
        raise EditedImageError(
            f"The file has {size} pixels, the one as delivered {protected.width} x "
            f"{protected.height}: only what has its size or was cut out of it can be "
            "approximated"
        )


def _without_alpha(
    edited: Raster, protected: Raster, licensed: np.ndarray
) -> tuple[Raster, np.ndarray]:
    """P and W as they look like the edited image most: alpha dropped, or on white, on
    black or, if it wasn't cropped, on the background that fits best."""
    colours = protected.colour_channels
    samples = protected.samples
    seen = luma(edited.samples, colours, edited.peak)
    views = [np.ascontiguousarray(samples[..., :colours])]
    backgrounds: list[np.ndarray | float | None] = [None]
    for background in (0.0, float(protected.peak), _background(edited, protected)):
        if background is not None:
            views.append(alpha.flattened(samples, colours, background))
            backgrounds.append(background)
    fits = [
        template_matching.find(seen, luma(view, colours, protected.peak)).correlation
        for view in views
    ]
    best = int(np.argmax(fits))
    chosen = backgrounds[best]
    if chosen is None:
        like = np.ascontiguousarray(licensed[..., :colours])
    else:
        like = alpha.flattened(licensed, colours, chosen)
    return protected.with_samples(views[best]), like


def _background(edited: Raster, protected: Raster) -> np.ndarray | None:
    """The plain colour on which P looks like an image of its size, by least squares.

    Returns:
        ``(colours,)`` float32 in P's samples; None where there is no such size, or
        nothing of a background to be seen.
    """
    colours = protected.colour_channels
    opacity = alpha.opacity(protected.samples, colours)
    size = edited.samples.shape[:2]
    if opacity is None or size != protected.samples.shape[:2]:
        return None
    rest = (1 - opacity)[..., None]
    like = _in_range(edited.samples, edited, protected)
    behind = like - opacity[..., None] * protected.samples[..., :colours]
    return (rest * behind).sum(axis=(0, 1)) / np.square(rest).sum()


def _place(edited: Raster, protected: Raster) -> tuple[slice, slice]:
    views = [
        luma(one.samples, one.colour_channels, one.peak) for one in (edited, protected)
    ]
    found = template_matching.find(*views)
    if found.correlation < LEAST_CORRELATION and not _mostly_alike(*views):
        raise EditedImageError(
            f"The file doesn't match the one as delivered (correlation "
            f"{max(0.0, found.correlation):.2f} at best, {LEAST_CORRELATION} is "
            "needed): it is another image, or was scaled, turned, laid on a background "
            "that isn't plain or changed too much"
        )
    return (
        slice(found.top, found.top + edited.height),
        slice(found.left, found.left + edited.width),
    )


def _mostly_alike(edited: np.ndarray, protected: np.ndarray) -> bool:
    if edited.shape != protected.shape:
        return False
    apart = np.abs(edited - protected)
    kept = apart <= np.quantile(apart, 1 - DRAWN_OVER)
    error = float(np.square(apart[kept]).mean())
    if error <= 255**2 / 10 ** (LEAST_PSNR / 10):
        return True
    if not edited[kept].std() or not protected[kept].std():
        return False
    correlation = np.corrcoef(edited[kept], protected[kept])[0, 1]
    return bool(correlation >= LEAST_CORRELATION)


def _in_range(samples: np.ndarray, own: Raster, other: Raster) -> np.ndarray:
    """Samples of one image in another's type and range."""
    if samples.dtype == other.samples.dtype:
        return samples
    wide = samples.astype(np.int64) * other.peak + own.peak // 2
    return (wide // own.peak).astype(other.samples.dtype)


def _share(edited: Raster, offset: np.ndarray) -> float:
    """How much of a pattern is in an image: about 1 in P, about 0 in others.

    From steps between neighbours that the pattern has a part in. Steep ones, the
    image's own edges, would drown it, so they are left out.
    """
    colours = edited.colour_channels
    unit = offsets.unit(edited.peak)
    product, energy = 0.0, 0.0
    for channel in range(colours):
        image = edited.samples[..., channel].astype(np.float32) / unit
        pattern = offset[..., min(channel, offset.shape[2] - 1)].astype(np.float32)
        for axis in (0, 1):
            seen, made = np.diff(image, axis=axis), np.diff(pattern, axis=axis)
            used = (made != 0) & (np.abs(seen - made / 2) <= _STEEPEST)
            product += float(seen[used] @ made[used])
            energy += float(made[used] @ made[used])
    return product / energy if energy else 1.0
