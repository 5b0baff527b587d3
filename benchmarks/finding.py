"""Is the right original found first, among ten thousand photographs?

    python -m benchmarks.finding --imagenette FILE.zip

Of the archive's photographs (224 pixels a side) a thousand are asked for; all of them,
and the quarters of the others, enlarged to the same size, are the originals. Suspects
are edited as `benchmarks/tracing.py` does it and saved as JPEG at quality 75. Features
alone decide here; what they suggest is proven on the original itself afterwards.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.markdown import table
from benchmarks.tracing import EDITS
from fiftyone_reue.alignment import features
from fiftyone_reue.alignment.index import FeatureIndex
from fiftyone_reue.watermark.read import luma

ASKED = 1000
EDITED = ("crop to 50 %", "crop to 25 %", "crop to 10 %", "rotated by 10°", "scale 0.5")


def photographs(archive: Path) -> dict[str, Image.Image]:
    """All of them, by name."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(one for one in files.namelist() if one.endswith(".JPEG"))
        return {
            one: Image.open(io.BytesIO(files.read(one))).convert("RGB") for one in names
        }


def quarters(image: Image.Image) -> Iterator[Image.Image]:
    """Its four, each as large as it is."""
    width, height = image.width // 2, image.height // 2
    for top in (0, height):
        for left in (0, width):
            part = image.crop((left, top, left + width, top + height))
            yield part.resize(image.size, Image.Resampling.LANCZOS)


def gray(image: Image.Image) -> np.ndarray:
    return luma(np.asarray(image), 3)


def measured(
    index: FeatureIndex, asked: dict[str, Image.Image], edit: str
) -> dict[str, object]:
    """A row: how often the right one is first, and how long it takes."""
    first, among, spent = 0, 0, []
    for number, (name, image) in enumerate(asked.items()):
        draw = np.random.default_rng([number, len(edit)])
        file = io.BytesIO()
        EDITS[edit](image, draw).save(file, "JPEG", quality=75)
        suspect = gray(Image.open(file).convert("RGB"))
        start = time.process_time()
        found = features.find(suspect)
        both = [found, features.mirrored(found, suspect.shape[1])]
        likely = [one.image_id for one in index.nearest(both, 5)]
        spent.append(time.process_time() - start)
        first += likely[:1] == [name]
        among += name in likely
    return {
        "edit": edit,
        "first, %": round(100 * first / len(asked), 1),
        "among five, %": round(100 * among / len(asked), 1),
        "processor time a suspect, ms": round(1000 * float(np.median(spent)), 1),
    }


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--imagenette", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument(
        "--keep", type=Path, help="a folder where the originals' features stay"
    )
    options = parser.parse_args()
    known = photographs(options.imagenette)
    order = np.random.default_rng(0).permutation(sorted(known))
    asked = {str(name): known[str(name)] for name in order[:ASKED]}
    originals = dict(known)
    for name in map(str, order[ASKED:]):
        for number, part in enumerate(quarters(known[name])):
            originals[f"{name}-{number}"] = part
    with tempfile.TemporaryDirectory() as folder:
        index = FeatureIndex(
            lambda: sorted(originals),
            lambda one: gray(originals[one]),
            options.keep or Path(folder),
        )
        index.add([index.look(one) for one in index.missing()])
        rows = []
        for edit in EDITED:
            rows.append(measured(index, asked, edit))
            print(rows[-1], flush=True)
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "originals": len(originals),
        "asked": len(asked),
        "edits": rows,
    }
    text = f"""# Finding the original

`python -m benchmarks.finding`, on {result["machine"]}: {result["asked"]} photographs
of 224 pixels, each asked for among {result["originals"]:,}, of which the others'
quarters are a part. Edited, and saved as JPEG at quality 75: how often the right
original is first by local features, and among the first five, which are tried; and the
median of processor time for features and search.

{table(rows)}
"""
    (options.output / "finding.md").write_text(text)
    (options.output / "finding.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
