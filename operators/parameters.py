"""One dataclass an operator for its parameters: of form, call and execution."""

from __future__ import annotations

import asyncio
import difflib
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any, TypeVar

import fiftyone as fo
import fiftyone.core.collections as foc
import fiftyone.operators as foo

from fiftyone_reue.errors import InputError
from fiftyone_reue.names.display import printable

from . import background, plainly
from .confirming import CODE, PERMIT

P = TypeVar("P")
Call = TypeVar("Call", bound=Callable[..., Any])

_TEXTS = ("str", "str | None", str, str | None)
"""How a dataclass says so, with annotations evaluated or not."""


def read(kind: type[P], params: Mapping[str, Any]) -> P:
    """Make a parameter dataclass from an operator's parameters.

    Defaults shown in a form are absent in a call from Python, so they live in the
    dataclass; what is empty counts as absent.

    Raises:
        InputError: one without a default is missing, or one that is a text isn't.
    """
    known = fields(kind)  # type: ignore[arg-type]
    given = {f.name: params.get(f.name) for f in known}
    present = {name: value for name, value in given.items() if value not in (None, "")}
    for field in known:
        needed = field.default is MISSING and field.default_factory is MISSING
        if field.name not in present and needed:
            raise InputError(f"Say which {field.name.replace('_', ' ')} to use")
        if field.name in present and field.type in _TEXTS:
            present[field.name] = text_of(field.name, present[field.name])
    return kind(**present)


def text_of(name: str, value: Any) -> str:
    """A parameter that is a text, or a path.

    Raises:
        InputError: it is neither.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise InputError(f"{name.replace('_', ' ')} is {value!r}; give one text")
    return text


_ALWAYS_KNOWN = (CODE, PERMIT, "view_target", "custom_view_target")
"""What FiftyOne or a confirmation adds to an operator's own parameters."""

_BESIDE = {
    "delegate": "request_delegation=True",
    "delegation_target": "delegation_target",
}
"""What is no parameter of an operator, but given beside them, and how."""


def require_known(ctx: Any, kind: type, fields_of_form: Iterable[str] = ()) -> None:
    """Refuse parameters from Python that nothing would read, such as misspelt ones.

    The App gives more of them, such as those of buttons and of fields that a form had
    before another choice; and what a job is given was looked at before it was queued.

    Args:
        ctx: of the execution.
        kind: the operator's dataclass.
        fields_of_form: what its form has beside that.

    Raises:
        InputError: names the unknown and the nearest of those that there are.
    """
    if background.asked_by_page(ctx) or ctx.delegated:
        return
    own = [field.name for field in fields(kind)]
    known = {*own, *fields_of_form, *_ALWAYS_KNOWN}
    unknown = [name for name in ctx.params if name not in known]
    for name in unknown:
        if name in _BESIDE:
            beside = _BESIDE[name]
            raise InputError(
                f"{name} is no parameter of the operator's; give execute_operator "
                f"{beside} beside params"
            )
    _refuse(unknown, own)


def from_python(kind: type) -> Callable[[Call], Call]:
    """Have an operator's ``__call__`` say what of its arguments it doesn't know.

    Args:
        kind: the operator's dataclass, whose fields are taken too where it has
            ``**settings``.
    """

    def decorate(called: Call) -> Call:
        taken = list(inspect.signature(called).parameters.values())[1:]
        known = [p.name for p in taken if p.kind is not p.VAR_KEYWORD]
        if len(known) < len(taken):
            known += [f.name for f in fields(kind) if f.name not in known]

        @functools.wraps(called)
        def checked(*args: Any, **named: Any) -> Any:
            _refuse([name for name in named if name not in known], known)
            return called(*args, **named)

        return checked  # type: ignore[return-value]

    return decorate


def _refuse(unknown: list[str], known: list[str]) -> None:
    """Say of unknown parameters, if any, which are meant.

    Raises:
        InputError: there are some.
    """
    said = []
    for name in unknown:
        near = difflib.get_close_matches(str(name), known, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there are: {_listed(known)}"
        said.append(f"There is no parameter {printable(name)!r}; {meant}")
    if said:
        raise InputError("\n".join(said))


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def call(
    uri: str,
    samples: foc.SampleCollection | None,
    parameters: Any,
    *,
    delegate: bool = False,
    delegation_target: str | None = None,
    confirms: str | None = None,
) -> Any:
    """Execute an operator from Python.

    Who runs Python with the owner key needs no code from elsewhere, and gets one; no
    request to the App's server comes this way.

    Args:
        uri: the operator's.
        samples: a dataset or view to execute it on, or None.
        parameters: the operator's dataclass.
        delegate: whether to schedule it for a delegated worker.
        delegation_target: an orchestrator, where there are several.
        confirms: the operator's name, if it asks for a confirmation code.

    Returns:
        What :func:`fiftyone.operators.execute_operator` returns.

    Raises:
        ExecutionError: begins with what a person has to do; see
            :mod:`operators.plainly`.
    """
    from fiftyone_reue.samples import confirmation_code

    context: dict[str, Any] = {}
    if isinstance(samples, fo.DatasetView):
        context["view"] = samples
    elif samples is not None:
        context["dataset"] = samples
    given = {k: v for k, v in asdict(parameters).items() if v is not None}
    if confirms is not None:
        given[CODE] = confirmation_code(confirms)
    names = [field.name for field in fields(parameters)]
    with plainly.raised(names):
        result = foo.execute_operator(
            uri,
            context,
            params=given,
            request_delegation=delegate,
            delegation_target=delegation_target,
        )
    if isinstance(result, asyncio.Task):
        return plainly.awaited(result, names)
    return result
