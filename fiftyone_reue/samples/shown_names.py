"""What the App calls recipients: the one place that every form and panel asks."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    VaultError,
    WrongKeyError,
)
from fiftyone_reue.samples.recipients import list_recipients
from fiftyone_reue.samples.vaults import known_secrets, open_ledger, open_vault
from fiftyone_reue.vault.vault import (
    PUBLISHED,
    RECIPIENT_EVENT,
    same_name,
    shown_beside,
)

_BEFORE_A_NAME = r"(\b(?:for|of|to|and) |, (?=[\w.@ -]+ \())"
"""What stands before a recipient's name in a sentence of the plugin's."""

EVERYBODY = "everybody (published)"
"""Whom published sets are for; nobody's own name has brackets."""


@dataclass(frozen=True)
class ShownNames:
    """What to call recipients: by the name shown, and in brackets their own.

    Attributes:
        labels: by their own names; of everybody, if anybody is shown by another name.
    """

    labels: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """What to call the recipient of this name; the name itself if there is none.

        Of whom published sets are for: :data:`EVERYBODY`.
        """
        if name == PUBLISHED:
            return EVERYBODY
        return self.labels.get(name, name)

    def own(self, name: str) -> str:
        """The own name of somebody who is named by the one shown, alone or with their
        own in brackets; any other name as it is.

        Raises:
            InputError: several are shown so.
        """
        if name in self.labels:
            return name
        meant = [
            own
            for own, label in self.labels.items()
            if same_name(label, name)
            or same_name(label.removesuffix(shown_beside("", own)), name)
        ]
        if len(meant) > 1:
            names = ", ".join(sorted(meant))
            raise InputError(
                f"Several recipients are shown as {name!r}; say which of {names}"
            )
        return meant[0] if meant else name

    def told(self, text: str) -> str:
        """A sentence, as a job or a verdict keeps it, with its recipients called so."""
        if not self.labels:
            return text
        # Of "bob" and "bob smith", the whole name is meant.
        longest_first = sorted(self.labels, key=len, reverse=True)
        names = "|".join(map(re.escape, longest_first))
        pattern = rf"{_BEFORE_A_NAME}({names})(?![\w@-]|\.\w)"
        return re.sub(pattern, lambda found: found[1] + self.of(found[2]), text)


def shown_names(look_up: Callable[[str], str | None]) -> ShownNames:
    """What to call the recipients of the vault in FiftyOne's database.

    A name that people are shown by is sealed: without the owner key it is nobody's.
    Forms and panels ask at every keystroke, and opening a vault may take half a second;
    so names are read once for as long as nothing is added to what they come from.

    Args:
        look_up: gives a variable that the owner key may come from, as a context's
            ``secret`` does.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached.
    """
    ledger = open_ledger()
    papers = ledger.papers(RECIPIENT_EVENT)
    if not papers:
        return ShownNames()
    secrets = known_secrets(look_up)
    rows = [ledger.get_meta(), ledger.recipients(), papers, sorted(secrets.items())]
    mark = hashlib.sha256(_SALT + repr(rows).encode()).digest()
    if mark not in _known:
        try:
            people = list_recipients(vault=open_vault(secrets, create=False))
        except LedgerUnavailableError:
            raise
        except (VaultError, WrongKeyError):
            return ShownNames()
        _known.clear()
        _known[mark] = ShownNames({one.name: one.label for one in people})
    return _known[mark]


_SALT = os.urandom(16)
_known: dict[bytes, ShownNames] = {}
