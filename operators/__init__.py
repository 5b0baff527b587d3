"""The plugin's operators, one file each."""

from typing import Any

from .audit_release import AuditRelease
from .check_files import CheckFiles
from .confirm_owner_key import ConfirmOwnerKey
from .delete_release import DeleteRelease
from .extract_watermark import ExtractWatermark
from .license_recipient import LicenseRecipient
from .manage_recipients import ManageRecipients
from .mark_samples import MarkSamples
from .package_release import PackageRelease
from .preview_protection import PreviewProtection
from .protect_dataset import ProtectDataset
from .publish_dataset import PublishDataset
from .restore_dataset import RestoreDataset
from .reveal_hidden import RevealHidden
from .score_unlearnability import ScoreUnlearnability
from .show_release import ShowRelease
from .switch_media import SwitchMedia
from .switch_sample_media import SwitchSampleMedia

OPERATORS = (
    PreviewProtection,
    ProtectDataset,
    PublishDataset,
    LicenseRecipient,
    PackageRelease,
    RestoreDataset,
    ExtractWatermark,
    RevealHidden,
    ScoreUnlearnability,
    AuditRelease,
    ConfirmOwnerKey,
    ManageRecipients,
    CheckFiles,
    MarkSamples,
    ShowRelease,
    SwitchMedia,
    SwitchSampleMedia,
    DeleteRelease,
)


def register(plugin: Any) -> None:
    """Register the operators with FiftyOne."""
    for operator in OPERATORS:
        plugin.register(operator)
