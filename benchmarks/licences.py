"""What a licence costs: bytes and time an image, beside a copy of the set.

    python -m benchmarks.licences --cifar FOLDER --imagenette FILE.zip --photos FILE.zip
    python -m benchmarks.licences --only "224 px, JPEG" --imagenette FILE.zip

CIFAR-10's images are 32 px; Imagenette's JPEG files 224 px, also as PNG; photographs
are enlarged to 12 MP, with a camera's noise, as PNG and as JPEG. Published with the
default method at epsilon 8. A licence is made for one recipient, then opened: each copy
that comes out is compared with what a release of the recipient's own leads to.

Two forms are measured: *joined*, in which perturbation and marks are one difference, as
licences have it, and *apart*, in which the way to the published set's licensed copy and
the marks' difference stand side by side. The latter hands everybody a copy that names
nobody; it is here for its size alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.media import differences
from fiftyone_reue.media.codec import load
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.originals import Originals, jpeg_coefficients
from fiftyone_reue.vault import records
from fiftyone_reue.vault.licence_files import LicenceReader
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.license import license_release
from fiftyone_reue.workflows.protect import protect_folder
from fiftyone_reue.workflows.restore import restore_by_licence, restore_licensed

RESULTS = Path(__file__).parent / "results"
LARGE = (4032, 3024)
JPEG_QUALITY = 90

COLUMNS = {
    "size": "images",
    "images": "count",
    "original": "original, B",
    "published": "published, B",
    "licence": "licence, B",
    "share": "of the published file",
    "bits": "bit a pixel",
    "joined": "difference, B",
    "apart": "apart, B",
    "sealing": "seals and index, B",
    "license_s": "license, CPU s",
    "again_s": "again, CPU s",
    "restore_s": "restore, CPU s",
    "exact": "exact",
}


def cifar(place: Path, folder: Path, count: int) -> None:
    """32 px, PNG."""
    sys.path.insert(0, str(folder))
    from cifar10 import load as read

    data = read(folder, n_train=max(100, count), n_test=0)
    for number in range(count):
        name = str(data["classes"][data["y_train"][number]])
        path = place / name / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data["x_train"][number]).save(path)


def imagenette(place: Path, archive: Path, count: int, *, png: bool) -> None:
    """224 px, the files themselves or as PNG."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(
            n for n in opened.namelist() if "/train/" in n and n.endswith("JPEG")
        )
        for name in names[:: len(names) // count][:count]:
            data = opened.read(name)
            path = place / name.split("/")[2] / Path(name).stem
            path.parent.mkdir(parents=True, exist_ok=True)
            if png:
                image = Image.open(io.BytesIO(data)).convert("RGB")
                image.save(path.with_suffix(".png"))
            else:
                path.with_suffix(".jpg").write_bytes(data)


def photographs(place: Path, archive: Path, count: int, *, png: bool) -> None:
    """12 MP."""
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(archive) as opened:
        names = sorted(n for n in opened.namelist() if "/kodak/" in n)[:count]
        for number, name in enumerate(names):
            photo = Image.open(io.BytesIO(opened.read(name))).convert("RGB")
            large = np.asarray(photo.resize(LARGE, Image.Resampling.BICUBIC))
            noisy = large + generator.normal(0, 2, large.shape)
            image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
            path = place / f"class{number % 2}" / Path(name).stem
            path.parent.mkdir(parents=True, exist_ok=True)
            if png:
                image.save(path.with_suffix(".png"), compress_level=1)
            else:
                image.save(path.with_suffix(".jpg"), quality=JPEG_QUALITY)


def measured(name: str, make: Callable[[Path], None]) -> dict[str, object]:
    """One row."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        source, public = place / "source", place / "public"
        make(source)
        with create_folder(place / "vault", plain_key_file=True) as vault:
            _, key = vault.add_recipient("alice")
            config = ProtectConfig.of(seed=1)
            release = _protected(vault, vault.published().name, source, public, config)
            path = place / "alice.license"

            def license_it() -> None:
                summary = finish(license_release(vault, "alice", release, path))
                assert summary.outcome.failures == []

            license_s, again_s = _cpu(license_it), _cpu(license_it)
            copies = image_items(public)

            def restore_it() -> None:
                steps = restore_by_licence(copies, place / "w", key, path)
                assert finish(steps).outcome.failures == []

            restore_s = _cpu(restore_it)
            own = place / "own"
            _protected(vault, "alice", source, own, config)
            steps = restore_licensed(image_items(own), None, place / "w_own", key)
            assert finish(steps).outcome.failures == []
            exact = _same(place / "w", place / "w_own")
            joined, apart = _forms(vault, public, path, key, place / "w")
        count = len(copies)
        pixels = sum(np.prod(Image.open(one.path).size) for one in copies)
        size = path.stat().st_size
        published = _bytes(public)
        return {
            "size": name,
            "images": count,
            "original": round(_bytes(source) / count),
            "published": round(published / count),
            "licence": round(size / count),
            "share": f"{100 * size / published:.1f} %",
            "bits": round(8 * size / float(pixels), 2),
            "joined": round(joined / count),
            "apart": round(apart / count),
            "sealing": round((size - joined) / count),
            "license_s": round(license_s / count, 3),
            "again_s": round(again_s / count, 4),
            "restore_s": round(restore_s / count, 3),
            "exact": f"{exact} of {count}",
        }


def _protected(
    vault: Vault, who: str, source: Path, output: Path, config: ProtectConfig
):
    items = labelled_items(source)
    summary = finish(protect_folder(vault, who, items, source, output, config=config))
    assert summary.outcome.failures == []
    return summary.release


def _forms(
    vault: Vault, public: Path, licence: Path, key, restored: Path
) -> tuple[int, int]:
    """Bytes of all differences, and of what would do the same in two steps."""
    originals = Originals(vault)
    published_key = vault.recipient_key(vault.published())
    joined = apart = 0
    with LicenceReader(licence, key) as reader:
        for item in image_items(public):
            loaded = load(item.path)
            envelope = records.unpack(loaded.record or b"")
            entry = reader.entry(envelope.header.digest)
            assert entry is not None
            joined += len(entry.difference)
            part = records.open_recipient(
                envelope, published_key.key, published_key.key_id
            )
            apart += len(part.content)
            mine = load(restored / item.sample_id).raster
            raster = loaded.raster
            between, _ = originals.licensed(raster, envelope)
            coded, coded_mine = jpeg_coefficients(between), jpeg_coefficients(mine)
            if coded is None or coded_mine is None:
                colours = raster.colour_channels
                step = differences.between(between.samples, mine.samples, colours)
            else:
                blocks = [
                    [one.blocks for one in c.components] for c in (coded, coded_mine)
                ]
                step = differences.between_blocks(*blocks)
            apart += len(step)
    return joined, apart


def _same(one: Path, other: Path) -> int:
    """How many images are the same in both folders."""
    names = [item.sample_id for item in image_items(one)]
    return sum(
        np.array_equal(
            load(one / name).raster.samples, load(other / name).raster.samples
        )
        for name in names
    )


def _bytes(folder: Path) -> int:
    return sum(Path(item.path).stat().st_size for item in image_items(folder))


def _cpu(call: Callable[[], None]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def table(rows: list[dict[str, object]]) -> str:
    """Rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|---" * len(COLUMNS) + "|"]
    lines += [
        "| " + " | ".join(str(row[name]) for name in COLUMNS) + " |" for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--imagenette", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    kinds: dict[str, Callable[[Path], None]] = {
        "32 px, PNG": lambda place: cifar(place, given.cifar, 200),
        "224 px, PNG": lambda p: imagenette(p, given.imagenette, 20, png=True),
        "224 px, JPEG": lambda p: imagenette(p, given.imagenette, 20, png=False),
        "12 MP, PNG": lambda p: photographs(p, given.photos, 2, png=True),
        "12 MP, JPEG": lambda p: photographs(p, given.photos, 2, png=False),
    }
    kept = given.output / "licences.json"
    before = json.loads(kept.read_text())["rows"] if kept.exists() else []
    known = {row["size"]: row for row in before}
    for name, make in kinds.items():
        if not given.only or name in given.only:
            known[name] = measured(name, make)
            print(known[name], flush=True)
            rows = [known[name] for name in kinds if name in known]
            _write(given.output, rows)


def _write(output: Path, rows: list[dict[str, object]]) -> None:
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    text = (
        "# Licences\n\nMade by `python -m benchmarks.licences`. Sizes and times are an "
        "image's. *Apart* is what the same would take in two steps, the first of which "
        "leads to a copy that names nobody.\n\n"
        f"{table(rows)}\n\nPython {platform.python_version()}, {machine}.\n"
    )
    output.mkdir(parents=True, exist_ok=True)
    (output / "licences.md").write_text(text)
    content = {"rows": rows, "machine": machine}
    (output / "licences.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
