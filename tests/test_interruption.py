"""Runs that are killed at any moment, and stopped by hand, end up complete."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fiftyone_reue import cli
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.media.codec import load
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

pytestmark = pytest.mark.integration

IMAGES = 24

# The command line in a process of its own, with small batches. It kills itself at
# the KILL_AT-th thing that it does to the disk or the ledger, in the middle of it
# where that is a write; or it takes PAUSE seconds for every chunk of images.
PROGRAM = """
import os, signal, sys, time
from fiftyone_reue.batch import pipeline
from fiftyone_reue.cli import main
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger

left = int(os.environ.get("KILL_AT", "-1"))

def event():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def watch(owner, name):
    real = getattr(owner, name)
    def watched(*arguments, **options):
        event()
        result = real(*arguments, **options)
        event()
        return result
    setattr(owner, name, watched)

def write(descriptor, data, real=os.write):
    half = len(data) // 2
    done = real(descriptor, data[:half]) if half else 0
    event()
    return done + real(descriptor, data[half:])

def paused(items, real=pipeline._do_chunk, **how):
    time.sleep(float(os.environ.get("PAUSE", "0")))
    return real(items, **how)

pipeline.CHUNK_ITEMS, pipeline.COMMIT_ITEMS, pipeline._do_chunk = 2, 6, paused
os.write = write
for name in ("open", "replace", "fsync", "mkdir"):
    watch(os, name)
for name in ("put_release", "put_fit", "put_images", "put_records"):
    watch(SqliteLedger, name)
