import io
from collections.abc import Generator

import pytest
from rich.console import Console

from fiftyone_reue.progress import Progress, finish, mapped, with_bar

pytestmark = pytest.mark.unit


def counting(log: list[str]):
    try:
        yield 1
        yield 2
        return "done"
    finally:
        log.append("closed")


def test_values_are_changed_and_the_result_is_kept():
    def outer():
        result = yield from mapped(counting([]), lambda value: value * 10)
        return result + "!"

    steps = outer()
    assert [next(steps), next(steps)] == [10, 20]
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "done!"


def test_closing_the_outer_closes_the_inner():
    log: list[str] = []
    steps = mapped(counting(log), str)
    next(steps)
    steps.close()
    assert log == ["closed"]


def test_errors_come_through():
    def failing():
        yield 1
        raise ValueError("inner")

    with pytest.raises(ValueError, match="inner"):
        list(mapped(failing(), str))
    with pytest.raises(ValueError, match="inner"):
        finish(failing())


def test_finish_runs_to_the_end():
    log: list[str] = []
    assert finish(counting(log)) == "done"
    assert log == ["closed"]


def test_a_bar_shows_nothing_that_a_terminal_obeys() -> None:
    """Labels hold others' names; the library's own bar once wrote them as they were."""
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=80)

    def job() -> Generator[Progress, None, int]:
        yield Progress(0.5, "Reading \x1b]0;owned\x07.png")
        return 3

    assert with_bar(job(), console) == 3
    assert "\x1b]0;" not in drawn.getvalue()
    assert "owned" in drawn.getvalue()
