"""Writers of a ledger that are killed at any moment, and several at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from fiftyone_reue.vault import Vault
from fiftyone_reue.vault.entities import Image, Record, Release
from fiftyone_reue.vault.ledger import Ledger
from tests.vault.attacks import Held, by_name


class KilledError(BaseException):
    """Stands for a power failure."""


WRITES = {
    "put_recipient",
    "put_fit",
    "put_release",
    "put_images",
    "put_records",
    "put_withdrawn",
    "delete_records",
    "delete_release",
    "put_inventory",
    "set_macs",
    "put_meta",
}


class Mortal:
    """A ledger that dies at the n-th thing that is written, before or after it."""

    def __init__(self, ledger: Ledger, fatal: int, done: bool) -> None:
        self._ledger = ledger
        self._left = fatal
        self._done = done

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        if name not in WRITES:
            return found

        def write(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._done:
                raise KilledError
            result = found(*arguments)
            if self._left == 0:
                raise KilledError
            return result

        return write


def new_image(number: int) -> Image:
    return Image(f"n{number}", b"new%d" % number, "a.png", None, 8, 8, b"d")


def sealed_like(ledger: Ledger, release: Release, sample: str) -> Record:
    """A record of a release as another of it."""
    one = next(iter(ledger.records(release.id)))
    return replace(one, id=f"{release.id}-{sample}", sample_id=sample)


def add_recipient(vault: Vault) -> None:
    vault.add_recipient(f"carol{len(vault.recipients())}")


def put_images(vault: Vault) -> None:
    vault.ledger.put_images([new_image(1), new_image(2)])


def put_records(vault: Vault) -> None:
    release = vault.ledger.releases()[0]
    records = list(vault.ledger.records(release.id))
    vault.ledger.put_records(
        [replace(records[0], psnr=1.0), sealed_like(vault.ledger, release, "new")]
    )


def withdraw(vault: Vault) -> None:
    release = vault.ledger.releases()[0]
    one = next(iter(vault.ledger.withdrawn(release.id)))
    vault.ledger.put_withdrawn([one, replace(one, id=f"{release.id}-x")])


def delete_records(vault: Vault) -> None:
    release = vault.ledger.releases()[0]
    names = vault.ledger.record_sample_ids(release.id)
    vault.ledger.delete_records(release.id, sorted(names)[:2])


def delete_release(vault: Vault) -> None:
    for release in vault.ledger.releases()[1:]:
        vault.ledger.delete_release(release.id)


def revoke(vault: Vault) -> None:
    vault.revoke("alice")


ACTS = [
    add_recipient,
    put_images,
    put_records,
    withdraw,
    delete_records,
    delete_release,
    revoke,
]


@contextmanager
def mortal(held: Held, fatal: int, done: bool) -> Iterator[Vault]:
    vault = held.open()
    real = vault.ledger.raw
    vault.ledger = Mortal(real, fatal, done)  # type: ignore[assignment]
    with real:
        yield vault


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_killed_at_any_moment_the_ledger_is_as_it_was_left(
    held: Held, act: Callable[[Vault], None]
) -> None:
    kills = 0
    for fatal in range(1, 10):
        for done in (False, True):
            with mortal(held, fatal, done) as vault:
                try:
                    act(vault)
                except KilledError:
                    kills += 1
            assert held.problems() == []
    assert kills >= 2
    with held.opened() as vault:
        vault.add_recipient("dave")


def test_a_reader_finishes_what_a_killed_writer_began(held: Held) -> None:
    with mortal(held, 2, True) as vault, pytest.raises(KilledError):
        vault.revoke("alice")
    with held.opened() as vault:
        assert {one.name for one in vault.recipients()} == {"alice", "bob"}
        assert vault.ledger.problems == []


def test_somebody_changes_a_row_while_a_killed_writer_is_pending(held: Held) -> None:
    with mortal(held, 2, True) as vault, pytest.raises(KilledError):
        vault.revoke("alice")
    alice = by_name(held.attacker, "recipients", "alice")
    held.attacker.edit("recipients", alice, name="alicia")
    assert any("recipients" in line for line in held.problems())


@pytest.mark.slow
def test_several_writers_at_once_leave_no_trace_of_tampering(held: Held) -> None:
    errors: list[BaseException] = []
    with held.opened() as vault:
        releases = vault.ledger.releases()

    def work(number: int) -> None:
        try:
            with held.opened() as vault:
                ledger = vault.ledger
                for turn in range(4):
                    release = releases[number % 2]
                    ledger.put_images([new_image(turn), new_image(10 + number)])
                    ledger.put_records([sealed_like(ledger, release, f"s{turn}")])
                    ledger.put_release(replace(release, updated=float(turn)))
                    assert len(vault.recipients()) >= 2
                vault.add_recipient(f"person{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with held.opened() as vault:
        assert len(vault.recipients()) == 6
        releases = vault.ledger.releases()
        assert [len(list(vault.ledger.records(r.id))) for r in releases] == [7, 8]
        assert len(list(vault.ledger.images())) == 12
        assert vault.ledger.problems == []
