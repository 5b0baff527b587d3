"""One dataclass an operator for its parameters: of form, call and execution."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any, TypeVar

import fiftyone as fo
import fiftyone.core.collections as foc
import fiftyone.operators as foo

from fiftyone_reue.errors import InputError

from .confirming import CODE

P = TypeVar("P")

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
    return foo.execute_operator(
        uri,
        context,
        params=given,
        request_delegation=delegate,
        delegation_target=delegation_target,
    )
