"""The saved views that show what is protected and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.fields import PROTECTION

if TYPE_CHECKING:
    import fiftyone as fo

PROTECTED = "reue_protected"
UNPROTECTED = "reue_unprotected"
FAILED = "reue_failed"


def refresh(dataset: fo.Dataset) -> None:
    """Save the views anew; one that would be empty is removed."""
    from fiftyone import ViewField as F

    state = F(f"{PROTECTION}.state")
    views = {
        PROTECTED: (dataset.match(state == "protected"), "Has a protected copy"),
        UNPROTECTED: (
            dataset.match((state != "protected") & (state != "failed")),
            "Has no copy in the release shown",
        ),
        FAILED: (dataset.match(state == "failed"), "Could not be protected"),
    }
    with plain_errors():
        for name, (view, description) in views.items():
            if view.limit(1).count():
                dataset.save_view(name, view, description=description, overwrite=True)
            elif dataset.has_saved_view(name):
                dataset.delete_saved_view(name)
