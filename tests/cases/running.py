"""All of a tree through the command line: protect, both restores, extract, info."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from PIL import Image

from fiftyone_reue import cli
from fiftyone_reue.errors import ReueError
from fiftyone_reue.media.codec import load
from fiftyone_reue.vault.vault import open_folder

REPO = Path(__file__).resolve().parents[2]
QUALITY = 90
GROUNDS = {"white": 255, "black": 0}


@dataclass
class Verb:
    """What a command said and how it ended."""

    status: int
    said: dict[str, Any]
    errors: str

    @property
    def failed(self) -> int:
        """How many images failed."""
        return self.said.get("failed", self.said.get("images_failed", 0))

    def reasons(self) -> dict[str, str]:
        """Why images failed, by their names."""
        return {one["image"]: one["reason"] for one in self.said["failures"]}

    def differing(self) -> dict[str, str]:
        """What differs of files that aren't the very same, by their names."""
        return {one["image"]: one["reason"] for one in self.said.get("differing", [])}


@dataclass
class Run:
    """A tree's way through all verbs.

    Attributes:
        root: with ``source``, ``vault``, ``p``, ``w``, ``o``, ``o2`` and ``suspects``.
        outputs: where each sample's protected copy is, below ``p``.
        verbs: by name.
        images: the ledger's name of each sample's original.
        matched: which of these extract found for each suspect, by its name.
        info: exit status and words of info, by sample.
    """

    root: Path
    outputs: dict[str, str] = field(default_factory=dict)
    verbs: dict[str, Verb] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    matched: dict[str, str | None] = field(default_factory=dict)
    info: dict[str, tuple[int, str]] = field(default_factory=dict)

    def copy(self, folder: str, sample: str) -> Path | None:
        """A sample's file in a folder, whatever its suffix."""
        output = self.outputs.get(sample)
        if output is None:
            return None
        place = self.root / folder / output
        found = [p for p in place.parent.glob("*") if p.stem == place.stem]
        return found[0] if len(found) == 1 else None


def run_all(root: Path, samples: list[str]) -> Run:
    """Protect ``root/source`` and go all ways back.

    Args:
        root: with the source.
        samples: those to ask info of.
    """
    run = Run(root)
    _reue(root, "init", "--plain-key-file", "--vault", "vault")
    words = ("--vault", "vault", "--key-out", "alice.key")
    _reue(root, "recipient", "add", "alice", *words)
    words = ("--vault", "vault", "--recipient", "alice")
    run.verbs["protect"] = _reue(root, "protect", "source", "p", *words)
    vault = open_folder(root / "vault")
    with vault.ledger:
        (release,) = vault.ledger.releases()
        records = list(vault.ledger.records(release.id))
    run.outputs = {record.sample_id: record.output for record in records}
    run.images = {record.sample_id: record.image_id for record in records}
    run.verbs["licensed"] = _reue(root, "restore", "p", "w", "--key", "alice.key")
    owner = ("--vault", "vault")
    run.verbs["original"] = _reue(root, "restore", "p", "o", *owner)
    run.verbs["from licensed"] = _reue(root, "restore", "w", "o2", *owner)
    _save_suspects(run)
    run.verbs["extract"] = _reue(root, "extract", "suspects", *owner)
    said = run.verbs["extract"].said
    run.matched = {one["image"]: one["matched"] for one in said["per_image"]}
    for sample in samples:
        path = root / "p" / run.outputs.get(sample, "")
        run.info[sample] = _info(
            path if sample in run.outputs else root / "source" / sample
        )
    return run


def suspect(sample: str, ground: str) -> str:
    """The name of a sample's copy laid on a ground and saved as JPEG."""
    return f"{sample.replace('/', '_')}-{ground}.jpg"


def shown_as(path: Path, ground: int) -> Image.Image:
    """A file as viewers compose it on a ground, 8 bits of the range that it uses."""
    raster = load(path).raster
    samples = raster.samples
    if samples.dtype == np.uint16:
        used = int(samples[..., : raster.colour_channels].max()).bit_length()
        samples = np.minimum(samples >> (max(used, 8) - 8), 255).astype(np.uint8)
    colours = samples[..., : raster.colour_channels].astype(float)
    if raster.channels in (2, 4):
        alpha = samples[..., -1:] / 255
        colours = colours * alpha + ground * (1 - alpha)
    made = np.round(colours).astype(np.uint8)
    return Image.fromarray(made[..., 0] if made.shape[2] == 1 else made)


def same_pixels(one: Path, other: Path) -> list[str]:
    """What is wrong with a file that has to hold another's pixels; [] for nothing.

    Compared as Pillow and as the library decode them: mode, palette's indices, sides.
    """
    wrong = []
    try:
        first = Image.open(one)
        first.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        first = None
    if first is not None:
        second = Image.open(other)
        second.load()
        if (first.mode, first.size) != (second.mode, second.size):
            wrong.append(f"{first.mode} {first.size}, now {second.mode} {second.size}")
        elif not np.array_equal(np.asarray(first), np.asarray(second)):
            wrong.append("other pixels (Pillow)")
        elif first.getpalette() != second.getpalette():
            wrong.append("another palette")
    samples = [load(path, ignore_record=True).raster.samples for path in (one, other)]
    if not np.array_equal(*samples) or samples[0].dtype != samples[1].dtype:
        wrong.append("other samples")
    return wrong


def openers(path: Path) -> set[str]:
    """Which other programs open a file."""
    import cv2

    found = set()
    with contextlib.suppress(Exception):  # whatever Pillow makes of any bytes
        Image.open(path).load()
        found.add("Pillow")
    with contextlib.suppress(cv2.error):
        data = np.frombuffer(path.read_bytes(), np.uint8)
        if len(data) and cv2.imdecode(data, cv2.IMREAD_UNCHANGED) is not None:
            found.add("OpenCV")
    return found


def _save_suspects(run: Run) -> None:
    (run.root / "suspects").mkdir()
    for sample, output in run.outputs.items():
        for name, ground in GROUNDS.items():
            path = run.root / "suspects" / suspect(sample, name)
            file = io.BytesIO()
            try:
                shown_as(run.root / "p" / output, ground).save(
                    file, "JPEG", quality=QUALITY
                )
                path.write_bytes(file.getvalue())
            except (ReueError, OSError, ValueError):
                continue  # reported as not traced


def _reue(root: Path, *words: str) -> Verb:
    """A command in a process of its own: what it prints is all that a user sees."""
    program = "import sys; from fiftyone_reue.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--json"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(REPO), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=300,
    )
    lines = done.stdout.splitlines()
    said = json.loads(lines[-1]) if lines else {}
    if "error" in said or len(lines) != 1:
        raise AssertionError(f"reue {' '.join(words)}: {done.stdout}{done.stderr}")
    return Verb(done.returncode, said, done.stderr)


def _info(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli.main, ["info", str(path)])
    clean = result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code if clean else -1, result.output
