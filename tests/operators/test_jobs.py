"""What a form of the App starts is a job, which a worker executes."""

import importlib
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.samples.worker import ensure as start_worker

pytestmark = pytest.mark.integration

PLUGIN = "@reue/fiftyone-reue"
SPACES = {"child": "as the App sends them"}


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Starts no process: a test works the jobs off itself. Leaves no job behind."""
    from fiftyone.operators.delegated import DelegatedOperationService

    from fiftyone_reue.samples import worker

    monkeypatch.setattr(worker, "ensure", lambda: None)
    yield
    service = DelegatedOperationService()
    for operation in service.list_operations():
        service.delete_operation(operation.id)


@pytest.fixture(autouse=True)
def known_key(alice: Path) -> None:
    """The owner confirmed to know about the owner key, which forms ask for first."""
    from fiftyone_reue.samples import confirm_owner_key

    confirm_owner_key()


@pytest.fixture
def ask(no_process: None, plugin: Path) -> Callable[..., list[Any]]:
    """Executes an operator as a form of the App does; returns the dataset's jobs."""
    import fiftyone.operators as foo

    from fiftyone_reue.samples import jobs

    def execute(name: str, dataset: Any, **params: Any) -> list[Any]:
        foo.execute_operator(
            f"{PLUGIN}/{name}", {"dataset": dataset, "spaces": SPACES}, params=params
        )
        return jobs.list_jobs(dataset)

    return execute


def work() -> int:
    from fiftyone_reue.samples import worker

    return worker.work(idle=0)


def test_a_form_starts_a_job_and_a_worker_executes_it(
    ask: Any, dataset: Any, alice: Path
) -> None:
    from fiftyone_reue.samples import jobs

    (job,) = ask("protect_dataset", dataset, recipient="alice", method="lsp")
    assert (job.label, job.state) == ("Protect for alice", jobs.WAITING)
    assert not dataset.list_runs()
    assert work() == 1
    (job,) = jobs.list_jobs(dataset)
    assert job.state == jobs.DONE
    assert job.step.startswith("Protected 40 images for alice (release alice_1)")
    dataset.reload()
    assert len(dataset.exists("protected_filepath")) == 40


