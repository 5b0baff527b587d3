"""Unit tests stay quick: one that computes for long has to be marked as slow."""

import os
import sys
import time
from collections.abc import Generator

import pytest

MOST_SECONDS = 6.0
"""Of a processor; thirty times what the mark begins at, since machines differ, and a
busy one counts more for the same work."""

MANY_MODULES = 20
"""So many imports are a library, which the first test that needs it loads for all."""


class Quickness:
    """A plugin for pytest that fails what took too long.

    Args:
        most: seconds of a processor for a unit test.
    """

    def __init__(self, most: float = MOST_SECONDS) -> None:
        self.most = most

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        modules, begun = len(sys.modules), time.process_time()
        result = yield
        seconds = time.process_time() - begun
        loaded = len(sys.modules) - modules > MANY_MODULES
        # Processors without bfloat16 take many times as long for it.
        exempt = loaded or os.environ.get("REUE_BFLOAT16") == "on"
        if seconds > self.most and item.get_closest_marker("unit") and not exempt:
            pytest.fail(f"It passed, but took {seconds:.1f} s: mark it slow")
        return result
