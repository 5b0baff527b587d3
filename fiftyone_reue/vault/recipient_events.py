"""What happened to recipients after they were added: names shown, keys taken back.

A recipient's name is bound in the commitments of their releases, so it never changes;
a name that people are shown beside it may. And what was revoked may be given back, but
not as if it had never been revoked: what happened is kept in the ledger as papers,
sealed and authenticated as these are, which are only added to.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import Literal

from fiftyone_reue.errors import InputError
from fiftyone_reue.vault.entities import Paper, Recipient
from fiftyone_reue.vault.vault import (
    PUBLISHED,
    RECIPIENT_EVENT,
    SHOWN_AS,
    Vault,
    check_name,
    same_name,
)

What = Literal["shown as", "revoked", "reinstated"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a recipient.

    Attributes:
        recipient_id: whose.
        what: "shown as", "revoked" or "reinstated".
        time: seconds since 1970.
        name: the name shown from then on; empty for their own.
    """

    recipient_id: str
    what: What
    time: float
    name: str = ""


def list_events(vault: Vault) -> list[Event]:
    """What happened to everybody, in its order.

    What somebody without the owner key changed or removed is left out, and is in the
    ledger's problems.
    """
    papers = sorted(vault.ledger.papers(RECIPIENT_EVENT), key=lambda one: one.id)
    found = [
        Event(**json.loads(vault.unseal(RECIPIENT_EVENT, paper.id, paper.sealed)))
        for paper in papers
    ]
    for person in vault.recipients():
        if person.revoked_at is not None:
            found.append(Event(person.id, "revoked", person.revoked_at))
    return sorted(found, key=lambda one: one.time)


def rename(vault: Vault, name: str, shown_as: str) -> Recipient:
    """Have a recipient shown by another name beside their own.

    Codes, keys, commitments, releases and evidence go on speaking of their own.

    Args:
        vault: the owner's.
        name: whose: their own name, or the id.
        shown_as: the name to show, as a recipient's may be; empty, or their own, for
            that alone.

    Raises:
        InputError: there is no such recipient, or the name can't be used or is
            somebody else's: a verdict would then seem to speak of them.
    """
    person = _person(vault, name)
    if shown_as == person.name:
        shown_as = ""
    if shown_as:
        check_name(shown_as)
    with vault.ledger.exclusive():
        vault.ledger.require_sound()
        own = {one.id: one.name for one in vault.recipients()}
        taken = [*own.items(), *vault.names_shown().items()]
        if any(key != person.id and same_name(one, shown_as) for key, one in taken):
            raise InputError(
                f"Somebody else is called {shown_as!r}; choose a name that nobody has"
            )
        _put(vault, Event(person.id, SHOWN_AS, time.time(), shown_as))
    return person


def reinstate(vault: Vault, name: str) -> Recipient:
    """Take a revocation back: the key that they had counts again.

    That they were revoked, and until when, stays in the ledger. What was published
    meanwhile stays closed to them until they are given a new licence.

    Args:
        vault: the owner's.
        name: whose, or the id.

    Raises:
        InputError: there is no such recipient, or they aren't revoked.
    """
    with vault.ledger.exclusive():
        vault.ledger.require_sound()
        person = _person(vault, name)
        if person.revoked_at is None:
            raise InputError(f"{person.name} isn't revoked; there is nothing to undo")
        # First what happened: whoever is stopped between them has lost none of it.
        _put(vault, Event(person.id, "revoked", person.revoked_at))
        active = replace(person, revoked_at=None)
        vault.ledger.put_recipient(active)
        _put(vault, Event(person.id, "reinstated", time.time()))
    return active


def _person(vault: Vault, name: str) -> Recipient:
    if name == PUBLISHED:
        raise InputError("That stands for everybody; name a recipient")
    return vault.recipient(name)


def _put(vault: Vault, event: Event) -> None:
    known = (one.id.rpartition("-")[2] for one in vault.ledger.papers(RECIPIENT_EVENT))
    number = max(map(int, known), default=0) + 1
    paper_id = f"recipient-{number:08}"
    sealed = vault.seal(RECIPIENT_EVENT, paper_id, json.dumps(asdict(event)).encode())
    paper = Paper(paper_id, RECIPIENT_EVENT, event.recipient_id, sealed, event.time)
    vault.ledger.put_paper(paper)
