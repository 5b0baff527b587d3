"""Images a second of protect, restore and extract, beside bare decode and encode.

    python benchmarks/throughput.py                    # all sizes, table on stdout
    python benchmarks/throughput.py --sizes 32 256 --output benchmarks/results

The floor reads every file, decodes it, encodes it with the same encoder, decodes that
and compares the pixels, and writes it with the same batch writer, in the same loop and
threads: what is left is the price of protecting. That of what is given back, "of P",
compares nothing. The encoder is a quick one. Originals are as Pillow writes them; that
takes several times as long, and protecting does it once as well, to prove that the
very file can be given back: "floor, own writer" is with Pillow's. Peak memory is of
whole `reue` processes at two dataset sizes. Images are cut from the photographs that
ship with scikit-image and scikit-learn.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.batch import outputs, pipeline
from fiftyone_reue.batch.engines import LOCAL, PROCESSES
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.demo.tiles import PHOTOS, load_photo
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.raster import Raster
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

COUNTS = {"32": 2000, "256": 300, "12MP": 6}
SHAPES = {"32": (32, 32), "256": (256, 256), "12MP": (3000, 4000)}


@dataclass(frozen=True)
class _File:
    name: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)


def make_images(folder: Path, size: str, count: int) -> None:
    """Random crops of real photographs, enlarged where they are too small."""
    generator = np.random.default_rng(0)
    height, width = SHAPES[size]
    names = sorted(PHOTOS)
    photos = {name: load_photo(name).convert("RGB") for name in names}
    for number in range(count):
        name = names[number % len(names)]
        photo = photos[name]
        if photo.width < width or photo.height < height:
            factor = 1.05 * max(width / photo.width, height / photo.height)
            grown = (int(photo.width * factor) + 1, int(photo.height * factor) + 1)
            photo = photo.resize(grown, Image.Resampling.BICUBIC)
        left = int(generator.integers(photo.width - width + 1))
        top = int(generator.integers(photo.height - height + 1))
        tile = np.asarray(photo.crop((left, top, left + width, top + height)))
        # Enlarged photographs are too smooth to be like a camera's: add its noise.
        noisy = tile + generator.normal(0, 2, tile.shape)
        path = folder / name / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)


def by_pillow(raster: Raster) -> bytes:
    """As originals are written."""
    file = io.BytesIO()
    Image.fromarray(raster.samples).save(file, "PNG")
    return file.getvalue()


def quickly(raster: Raster) -> bytes:
    """As copies are."""
    return encode(raster, "PNG")


def floor(
    source: Path,
    output: Path,
    encoded: Callable[[Raster], bytes] = quickly,
    verify: bool = True,
) -> None:
    """Decode and encode every file, and verify that it decodes to the same pixels."""

    def work(item: Item) -> _File:
        raster = load(item.path).raster
        data = encoded(raster)
        if verify and not np.array_equal(load(data).raster.samples, raster.samples):
            raise SystemExit(f"{item.path}: it doesn't decode to what was encoded")
        return _File(item.output + ".png", data)

    def commit(batch: list[_File]) -> None:
        outputs.write_below(output, [(one.name, one.data) for one in batch])

    outputs.prepare(output)
    for _ in pipeline.run(image_items(source), work, commit, Outcome()):
        pass


def timed(call, *arguments) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def speeds(size: str, count: int, repeats: int) -> dict:
    """Images a second, the median of ``repeats`` runs, each beside its own floor."""
    rows: dict[str, list[float]] = {}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as scratch:
            for name, seconds in _once(Path(scratch), size, count).items():
                rows.setdefault(name, []).append(seconds)
    floors, protected = np.array(rows["floor"]), np.array(rows["floor of P"])
    result = {"size": size, "images": count, "repeats": repeats}
    for name, seconds in rows.items():
        result[name] = round(count / float(np.median(seconds)), 1)
    for name in (one for one in rows if not one.startswith("floor")):
        base = floors if name.startswith("protect") else protected
        result[f"{name} / floor"] = round(float(np.median(base / rows[name])), 2)
        if name == "protect":
            own = np.array(rows["floor, own writer"]) / rows[name]
            result["protect / own writer's"] = round(float(np.median(own)), 2)
    return result


def _once(scratch: Path, size: str, count: int) -> dict[str, float]:
    source = scratch / "source"
    make_images(source, size, count)
    seconds = {
        "floor": timed(floor, source, scratch / "floor"),
        "floor, own writer": timed(floor, source, scratch / "own", by_pillow),
    }
    vault = create_folder(scratch / "vault", secrets={}, plain_key_file=True)
    with vault.ledger:
        _, key = vault.add_recipient("alice")
        items = list(labelled_items(source))
        release = scratch / "release"
        seconds["protect"] = _protecting(vault, items, release, LOCAL)
        seconds["floor of P"] = timed(
            floor, release, scratch / "floor_p", quickly, False
        )
        copies = image_items(release)
        steps_w = restore_licensed(copies, release, scratch / "licensed", key)
        seconds["restore (recipient)"] = timed(finish, steps_w)
        steps_o = restore_original(vault, copies, scratch / "originals")
        seconds["restore (owner)"] = timed(finish, steps_o)
        seconds["extract"] = timed(finish, extract(vault, copies))
        beside = scratch / "by_processes"
        seconds["protect, processes"] = _protecting(vault, items, beside, PROCESSES)
    return seconds


def _protecting(vault: Vault, items: list[Item], output: Path, engine: str) -> float:
    config = ProtectConfig(method="lsp", seed=1, engine=engine)
    name = output.name
    return timed(
        finish,
        protect(vault, "alice", items, output, name=name, source="s", config=config),
    )


def peak_memory(count: int) -> dict[str, float]:
    """Peak resident MiB of whole processes at ``count`` images of 32 px."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        make_images(place / "source", "32", count)
        reue = shutil.which("reue") or str(Path(sys.executable).parent / "reue")
        vault = ["--vault", str(place / "vault")]
        key = str(place / "alice.key")
        source, release = str(place / "source"), str(place / "release")
        _run([reue, "init", "--plain-key-file", *vault])
        _run([reue, "recipient", "add", "alice", "--key-out", key, *vault])
        protecting = ["--recipient", "alice", "--method", "lsp", *vault]
        restored = str(place / "restored")
        return {
            "images": count,
            "protect": _run([reue, "protect", source, release, *protecting]),
            "restore": _run([reue, "restore", release, restored, "--key", key]),
            "extract": _run([reue, "extract", release, "--json", *vault]),
        }


