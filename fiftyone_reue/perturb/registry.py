"""The methods by name: those of the package, and those that other packages bring.

Another package brings a method with :func:`register_method`, or without being imported
by an entry point of the group ``fiftyone_reue.methods``::

    [project.entry-points."fiftyone_reue.methods"]
    my_method = "my_package.my_method:MyMethod"
"""

from __future__ import annotations

import functools
import inspect
import warnings
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from fiftyone_reue.errors import InputError
from fiftyone_reue.options import Option, configured
from fiftyone_reue.perturb.ar import Autoregressive, AutoregressiveL2
from fiftyone_reue.perturb.base import Method, MethodInfo
from fiftyone_reue.perturb.cuda import ConvolutionBased
from fiftyone_reue.perturb.deep_hiding.method import DeepHiding, DeepHidingUnbounded
from fiftyone_reue.perturb.em.method import ErrorMinimising, ErrorMinimisingClassWise
from fiftyone_reue.perturb.feature_shift.method import FeatureShift
from fiftyone_reue.perturb.lsp import LinearlySeparable
from fiftyone_reue.perturb.mi_ue.method import MutualInformation
from fiftyone_reue.perturb.ops import OnePixelShortcut
from fiftyone_reue.perturb.pil.method import PerturbationInducedLinearization
from fiftyone_reue.perturb.raeg.method import Raeg
from fiftyone_reue.perturb.rue.method import (
    ReversibleUnlearnable,
    ReversibleUnlearnableGratings,
    ReversibleUnlearnablePublished,
)
from fiftyone_reue.perturb.tap.method import TargetedPoisoning

GROUP = "fiftyone_reue.methods"
"""The entry points by which other packages bring methods."""

_METHODS: dict[str, type[Method]] = {
    method.info.name: method
    for method in (
        ReversibleUnlearnable,
        ReversibleUnlearnableGratings,
        ReversibleUnlearnablePublished,
        DeepHiding,
        Raeg,
        FeatureShift,
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
_OURS = frozenset(_METHODS)

AnyMethod = TypeVar("AnyMethod", bound=type[Method])


def list_methods(*, releasable: bool = False) -> list[MethodInfo]:
    """Every method's description, the default one first.

    Example::

        for info in list_methods(releasable=True):
            print(info.name, info.cost)

    Args:
        releasable: leave out those that only exist to be measured against.
    """
    infos = [method.info for method in _known().values()]
    return [info for info in infos if info.bounded or not releasable]


def create_method(name: str, *, published: bool = False, **options: Any) -> Method:
    """The method of that name.

    Example::

        create_method("em", rounds=20, surrogate="resnet18")

    Args:
        name: a name from :func:`list_methods`.
        published: at its paper's expense; see :meth:`Method.as_published`.
        **options: what the method declares, see :func:`method_options`; text is read
            as a person would type it.

    Raises:
        InputError: there is no such method, or it has no such option, or the option
            doesn't take the value; the message lists those that exist.
    """
    kind = _named(name)
    method = kind.as_published() if published else kind()
    if not options:
        return method
    return kind(configured(method.config, options, f"Method {name!r}"))


def method_options(name: str) -> tuple[Option, ...]:
    """What can be set of a method, with what it is if nothing is said.

    Example::

        print([option.name for option in method_options("deep_hiding")])

    Raises:
        InputError: there is no such method.
    """
    kind = _named(name)
    usual = kind().config
    return tuple(
        replace(one, default=getattr(usual, one.name)) for one in kind.options()
    )


def register_method(method: AnyMethod) -> AnyMethod:
    """Make a method known by its ``info.name``; also as a class's decorator.

    Example::

        @register_method
        class Bolder(LinearlySeparable):
            info = replace(LinearlySeparable.info, name="bolder", title="Bolder")

    Restoring needs a registered method again only if it is an
    :class:`~fiftyone_reue.perturb.base.InvertibleMethod` or a
    :class:`~fiftyone_reue.perturb.base.SteppedMethod`.

    Raises:
        InputError: the class is no method, takes other arguments than methods do, or
            its name is taken.
    """
    _check(method)
    name = method.info.name
    if _METHODS.get(name, method) is not method:
        raise InputError(f"There is a method {name!r} already; give yours another name")
    _METHODS[name] = method
    return method


def _named(name: str) -> type[Method]:
    known = _known()
    if name not in known:
        problem = _brought()[1].get(name)
        if problem:
            raise InputError(problem)
        raise InputError(
            f"There is no method {name!r}; choose one of {', '.join(sorted(known))}"
        )
    return known[name]


def _known() -> dict[str, type[Method]]:
    return {**_METHODS, **_brought()[0]}


@functools.cache
def _brought() -> tuple[dict[str, type[Method]], dict[str, str]]:
    """Methods of entry points by name, and what is wrong with those that can't be."""
    found: dict[str, type[Method]] = {}
    problems: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = _loaded(entry)
        except Exception as error:  # whatever another package's code raises
            package = entry.dist.name if entry.dist else "a package"
            problems[entry.name] = (
                f"Method {entry.name!r} of {package} can't be loaded "
                f"({type(error).__name__}: {error})"
            )
            warnings.warn(problems[entry.name], stacklevel=2)
    return found, problems


def _loaded(entry: EntryPoint) -> type[Method]:
    method = entry.load()
    _check(method)
    if method.info.name != entry.name:
        raise InputError(f"it calls itself {method.info.name!r}")
    if entry.name in _OURS:
        raise InputError("the name is taken")
    return method


def _check(method: Any) -> None:
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise InputError(f"{method!r} isn't a subclass of Method")
    if not isinstance(getattr(method, "info", None), MethodInfo):
        raise InputError(f"{method.__name__} has no MethodInfo as its info")
    for function in (method.fit, method.perturb_steps):
        try:
            inspect.signature(function).bind("self", "data", "options")
        except TypeError:
            raise InputError(
                f"{method.__name__}.{function.__name__} doesn't take what it is given; "
                "write it with (self, data: FitData, options: FitOptions)"
            ) from None
