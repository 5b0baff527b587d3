"""Protecting by threads and on a Ray cluster, with workers, nodes and drivers killed.

    python benchmarks/scale.py                         # both tables on stdout
    python benchmarks/scale.py --images 300 --output benchmarks/results

Every run is a `reue protect` process of its own, on JPEG files of 224 pixels a side
that are cut from the photographs of the demo. The cluster is one of several nodes on
this machine, with a processor each, so that its workers share these processors with the
driver: what is seen is what the engine costs and what it survives, not how far it goes.
After each run the ledger is counted and the owner restores: an image is lost if its
file doesn't come back byte for byte, and doubled if it has two records or files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.demo.tiles import CLASSES, load_photo
from fiftyone_reue.vault.vault import create_folder, open_folder

ROOT = Path(__file__).resolve().parent.parent
SIDE = 224
STORE = 200 << 20
KILLED_AT = 0.25
"""Of the images, when something is killed."""

Fault = Callable[[Any, subprocess.Popen[str]], None]


@dataclass(frozen=True)
class Run:
    """How a run is made.

    Attributes:
        name: in the table.
        engine: of `reue protect`.
        workers: how many threads, or workers on as many nodes.
        fault: what is killed, or None.
    """

    name: str
    engine: str
    workers: int
    fault: str | None = None


RUNS = (
    Run("threads", "local", 1),
    Run("threads", "local", 2),
    Run("Ray", "ray", 1),
    Run("Ray", "ray", 2),
    Run("Ray, a worker killed", "ray", 2, "worker"),
    Run("Ray, a node killed", "ray", 2, "node"),
    Run("Ray, the driver killed and run again", "ray", 2, "driver"),
)


@dataclass(frozen=True)
class Measured:
    """What a run took and left.

    Attributes:
        seconds: of the whole command, start and end included; of both where the
            driver was killed.
        driver: seconds of a processor that the command's process took itself; that
            doesn't depend on what else the machine does.
        workers_took: the same of all workers on Ray together.
        others: processors that all else took meanwhile: Ray's own processes, and what
            the machine had to do besides.
        rate: images a second.
        restored: images whose original file comes back byte for byte.
        doubled: images with more than one record, and files that no record knows.
        copies: bytes of the protected files.
        ledger: bytes of the ledger.
    """

    name: str
    workers: int
    seconds: float
    driver: float
    workers_took: float
    others: float
    rate: float
    restored: int
    doubled: int
    copies: int
    ledger: int


def make_images(folder: Path, count: int) -> None:
    """Crops of the demo's photographs, in colour, as JPEG files of quality 90."""
    draw = np.random.default_rng(0)
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        photo = load_photo(name).convert("RGB")
        grown = 1.1 * SIDE / min(photo.size)
        if grown > 1:
            sides = (int(photo.width * grown) + 1, int(photo.height * grown) + 1)
            photo = photo.resize(sides, Image.Resampling.BICUBIC)
        left = int(draw.integers(photo.width - SIDE + 1))
        top = int(draw.integers(photo.height - SIDE + 1))
        path = folder / name / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + SIDE, top + SIDE)).save(path, quality=90)


@contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """Nodes with a processor each on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    # Else Ray has its workers wait for all else that the machine does.
    os.environ["RAY_worker_niceness"] = str(os.nice(0))  # noqa: SIM112
    os.environ["PYTHONPATH"] = str(ROOT)
    from ray.cluster_utils import Cluster

    made = Cluster()
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1, object_store_memory=STORE)
        yield made
    finally:
        made.shutdown()


def started(run: Run, place: Path, address: str | None) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    words = ["protect", "source", "out", "--vault", "vault", "--recipient", "alice"]
    words += ["--method", "rue", "--seed", "1", "--json", "--engine", run.engine]
    words += ["--workers", str(run.workers)]
    more = {} if address is None else {"RAY_ADDRESS": address}
    return subprocess.Popen(
        [sys.executable, "-m", "fiftyone_reue", *words],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more},
        stdout=subprocess.PIPE,
        text=True,
    )


def waited(command: subprocess.Popen[str]) -> tuple[int, float]:
    """Its exit status, and the seconds of a processor that it took."""
    assert command.stdout is not None
    command.stdout.read()
    _, status, took = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    return command.returncode, took.ru_utime + took.ru_stime


def copies_in(place: Path) -> list[Path]:
    """The protected files."""
    return sorted((place / "out").glob("*/*.jpg"))


def actors() -> Iterator[psutil.Process]:
    """The processes that hold one."""
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or ()).startswith("ray::Actor"):
            yield process


class Watch(threading.Thread):
    """Looks once a second how long actors have computed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: dict[int, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(1.0):
            for process in actors():
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._seen[process.pid] = times.user + times.system

    def ended(self) -> float:
        """Seconds of all that were seen, to the last second of each."""
        self._over.set()
        self.join()
        return sum(self._seen.values())


def kill_worker(_: Any, __: subprocess.Popen[str]) -> None:
    """Kill one of the processes that hold an actor."""
    next(actors()).kill()


def kill_node(nodes: Any, _: subprocess.Popen[str]) -> None:
    """Take a node away that isn't the head."""
    node = next(one for one in nodes.list_all_nodes() if not one.head)
    nodes.remove_node(node, allow_graceful=False)


def kill_driver(_: Any, command: subprocess.Popen[str]) -> None:
    """Kill the command."""
    os.kill(command.pid, signal.SIGKILL)


FAULTS: dict[str, Fault] = {
    "worker": kill_worker,
    "node": kill_node,
    "driver": kill_driver,
}


def measured(run: Run, source: Path, count: int) -> Measured:
    """Make a release in a new folder, look at it, and forget it."""
    scratch = Path(tempfile.mkdtemp(prefix="reue-scale-"))
    opened = cluster(run.workers) if run.engine == "ray" else nullcontext()
    try:
        (scratch / "source").symlink_to(source)
        with create_folder(scratch / "vault", secrets={}, plain_key_file=True) as vault:
            vault.add_recipient("alice")
        with opened as nodes:
            address = None if nodes is None else nodes.address
            watch = Watch()
            watch.start()
            began, busy = time.perf_counter(), _busy()
            command = started(run, scratch, address)
            if run.fault is not None:
                while len(copies_in(scratch)) < KILLED_AT * count:
                    if command.poll() is not None:
                        raise SystemExit("it ended before anything was killed")
                    time.sleep(0.1)
                FAULTS[run.fault](nodes, command)
            status, driver = waited(command)
            if run.fault == "driver":
                assert status == -signal.SIGKILL
                status, more = waited(started(run, scratch, address))
                driver += more
            seconds = time.perf_counter() - began
            workers = watch.ended() if run.engine == "ray" else 0.0
            others = max(0.0, _busy() - busy - driver - workers) / seconds
        if status:
            raise SystemExit(f"{run.name}: exit status {status}")
        return _looked_at(
            run, scratch, source, count, (seconds, driver, workers, others)
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _busy() -> float:
    """Seconds that the machine's processors worked since it started."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - times.guest


def _looked_at(
    run: Run,
    place: Path,
    source: Path,
    count: int,
    took: tuple[float, float, float, float],
) -> Measured:
    seconds, driver, workers, others = took
    with open_folder(place / "vault") as vault:
        (release,) = vault.ledger.releases()
        records = list(vault.ledger.records(release.id))
        api.restore(place / "out", place / "back", vault=vault)
    files = copies_in(place)
    outputs = {str(place / "out" / one.output) for one in records}
    doubled = len(records) - len({one.sample_id for one in records})
    doubled += len([path for path in files if str(path) not in outputs])
    restored = sum(
        (place / "back" / path.relative_to(source)).read_bytes() == path.read_bytes()
        for path in source.glob("*/*.jpg")
        if (place / "back" / path.relative_to(source)).is_file()
    )
    return Measured(
        run.name,
        run.workers,
        round(seconds, 1),
        round(driver, 1),
        round(workers, 1),
        round(others, 1),
        round(count / seconds, 1),
        restored,
        doubled,
        sum(path.stat().st_size for path in files),
        (place / "vault" / "ledger.sqlite").stat().st_size,
    )


def table(rows: list[Measured], count: int) -> str:
    """Markdown."""
    head = "| engine | workers | seconds | images a second | command, ms of a core an "
    head += (
        "image | workers, ms of a core an image | cores taken by all else | restored | "
    )
    head += "doubled |"
    lines = [head, "| --- " * 9 + "|"]
    for one in rows:
        driver, workers = (1000 * s / count for s in (one.driver, one.workers_took))
        lines.append(
            f"| {one.name} | {one.workers} | {one.seconds:.0f} | {one.rate:.1f} | "
            f"{driver:.1f} | {workers:.1f} | {one.others:.1f} | "
            f"{one.restored} of {count} | {one.doubled} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--output", type=Path, help="a folder for scale.md and .json")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="reue-scale-source-"))
    try:
        source = folder / "source"
        make_images(source, given.images)
        originals = sum(path.stat().st_size for path in source.glob("*/*.jpg"))
        few = max(1, given.images // 10)
        make_images(folder / "few", few)
        small = measured(RUNS[2], folder / "few", few)
        rows = []
        for run in RUNS:
            rows.append(measured(run, source, given.images))
            print(rows[-1], file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    each = 1000 * (rows[2].driver - small.driver) / (given.images - few)
    ledger = (rows[2].ledger - small.ledger) / (given.images - few)
    text = "\n".join(
        (
            "# Threads and a Ray cluster\n",
            f"Made by `python benchmarks/scale.py --images {given.images}`.\n",
            f"{given.images} JPEG files of {SIDE} pixels a side, {originals} bytes; "
            f"copies {rows[0].copies} bytes, ledger {rows[0].ledger} bytes.\n",
            table(rows, given.images),
            "",
            f"On Ray each image beyond the first {few} took the command "
            f"{each:.1f} ms of a core and {ledger:.0f} bytes of the ledger.",
            "",
            f"Python {platform.python_version()}, {platform.machine()}, "
            f"{len(os.sched_getaffinity(0))} cores, all nodes on this machine.",
        )
    )
    print(text)
    if given.output is not None:
        (given.output / "scale.md").write_text(text + "\n")
        figures = {"images": given.images, "originals": originals}
        figures["few"] = {"images": few, **asdict(small)}
        figures["runs"] = [asdict(one) for one in rows]
        (given.output / "scale.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
