"""What can happen to the database during a run, as errors for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fiftyone_reue.errors import InputError, LedgerUnavailableError

if TYPE_CHECKING:
    import fiftyone as fo

RUN_AGAIN = "what was finished is kept; run it again to go on"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the database's errors into ours.

    Raises:
        LedgerUnavailableError: MongoDB can't be reached or refuses.
    """
    from pymongo.errors import PyMongoError

    try:
        yield
    except PyMongoError as error:
        raise LedgerUnavailableError(
            f"FiftyOne's database can't be used ({type(error).__name__}); check that "
            f"MongoDB runs; {RUN_AGAIN}"
        ) from error


def require_dataset(dataset: fo.Dataset) -> None:
    """Check in the database that a dataset is still there.

    FiftyOne doesn't notice when another process deletes it: writes go nowhere.

    Raises:
        InputError: it was deleted.
        LedgerUnavailableError: MongoDB can't be reached.
    """
    if dataset.deleted or not _is_stored(dataset):
        raise InputError(
            "The dataset was deleted; files and vault entries that were made of it "
            "are kept"
        )


def _is_stored(dataset: fo.Dataset) -> bool:
    import fiftyone.core.odm as foo

    with plain_errors():
        wanted = {"_id": dataset._doc.id}
        return foo.get_db_conn()["datasets"].count_documents(wanted, limit=1) == 1
