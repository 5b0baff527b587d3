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
        license,
        open_vault,
        package,
        preview,
        protect,
        publish,
        reinstate_recipient,
        rename_recipient,
        report,
        restore,
        reveal,
        revoke_recipient,
        rotate_key,
        score,
        unpack,
        verify,
    )
    from fiftyone_reue.perturb.registry import (
        create_method,
        list_methods,
        method_options,
        register_method,
    )
    from fiftyone_reue.releases.config import ProtectConfig
    from fiftyone_reue.vault.key_files import read_key_file, write_key_file
    from fiftyone_reue.workflows.audit import AuditConfig
    from fiftyone_reue.workflows.score import ScoreConfig

__version__ = "0.2.0.dev0"

__all__ = [
    "AuditConfig",
    "ProtectConfig",
    "ScoreConfig",
    "__version__",
    "audit",
    "create_method",
    "create_vault",
    "extract",
    "license",
    "list_methods",
    "method_options",
    "open_vault",
    "package",
    "preview",
    "protect",
    "publish",
    "read_key_file",
    "register_method",
    "reinstate_recipient",
    "rename_recipient",
    "report",
    "restore",
    "reveal",
    "revoke_recipient",
    "rotate_key",
    "score",
    "unpack",
    "verify",
    "write_key_file",
]

_HOMES = {
    "AuditConfig": "fiftyone_reue.workflows.audit",
    "ProtectConfig": "fiftyone_reue.releases.config",
    "ScoreConfig": "fiftyone_reue.workflows.score",
    "create_method": "fiftyone_reue.perturb.registry",
    "list_methods": "fiftyone_reue.perturb.registry",
    "method_options": "fiftyone_reue.perturb.registry",
    "read_key_file": "fiftyone_reue.vault.key_files",
    "register_method": "fiftyone_reue.perturb.registry",
    "write_key_file": "fiftyone_reue.vault.key_files",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, f"{__name__}.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What can be used, for a console that completes names."""
    return sorted(__all__)