def _run(command: list[str]) -> float:
    """Peak resident MiB. The kernel's own figure for a child counts what its parent
    held when it forked, so the child's high-water mark is read while it runs."""
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, _high_water(process.pid))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return round(peak / 1024, 1)


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    marks = [line.split()[1] for line in status.splitlines() if "VmHWM" in line]
    return int(marks[0]) if marks else 0


def table(rows: list[dict]) -> str:
    """Rows of equal keys as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += [
        "| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", default=list(COUNTS), choices=COUNTS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", nargs="*", type=int, default=[1000, 10000])
    parser.add_argument("--output", type=Path, help="folder for throughput.{md,json}")
    arguments = parser.parse_args()
    rates = [speeds(s, COUNTS[s], arguments.repeats) for s in arguments.sizes]
    memory = [peak_memory(count) for count in arguments.memory]
    parts = []
    if rates:
        parts.append("Images a second (median), and the ratio to the floor:\n")
        parts.append(table(rates) + "\n")
    if memory:
        parts.append("Peak resident memory of the whole process, MiB, 32 px images:\n")
        parts.append(table(memory) + "\n")
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    parts.append(f"Python {platform.python_version()}, {machine}.\n")
    text = "\n".join(parts)
    print(text)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        command = "python benchmarks/throughput.py"
        header = f"# Throughput\n\nMade by `{command}`.\n\n"
        (arguments.output / "throughput.md").write_text(header + text)
        content = {"rates": rates, "memory": memory, "machine": machine}
        (arguments.output / "throughput.json").write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
