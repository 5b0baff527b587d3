"""The batch loop's work on a Ray cluster of several nodes, some of which are lost."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fiftyone_reue.batch import on_ray, pipeline
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import EngineError, OutputError
from tests.batch.tried import (
    Pretending,
    Result,
    Work,
    check_that_all_is_done,
    items,
)
from tests.ray_cluster import STORE, cluster

pytest.importorskip("ray", reason="ray isn't installed (make venv installs it)")

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    with cluster(2) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tries"
    made.mkdir()
    return made


def steps(count: int, work: Work, done: list[Result], outcome: Outcome, **more: Any):
    more = {"workers": 2, **more}
    return pipeline.run(items(count), work, done.extend, outcome, engine="ray", **more)


def test_every_item_is_done_once_and_in_order(two_nodes, folder):
    check_that_all_is_done(steps, folder)


def test_an_error_that_ends_a_run_is_the_one_that_was_raised(two_nodes, folder):
    work = Work(folder, fatal=("0003",))
    with pytest.raises(OutputError, match=r"^the disk is full$"):
        list(steps(8, work, [], Outcome()))


def test_workers_of_another_version_are_not_used(two_nodes, folder, monkeypatch):
    monkeypatch.setattr(on_ray, "__version__", "9.9")
    work = Work(folder)
    with pytest.raises(EngineError, match=r"install the same on every machine"):
        list(steps(8, work, [], Outcome()))
    assert work.tries() == []


def test_an_image_that_kills_its_workers_costs_that_image_alone(two_nodes, folder):
    work, done, outcome = Work(folder, deadly=("0002",)), [], Outcome()
    assert list(steps(12, work, done, outcome, chunk_items=4))[-1] == 12
    left = [item.sample_id for item in items(12) if item.sample_id != "0002"]
    assert [one.name for one in done] == left
    (failure,) = outcome.failures
    assert failure.sample_id == "0002"
    assert "every worker that was given this image died" in failure.reason
    assert work.tries().count("0002") == 4


def test_what_a_killed_worker_had_is_done_by_another(two_nodes, folder):
    work, done, outcome = Work(folder, seconds=0.02), [], Outcome()
    run = steps(60, work, done, outcome, chunk_items=5)
    assert next(run) == 5
    os.kill(next(iter(work.processes())), signal.SIGKILL)
    assert list(run)[-1] == 60
    assert [one.name for one in done] == [item.sample_id for item in items(60)]
    assert len(work.processes()) >= 2


def test_a_run_that_is_stopped_keeps_what_is_behind_it(two_nodes, folder):
    import ray

    work, done, outcome = Work(folder, seconds=0.02), [], Outcome()
    run = steps(60, work, done, outcome, chunk_items=5)
    behind = next(run)
    run.close()
    assert [one.name for one in done] == [i.sample_id for i in items(behind)]
    until = time.monotonic() + 120
    while ray.available_resources().get("CPU") != 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == 2  # the workers are gone


def wait_for(path: Path, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)


@dataclass(frozen=True)
class Held(Work):
    """Work that on one node is begun and never ends, and elsewhere waits for that.

    Attributes:
        node: Ray's name of it.
    """

    node: str = ""

    @property
    def mark(self) -> Path:
        return self.folder.parent / "begun_on_the_node"

    def __call__(self, item: Item) -> Result:
        import ray

        if ray.get_runtime_context().get_node_id() == self.node:
            self.mark.write_text(item.sample_id, encoding="utf-8")
            time.sleep(600)
        wait_for(self.mark)
        return super().__call__(item)


def test_what_a_lost_node_had_is_done_by_the_others(two_nodes, folder):
    import ray

    before = {node["NodeID"] for node in ray.nodes()}
    node = two_nodes.add_node(num_cpus=1, object_store_memory=STORE)
    two_nodes.wait_for_nodes()
    (name,) = {one["NodeID"] for one in ray.nodes()} - before
    work, done, outcome = Held(folder, node=name), [], Outcome()

    def lose_the_node() -> None:
        wait_for(work.mark)
        two_nodes.remove_node(node, allow_graceful=False)

    losing = Thread(target=lose_the_node)
    losing.start()
    assert list(steps(60, work, done, outcome, chunk_items=5, workers=3))[-1] == 60
    losing.join()
    assert work.mark.exists()
    assert [one.name for one in done] == [item.sample_id for item in items(60)]
    assert outcome == Outcome(done=60)


@pytest.fixture
def pretended_gpus(two_nodes) -> Iterator[None]:
    """Two more nodes, each with a GPU that isn't there, and one processor or two."""
    made = [
        two_nodes.add_node(num_cpus=n, num_gpus=1, object_store_memory=STORE)
        for n in (1, 2)
    ]
    two_nodes.wait_for_nodes()
    yield
    for one in made:
        two_nodes.remove_node(one, allow_graceful=False)


def test_what_gains_by_gpus_is_done_on_nodes_that_have_them(
    two_nodes, pretended_gpus, folder, monkeypatch
):
    monkeypatch.setattr(on_ray, "Actor", Pretending)
    work, done, outcome = Work(folder, seconds=0.02), [], Outcome()
    run = steps(60, work, done, outcome, chunk_items=2, workers=None, gains_by_gpu=True)
    assert list(run)[-1] == 60
    assert [one.name for one in done] == [item.sample_id for item in items(60)]
    # One a processor of those nodes; Ray says which of the node's GPUs it is.
    assert {one.devices for one in done} == {"0"}
    assert len(work.processes()) == 3
    processes = work.processes()
    done.clear()
    list(steps(20, work, done, Outcome(), chunk_items=2, workers=4))
    assert {one.devices for one in done} == {""}  # the others are given none
    assert work.processes() - processes


def test_a_gpu_that_cant_be_computed_on_ends_the_run(
    two_nodes, pretended_gpus, folder, monkeypatch
):
    import torch

    if torch.cuda.is_available():
        pytest.skip("the GPU is there")
    work = Work(folder)
    with pytest.raises(EngineError, match=r"has a GPU that can't be computed on"):
        list(steps(8, work, [], Outcome(), gains_by_gpu=True))
    assert work.tries() == []
    monkeypatch.setenv(on_ray.GPUS_VARIABLE, "off")
    done: list[Result] = []
    list(steps(8, work, done, Outcome(), gains_by_gpu=True))
    assert {one.devices for one in done} == {""}
    assert len(done) == 8
