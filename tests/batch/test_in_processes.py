"""The batch loop's work in processes of this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.batch import pipeline
from fiftyone_reue.batch.engines import require_engine
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import EngineError, OutputError
from tests.batch.tried import Result, Work, check_that_all_is_done, items

pytestmark = [pytest.mark.slow, pytest.mark.integration]

ROOT = Path(__file__).parents[2]

# It says which processes work for it, and is interrupted twice then.
INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from tests.batch.test_in_processes import steps
from tests.batch.tried import Work
from fiftyone_reue.batch.pipeline import Outcome

def interrupt():
    for pause in (0.0, float(sys.argv[2])):
        time.sleep(pause)
        os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    work = Work(Path(sys.argv[1]), seconds=0.05)
    begun = False
    for behind in steps(600, work, [], Outcome(), chunk_items=5):
        if len(work.processes()) == 2 and not begun:
            begun = True
            print(*work.processes(), flush=True)
            threading.Thread(target=interrupt).start()
"""

# It says when its workers were started, before they can have begun.
EARLY = """
import sys
from pathlib import Path
from tests.batch.test_in_processes import steps
from tests.batch.tried import Work
from fiftyone_reue.batch import in_processes
from fiftyone_reue.batch.pipeline import Outcome

def start(self, real=in_processes._Deaf.start):
    real(self)
    print("started", flush=True)

in_processes._Deaf.start = start
if __name__ == "__main__":
    work = Work(Path(sys.argv[1]), seconds=0.05)
    try:
        list(steps(600, work, [], Outcome(), chunk_items=5, workers=1))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
"""

# It says which processes work for it, and is killed then.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.batch.test_in_processes import steps
from tests.batch.tried import Work
from fiftyone_reue.batch.pipeline import Outcome

if __name__ == "__main__":
    work = Work(Path(sys.argv[1]), seconds=0.05)
    for behind in steps(600, work, [], Outcome(), chunk_items=5):
        if len(work.processes()) == 2:
            print(*work.processes(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tries"
    made.mkdir()
    return made


def steps(count: int, work: Work, done: list[Result], outcome: Outcome, **more: Any):
    more = {"workers": 2, "engine": "processes", **more}
    return pipeline.run(items(count), work, done.extend, outcome, **more)


def test_every_item_is_done_once_and_in_order(folder):
    check_that_all_is_done(steps, folder)


def test_an_error_that_ends_a_run_is_the_one_that_was_raised(folder):
    work = Work(folder, fatal=("0003",))
    with pytest.raises(OutputError, match=r"^the disk is full$"):
        list(steps(8, work, [], Outcome()))


def test_a_worker_that_dies_is_said_with_what_to_do(folder):
    work = Work(folder, deadly=("0002",))
    with pytest.raises(EngineError, match=r"^A worker process died.*engine local"):
        list(steps(12, work, [], Outcome(), chunk_items=4))


def test_a_run_that_is_stopped_keeps_what_is_behind_it(folder):
    work, done, outcome = Work(folder, seconds=0.02), [], Outcome()
    run = steps(60, work, done, outcome, chunk_items=5)
    behind = next(run)
    run.close()
    assert [one.name for one in done] == [i.sample_id for i in items(behind)]
    assert outcome.done == behind
    assert wait_for_end_of(work.processes())


def test_workers_end_with_the_process_that_they_work_for(folder):
    script = folder.parent / "killed.py"
    script.write_text(KILLED)
    run = subprocess.run(
        [sys.executable, script, folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert wait_for_end_of({int(one) for one in run.stdout.split()})


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.05, 0.2])
def test_two_interrupts_end_a_run_at_once(folder, pause):
    script = folder.parent / "interrupted.py"
    script.write_text(INTERRUPTED)
    run = subprocess.run(
        [sys.executable, script, folder, str(pause)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode in (1, -signal.SIGINT), run.stderr
    assert "KeyboardInterrupt" in run.stderr
    assert wait_for_end_of({int(one) for one in run.stdout.split()})


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_an_interrupt_while_workers_start_says_nothing_of_them(folder, pause):
    script = folder.parent / "early.py"
    script.write_text(EARLY)
    with subprocess.Popen(
        [sys.executable, script, folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "started\n"
        time.sleep(pause)
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=300)
    assert said == "stopped\n"


def test_a_script_that_begins_again_in_workers_is_told_how_not_to(folder):
    script = folder.parent / "unguarded.py"
    script.write_text(KILLED.replace('if __name__ == "__main__":', "if True:"))
    run = subprocess.run(
        [sys.executable, script, folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert "EngineError" in last
    assert "below if __name__ == '__main__'" in last


def test_a_worker_may_not_have_workers(monkeypatch):
    import multiprocessing

    require_engine("processes")
    process = multiprocessing.current_process()
    monkeypatch.setitem(process._config, "daemon", True)
    with pytest.raises(EngineError, match="leave the engine out"):
        require_engine("processes")


def wait_for_end_of(processes: set[int]) -> bool:
    """Whether they end within a moment, and there are any."""
    until = time.monotonic() + 120
    while any(Path(f"/proc/{one}/status").exists() for one in processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return bool(processes)
