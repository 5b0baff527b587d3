"""Asking the owner before the App restores, deletes, or lets somebody in.

FiftyOne's server executes what anybody asks it to who can send it a request, and a
web page that is open in the owner's browser can. So what such a request must not do
needs a code that the owner makes in a terminal (``reue app confirm``): it comes from
a key of the vault, is good for one action, once, for some minutes, and is never in an
answer of the server. What is scheduled gets a permit instead of the code.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from datetime import UTC, datetime

from fiftyone_reue.errors import InputError, NotConfirmedError
from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.vaults import open_vault
from fiftyone_reue.vault import confirmations
from fiftyone_reue.vault.vault import Vault

ACTIONS = (
    "restore_dataset",
    "delete_release",
    "manage_recipients",
    "preview_protection",
    "protect_dataset",
    "publish_dataset",
    "license_recipient",
    "package_release",
    "reveal_hidden",
    "audit_release",
    "extract_watermark",
)
"""The operators that a code can be for."""

SPENT = "reue_spent_codes"
"""The collection of what was used already."""

MOST_WRONG = 20
WRONG_SECONDS = 60.0

logger = logging.getLogger(__name__)


def confirmation_code(action: str, *, vault: Vault | None = None) -> str:
    """Make a code that confirms one operator's execution, once.

    Example::

        code = reue.confirmation_code("restore_dataset")

    Args:
        action: the operator's name, one of :data:`ACTIONS`.
        vault: by default the one in FiftyOne's database; the first use creates it.

    Returns:
        The code, good for at least ten minutes.

    Raises:
        InputError: there is no such operator, or it needs no code.
    """
    require_action(action)
    return confirmations.new_code(_key(vault or open_vault()), action, time.time())


def require_action(action: str) -> None:
    """Check the name of an operator that a code can be for.

    Raises:
        InputError: says which there are.
    """
    if action not in ACTIONS:
        raise InputError(
            f"{action!r} is no operator that asks for a code; choose among "
            + ", ".join(ACTIONS)
        )


def spend_code(vault: Vault, action: str, typed: str | None) -> None:
    """Accept a code that was typed, which can't be used again then.

    Raises:
        NotConfirmedError: it is missing, wrong, too old or used already, or too many
            wrong ones came lately.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    _wrong.require_few()
    again = f"run `{command(action)}` in a terminal for a new one"
    if not typed:
        raise NotConfirmedError(
            f"The confirmation code is missing: run `{command(action)}` in a terminal "
            "and type the code that it prints"
        )
    code = confirmations.plain_code(typed)
    now = time.time()
    if code is None or not confirmations.is_code(_key(vault), action, code, now):
        _wrong.note(action)
        raise NotConfirmedError(f"The confirmation code is wrong or too old; {again}")
    if not _spend(code, now + 2 * confirmations.CODE_SECONDS):
        raise NotConfirmedError(f"The confirmation code was used already; {again}")


def new_permit(vault: Vault, action: str, request: bytes) -> str:
    """Allow one request to be executed later; see :func:`spend_permit`.

    Args:
        vault: the owner's.
        action: the operator's name.
        request: all that the execution depends on.
    """
    return confirmations.new_permit(_key(vault), action, request, time.time())


def spend_permit(vault: Vault, action: str, request: bytes, permit: str) -> None:
    """Accept a permit, which can't be used again then.

    Raises:
        NotConfirmedError: it isn't for this request, or is too old or used already.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    now = time.time()
    if not confirmations.is_permit(_key(vault), action, request, permit, now):
        raise NotConfirmedError(
            "What was scheduled isn't what was confirmed, or that was over a week ago; "
            "it was not done. Schedule it again"
        )
    if not _spend(permit, now + confirmations.PERMIT_SECONDS):
        raise NotConfirmedError(
            "This was confirmed for one execution, which has been; schedule it again"
        )


def command(action: str) -> str:
    """What to run in a terminal for a code."""
    return f"reue app confirm {action}"


def _key(vault: Vault) -> bytes:
    return vault.derive("app-confirmation")


def _spend(token: str, until: float) -> bool:
    """Note that something is used; False if it was already. One process wins."""
    import fiftyone.core.odm as foo
    from pymongo.errors import DuplicateKeyError

    name = hashlib.sha256(token.encode()).hexdigest()
    expiry = datetime.fromtimestamp(until, UTC)
    with plain_errors():
        spent = foo.get_db_conn()[SPENT]
        # MongoDB forgets what is too old to be accepted anyway.
        spent.create_index("until", expireAfterSeconds=0)
        try:
            spent.insert_one({"_id": name, "until": expiry})
        except DuplicateKeyError:
            return False
    return True


class _Wrong:
    """The wrong codes of the last minute, in this process."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST_WRONG)
        self._lock = threading.Lock()

    def note(self, action: str) -> None:
        with self._lock:
            self._times.append(time.monotonic())
        logger.warning("A wrong confirmation code for %s was refused", action)

    def require_few(self) -> None:
        with self._lock:
            full = len(self._times) == MOST_WRONG
            recent = full and time.monotonic() - self._times[0] < WRONG_SECONDS
        if recent:
            raise NotConfirmedError(
                f"{MOST_WRONG} wrong confirmation codes came within a minute, so none "
                "is accepted now. Something else may be trying: close other web "
                "pages, wait a minute and try again"
            )


_wrong = _Wrong()
