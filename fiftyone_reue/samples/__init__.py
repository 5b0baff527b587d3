"""The verbs for FiftyOne datasets: the only place that knows SampleCollection.

Each verb is a blocking function with ``progress``, over a generator (``..._steps``)
that yields :class:`fiftyone_reue.progress.Progress` and returns the same summary.
"""

from fiftyone_reue.samples.audit import AuditedSamples, audit_samples, audit_steps
from fiftyone_reue.samples.confirm import confirmation_code
from fiftyone_reue.samples.extract import (
    LeakCheck,
    extract_folder,
    extract_samples,
    extract_steps,
)
from fiftyone_reue.samples.protect import (
    ProtectedSamples,
    protect_samples,
    protect_steps,
)
from fiftyone_reue.samples.recipients import (
    add_recipient,
    list_recipients,
    revoke_recipient,
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
    "LeakCheck",
    "ProtectedSamples",
    "RestoredSamples",
    "RevealedSamples",
    "ScoredSamples",
    "Stale",
    "add_recipient",
    "audit_samples",
    "audit_steps",
    "check_vault",
    "confirmation_code",
    "delete_release",
    "delete_release_steps",
    "extract_folder",
    "extract_samples",
    "extract_steps",
    "find_stale",
    "list_recipients",
    "list_releases",
    "open_vault",
    "protect_samples",
    "protect_steps",
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
]
