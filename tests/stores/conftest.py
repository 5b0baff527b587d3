"""Stores that need no network."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.memory_store import memory_store


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, empty."""
    pytest.importorskip("fsspec", reason="fsspec isn't installed (make venv does it)")
    with memory_store() as system:
        yield system
