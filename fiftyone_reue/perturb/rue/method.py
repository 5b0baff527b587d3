"""RUE: what networks learn first says the class, and nothing of the picture.

After Wang et al., "Reversible Unlearnable Examples", IEEE TCSVT 36(3), 2026
(arXiv:2608.06211). Three methods are here:

``rue``, our default. Photographs have their own texture made stronger in bands that
tell the class (:mod:`fiftyone_reue.perturb.rue.bands`), in two steps that can be told
again from the result (:mod:`fiftyone_reue.perturb.rue.emphasis`); images with fewer
than ``bands.SHORTEST`` pixels a side have too few regions for that, and get the
gratings. Both come from the key alone: nothing is fitted, nothing is waited for, and
images added later are protected alike.

``rue_gratings``, what ``rue`` was before: keyed stripes, one kind a class
(:mod:`fiftyone_reue.perturb.gratings`), with a phase of its own for every sample.
Fitting them further is there as an option (:class:`RueConfig`);
``benchmarks/results/rue_ablation.md`` shows what each part of it is worth. Stripes are
found in photographs by a filter of five lines, so it is there to be measured against.

``rue_published``, as the paper has it: class-wise noise, fitted by alternating a
surrogate's cross-entropy step with a step on the noise that lowers the mutual
information between the model's input and output
(:mod:`fiftyone_reue.perturb.rue.information`). The cross-entropy of the perturbed
images is kept beside it (Huang et al., ICLR 2021, arXiv:2101.04898), which makes the
common output the class itself and so gives the surrogate nothing to learn.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import (
    Expander,
    ExpandingMethod,
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    SteppedMethod,
    class_index,
    eight_bit,
    for_colours,
)
from fiftyone_reue.perturb.class_map import ClassMap
from fiftyone_reue.perturb.gratings import CELLS, grating_tables
from fiftyone_reue.perturb.rue.bands import BLOCK, SHORTEST, BandsConfig, class_bands
from fiftyone_reue.perturb.rue.by_region import VERSION as REGIONS
from fiftyone_reue.perturb.rue.by_region import ByRegion
from fiftyone_reue.perturb.rue.config import RueConfig
from fiftyone_reue.perturb.rue.emphasis import STEPS, Emphasis, band_pattern
from fiftyone_reue.perturb.rue.expansion import Expansion
from fiftyone_reue.perturb.rue.shades import VERSION as SHADES
from fiftyone_reue.perturb.rue.shades import Shades
from fiftyone_reue.perturb.rue.surroundings import FORMS, Surroundings
from fiftyone_reue.perturb.rue.variety import vary
from fiftyone_reue.prf import derive

PAPER = "Wang et al., IEEE TCSVT 2026, arXiv:2608.06211"

OLD_REACH = 2
"""Of states made before they said themselves how far their tables are rolled."""


class ReversibleUnlearnableGratings(Method):
    """Class tables from the key, fitted further where configured; see the module."""

    info = MethodInfo(
        name="rue_gratings",
        title="RUE before: keyed class gratings",
        paper=PAPER,
        needs_fit=False,
        uses_gpu=False,
        cost="nothing to fit",
        variety="class and sample",
        least_classes=2,
    )
    Config = RueConfig

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Make the tables, and fit them if configured; see :class:`Method`."""
        started = time.monotonic()
        config = self.config
        _require_classes(data.classes)
        training = options.training("rue")
        tables = starting_tables(config, data, options.amplitude, training.seed)
        figures: dict[str, Any] = {"reach": config.reach, "flips": config.flips}
        if config.rounds:
            from fiftyone_reue.networks.device import few_threads
            from fiftyone_reue.perturb.rue.fit import fit_tables

            steps = fit_tables(data, tables, config, options.amplitude, training)
            with few_threads():
                tables, measured = yield from steps
            figures |= measured
        figures["seconds"] = round(time.monotonic() - started, 1)
        figures["images"] = len(data.images)
        yield 1.0
        return State(self.info.name, data.classes, {"tables": tables}, figures)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """A variant of the class's table, flipped and rolled by the key."""
        return _table_pattern(state, image, label, sample_key)


