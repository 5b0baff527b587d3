"""The owner's list of recipients, fits, releases, originals and records."""

from fiftyone_reue.vault.ledger.base import Ledger
from fiftyone_reue.vault.ledger.mongo import MongoLedger
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger

__all__ = ["Ledger", "MongoLedger", "SqliteLedger"]
