"""Options: a setting's name, kind, default, range and help, said once.

A frozen dataclass declares them as its fields, with :func:`option`. From them follow
the command line's flags, the App's forms and the checks::

    @dataclass(frozen=True)
    class EmConfig:
        rounds: int = option(12, "Alternations at most.", least=1)

    options_of(EmConfig)[0].read("20")      # 20
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from fiftyone_reue.errors import InputError

Config = TypeVar("Config")

KINDS: dict[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "yes or no",
    str: "text",
    Path: "folder",
    tuple[str, ...]: "names",
}
"""What a field's annotation, without ``None``, makes of an option."""

_YES = {"yes": True, "true": True, "1": True, "on": True}
_NO = {"no": False, "false": False, "0": False, "off": False}


@dataclass(frozen=True)
class Option:
    """One setting.

    Attributes:
        name: an identifier.
        kind: one of the values of :data:`KINDS`.
        default: what is taken when nothing is said.
        help: a sentence.
        least: the smallest number that is taken, or None.
        most: the largest, or None.
        choices: the only texts that are taken; empty for any.
        label: a few words for a form.
        optional: whether None is a value as well.
    """

    name: str
    kind: str
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    label: str = ""
    optional: bool = False

    def read(self, value: Any) -> Any:
        """A value as the option's kind; text is understood as a person would type it.

        Raises:
            InputError: it can't be one, or is out of range.
        """
        if value is None and self.optional:
            return None
        try:
            read = _READ[self.kind](value)
        except (TypeError, ValueError):
            raise InputError(
                f"{self.name} is {value!r}; it must be {_A[self.kind]}"
            ) from None
        if self.choices and read not in self.choices:
            raise InputError(
                f"{self.name} is {value!r}; choose one of {', '.join(self.choices)}"
            )
        if not self._within(read):
            raise InputError(
                f"{self.name} is {value!r}, which is out of range; choose "
                f"{self.range()}"
            )
        return read

    def _within(self, number: Any) -> bool:
        if self.least is not None and number < self.least:
            return False
        return self.most is None or number <= self.most

    def range(self) -> str:
        """The range in words; "" without any."""
        if self.least is not None and self.most is not None:
            return f"{self.least} to {self.most}"
        if self.least is not None:
            return f"at least {self.least}"
        return "" if self.most is None else f"at most {self.most}"


def option(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
    label: str = "",
) -> Any:
    """A dataclass's field that is an option; see :class:`Option`."""
    about = {
        "help": help,
        "least": least,
        "most": most,
        "choices": choices,
        "label": label,
    }
    return field(default=default, metadata={"option": about})


def options_of(config: type) -> tuple[Option, ...]:
    """The options that a dataclass declares, in order."""
    hints = get_type_hints(config)
    return tuple(
        _option(one, hints[one.name])
        for one in fields(config)
        if "option" in one.metadata
    )


def configured(config: Config, values: Mapping[str, Any], owner: str) -> Config:
    """A configuration with some options set.

    Args:
        config: a dataclass's instance.
        values: by name; text is read as each option's kind.
        owner: whose options they are, for messages ("Method 'em'").

    Raises:
        InputError: there is no such option, or it doesn't take the value.
    """
    known = {one.name: one for one in options_of(type(config))}
    for name in values:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"{owner} has no option {name!r}; {has}")
    try:
        read = {name: known[name].read(value) for name, value in values.items()}
    except InputError as error:
        raise InputError(f"{owner}: {error}") from None
    return replace(config, **read)  # type: ignore[type-var]


def pairs(words: tuple[str, ...]) -> dict[str, str]:
    """Options from words such as ``rounds=20``.

    Raises:
        InputError: one has no ``=``, or an option is named twice.
    """
    read: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise InputError(f"{word!r} says no option; write name=value")
        if name in read:
            raise InputError(f"The option {name} is given twice")
        read[name] = value.strip()
    return read


def _option(one: Field[Any], hint: Any) -> Option:
    arguments = getattr(hint, "__args__", ())
    optional = type(None) in arguments
    if optional:
        (hint,) = (part for part in arguments if part is not type(None))
    default = None if one.default is MISSING else one.default
    about = one.metadata["option"]
    return Option(one.name, KINDS[hint], default, optional=optional, **about)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and value % 1):
        raise ValueError(value)
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(value)
    return number


def _either(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise ValueError(value)
    return word in _YES


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _folder(value: Any) -> Path:
    if not value:
        raise ValueError(value)
    return Path(value)


def _names(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(_text(part).strip() for part in parts if part)


_READ = {
    "whole number": _whole,
    "number": _number,
    "yes or no": _either,
    "text": _text,
    "folder": _folder,
    "names": _names,
}
_A = {
    "whole number": "a whole number",
    "number": "a number",
    "yes or no": "yes or no",
    "text": "text",
    "folder": "a folder",
    "names": "names with commas between them",
}
