"""Parameters from forms and calls."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Parameters:
    key_file: str
    epsilon: int = 8
    name: str | None = None


def test_defaults_fill_what_is_absent_or_empty() -> None:
    from operators.parameters import read

    given = {"key_file": "a", "epsilon": None, "name": "", "unknown": 3}
    assert read(Parameters, given) == Parameters("a", 8, None)


def test_falsy_values_are_values() -> None:
    from operators.parameters import read

    assert read(Parameters, {"key_file": "a", "epsilon": 0}).epsilon == 0


@pytest.mark.parametrize("given", [{}, {"key_file": None}, {"key_file": ""}])
def test_what_has_no_default_must_be_given(given: dict) -> None:
    from operators.parameters import read

    with pytest.raises(InputError, match="Say which key file to use"):
        read(Parameters, given)


def test_paths_become_text_and_other_kinds_are_refused() -> None:
    from operators.parameters import read

    assert read(Parameters, {"key_file": Path("a/b")}) == Parameters("a/b")
    for wrong in (5, ["alice"], {"a": 1}):
        with pytest.raises(InputError, match="; give one text"):
            read(Parameters, {"key_file": wrong})