class ReversibleUnlearnable(SteppedMethod, ExpandingMethod):
    """A picture's own texture in its class's bands; see the module.

    Example:
        >>> data = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0), ("a", "b"))
        >>> method = ReversibleUnlearnable()
        >>> steps = method.fit(data, FitOptions(amplitude=6, seed=1, key=bytes(32)))
        >>> state = finish(steps)
        >>> image = np.zeros((300, 400, 3), np.uint8)
        >>> method.pattern(state, image, "a", bytes(32)).shape
        (150, 200, 1)
    """

    info = MethodInfo(
        name="rue",
        title="RUE: keyed bands of an image's own texture",
        paper=PAPER,
        needs_fit=False,
        uses_gpu=False,
        cost="nothing to fit",
        variety="class and sample",
        least_classes=2,
        regions=True,
    )
    Config = BandsConfig
    steps = STEPS

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Draw the classes' bands and, for small images, gratings."""
        started = time.monotonic()
        _require_classes(data.classes)
        secret = derive(options.key, "rue-bands", str(options.seed))
        bands = class_bands(len(data.classes), secret)
        config, gratings = RueConfig(), options.secret_seed("rue")
        arrays = {
            "bands": bands,
            "amplitude": np.array(options.amplitude),
            "tables": starting_tables(config, data, options.amplitude, gratings),
        }
        figures = {
            "reach": config.reach,
            "flips": config.flips,
            "seconds": round(time.monotonic() - started, 1),
            "images": len(data.images),
        }
        yield 1.0
        return State(self.info.name, data.classes, arrays, figures)

    def identity(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Fits from before there were bands aren't taken for new releases."""
        return ("bands", *super().identity(classes))

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """The image's bands, or a grating where it is small.

        A state from before there were bands gives gratings at every size, so that a
        release that was begun with it goes on with it.
        """
        if not _has_bands(state, image.shape[:2]):
            return _table_pattern(state, image, label, sample_key)
        return band_pattern(
            eight_bit(image), *_banded(state, label, sample_key), self.config
        )

    def secret(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> bytes | None:
        """Amplitude, gain and bands, and a key; see :class:`SteppedMethod`."""
        if not _has_bands(state, image.shape[:2]):
            return None
        made = self._bands(Emphasis, state, eight_bit(image), label, sample_key)
        return made.pack()

    def block_secret(
        self,
        state: State,
        image: np.ndarray,
        sides: tuple[int, int],
        label: str,
        sample_key: bytes,
    ) -> bytes | None:
        """The same for a JPEG's blocks; see :class:`SteppedMethod`."""
        if not _has_bands(state, sides) or not self.config.expand:
            return None
        return self._bands(Surroundings, state, image, label, sample_key).pack()

    def _bands(
        self,
        kind: type[Emphasis] | type[Surroundings],
        state: State,
        image: np.ndarray,
        label: str,
        sample_key: bytes,
    ) -> Emphasis | Surroundings | ByRegion:
        """What adds its bands to this image."""
        banded = _banded(state, label, sample_key)
        return kind.of(image, *banded, self.config)

    def step(self, secret: bytes, number: int, image: np.ndarray) -> np.ndarray:
        """Half of the image's bands, told from the other half."""
        return _stepper(secret, image).step(number, eight_bit(image))

    def likely(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """The bands, told from what both steps made; see :class:`SteppedMethod`."""
        return _stepper(secret, image).likely(eight_bit(image))

    def expander(self, expansion: bytes) -> Expander:
        """Of blocks or of their shades; see :class:`ExpandingMethod`."""
        kind = Shades if expansion[:1] == bytes([SHADES]) else Expansion
        return kind.unpack(expansion)

    def by_region(self, regions: ClassMap) -> ReversibleUnlearnable:
        """Each region in its own class's bands; see :class:`Method`."""
        return _OfRegions(self.config, regions)


class _OfRegions(ReversibleUnlearnable):
    """``rue`` for one image, of which it knows where which class is."""

    def __init__(self, config: BandsConfig, regions: ClassMap) -> None:
        super().__init__(config)
        self._regions = regions

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """As :meth:`ReversibleUnlearnable.pattern`, one value a pixel."""
        if _has_bands(state, image.shape[:2]):
            whole = eight_bit(image)
            found = self._bands(Emphasis, state, whole, label, sample_key)
            return found.pattern(whole)
        made = np.zeros((*image.shape[:2], 1), np.int8)
        places = self._regions.fields(BLOCK).repeat(BLOCK, 0).repeat(BLOCK, 1)
        for number, name in enumerate(self._regions.names, start=1):
            here = places[: image.shape[0], : image.shape[1], None] == number
            whole = _table_pattern(state, image, name, sample_key)
            np.copyto(made, expand(whole, *image.shape[:2]), where=here)
        return made

    def _bands(
        self,
        kind: type[Emphasis] | type[Surroundings],
        state: State,
        image: np.ndarray,
        label: str,
        sample_key: bytes,
    ) -> ByRegion:
        """Of each class what one class has, and the map."""
        bands = [
            state.arrays["bands"][class_index(state, name)]
            for name in self._regions.names
        ]
        amplitude, key = int(state.arrays["amplitude"]), derive(sample_key, "bands")
        return ByRegion.of(
            kind, image, self._regions, tuple(bands), amplitude, key, self.config
        )


class ReversibleUnlearnablePublished(ReversibleUnlearnableGratings):
    """RUE as in its paper, to be measured against; see the module."""

    info = MethodInfo(
        name="rue_published",
        title="RUE as published: class tables by mutual information",
        paper=PAPER,
        needs_fit=True,
        uses_gpu=True,
        cost="a few minutes on two cores, seconds on a GPU",
    )

    def __init__(self, config: RueConfig | None = None) -> None:
        super().__init__(config or RueConfig.published())


def starting_tables(
    config: RueConfig, data: FitData, amplitude: int, seed: int
) -> np.ndarray:
    """What the tables are before any fit.

    Args:
        config: its ``start``, ``variants``, ``colours``, and sides.
        data: its classes, and the images' side where the tables will be fitted.
        amplitude: gray levels.
        seed: secret.

    Returns:
        ``(classes, variants, side, side, colours)`` int8.

    Raises:
        InputError: there is no such start, or there are too many classes for it.
    """
    generator = np.random.default_rng(seed)
    side = data.images.shape[1] // config.cell if config.rounds else CELLS
    classes = len(data.classes)
    if config.start == "gratings":
        return grating_tables(classes, config.variants, amplitude, generator, side)
    if config.start == "random":
        shape = (classes, config.variants, side, side, config.colours)
        return generator.integers(-amplitude, amplitude + 1, shape, np.int8)
    raise InputError(
        f"Tables can't begin as {config.start!r}; choose gratings or random"
    )


def _stepper(secret: bytes, image: np.ndarray) -> Emphasis | Surroundings | ByRegion:
    if secret[:1] == bytes([REGIONS]):
        return ByRegion.unpack(secret, *image.shape[:2])
    kind = Surroundings if secret and secret[0] in FORMS else Emphasis
    return kind.unpack(secret)


def _has_bands(state: State, sides: tuple[int, ...]) -> bool:
    return "bands" in state.arrays and min(sides) >= SHORTEST


def _banded(
    state: State, label: str, sample_key: bytes
) -> tuple[np.ndarray, int, bytes]:
    """A sample's bands, amplitude and key."""
    return (
        state.arrays["bands"][class_index(state, label)],
        int(state.arrays["amplitude"]),
        derive(sample_key, "bands"),
    )


def _table_pattern(
    state: State, image: np.ndarray, label: str, sample_key: bytes
) -> np.ndarray:
    variants = state.tables[class_index(state, label)]
    pattern = vary(
        variants,
        sample_key,
        state.summary.get("reach", OLD_REACH),
        flips=state.summary.get("flips", True),
    )
    # Smaller images get a part of the tile: its stripes would alias otherwise.
    height, width, colours = image.shape
    return for_colours(pattern[:height, :width], colours)


def _require_classes(classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise InputError(
            f"Only one class, {classes[0]!r}, is there; at least two classes are "
            "needed for a classifier to be misled"
        )
