import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    OutputError,
    UnreadableImageError,
)

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Result:
    name: str
    size: int = 10


def items(count: int) -> list[Item]:
    return [Item(f"{i:04}", f"nowhere/{i}", None, "") for i in range(count)]


def work(item: Item) -> Result:
    return Result(item.sample_id)


def names(results: list[Result]) -> list[str]:
    return [result.name for result in results]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 700])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_done_once_and_in_order(count, workers):
    batches: list[list[Result]] = []
    outcome = Outcome()
    steps = pipeline.run(items(count), work, batches.append, outcome, workers=workers)
    behind = list(steps)
    done = [name for batch in batches for name in names(batch)]
    assert done == [item.sample_id for item in items(count)]
    assert outcome == Outcome(done=count)
    assert behind == sorted(behind)
    assert behind[-1:] == ([count] if count else [])
    assert all(batches)


def test_batches_are_bounded_in_items_and_bytes(monkeypatch):
    batches: list[list[Result]] = []
    list(pipeline.run(items(1000), work, batches.append, Outcome()))
    assert max(map(len, batches)) < pipeline.COMMIT_ITEMS + pipeline.CHUNK_ITEMS
    batches.clear()
    monkeypatch.setattr(pipeline, "COMMIT_BYTES", 500)
    list(pipeline.run(items(1000), work, batches.append, Outcome()))
    assert max(map(len, batches)) <= 50 + pipeline.CHUNK_ITEMS


def test_large_files_make_small_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_BYTES", 100)
    for i in range(5):
        (tmp_path / f"{i}").write_bytes(b"x" * 60)
    some = [Item(f"{i}", str(tmp_path / f"{i}"), None, "") for i in range(5)]
    assert [len(c) for c in pipeline._chunks(some, 32)] == [2, 2, 1]
    assert [len(c) for c in pipeline._chunks(some, 1)] == [1] * 5


def test_memory_is_bounded_when_commits_are_slow():
    """No more than a window of chunks is ever ahead of what was committed."""
    lock = threading.Lock()
    ahead = most = 0

    def counted(item: Item) -> Result:
        nonlocal ahead, most
        with lock:
            ahead += 1
            most = max(most, ahead)
        return work(item)

    def commit(batch: list[Result]) -> None:
        nonlocal ahead
        time.sleep(0.01)
        with lock:
            ahead -= len(batch)

    list(pipeline.run(items(3000), counted, commit, Outcome(), workers=2))
    window = 2 * 2 + 2
    assert most <= pipeline.COMMIT_ITEMS + window * pipeline.CHUNK_ITEMS


def test_what_is_wrong_with_one_item_stops_no_other():
    def picky(item: Item) -> Result:
        number = int(item.sample_id)
        if number % 10 == 3:
            raise UnreadableImageError(f"{item.sample_id}: broken")
        if number == 5:
            raise MemoryError
        return work(item)

    outcome = Outcome()
    kept: list[Result] = []
    list(pipeline.run(items(100), picky, kept.extend, outcome))
    assert outcome.done == len(kept) == 89
    reasons = {f.sample_id: f.reason for f in outcome.failures}
    assert reasons["0003"] == "0003: broken"
    assert "memory" in reasons["0005"]
    assert len(reasons) == 11


@pytest.mark.parametrize("error", [OutputError, LedgerUnavailableError, ValueError])
def test_what_every_item_would_meet_ends_the_run(error):
    started = []

    def failing(item: Item) -> Result:
        started.append(item)
        if item.sample_id == "0100":
            raise error("no more")
        return work(item)

    outcome = Outcome()
    kept: list[Result] = []
    with pytest.raises(error, match="no more"):
        list(pipeline.run(items(5000), failing, kept.extend, outcome, workers=2))
    assert outcome.done == len(kept) == 0
    assert len(started) < 1000


def test_a_failed_commit_counts_nothing():
    calls = 0

    def commit(batch: list[Result]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OutputError("the disk is full")

    outcome = Outcome()
    with pytest.raises(OutputError):
        list(pipeline.run(items(2000), work, commit, outcome))
    assert outcome.done == pipeline.COMMIT_ITEMS


def test_closing_stops_the_run_and_its_threads():
    before = threading.active_count()
    kept: list[Result] = []
    outcome = Outcome()
    steps = pipeline.run(items(5000), work, kept.extend, outcome)
    for _ in range(20):
        next(steps)
    steps.close()
    assert threading.active_count() == before
    assert outcome.done == len(kept) < 5000
    assert len(kept) % pipeline.CHUNK_ITEMS == 0


def test_workers_follow_the_processors_that_may_be_used(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 2, 5})
    assert pipeline.default_workers() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert pipeline.default_workers() == 1


@pytest.mark.parametrize(("size", "threads"), [(100, 1), (pipeline.TINY, 3)])
def test_tiny_files_are_done_by_one_thread(size, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "default_workers", lambda: 3)
    together = threading.Barrier(threads, timeout=60)
    seen: set[int] = set()

    def meet(item: Item) -> Result:
        if len(seen) < threads:
            seen.add(threading.get_ident())
            together.wait()
        return work(item)

    file = tmp_path / "a.png"
    file.write_bytes(bytes(size))
    same = [Item(f"{i:04}", str(file), None, "") for i in range(200)]
    outcome = Outcome()
    list(pipeline.run(same, meet, lambda batch: None, outcome, chunk_items=1))
    assert outcome.done == 200
    assert len(seen) == threads


def test_first_failures_are_listed_and_the_rest_counted():
    failures = [Failure(f"{i}", "", InputError.__name__) for i in range(5)]
    text = pipeline.first_failures(failures)
    assert text.splitlines() == [
        "0: InputError",
        "1: InputError",
        "2: InputError",
        "... and 2 more",
    ]
    assert pipeline.first_failures([]) == ""


def test_a_file_that_is_gone_has_no_size():
    assert pipeline._file_size(str(Path("nowhere"))) == 0
