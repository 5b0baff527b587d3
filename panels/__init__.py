"""The plugin's panels, one file each."""

from __future__ import annotations

from typing import Any

from .compare_copies import ComparePanel
from .leak_check import LeakCheckPanel
from .protection_status import ProtectionStatus


def register(plugin: Any) -> None:
    """Register the panels with FiftyOne."""
    plugin.register(ProtectionStatus)
    plugin.register(LeakCheckPanel)
    plugin.register(ComparePanel)
