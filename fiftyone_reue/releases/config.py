"""How to protect: the one description that the command line, the App's form and Python
follow; quick to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from fiftyone_reue.batch.engines import ENGINES, LOCAL, MOST_WORKERS
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.options import configured, option, options_of

if TYPE_CHECKING:
    from fiftyone_reue.perturb.base import Method

DEFAULT_METHOD = "rue"
LARGEST_SEED = 2**63 - 1
CARRIERS = ("auto", "pixels")
MOST_CLUSTERS = 1000
"""The centres of more would be too much to keep in the ledger."""


@dataclass(frozen=True)
class ProtectConfig:
    """How to protect.

    Example::

        ProtectConfig(method="deep_hiding", epsilon=6, options={"strength": 2}).check()

    Attributes:
        options: of the method, by name, see
            :func:`fiftyone_reue.method_options`.
    """

    method: str = option(
        DEFAULT_METHOD,
        "How to perturb; `reue list methods` says what there is.",
        label="Method",
    )
    epsilon: int = option(
        8,
        "The largest change of a sample in gray levels, watermark included.",
        least=3,
        most=32,
        label="Largest change (gray levels)",
    )
    seed: int | None = option(
        None,
        "Make the run repeatable with this vault.",
        least=0,
        most=LARGEST_SEED,
        label="Seed",
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 ...", label="Compute on")
    refit: bool = option(
        False, "Fit new tables even if there are some.", label="Fit anew"
    )
    max_pixels: int = option(
        DEFAULT_MAX_PIXELS, "Refuse larger images before decoding them.", least=1
    )
    clusters: int | None = option(
        None,
        "Take so many clusters of images that look alike as the classes.",
        least=2,
        most=MOST_CLUSTERS,
        label="Clusters as classes",
    )
    depth: int | None = option(
        None,
        "How many bits 16-bit files really use; else what a file states or holds.",
        least=8,
        most=16,
        label="Bits of 16-bit images",
    )
    whole_files: bool = option(
        False,
        "Seal every original byte for byte, also where that makes copies much larger.",
        label="Seal every original file whole",
    )
    carrier: str = option(
        "auto",
        "auto keeps each file's kind, so that a JPEG's copies are JPEG files and it "
        "comes back byte for byte; pixels makes PNG files of JPEG files, larger.",
        choices=CARRIERS,
        label="How JPEG files are carried",
    )
    quality: int | None = option(
        None,
        "Perturb each image only as strongly as leaves it an SSIMULACRA2 of at least "
        "this: 85 is hard to see in a flicker test, and teaches more.",
        least=1,
        most=99,
        label="Least visual quality (SSIMULACRA2)",
    )
    whole_images: bool = option(
        False,
        "Of images with boxes or masks, perturb the whole of each by the class that "
        "takes the most of it, with any method, instead of each region by its own.",
        label="Perturb whole images, not their regions",
    )
    measure: bool = option(
        False,
        "Measure the SSIMULACRA2 of every copy, not of a few: 0.1 s each at 224 "
        "pixels, 3 s from a megapixel on.",
        label="Measure how visible every copy is",
    )
    engine: str = option(
        LOCAL,
        "What does the work: local, threads of this process; processes beside it, "
        "quicker from a thousand images on; or ray, the workers of a Ray cluster that "
        "runs (RAY_ADDRESS says where). Copies are the same.",
        choices=ENGINES,
        label="Done by",
    )
    workers: int | None = option(
        None,
        "So many threads, processes or workers on Ray; else one a processor.",
        least=1,
        most=MOST_WORKERS,
        label="Workers",
    )
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, **settings: Any) -> ProtectConfig:
        """From settings that may be text, checked.

        Raises:
            InputError: there is no such setting, or it doesn't take the value.
        """
        options = dict(settings.pop("options", None) or {})
        config = configured(cls(options=options), settings, "Protecting")
        config.check()
        return config

    def check(self) -> None:
        """Raise InputError for what can't be protected with."""
        if not self.perturbation().info.bounded:
            raise InputError(
                f"Method {self.method!r} can't keep within an epsilon; it is there to "
                f"be measured against. Choose another, such as {DEFAULT_METHOD}"
            )
        for one in options_of(type(self)):
            one.read(getattr(self, one.name))

    def perturbation(self) -> Method:
        """The method, with its options.

        Raises:
            InputError: there is no such method, or it doesn't take an option.
        """
        from fiftyone_reue.perturb.registry import create_method

        return create_method(self.method, **self.options)

    @property
    def mark_amplitude(self) -> int:
        """The watermark's share of epsilon."""
        return 2 if self.epsilon >= 6 else 1

    @property
    def perturbation_amplitude(self) -> int:
        """The perturbation's share of epsilon."""
        return self.epsilon - self.mark_amplitude


class ProtectSettings(TypedDict, total=False):
    """:class:`ProtectConfig` as keyword arguments; the same names and types."""

    method: str
    epsilon: int
    seed: int | None
    device: str
    refit: bool
    max_pixels: int
    clusters: int | None
    depth: int | None
    whole_files: bool
    carrier: str
    quality: int | None
    whole_images: bool
    measure: bool
    engine: str
    workers: int | None
    options: Mapping[str, Any]
