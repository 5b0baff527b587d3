"""The FiftyOne plugin's entry."""

from typing import Any


def register(plugin: Any) -> None:
    """Register the plugin's operators and panels with FiftyOne."""
