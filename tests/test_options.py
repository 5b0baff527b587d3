"""Options: what a configuration declares, and how text is read as it."""

import contextlib
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import InputError
from fiftyone_reue.options import configured, option, options_of, pairs
from fiftyone_reue.perturb.registry import list_methods, method_options
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Example:
    rounds: int = option(3, "How often.", least=1, most=9)
    rate: float = option(0.5, "How fast.", least=0)
    flips: bool = option(True, "Whether.")
    name: str = option("a", "Which.", choices=("a", "b"))
    folder: Path | None = option(None, "Where.")
    networks: tuple[str, ...] = option(("x",), "Which ones.")
    inner: int = 7


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("rounds", "9", 9),
        ("rounds", 4, 4),
        ("rate", "1e-2", 0.01),
        ("rate", 1, 1.0),
        ("flips", "no", False),
        ("flips", "True", True),
        ("name", "b", "b"),
        ("folder", "some/where", Path("some/where")),
        ("folder", None, None),
        ("networks", "y, z", ("y", "z")),
        ("networks", ["y"], ("y",)),
    ],
)
def test_text_is_read_as_somebody_means_it(name, given, read) -> None:
    assert getattr(configured(Example(), {name: given}, "It"), name) == read


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("rounds", "0", "out of range; choose 1 to 9"),
        ("rounds", "many", "must be a whole number"),
        ("rounds", 2.5, "must be a whole number"),
        ("rounds", True, "must be a whole number"),
        ("rounds", None, "must be a whole number"),
        ("rate", "nan", "must be a number"),
        ("rate", -1, "choose at least 0"),
        ("flips", "perhaps", "must be yes or no"),
        ("name", "c", "choose one of a, b"),
        ("name", 3, "must be text"),
        ("folder", "", "must be a folder"),
        ("inner", 3, "It has no option 'inner'; it has rounds, rate"),
        ("other", 3, "no option 'other'"),
    ],
)
def test_what_can_not_be_is_named(name, given, words) -> None:
    with pytest.raises(InputError, match=words):
        configured(Example(), {name: given}, "It")


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    for one in options_of(Example):
        with contextlib.suppress(InputError):
            one.read(text)


def test_pairs_name_each_option_once() -> None:
    assert pairs(("a-b=1", "c=x=y")) == {"a_b": "1", "c": "x=y"}
    for words in (("a",), ("=1",), ("a=1", "a=2")):
        with pytest.raises(InputError):
            pairs(words)


def test_settings_and_configuration_are_the_same() -> None:
    hints = get_type_hints(ProtectConfig)
    assert get_type_hints(ProtectSettings) == {
        one.name: hints[one.name] for one in fields(ProtectConfig)
    }


def test_every_setting_and_option_says_what_it_is() -> None:
    declared = [*options_of(ProtectConfig)]
    for info in list_methods():
        declared += method_options(info.name)
    assert len(declared) > 40
    for one in declared:
        assert one.help.endswith((".", "...")), one
        if one.default is not None:
            assert one.read(one.default) == one.default, one


def test_helps_are_read_on_terminals_and_in_forms_where_no_markup_is() -> None:
    helps = [one.help for one in options_of(ProtectConfig)]
    for info in list_methods():
        helps += [one.help for one in method_options(info.name)]
    for text in helps:
        assert "``" not in text, text
        assert not re.search(r":[a-z]+:", text), text
