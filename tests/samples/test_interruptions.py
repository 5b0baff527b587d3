"""Protecting, cut short: by its user, by a kill, by a lost dataset or database."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import fields, runs
from tests.mongod import Mongod, find_mongod
from tests.samples.datasets import COUNT, write_tiles

pytestmark = pytest.mark.integration


def steps_of(dataset: Any, tmp_path: Path) -> Any:
    return reue.protect_steps(
        dataset,
        "alice",
        output_dir=tmp_path / "alice",
        label_field="kind",
        method="lsp",
    )


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_reue.batch import pipeline

    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)


@pytest.mark.usefixtures("small_batches")
def test_a_kill_between_ledger_and_fields_loses_nothing(
    dataset: Any, vault: Any, protect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, calls = fields.show_copies, []

    def die(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        show(*arguments)

    monkeypatch.setattr(fields, "show_copies", die)
    with pytest.raises(KeyboardInterrupt):
        protect(dataset)
    monkeypatch.setattr(fields, "show_copies", show)
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "cancelled"
    made = vault.ledger.record_sample_ids(config["release_id"])
    assert len(made) > dataset.count("protected_filepath") > 0

    again = protect(dataset)

    assert (again.protected, again.skipped) == (COUNT - len(made), len(made))
    assert dataset.distinct("protection.state") == ["protected"]
    assert dataset.count("protection.payload") == COUNT
    assert dataset.count("protection.psnr") == COUNT


@pytest.mark.usefixtures("small_batches")
def test_closing_the_generator_cancels(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    steps = steps_of(dataset, tmp_path)
    while dataset.get_field("protection") is None or not dataset.count(
        "protected_filepath"
    ):
        next(steps)
    steps.close()
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "cancelled"
    assert 0 < dataset.count("protected_filepath") < COUNT
    assert protect(dataset, label_field="kind").skipped > 0
    assert dataset.count("protected_filepath") == COUNT


@pytest.mark.usefixtures("small_batches")
def test_samples_deleted_meanwhile(dataset: Any, vault: Any, tmp_path: Path) -> None:
    from fiftyone_reue.progress import finish

    steps = steps_of(dataset, tmp_path)
    for _ in range(5):
        next(steps)
    dataset.delete_samples(dataset.values("id")[-5:])
    result = finish(steps)
    assert result.protected == COUNT
    assert dataset.count("protected_filepath") == len(dataset) == COUNT - 5


@pytest.mark.usefixtures("small_batches")
def test_a_dataset_deleted_by_another_process(
    dataset: Any, vault: Any, tmp_path: Path
) -> None:
    import fiftyone.core.odm as foo

    from fiftyone_reue.progress import finish

    steps = steps_of(dataset, tmp_path)
    while not (dataset.get_field("protection") and dataset.count("protected_filepath")):
        next(steps)
    database = foo.get_db_conn()
    database["datasets"].delete_one({"_id": dataset._doc.id})
    with pytest.raises(InputError, match="The dataset was deleted"):
        finish(steps)
    (release,) = vault.ledger.releases()
    assert release.state == "failed"
    written = sorted(p for p in (tmp_path / "alice").rglob("*.png"))
    listed = sorted(
        tmp_path / "alice" / record.output
        for record in vault.ledger.records(release.id)
    )
    assert written == listed
    assert not list((tmp_path / "alice").rglob("*.reue-tmp"))
    with pytest.raises(InputError, match="The dataset was deleted"):
        finish(steps_of(dataset, tmp_path))


STOPPED_SCRIPT = """
import sys
import fiftyone as fo
from fiftyone_reue import samples
from fiftyone_reue.batch import pipeline
from fiftyone_reue.errors import ReueError

output, key, *paths = sys.argv[1:]
dataset = fo.Dataset("stopped")
dataset.add_samples(
    [fo.Sample(filepath=path, kind=path.split("/")[-2]) for path in paths],
    progress=False,
)
samples.add_recipient("alice", key)
pipeline.CHUNK_ITEMS, pipeline.COMMIT_ITEMS = 1, 2
options = dict(output_dir=output, label_field="kind", method="lsp")
try:
    for step in samples.protect_steps(dataset, "alice", **options):
        if step.label.startswith("Protecting"):
            print("halfway", flush=True)
            sys.stdin.readline()
except ReueError as error:
    print("error", type(error).__name__, error, flush=True)
while sys.stdin.readline() != "again\\n":
    pass
result = samples.protect_samples(dataset, "alice", progress=False, **options)
print("done", result.skipped, dataset.count("protected_filepath"), flush=True)
"""


def test_mongodb_stopped_halfway(tmp_path: Path, photos: dict) -> None:
    binary = find_mongod()
    if binary is None:
        pytest.skip("no mongod here that can be stopped")
    server = Mongod(binary, tmp_path / "db")
    server.start()
    output = tmp_path / "alice"
    paths = [str(path) for path in write_tiles(photos, tmp_path / "originals", COUNT)]
    options = "serverSelectionTimeoutMS=3000&connectTimeoutMS=3000"
    job = subprocess.Popen(
        [sys.executable, "-c", STOPPED_SCRIPT, output, tmp_path / "alice.key", *paths],
        env={
            **os.environ,
            "FIFTYONE_DATABASE_URI": f"{server.uri}/?{options}",
            "FIFTYONE_DATABASE_NAME": "stopped",
            "REUE_OWNER_KEY": "5a" * 32,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert job.stdin is not None
    assert job.stdout is not None

    def wait_for(word: str) -> str:
        seen = []
        for line in job.stdout:
            if line.startswith(word):
                return line
            seen.append(line)
        raise AssertionError("".join(seen))

    try:
        wait_for("halfway")
        server.kill()
        job.stdin.write("\n" * COUNT)
        job.stdin.flush()
        message = wait_for("error")
        assert "LedgerUnavailableError" in message
        assert "MongoDB" in message
        assert not list(output.rglob("*.reue-tmp"))
        server.start()
        text, _ = job.communicate("again\n", timeout=300)
        done = text.split()
        assert done[-3] == "done", text
        assert 0 <= int(done[-2]) < COUNT
        assert int(done[-1]) == COUNT
        assert len(list(output.rglob("*.png"))) == COUNT
    finally:
        job.kill()
        server.kill()
