"""Releases that are made on a Ray cluster are those that are made here."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fiftyone_reue import api
from fiftyone_reue.releases import prepare
from fiftyone_reue.vault.vault import open_folder
from tests.ray_cluster import ROOT, cluster
from tests.workflows.engines import (
    check_that_it_makes_the_same_bytes,
    copied,
    files,
)

pytest.importorskip("ray", reason="ray isn't installed (make venv installs it)")

pytestmark = [pytest.mark.slow, pytest.mark.integration]

IMAGES = 24

# It kills itself at the third batch, between the files and their records.
KILLED = """
import os, signal
from fiftyone_reue.batch import pipeline
from fiftyone_reue.cli import main
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger

pipeline.CHUNK_ITEMS, pipeline.COMMIT_ITEMS, batches = 2, 4, []
pipeline.COMMIT_SECONDS = 3600.0  # however slow the machine is

def put(self, records, real=SqliteLedger.put_records):
    batches.append(len(records))
    if len(batches) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, records)

SqliteLedger.put_records = put
main()
"""


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    with cluster(2) as made:
        yield made


def test_both_engines_make_the_same_bytes(
    two_nodes, vault, write_folder, photos, tmp_path, monkeypatch
):
    from PIL import Image

    source = write_folder(tmp_path / "source", each=6)
    monkeypatch.setattr(prepare, "new_id", lambda: "5" * 16)
    vaults = copied(vault, tmp_path, "local", "ray")
    photo = Image.fromarray(photos["cat"])
    check_that_it_makes_the_same_bytes("ray", vaults, source, photo, tmp_path)


def test_a_driver_that_was_killed_is_gone_on_with(two_nodes, vault, tmp_path, photos):
    from PIL import Image

    for name in ("cat", "coffee"):
        (tmp_path / "source" / name).mkdir(parents=True)
        for number in range(IMAGES // 2):
            crop = photos[name][number : number + 48, number : number + 48]
            Image.fromarray(crop).save(tmp_path / "source" / name / f"{number}.png")
    vault.close()
    out = tmp_path / "out"

    def protect(*program: str) -> subprocess.CompletedProcess[str]:
        words = [
            *("protect", "source", "out", "--vault", "vault"),
            *("--recipient", "alice", "--method", "lsp"),
            *("--engine", "ray", "--workers", "2", "--json"),
        ]
        return subprocess.run(
            [sys.executable, *program, *words],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "RAY_ADDRESS": two_nodes.address,
            },
            capture_output=True,
            text=True,
        )

    assert protect("-c", KILLED).returncode == -signal.SIGKILL
    there = set(files(out))
    assert 0 < len(there) < IMAGES
    again = protect("-m", "fiftyone_reue")
    assert again.returncode == 0, again.stderr
    figures = json.loads(again.stdout)
    # Two batches were noted; of the third only the files were there.
    assert (figures["skipped"], figures["protected"]) == (8, IMAGES - 8)
    assert figures["strangers"] == []
    with open_folder(tmp_path / "vault") as held:
        (release,) = held.ledger.releases()
        records = list(held.ledger.records(release.id))
        assert sorted(one.output for one in records) == sorted(files(out))
        assert len({one.sample_id for one in records}) == IMAGES
        back = api.restore(out, tmp_path / "back", vault=held)
    assert back.outcome.done == IMAGES
    assert files(tmp_path / "back") == files(tmp_path / "source")
