"""The verbs for FiftyOne datasets: the only place that knows SampleCollection.

Each verb is a blocking function with ``progress``, over a generator (``..._steps``)
that yields :class:`fiftyone_reue.progress.Progress` and returns the same summary.
"""

from fiftyone_reue.samples.audit import AuditedSamples, audit_samples, audit_steps
from fiftyone_reue.samples.checks import (
    ChecksCompared,
    annotate_check,
    compare_checks,
    delete_check,
    list_checks,
    undelete_check,
)
from fiftyone_reue.samples.confirm import confirmation_code
from fiftyone_reue.samples.extract import (
    LeakCheck,
    extract_folder,
    extract_samples,
    extract_steps,
)
from fiftyone_reue.samples.license import (
    license_samples,
    license_steps,
    list_published,
)
from fiftyone_reue.samples.marks import Marked, mark_samples, mark_steps
from fiftyone_reue.samples.owner_key import (
    OwnerKeyFacts,
    confirm_owner_key,
    owner_key_facts,
)
from fiftyone_reue.samples.package import (
    packable_fields,
    package_samples,
    package_steps,
)
from fiftyone_reue.samples.preview import preview_samples, preview_steps
from fiftyone_reue.samples.protect import (
    ProtectedSamples,
    protect_samples,
    protect_steps,
)
from fiftyone_reue.samples.publish import publish_samples, publish_steps
from fiftyone_reue.samples.recipients import (
    add_recipient,
    list_recipients,
    reinstate_recipient,
    rename_recipient,
    revoke_recipient,
    write_recipient_key,
)
from fiftyone_reue.samples.releases import (
    delete_release,
    delete_release_steps,
    list_releases,
    show_release,
    show_release_steps,
)
from fiftyone_reue.samples.restore import (
    RestoredSamples,
    restore_samples,
    restore_steps,
)
from fiftyone_reue.samples.reveal import RevealedSamples, reveal_samples, reveal_steps
from fiftyone_reue.samples.score import ScoredSamples, score_samples, score_steps
from fiftyone_reue.samples.stale import Stale, find_stale
from fiftyone_reue.samples.vaults import (
    check_vault,
    open_vault,
    repair_vault,
    rotate_key,
)

__all__ = [
    "AuditedSamples",
    "ChecksCompared",
    "LeakCheck",
    "Marked",
    "OwnerKeyFacts",
    "ProtectedSamples",
    "RestoredSamples",
    "RevealedSamples",
    "ScoredSamples",
    "Stale",
    "add_recipient",
    "annotate_check",
    "audit_samples",
    "audit_steps",
    "check_vault",
    "compare_checks",
    "confirm_owner_key",
    "confirmation_code",
    "delete_check",
    "delete_release",
    "delete_release_steps",
    "extract_folder",
    "extract_samples",
    "extract_steps",
    "find_stale",
    "license_samples",
    "license_steps",
    "list_checks",
    "list_published",
    "list_recipients",
    "list_releases",
    "mark_samples",
    "mark_steps",
    "open_vault",
    "owner_key_facts",
    "packable_fields",
    "package_samples",
    "package_steps",
    "preview_samples",
    "preview_steps",
    "protect_samples",
    "protect_steps",
    "publish_samples",
    "publish_steps",
    "reinstate_recipient",
    "rename_recipient",
    "repair_vault",
    "restore_samples",
    "restore_steps",
    "reveal_samples",
    "reveal_steps",
    "revoke_recipient",
    "rotate_key",
    "score_samples",
    "score_steps",
    "show_release",
    "show_release_steps",
    "undelete_check",
    "write_recipient_key",
]