def test_a_job_that_fails_says_why_and_keeps_its_input(
    ask: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import jobs

    ask("protect_dataset", dataset, recipient="alice", method="lsp", epsilon=6)
    monkeypatch.delenv("REUE_OWNER_KEY")
    work()
    (job,) = jobs.list_jobs(dataset)
    assert job.state == jobs.FAILED
    assert "REUE_OWNER_KEY" in job.problem
    assert "Traceback" not in job.problem
    assert job.params == {"recipient": "alice", "method": "lsp", "epsilon": 6}


def test_a_job_that_cannot_be_started_is_listed_without_its_code(
    ask: Any, dataset: Any, alice: Path, tmp_path: Path
) -> None:
    from fiftyone_reue.samples import jobs

    given = {"output_dir": str(tmp_path / "out"), "confirmation": "ABCDABCDABCDABCD"}
    (job,) = ask("restore_dataset", dataset, **given)
    assert job.state == jobs.FAILED
    assert job.problem.startswith("The confirmation code is wrong or too old")
    assert job.params == {"output_dir": str(tmp_path / "out")}
    assert work() == 0
    jobs.clear(job.id)
    assert not jobs.list_jobs(dataset)


def test_a_confirmed_job_is_executed_with_a_permit(
    ask: Any, operator: Any, dataset: Any, alice: Path, tmp_path: Path
) -> None:
    from fiftyone_reue import samples as reue
    from fiftyone_reue.samples import jobs

    operator("protect_dataset")(dataset, "alice", method="lsp")
    code = reue.confirmation_code("restore_dataset")
    out = tmp_path / "out"
    (job,) = ask("restore_dataset", dataset, output_dir=str(out), confirmation=code)
    work()
    (job,) = jobs.list_jobs(dataset)
    assert (job.state, job.problem) == (jobs.DONE, None)
    assert job.step.startswith("Restored 40 originals exactly")
    assert len(list(out.rglob("*.png"))) == 40


def test_a_waiting_job_is_cancelled_and_another_goes_on(
    ask: Any, dataset: Any, alice: Path, bob: Path
) -> None:
    from fiftyone_reue.samples import jobs

    ask("protect_dataset", dataset, recipient="alice", method="lsp")
    newest, oldest = ask("protect_dataset", dataset, recipient="bob", method="lsp")
    jobs.cancel(oldest.id)
    assert work() == 1
    newest, oldest = jobs.list_jobs(dataset)
    assert (newest.state, oldest.state) == (jobs.DONE, jobs.CANCELLED)
    assert dataset.list_runs() == ["bob_1"]


def test_what_waits_to_delete_lets_other_jobs_go_first(
    ask: Any, operator: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue import samples as reue
    from fiftyone_reue.samples import jobs, worker

    operator("protect_dataset")(dataset, "alice", method="lsp")
    code = reue.confirmation_code("delete_release")
    given = {"release": "alice_1", "files": True, "confirmation": code}
    (deletion,) = ask("delete_release", dataset, **given)
    left = (deletion.due - deletion.queued).total_seconds()
    assert left == pytest.approx(jobs.UNDO_SECONDS, abs=5)
    ask("check_files", dataset)
    with worker._lease() as holder:
        assert worker._execute_next(holder, logs=False)
        assert not worker._execute_next(holder, logs=False), "it isn't due yet"
    check, deletion = jobs.list_jobs(dataset)
    assert (check.state, deletion.state) == (jobs.DONE, jobs.WAITING)
    assert deletion.untouched
    jobs.cancel(deletion.id)
    assert work() == 0
    _, undone = jobs.list_jobs(dataset)
    assert (undone.state, undone.untouched) == (jobs.CANCELLED, True)
    assert reue.list_releases(dataset) == ["alice_1"]


def test_what_fiftyones_own_worker_starts_early_waits_and_can_be_undone(
    ask: Any, operator: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone.operators.delegated import DelegatedOperationService

    from fiftyone_reue import samples as reue
    from fiftyone_reue.samples import jobs

    made = operator("protect_dataset")(dataset, "alice", method="lsp")
    copies = dataset.values("protected_filepath")
    code = reue.confirmation_code("delete_release")
    given = {"release": "alice_1", "files": True, "confirmation": code}
    (job,) = ask("delete_release", dataset, **given)
    assert job.state == jobs.WAITING
    said: list[str] = []

    def undo_at_third(seconds: float) -> None:
        (now,) = jobs.list_jobs(dataset)
        said.append(now.step)
        assert now.fraction == 0
        if len(said) == 3:
            jobs.cancel(job.id)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "time", SimpleNamespace(sleep=undo_at_third))
        package = operator("delete_release").__module__.rpartition(".")[0]
        running = importlib.import_module(f"{package}.running")
        patch.setattr(running, "_SECONDS_BETWEEN_STORED_UPDATES", 0.0)
        DelegatedOperationService().execute_queued_operations(log=False)
    (job,) = jobs.list_jobs(dataset)
    assert (job.state, job.untouched) == (jobs.CANCELLED, True)
    assert re.fullmatch(r"Deletes alice_1 in \d+ s; undo it until then", said[1])
    assert reue.list_releases(dataset) == ["alice_1"], made
    assert all(Path(copy).is_file() for copy in copies)


def test_a_release_is_deleted_by_one_job_so_that_one_undo_keeps_it(
    ask: Any, operator: Any, dataset: Any, alice: Path
) -> None:
    import fiftyone.operators as foo

    from fiftyone_reue import samples as reue
    from fiftyone_reue.samples import jobs

    operator("protect_dataset")(dataset, "alice", method="lsp")
    code = reue.confirmation_code("delete_release")
    (job,) = ask("delete_release", dataset, release="alice_1", confirmation=code)

    def asked() -> dict[str, Any]:
        known = operator("delete_release")
        ctx = foo.ExecutionContext(
            {
                "params": {"release": "alice_1"},
                "dataset_name": dataset.name,
                "spaces": SPACES,
            },
            operator_uri=known.uri,
            required_secrets=known._plugin_secrets,
        )
        return known.resolve_type(ctx, "inputs").to_json()["type"]["properties"]

    twice = asked()["twice"]
    assert twice["invalid"]
    assert twice["view"]["label"].endswith("is about to be deleted already")
    jobs.cancel(job.id)
    assert "twice" not in asked()


def test_what_deletes_is_done_after_its_minute(
    ask: Any, operator: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue import samples as reue
    from fiftyone_reue.samples import jobs

    operator("protect_dataset")(dataset, "alice", method="lsp")
    monkeypatch.setattr(jobs, "UNDO_SECONDS", 2.0)
    code = reue.confirmation_code("delete_release")
    given = {"release": "alice_1", "files": True, "confirmation": code}
    (job,) = ask("delete_release", dataset, **given)
    work()
    (done,) = jobs.list_jobs(dataset)
    assert (done.state, done.problem) == (jobs.DONE, None)
    assert (done.due, done.untouched) == (None, False)
    assert done.ended - job.queued >= timedelta(seconds=2)
    assert done.step == "Deleted release alice_1; 40 files of it were deleted"
    assert reue.list_releases(dataset) == []


def test_a_job_that_was_closed_can_be_brought_back_for_a_minute(
    ask: Any, operator: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import jobs

    operator("protect_dataset")(dataset, "alice", method="lsp")
    ask("check_files", dataset)
    work()
    (job,) = jobs.list_jobs(dataset)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    job.log.write_text("what it said")
    jobs.clear(job.id)
    assert jobs.list_jobs(dataset) == []
    assert [one.id for one in jobs.list_cleared(dataset)] == [job.id]
    jobs.forget_cleared()
    jobs.bring_back(job.id)
    assert jobs.list_jobs(dataset) == [job]
    assert jobs.read_log(job) == ["what it said"]
    jobs.clear(job.id)
    monkeypatch.setattr(jobs, "UNDO_SECONDS", 0.0)
    assert jobs.list_cleared(dataset) == []
    with pytest.raises(InputError, match="closed more than a minute ago"):
        jobs.bring_back(job.id)
    assert jobs.list_jobs(dataset) == []
    assert not job.log.exists()


def test_another_release_is_shown_by_a_job(
    ask: Any, operator: Any, dataset: Any, bob: Path
) -> None:
    from fiftyone_reue.samples import jobs

    for name in ("alice", "bob"):
        operator("protect_dataset")(dataset, name, method="lsp")
    (job,) = ask("show_release", dataset, release="alice_1")
    assert job.label == "Show alice_1"
    assert dataset.distinct("protection.release") == ["bob_1"]
    work()
    (job,) = jobs.list_jobs(dataset)
    assert job.step == "The samples show release alice_1: 40 copies"
    assert dataset.distinct("protection.release") == ["alice_1"]


def test_what_is_cancelled_keeps_what_was_finished_and_goes_on(
    ask: Any,
    operator: Any,
    dataset: Any,
    alice: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone_reue.batch import pipeline
    from fiftyone_reue.samples import fields, jobs

    (job,) = ask("protect_dataset", dataset, recipient="alice", method="lsp")
    show = fields.show_copies

    def show_and_cancel(*given: Any) -> None:
        show(*given)
        jobs.cancel(job.id)

    with monkeypatch.context() as patch:
        patch.setattr(fields, "show_copies", show_and_cancel)
        patch.setattr(pipeline, "CHUNK_ITEMS", 8)
        patch.setattr(pipeline, "COMMIT_ITEMS", 8)
        package = operator("protect_dataset").__module__.rpartition(".")[0]
        running = importlib.import_module(f"{package}.running")
        patch.setattr(running, "_SECONDS_BETWEEN_STORED_UPDATES", 0.0)
        work()
    (job,) = jobs.list_jobs(dataset)
    assert job.state == jobs.CANCELLED
    dataset.reload()
    kept = len(dataset.exists("protected_filepath"))
    assert 0 < kept < 40
    ask("protect_dataset", dataset, recipient="alice", method="lsp")
    work()
    done = jobs.list_jobs(dataset)[0]
    assert done.state == jobs.DONE, done
    assert f"{kept} were there already" in done.step


def test_what_was_cancelled_is_so_once_the_worker_left_it(
    ask: Any, operator: Any, dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import jobs, stale

    operator("protect_dataset")(dataset, "alice", method="lsp")
    (job,) = ask("check_files", dataset)
    find, said = stale.find_changes, []

    def cancelled_meanwhile(*given: Any, **options: Any) -> Any:
        jobs.cancel(job.id)
        said.append(jobs.list_jobs(dataset)[0].state)
        with pytest.raises(InputError, match="still runs"):
            jobs.clear(job.id)
        return find(*given, **options)

    monkeypatch.setattr(stale, "find_changes", cancelled_meanwhile)
    work()
    assert said == [jobs.CANCELLING]
    assert [one.state for one in jobs.list_jobs(dataset)] == [jobs.CANCELLED]


def test_a_job_whose_worker_was_killed_is_interrupted(
    ask: Any, dataset: Any, alice: Path
) -> None:
    from bson import ObjectId
    from fiftyone.operators.delegated import DelegatedOperationService

    from fiftyone_reue.samples import jobs, worker

    (job,) = ask("protect_dataset", dataset, recipient="alice", method="lsp")
    DelegatedOperationService().set_running(
        ObjectId(job.id), run_link=f"{worker.LINK}gone"
    )
    (job,) = jobs.list_jobs(dataset)
    assert job.state == jobs.INTERRUPTED
    jobs.clear(job.id)
    assert not jobs.list_jobs(dataset)


def test_there_is_one_worker_at_a_time(database: Any) -> None:
    from fiftyone_reue.samples import worker

    with worker._lease() as holder:
        assert worker.state().holder == holder
        with pytest.raises(InputError, match="There is a worker already"):
            worker.work(idle=0)
    assert worker.state() is None
    assert worker.work(idle=0) == 0


def test_a_worker_ends_with_the_app_that_started_it(
    ask: Any, dataset: Any, alice: Path
) -> None:
    """Its environment may lack the owner key that the next one is started with."""
    from fiftyone_reue.samples import jobs, worker
    from fiftyone_reue.samples.processes import this_process

    host, number, _ = this_process().rsplit("/", 2)
    ask("protect_dataset", dataset, recipient="alice", method="lsp")
    began = time.monotonic()
    assert worker.work(idle=300, starter=f"{host}/{number}/1") == 1
    assert time.monotonic() - began < 200
    assert jobs.list_jobs(dataset)[0].state == jobs.DONE
    assert worker.state() is None


def test_a_worker_is_a_process_of_its_own(
    ask: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.samples import jobs, worker

    monkeypatch.setattr(worker, "IDLE_SECONDS", 1.0)
    ask("protect_dataset", dataset, recipient="alice", method="lsp")
    start_worker()
    end = time.monotonic() + 240
    while time.monotonic() < end and jobs.list_jobs(dataset)[0].state in jobs.OPEN:
        time.sleep(0.5)
    (job,) = jobs.list_jobs(dataset)
    assert job.state == jobs.DONE, (job, worker.log_file("worker").read_text())
    assert "Protected 40 images for alice" in "\n".join(jobs.read_log(job))
    assert job.log.stat().st_mode & 0o077 == 0
    while time.monotonic() < end and worker.state() is not None:
        time.sleep(0.2)
    assert worker.state() is None
