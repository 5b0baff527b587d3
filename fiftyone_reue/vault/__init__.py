"""Keys, recipients and the ledger of one owner."""

from fiftyone_reue.vault.entities import Fit, Image, Recipient, Record, Release
from fiftyone_reue.vault.key_files import RecipientKey, read_key_file, write_key_file
from fiftyone_reue.vault.ledger import Ledger, MongoLedger, SqliteLedger
from fiftyone_reue.vault.rotation import Rotation, rotate_folder
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder

__all__ = [
    "Fit",
    "Image",
    "Ledger",
    "MongoLedger",
    "Recipient",
    "RecipientKey",
    "Record",
    "Release",
    "Rotation",
    "SqliteLedger",
    "Vault",
    "create_folder",
    "open_folder",
    "read_key_file",
    "rotate_folder",
    "write_key_file",
]