main()
"""


@dataclass(frozen=True)
class Place:
    """A folder with originals, a vault and alice's key."""

    root: Path

    def start(self, verb: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        vault = ["--vault", str(self.root / "vault")]
        source, out, back = (str(self.root / n) for n in ("source", "out", "back"))
        words = {
            "protect": [
                *("protect", source, out, *vault),
                *("--recipient", "alice", "--method", "lsp"),
            ],
            "licensed": ["restore", out, back, "--key", str(self.root / "alice.key")],
            "original": ["restore", out, back, *vault],
        }[verb]
        root = Path(cli.__file__).parents[2]
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            env={**os.environ, "PYTHONPATH": str(root), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, verb: str, **environment: str) -> tuple[int, str, str]:
        """Status, output and errors of a command that ends by itself."""
        process = self.start(verb, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def until_done(self, verb: str, step: Callable[[], int]) -> int:
        """Run a command, killed at some step, until it ends; how many were killed."""
        for killed in range(100):
            status, _, err = self.run(verb, KILL_AT=str(step()))
            if status == 0:
                return killed
            assert status == -signal.SIGKILL, err
            self.check_whole("back" if verb != "protect" else "out")
        pytest.fail("no run came to its end")

    def check_whole(self, folder: str) -> None:
        """Whatever has its final name is whole."""
        for path in (self.root / folder).rglob("*.png"):
            if not path.name.startswith("."):
                load(path)

    def images(self, folder: str) -> dict[str, np.ndarray]:
        """Every image's samples."""
        root = self.root / folder
        return {i.sample_id: load(i.path).raster.samples for i in image_items(root)}

    def leftovers(self, folder: str) -> list[Path]:
        return list((self.root / folder).rglob(".*"))

    def check_release(self) -> None:
        """The release in ``out`` is complete, and restores for both tiers."""
        assert not self.leftovers("out")
        originals = self.images("source")
        assert self.images("out").keys() == originals.keys()
        assert len(originals) == IMAGES
        content = manifest.read(self.root / "out")
        assert content is not None
        assert content["images"] == IMAGES
        vault = open_folder(self.root / "vault")
        with vault.ledger:
            (release,) = vault.ledger.releases()
            assert release.state == "done"
            assert vault.ledger.count_records(release.id) == IMAGES
            self._check_tiers(vault, originals)

    def _check_tiers(self, vault: Vault, originals: dict[str, np.ndarray]) -> None:
        items = labelled_items(self.root / "out")
        key = vault.recipient_key(vault.recipient("alice"))
        steps = restore_licensed(items, None, self.root / "check-w", key)
        assert finish(steps).outcome.done == IMAGES
        licensed = image_items(self.root / "check-w")
        for name, some in (("check-o1", items), ("check-o2", licensed)):
            steps = restore_original(vault, some, self.root / name)
            assert finish(steps).outcome.done == IMAGES
            for sample, restored in self.images(name).items():
                assert np.array_equal(restored, originals[sample])


@pytest.fixture
def place(tmp_path: Path, write_folder: Callable[..., Path]) -> Place:
    write_folder(tmp_path / "source", classes=3, each=IMAGES // 3, side=24)
    vault = create_folder(tmp_path / "vault", plain_key_file=True)
    with vault.ledger:
        _, key = vault.add_recipient("alice")
    (tmp_path / "alice.key").write_text(key.to_text())
    return Place(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_protect_killed_at_any_step_is_completed(place, seed):
    draw = random.Random(seed)
    assert place.until_done("protect", lambda: draw.randint(1, 120)) >= 3
    place.check_release()
    status, out, _ = place.run("protect")
    assert status == 0
    assert f"0 protected, {IMAGES} were there" in out


@pytest.mark.slow
def test_protect_killed_later_and_later_is_completed(place):
    steps = itertools.count(1, 5)
    assert place.until_done("protect", lambda: next(steps)) >= 10
    place.check_release()


@pytest.mark.slow
def test_protect_killed_at_random_times_is_completed(place):
    draw = random.Random(1)
    begun = time.monotonic()
    kills = 0
    while time.monotonic() < begun + 300:
        process = place.start("protect", PAUSE="0.03")
        try:
            process.wait(timeout=draw.uniform(0.2, 0.6 * 1.2**kills))
        except subprocess.TimeoutExpired:
            process.kill()
        _, err = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        kills += 1
        place.check_whole("out")
    assert process.returncode == 0
    assert kills >= 1
    place.check_release()


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["licensed", "original"])
def test_restore_killed_at_any_step_is_completed(place, tier):
    assert place.run("protect")[0] == 0
    draw = random.Random(5)
    assert place.until_done(tier, lambda: draw.randint(1, 60)) >= 1
    assert not place.leftovers("back")
    restored = place.images("back")
    assert len(restored) == IMAGES
    if tier == "original":
        for sample, samples in place.images("source").items():
            assert np.array_equal(restored[sample], samples)
    status, out, _ = place.run(tier)
    assert status == 0
    assert f"{IMAGES} were there" in out


def interrupt(place: Place, verb: str, folder: str) -> tuple[str, int]:
    """Press Ctrl-C once the first images are there; what is said, and how many."""
    process = place.start(verb, PAUSE="0.15")
    deadline = time.monotonic() + 120
    while not list((place.root / folder).rglob("*.png")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    return err, len(list((place.root / folder).rglob("*.png")))


def test_ctrl_c_keeps_what_was_finished(place):
    said, written = interrupt(place, "protect", "out")
    assert said == (
        "Error: Stopped. What was finished is kept; run it again to go on.\n"
    )
    assert 0 < written < IMAGES
    assert not place.leftovers("out")
    place.check_whole("out")
    vault = open_folder(place.root / "vault")
    with vault.ledger:
        (release,) = vault.ledger.releases()
        assert release.state == "cancelled"
        assert vault.ledger.count_records(release.id) == written
    content = manifest.read(place.root / "out")
    assert content is not None
    assert content["images"] == written
    status, out, _ = place.run("protect")
    assert status == 0
    assert f"{IMAGES - written} protected, {written} were there" in out
    place.check_release()


def test_ctrl_c_during_restore_keeps_what_was_finished(place):
    assert place.run("protect")[0] == 0
    said, written = interrupt(place, "original", "back")
    assert "Stopped" in said
    assert "Traceback" not in said
    assert 0 < written < IMAGES
    assert not place.leftovers("back")
    status, out, _ = place.run("original")
    assert status == 0
    assert f"Restored {IMAGES - written} originals" in out
