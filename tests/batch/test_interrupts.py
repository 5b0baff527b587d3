import signal
import threading

import pytest

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.interrupts import held
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome

pytestmark = pytest.mark.unit


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted(log: list[str], times: int, error: Exception | None = None) -> None:
    """Do something under interrupts, writing down how far it comes."""
    with held():
        for _ in range(times):
            interrupt()
            log.append("went on")
        if error is not None:
            raise error


def test_an_interrupt_waits_for_the_end_of_the_block():
    log: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(log, 1)
    assert log == ["went on"]
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_second_interrupt_comes_through():
    log: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(log, 2)
    assert log == ["went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_block_is_the_one_that_counts():
    with pytest.raises(ValueError, match="inner"):
        interrupted([], 1, ValueError("inner"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_are_asked_and_put_back():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *arguments: seen.append(arguments))
    try:
        with held():
            interrupt()
            assert seen == []
        assert [number for number, _ in seen] == [signal.SIGINT]
        interrupt()
        assert len(seen) == 2
    finally:
        signal.signal(signal.SIGINT, before)


def test_ignored_interrupts_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            interrupt()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_hold_nothing():
    problems = []

    def block() -> None:
        try:
            with held():
                pass
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert problems == []


def test_a_commit_is_finished_before_the_run_stops():
    class Result:
        size = 1

    finished = []

    def commit(batch: list[Result]) -> None:
        interrupt()
        finished.extend(batch)

    outcome = Outcome()
    items = [Item(f"{i}", "nowhere", None, "") for i in range(1000)]
    with pytest.raises(KeyboardInterrupt):
        list(pipeline.run(items, lambda _: Result(), commit, outcome))
    assert outcome.done == len(finished) == pipeline.COMMIT_ITEMS
