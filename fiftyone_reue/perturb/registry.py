"""The methods by name."""

from __future__ import annotations

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.ar import Autoregressive, AutoregressiveL2
from fiftyone_reue.perturb.base import Method, MethodInfo
from fiftyone_reue.perturb.cuda import ConvolutionBased
from fiftyone_reue.perturb.deep_hiding import DeepHiding, DeepHidingUnbounded
from fiftyone_reue.perturb.em import ErrorMinimising, ErrorMinimisingClassWise
from fiftyone_reue.perturb.lsp import LinearlySeparable
from fiftyone_reue.perturb.mi_ue import MutualInformation
from fiftyone_reue.perturb.ops import OnePixelShortcut
from fiftyone_reue.perturb.pil import PerturbationInducedLinearization
from fiftyone_reue.perturb.raeg import Raeg
from fiftyone_reue.perturb.rue import (
    ReversibleUnlearnable,
    ReversibleUnlearnableGratings,
    ReversibleUnlearnablePublished,
)
from fiftyone_reue.perturb.tap import TargetedPoisoning

DEFAULT_METHOD = "rue"

_METHODS: dict[str, type[Method]] = {
    method.info.name: method
    for method in (
        ReversibleUnlearnable,
        ReversibleUnlearnableGratings,
        ReversibleUnlearnablePublished,
        DeepHiding,
        Raeg,
        ErrorMinimisingClassWise,
        ErrorMinimising,
        MutualInformation,
        TargetedPoisoning,
        PerturbationInducedLinearization,
        LinearlySeparable,
        Autoregressive,
        AutoregressiveL2,
        OnePixelShortcut,
        ConvolutionBased,
        DeepHidingUnbounded,
    )
}


def list_methods(*, releasable: bool = False) -> list[MethodInfo]:
    """Every method's description, the default one first.

    Args:
        releasable: leave out those that only exist to be measured against.
    """
    infos = [method.info for method in _METHODS.values()]
    return [info for info in infos if info.bounded or not releasable]


def create_method(name: str, *, published: bool = False) -> Method:
    """The method of that name.

    Args:
        name: a name from :func:`list_methods`.
        published: at its paper's expense; see :meth:`Method.as_published`.

    Raises:
        InputError: there is none; the message lists those that exist.
    """
    if name not in _METHODS:
        raise InputError(
            f"There is no method {name!r}; choose one of {', '.join(sorted(_METHODS))}"
        )
    method = _METHODS[name]
    return method.as_published() if published else method()
