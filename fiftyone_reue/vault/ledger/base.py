"""What a ledger can do, whichever database is behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self

from fiftyone_reue.vault.entities import (
    Fit,
    Image,
    Paper,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.ledger.rows import Each, Key, Table, as_read


class Ledger(Protocol):
    """The owner's list of recipients, fits, releases, originals and records.

    Putting the same thing twice is the same as putting it once. References must
    exist when something is put: recipient and fit before release, release and image
    before record. A ledger may be used from several threads, and its database by
    several processes.

    What a database gives has its dictionaries as JSON text still, until its MAC was
    checked: see :func:`~fiftyone_reue.vault.ledger.rows.parsed`.

    Every method raises :class:`~fiftyone_reue.errors.LedgerUnavailableError` if the
    database can't be reached, read or written, and those that put something raise
    :class:`~fiftyone_reue.errors.VaultError` if a reference doesn't exist or
    something unique is taken.
    """

    def get_meta(self) -> dict[str, Any] | None:
        """The vault's description, or None if no vault was created here."""
        ...

    def create_meta(self, meta: dict[str, Any]) -> None:
        """Stores the first description; VaultError if there is one already."""
        ...

    def put_meta(self, meta: dict[str, Any]) -> None:
        """Replaces the description; the old one is wiped where the database can."""
        ...

    def put_recipient(self, recipient: Recipient) -> None:
        """Adds or replaces by id; InputError if another one has the name."""
        ...

    def recipient(self, recipient_id: str) -> Recipient | None: ...

    def recipient_by_name(self, name: str) -> Recipient | None: ...

    def recipients(self) -> list[Recipient]:
        """All, oldest first."""
        ...

    def put_fit(self, fit: Fit) -> None:
        """Adds or replaces by id."""
        ...

    def fit(self, fit_id: str) -> Fit | None: ...

    def fits(self, each: Each[Fit] = as_read) -> list[Fit]:
        """All, oldest first, and what `each` makes of one before the next is read."""
        ...

    def put_paper(self, paper: Paper) -> None:
        """Adds or replaces by id."""
        ...

    def papers(self, kind: str, each: Each[Paper] = as_read) -> list[Paper]:
        """All of a kind, oldest first; `each` as for :meth:`fits`."""
        ...

    def put_release(self, release: Release) -> None:
        """Adds or replaces by id."""
        ...

    def release(self, release_id: str) -> Release | None: ...

    def releases(self, recipient_id: str | None = None) -> list[Release]:
        """All, or all of a recipient, oldest first."""
        ...

    def delete_release(self, release_id: str) -> None:
        """Removes a release, all its records, and images that no other release has.

        Removing what isn't there does nothing.
        """
        ...

    def put_images(self, images: Sequence[Image]) -> None:
        """Adds or replaces by id, all or none where the database can do that."""
        ...

    def image(self, image_id: str) -> Image | None: ...

    def image_by_digest(self, digest: bytes) -> Image | None: ...

    def find_images(self, image_ids: Iterable[str]) -> list[Image]:
        """Those of the given ids that exist, in the order given."""
        ...

    def images(self) -> Iterator[Image]:
        """All, in the order of their ids, in bounded memory."""
        ...

    def image_macs(self) -> Iterator[tuple[str, bytes]]:
        """Each one's id and MAC, in any order; nothing where a row has none."""
        ...

    def put_records(self, records: Sequence[Record]) -> None:
        """Adds or replaces by release and sample, all or none where possible."""
        ...

    def record(self, record_id: str) -> Record | None: ...

    def records(
        self, release_id: str, sample_ids: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """A release's records, or those of some samples, ordered by sample id.

        Memory is bounded by a few records, however long the release is.
        """
        ...

    def record_sample_ids(self, release_id: str) -> set[str]: ...

    def records_by_digest(self, digest: bytes) -> Iterable[Record]:
        """Those whose protected or licensed copy has this digest, withdrawn ones last.

        A copy that was handed out is traced and restored whether or not its release
        still has it.
        """
        ...

    def records_by_image(self, image_id: str) -> Iterable[Record]:
        """Those of an original, withdrawn ones last."""
        ...

    def count_records(self, release_id: str) -> int: ...

    def delete_records(self, release_id: str, sample_ids: Sequence[str]) -> None:
        """Removes records of samples; those that aren't there are no matter."""
        ...

    def put_withdrawn(self, records: Sequence[Record]) -> None:
        """Adds or replaces by id what a release has no longer.

        These are found by digest and by image, and are none of the release's records.
        """
        ...

    def withdrawn(self, release_id: str) -> Iterator[Record]:
        """What a release has no longer, by id, in bounded memory."""
        ...

    # -- for the wrapper that authenticates what is above

    def exclusive(self) -> AbstractContextManager[bool]:
        """Keeps all other processes and threads from writing; may be nested.

        Its value says whether what is written inside is there as a whole or not at
        all. If not, a process that is killed inside leaves a part, and another one
        may go on soon after.
        """
        ...

    def get_inventory(self) -> bytes | None:
        """What :meth:`put_inventory` was given last, or None."""
        ...

    def put_inventory(self, sealed: bytes) -> None:
        """Replaces the sealed list of what the ledger holds."""
        ...

    def macs(self, table: Table, keys: Sequence[Key]) -> dict[Key, bytes]:
        """The MACs of those rows that exist."""
        ...

    def set_macs(self, table: Table, macs: Mapping[str, bytes]) -> None:
        """Replaces the MACs of rows that exist, by id; nothing else of them."""
        ...

    def images_of_only(self, release_id: str) -> Iterator[bytes]:
        """The MACs of the images that :meth:`delete_release` would remove."""
        ...

    def damage(self) -> list[str]:
        """What the database's own check finds, in words; it may take a while."""
        ...

    def strays(self, table: Table, release_ids: set[str]) -> Iterator[Record]:
        """Rows of records or withdrawn that belong to none of some releases."""
        ...

    def has_rows(self) -> bool:
        """Whether any table but that of the description holds anything."""
        ...

    def back_up(self) -> str:
        """Copies the ledger as it is, once; says where the copy is."""
        ...

    def close(self) -> None:
        """Lets go of the database. A closed ledger can't be used any more."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
