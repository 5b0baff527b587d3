"""The countermeasures by name, in the order of tables."""

from __future__ import annotations

from fiftyone_reue.auditing.countermeasures.adversarial_training import (
    AdversarialTraining,
)
from fiftyone_reue.auditing.countermeasures.base import (
    Countermeasure,
    CountermeasureInfo,
)
from fiftyone_reue.auditing.countermeasures.bit_depth import BIT_DEPTH
from fiftyone_reue.auditing.countermeasures.class_average import ClassAverage
from fiftyone_reue.auditing.countermeasures.cosine_shrinkage import CosineShrinkage
from fiftyone_reue.auditing.countermeasures.crop import RandomResizedCrop
from fiftyone_reue.auditing.countermeasures.cutmix import CutMix
from fiftyone_reue.auditing.countermeasures.cutout import Cutout
from fiftyone_reue.auditing.countermeasures.denoising import Denoiser
from fiftyone_reue.auditing.countermeasures.diffusion import Diffusion
from fiftyone_reue.auditing.countermeasures.dilution import CleanAlone, Dilution
from fiftyone_reue.auditing.countermeasures.dvae import DVae
from fiftyone_reue.auditing.countermeasures.early_stopping import EarlyStopping
from fiftyone_reue.auditing.countermeasures.gaussian_blur import FixedBlur, GaussianBlur
from fiftyone_reue.auditing.countermeasures.gaussian_noise import GaussianNoise
from fiftyone_reue.auditing.countermeasures.grayscale import Grayscale
from fiftyone_reue.auditing.countermeasures.jpeg import JPEG
from fiftyone_reue.auditing.countermeasures.line_filter import LineFilter
from fiftyone_reue.auditing.countermeasures.line_medians import LineMedians
from fiftyone_reue.auditing.countermeasures.matched_filter import MatchedFilter
from fiftyone_reue.auditing.countermeasures.median_blur import MedianBlur
from fiftyone_reue.auditing.countermeasures.mixup import MixUp
from fiftyone_reue.auditing.countermeasures.network_reversed import NetworkReversed
from fiftyone_reue.auditing.countermeasures.none import NoCountermeasure
from fiftyone_reue.auditing.countermeasures.orthogonal_projection import (
    OrthogonalProjection,
)
from fiftyone_reue.auditing.countermeasures.pair_leak import PairLeak
from fiftyone_reue.auditing.countermeasures.partial_protection import PartialProtection
from fiftyone_reue.auditing.countermeasures.rand_augment import RandAugment
from fiftyone_reue.auditing.countermeasures.resize import Resize
from fiftyone_reue.auditing.countermeasures.rotation import Rotation
from fiftyone_reue.auditing.countermeasures.self_supervised import SelfSupervised
from fiftyone_reue.auditing.countermeasures.ueraser import UEraser, UEraserMax
from fiftyone_reue.auditing.countermeasures.warping import Warping
from fiftyone_reue.errors import InputError

_COUNTERMEASURES: dict[str, Countermeasure] = {
    entry.info.name: entry
    for entry in (
        NoCountermeasure(),
        # filters
        Grayscale(),
        *JPEG,
        BIT_DEPTH,
        GaussianBlur(),
        MedianBlur(),
        Resize(),
        FixedBlur(1),
        FixedBlur(2),
        LineMedians(),
        CosineShrinkage(),
        LineFilter(),
        NetworkReversed(),
        GaussianNoise(),
        Warping(),
        # augmentations
        RandomResizedCrop(),
        Rotation(),
        Cutout(),
        CutMix(),
        MixUp(),
        RandAugment(),
        UEraser(),
        UEraserMax(),
        # the training
        AdversarialTraining(2),
        AdversarialTraining(4),
        AdversarialTraining(8),
        EarlyStopping(),
        SelfSupervised(),
        # purification
        ClassAverage(),
        OrthogonalProjection(),
        DVae(),
        DVae(reconstruct=True),
        Denoiser(),
        MatchedFilter(),
        Diffusion(),
        # more than the protected images
        PairLeak(100),
        PairLeak(500),
        PartialProtection(80),
        CleanAlone(500),
        Dilution(500),
        Dilution(1000),
        Dilution(4000),
    )
}


def list_countermeasures() -> list[CountermeasureInfo]:
    """Every countermeasure's description, "none" first."""
    return [entry.info for entry in _COUNTERMEASURES.values()]


def create_countermeasure(name: str) -> Countermeasure:
    """The countermeasure of that name.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    if name not in _COUNTERMEASURES:
        known = ", ".join(_COUNTERMEASURES)
        raise InputError(f"There is no countermeasure {name!r}; choose one of {known}")
    return _COUNTERMEASURES[name]
