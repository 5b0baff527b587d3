"""Codes and permits: right ones are taken, and nothing near them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.vault.confirmations import (
    CODE_SECONDS,
    PERMIT_SECONDS,
    is_code,
    is_permit,
    new_code,
    new_permit,
    plain_code,
)

pytestmark = pytest.mark.unit

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
ACTION, NOW = "restore_dataset", 1_800_000_000.0


def plain(code: str) -> str:
    found = plain_code(code)
    assert found is not None
    return found


@pytest.mark.slow
@given(st.floats(0, 2e9), st.floats(0, CODE_SECONDS))
def test_a_code_is_good_for_ten_minutes(made: float, later: float) -> None:
    code = new_code(KEY, ACTION, made)
    assert is_code(KEY, ACTION, plain(code), made + later)
    assert not is_code(KEY, ACTION, plain(code), made + 2 * CODE_SECONDS)
    assert not is_code(KEY, ACTION, plain(code), made - CODE_SECONDS)


def test_a_code_is_for_one_action_and_one_vault() -> None:
    code = plain(new_code(KEY, ACTION, NOW))
    assert not is_code(KEY, "delete_release", code, NOW)
    assert not is_code(OTHER, ACTION, code, NOW)


def test_no_two_codes_are_the_same() -> None:
    codes = {new_code(KEY, ACTION, NOW) for _ in range(30)}
    assert len(codes) == 30


@given(st.integers(0, 15), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_every_letter_counts(place: int, letter: str) -> None:
    code = plain(new_code(KEY, ACTION, NOW))
    changed = code[:place] + letter + code[place + 1 :]
    assert is_code(KEY, ACTION, changed, NOW) == (changed == code)


def test_a_code_may_be_typed_as_it_is_read() -> None:
    assert plain_code(" abcd efgh-ijkl\tmno1\n") == "ABCDEFGHIJKLMNOI"
    assert plain_code("0BCD-8FGH-IJKL-MNOP") == "OBCDBFGHIJKLMNOP"


@given(st.text())
def test_what_can_be_no_code_is_none(text: str) -> None:
    found = plain_code(text)
    assert found is None or (len(found) == 16 and found.isascii())


@pytest.mark.parametrize("text", ["", "ABCD", "A" * 17, "Ä" * 16, "9" * 16, "\ud800"])
def test_these_are_no_codes(text: str) -> None:
    assert plain_code(text) is None


@given(st.binary(), st.floats(0, PERMIT_SECONDS - 1))
def test_a_permit_is_good_for_a_week(request: bytes, later: float) -> None:
    permit = new_permit(KEY, ACTION, request, NOW)
    assert is_permit(KEY, ACTION, request, permit, NOW + later)
    assert not is_permit(KEY, ACTION, request, permit, NOW + PERMIT_SECONDS + 1)


def test_a_permit_is_for_one_request_action_and_vault() -> None:
    permit = new_permit(KEY, ACTION, b"request", NOW)
    assert not is_permit(KEY, ACTION, b"another", permit, NOW)
    assert not is_permit(KEY, "delete_release", b"request", permit, NOW)
    assert not is_permit(OTHER, ACTION, b"request", permit, NOW)


@pytest.mark.slow
@given(st.data())
def test_every_character_of_a_permit_counts(data: st.DataObject) -> None:
    permit = new_permit(KEY, ACTION, b"request", NOW)
    place = data.draw(st.integers(0, len(permit) - 1))
    character = data.draw(st.characters())
    changed = permit[:place] + character + permit[place + 1 :]
    assert is_permit(KEY, ACTION, b"request", changed, NOW) == (changed == permit)


@pytest.mark.slow
@given(st.text())
def test_what_is_no_permit_is_refused(text: str) -> None:
    assert not is_permit(KEY, ACTION, b"request", text, NOW)


def test_a_permits_last_day_can_not_be_put_off() -> None:
    nonce, until, tag = new_permit(KEY, ACTION, b"r", NOW).split("-")
    later = f"{nonce}-{int(until) + 9}-{tag}"
    assert not is_permit(KEY, ACTION, b"r", later, NOW)
