"""How visible `rue` is in JPEG files: SSIMULACRA2 over epsilon, strength and waves.

    python -m benchmarks.visibility --imagenette FILE.zip --photos FILE.zip

Eight of Imagenette's files of 224 pixels, and Kodak's photographs saved as JPEG of
quality 90 at their own size and at half of it, released as anybody would, watermark
included.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.jpeg_releases import House
from benchmarks.markdown import table
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.visibility import ssimulacra2

EPSILONS = (8, 6, 4, 3)
OPTIONS: tuple[dict[str, int | str], ...] = (
    {"strength": 150},
    {"strength": 30},
    {"waves": "long"},
)
PHOTOGRAPHS = 6


def write_imagenette(archive: Path, folder: Path) -> None:
    """Eight files, each of another part of the archive."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(n for n in files.namelist() if n.endswith(".JPEG"))
        for place, name in enumerate(names[:: len(names) // 8][:8]):
            _write(folder, place, files.read(name))


def write_kodak(archive: Path, folder: Path, part: int) -> None:
    """Photographs as JPEG, their sides divided by a number."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(n for n in files.namelist() if "kodak" in n and n.endswith("g"))
        for place, name in enumerate(names[:PHOTOGRAPHS]):
            image = Image.open(io.BytesIO(files.read(name))).convert("RGB")
            small = image.reduce(part) if part > 1 else image
            data = io.BytesIO()
            small.save(data, "JPEG", quality=90)
            _write(folder, place, data.getvalue())


def _write(folder: Path, place: int, data: bytes) -> None:
    path = folder / "ab"[place % 2] / f"{place}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def measured(
    house: House, source: Path, epsilon: int, options: dict[str, int | str]
) -> dict:
    """One release's figures."""
    settings = {"strength": 150, "waves": "short"} | options
    output = house.folder / "-".join(
        map(str, (source.name, epsilon, *options.values()))
    )
    failed = house.protect(source, output, epsilon=epsilon, options=options)
    if failed:
        raise SystemExit(f"{source}: {failed[0]}")
    values, sizes = [], []
    for path in sorted(source.rglob("*.jpg")):
        copy = output / path.relative_to(source)
        pair = [load(one).raster for one in (path, copy)]
        values.append(ssimulacra2(pair[0].samples, pair[1].samples, 3))
        sizes.append(copy.stat().st_size / path.stat().st_size)
    return {
        "files": source.name,
        "epsilon": epsilon,
        **settings,
        "SSIMULACRA2": round(float(np.mean(values)), 1),
        "least": round(float(np.min(values)), 1),
        "P / O": round(float(np.mean(sizes)), 3),
    }


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--imagenette", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        house = House(Path(name))
        sources = [house.folder / one for one in ("224 px", "384 px", "768 px")]
        write_imagenette(given.imagenette, sources[0])
        write_kodak(given.photos, sources[1], 2)
        write_kodak(given.photos, sources[2], 1)
        rows = [
            measured(house, source, epsilon, options)
            for source in sources
            for epsilon in EPSILONS
            for options in OPTIONS
        ]
    text = f"# Visibility of `rue` in JPEG files\n\n{__doc__.split(chr(10), 2)[2]}\n"
    (given.output / "visibility.md").write_text(f"{text}\n{table(rows)}\n")
    (given.output / "visibility.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
