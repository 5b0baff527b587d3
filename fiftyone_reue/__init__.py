"""Protect, restore and trace copies of an image dataset.

Example::

    import fiftyone_reue as reue

    reue.protect("photos", "for_alice", vault="vault", recipient="alice")

Names are imported when they are first used, so that ``import fiftyone_reue`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiftyone_reue.api import (
        audit,
        create_vault,
        extract,
        open_vault,
        protect,
        restore,
        reveal,
        score,
    )
    from fiftyone_reue.perturb.registry import (
        create_method,
        list_methods,
        register_method,
    )
    from fiftyone_reue.releases.config import ProtectConfig

__version__ = "0.1.0"

__all__ = [
    "ProtectConfig",
    "__version__",
    "audit",
    "create_method",
    "create_vault",
    "extract",
    "list_methods",
    "open_vault",
    "protect",
    "register_method",
    "restore",
    "reveal",
    "score",
]

_HOMES = {
    "ProtectConfig": "fiftyone_reue.releases.config",
    "create_method": "fiftyone_reue.perturb.registry",
    "list_methods": "fiftyone_reue.perturb.registry",
    "register_method": "fiftyone_reue.perturb.registry",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, f"{__name__}.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
