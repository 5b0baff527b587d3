"""How well each method held where it was measured: what its page's tables say.

``tests/perturb/test_strength.py`` compares every figure with these tables.
"""

from __future__ import annotations

from dataclasses import dataclass

PHOTOGRAPHS = "docs/rue.md"
SMALL = "benchmarks/results/unlearnability_cifar10_quick.md"
IN_JPEG = "benchmarks/results/jpeg_victims.md"
"""Where the figures are from."""

_ORIGINALS = {PHOTOGRAPHS: 71.7, SMALL: 49.4}
_IMAGES = {
    PHOTOGRAPHS: "Photographs of 128 pixels, ten classes, largest change 8",
    SMALL: "CIFAR-10 (32 pixels, ten classes), largest change 8",
}


@dataclass(frozen=True)
class Strength:
    """What a network learned of a method's copies: its accuracy on originals in %.

    Attributes:
        table: the file that it is from.
        usual: after usual training.
        filtered: the worst of simple filters, such as grayscale and strong JPEG.
        adversarial: after adversarial training, or None if it wasn't measured.
        matched: of a thief who has this package and the labels; likewise.
    """

    table: str
    usual: float
    filtered: float
    adversarial: float | None = None
    matched: float | None = None

    def text(self) -> str:
        """The figures in sentences."""
        found = [
            f"{self.usual:g} % after usual training",
            f"up to {self.filtered:g} % behind simple filters",
        ]
        if self.matched is not None:
            found.append(
                f"{self.matched:g} % of a thief who has this package and your labels"
            )
        if self.adversarial is not None:
            found.append(f"{self.adversarial:g} % after adversarial training")
        return (
            f"{_IMAGES[self.table]}: trained on copies, a small network got so many "
            f"clean images right: {', '.join(found)}. Trained on originals "
            f"{_ORIGINALS[self.table]:g} %, by guessing 10 %."
        )


_MEASURED = {
    "rue": Strength(PHOTOGRAPHS, 16.5, 29.9, 60.6, 32.0),
    "rue_gratings": Strength(PHOTOGRAPHS, 26.4, 70.8, None, 72.4),
    "rue_published": Strength(PHOTOGRAPHS, 20.0, 68.0),
    "deep_hiding": Strength(PHOTOGRAPHS, 18.3, 50.3),
    "raeg": Strength(SMALL, 42.6, 41.9, 36.6),
    "em_class": Strength(SMALL, 10.4, 47.6, 38.4),
    "em": Strength(SMALL, 27.2, 44.1, 39.4),
    "mi_ue": Strength(SMALL, 38.4, 47.1, 40.4),
    "tap": Strength(SMALL, 38.7, 44.6, 39.0),
    "pil": Strength(SMALL, 43.2, 45.7, 39.3),
    "lsp": Strength(SMALL, 45.9, 46.7, 39.2),
    "ops": Strength(SMALL, 47.9, 48.2, 38.5),
}


@dataclass(frozen=True)
class InJpeg:
    """What a network learned of copies that a JPEG's coefficients carry, in %.

    Each number is of files of 224 pixels that were reduced to 128, and stands beside
    what the originals gave.

    Attributes:
        usual: after usual training.
        crops: with random resized crops.
        jpeg_50: behind JPEG-50.
        jpeg_10: behind JPEG-10.
    """

    usual: tuple[float, float]
    crops: tuple[float, float]
    jpeg_50: tuple[float, float]
    jpeg_10: tuple[float, float]

    def text(self) -> str:
        """The figures in a sentence."""
        return (
            "In JPEG files it changes whole blocks and holds less: of files of 224 "
            "pixels that were reduced to 128 a network got "
            f"{self.usual[0]:g} % right (originals {self.usual[1]:g} %), with random "
            f"crops {self.crops[0]:g} % (of {self.crops[1]:g} %), behind JPEG-50 "
            f"{self.jpeg_50[0]:g} % and behind JPEG-10 {self.jpeg_10[0]:g} %."
        )


_IN_JPEG = {"rue": InJpeg((27.5, 68.3), (32.6, 63.4), (36.7, 69.2), (52.3, 67.8))}


def measured_in_jpeg(method: str) -> InJpeg | None:
    """The same of JPEG files, where a method changes these in another way."""
    return _IN_JPEG.get(method)


def measured_strength(method: str) -> Strength | None:
    """What was measured of a method at the scale of the tables; None if nothing was.

    Args:
        method: a name from :func:`fiftyone_reue.perturb.registry.list_methods`.
    """
    return _MEASURED.get(method)


def strength_text(method: str, *, jpeg: bool = False) -> str:
    """What the tables say of a method, and how to measure it on one's own images.

    Args:
        method: as for :func:`measured_strength`.
        jpeg: whether a JPEG's coefficients carry some of the copies.
    """
    found = measured_strength(method)
    if found is None:
        return (
            f"How well {method} holds is in no table; audit a release of it before you "
            "hand it out."
        )
    other = measured_in_jpeg(method) if jpeg else None
    said = found.text() if other is None else f"{found.text()} {other.text()}"
    return (
        f"{said} Your images and settings give other figures: audit the "
        "release before you hand it out."
    )
