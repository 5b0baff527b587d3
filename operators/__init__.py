"""The plugin's operators, one file each."""

from typing import Any

from .audit_release import AuditRelease
from .delete_release import DeleteRelease
from .extract_watermark import ExtractWatermark
from .manage_recipients import ManageRecipients
from .protect_dataset import ProtectDataset
from .restore_dataset import RestoreDataset
from .reveal_hidden import RevealHidden
from .score_unlearnability import ScoreUnlearnability
from .show_release import ShowRelease

OPERATORS = (
    ProtectDataset,
    RestoreDataset,
    ExtractWatermark,
    RevealHidden,
    ScoreUnlearnability,
    AuditRelease,
    ManageRecipients,
    ShowRelease,
    DeleteRelease,
)


def register(plugin: Any) -> None:
    """Register the operators with FiftyOne."""
    for operator in OPERATORS:
        plugin.register(operator)
