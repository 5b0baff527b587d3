"""The saved views that show what is protected, what is not, and what needs a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiftyone_reue.samples.database_errors import plain_errors
from fiftyone_reue.samples.fields import PROTECTION

if TYPE_CHECKING:
    import fiftyone as fo

PROTECTED = "protection: protected"
UNPROTECTED = "protection: unprotected"
FAILED = "protection: failed"
STALE = "protection: stale"
WEAK = "protection: weak"

DESCRIPTIONS = {
    FAILED: "Could not be protected",
    STALE: "The original or its class changed, or the copy is missing",
    WEAK: "A model learned more of the copies than was asked for",
}
"""What the views of samples that need a look show; their tags have the same names."""

FORMER = {
    "reue_protected": PROTECTED,
    "reue_unprotected": UNPROTECTED,
    "reue_failed": FAILED,
    "reue_stale": STALE,
}
"""What earlier versions called them."""


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
        FAILED: (dataset.match(state == "failed"), DESCRIPTIONS[FAILED]),
    }
    with plain_errors():
        for name, (view, description) in views.items():
            filled = view.limit(1).count()
            save(dataset, name, view if filled else None, description)
        for name in FORMER:
            save(dataset, name, None)


def save(dataset: fo.Dataset, name: str, view: Any, description: str = "") -> None:
    """Save a view under a name, or with None take the one of this name away."""
    if view is not None:
        dataset.save_view(name, view, description=description, overwrite=True)
    elif dataset.has_saved_view(name):
        dataset.delete_saved_view(name)
