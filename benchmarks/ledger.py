"""What a large ledger costs: bytes, and time and memory to open, look up and verify.

    python -m benchmarks.ledger --records 10000,100000,1000000

A release of one photograph is made as `reue protect` makes it, and its image and
record are entered again and again, each under an id and digests of its own and sealed
anew, so that every row is one that `reue vault check` finds right. Each figure is of a
process of its own; resident memory is its peak, the imports' included.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from PIL import Image as Picture

from benchmarks.markdown import table
from fiftyone_reue.vault import records
from fiftyone_reue.vault.entities import Image, Record
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder

RESULTS = Path(__file__).parent / "results"
BATCH = 1000
LOOKUPS = 1000
SIDE = 224
_STEP = (
    "import sys; from pathlib import Path; from benchmarks.ledger import run_step; "
    "run_step(Path(sys.argv[1]), sys.argv[2])"
)


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--records", "counts", default="10000,100000,1000000", show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where vaults are made."
)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS)
def main(counts: str, folder: Path | None, output: Path) -> None:
    """Measure, then write the table."""
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for count in map(int, counts.split(",")):
            rows.append(measured(Path(place) / str(count), count))
            click.echo(json.dumps(rows[-1]), err=True)
            write(output, rows)


def write(output: Path, rows: list[dict[str, object]]) -> None:
    """``ledger.json`` and ``ledger.md`` in a folder."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "ledger.json").write_text(json.dumps(rows, indent=1) + "\n")
    text = (
        "# Ledgers\n\nMade by `python -m benchmarks.ledger`: a SQLite ledger with so "
        "many originals and as many records of one release; seconds of a process of "
        "its own and its peak of resident memory, the imports' included.\n\n"
        f"{table(rows)}\n\nPython {sys.version.split()[0]}, {os.cpu_count()} cores.\n"
    )
    (output / "ledger.md").write_text(text)


def measured(folder: Path, count: int) -> dict[str, object]:
    """One ledger's row of the table."""
    folder.mkdir(parents=True)
    with create_folder(folder / "vault", plain_key_file=True) as vault:
        vault.add_recipient("alice")
    make_release(folder)
    started = time.monotonic()
    with open_folder(folder / "vault") as vault:
        enter(vault, count - 1)
    entering = time.monotonic() - started
    size = sum(one.stat().st_size for one in (folder / "vault").rglob("*.sqlite*"))
    row: dict[str, object] = {
        "records": f"{count:,}",
        "bytes a record": round(size / count),
        "entered, ms a record": round(1000 * entering / count, 2),
    }
    for name, title in STEPS.items():
        seconds, memory = in_process(folder, name)
        shown = f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"
        row[f"{title}, s (MiB)"] = f"{shown} ({memory:.0f})"
    return row


def make_release(folder: Path) -> None:
    """A release of one photograph, which is noise on a slope."""
    import fiftyone_reue as reue

    source = folder / "source" / "one"
    source.mkdir(parents=True)
    draw = np.random.default_rng(0)
    slope = np.linspace(60, 190, SIDE)[:, None, None]
    noisy = slope + draw.normal(0, 12, (SIDE, SIDE, 3))
    picture = Picture.fromarray(noisy.clip(0, 255).astype(np.uint8))
    picture.save(source / "one.jpg", quality=90)
    (folder / "source" / "two").mkdir()
    turned = picture.transpose(Picture.Transpose.ROTATE_90)
    turned.save(folder / "source" / "two" / "two.jpg", quality=90)
    done = reue.protect(
        folder / "source", folder / "out", vault=folder / "vault", recipient="alice"
    )
    assert not done.outcome.failures, done.outcome.failures


def enter(vault: Vault, count: int) -> None:
    """Enter an original and its record again and again.

    Args:
        vault: with a release.
        count: how often.
    """
    ledger = vault.ledger
    release = ledger.releases()[0]
    record = next(iter(ledger.records(release.id)))
    image = ledger.image(record.image_id)
    assert image is not None
    key = vault.recipient_key(vault.recipient("alice"))
    owner_key = records.release_key(vault.derive_newest("owner-box"), release.id)
    envelope = records.unpack(record.blob)
    part = records.open_recipient(envelope, key.key, key.key_id)
    owner = records.open_owner(envelope, owner_key, vault.vault_id, record.digest_w)
    for start in range(0, count, BATCH):
        images: list[Image] = []
        copies: list[Record] = []
        for number in range(start, min(start + BATCH, count)):
            draw = random.Random(number)
            image_id, sample = draw.randbytes(16).hex(), draw.randbytes(8).hex()
            digest, protected, licensed = (draw.randbytes(32) for _ in range(3))
            name = f"class/{number:07}.jpg"
            images.append(
                replace(
                    image,
                    id=image_id,
                    digest=digest,
                    source=f"{image.source[: -len('one.jpg')]}{number:07}.jpg",
                    descriptor=draw.randbytes(len(image.descriptor)),
                )
            )
            sealed = records.seal_protected(
                replace(envelope.header, sample=sample, digest=protected),
                key.key,
                replace(part, digest=licensed),
                owner_key,
                replace(owner, image_id=image_id, digest=digest),
            )
            copies.append(
                replace(
                    record,
                    id=draw.randbytes(8).hex(),
                    sample_id=name,
                    image_id=image_id,
                    source=name,
                    output=name,
                    digest_p=protected,
                    digest_w=licensed,
                    blob=sealed.pack(),
                    file_digest=draw.randbytes(32),
                    copy_digest=draw.randbytes(32),
                )
            )
        ledger.put_images(images)
        ledger.put_records(copies)


def in_process(folder: Path, step: str) -> tuple[float, float]:
    """Seconds and peak MiB of a step in a process of its own."""
    command = [sys.executable, "-c", _STEP, str(folder), step]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, memory = ran.stdout.splitlines()[-1].split()
    return float(seconds), float(memory)


def run_step(folder: Path, step: str) -> None:
    """Do a step and say its seconds and the peak of memory."""
    work = _WORK[step]
    started = time.monotonic()
    work(folder)
    seconds = time.monotonic() - started
    print(f"{seconds:.4f} {_peak():.1f}")


def _peak() -> float:
    """MiB. `getrusage` would count what the process was forked from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) / 1024 for one in lines if one.startswith("VmHWM"))


def _open(folder: Path) -> None:
    with open_folder(folder / "vault") as vault:
        vault.ledger.require_sound()


def _look_up(folder: Path) -> None:
    with open_folder(folder / "vault") as vault:
        found = 0
        for number in range(LOOKUPS):
            draw = random.Random(number)
            draw.randbytes(24)
            digest, protected, _ = (draw.randbytes(32) for _ in range(3))
            found += vault.ledger.image_by_digest(digest) is not None
            found += len(vault.ledger.records_by_digest(protected)) == 1
        assert found == 2 * LOOKUPS, found


def _restore(folder: Path) -> None:
    import fiftyone_reue as reue

    back = Path(tempfile.mkdtemp(dir=folder))
    done = reue.restore(folder / "out", back, vault=folder / "vault")
    assert not done.outcome.failures


def _extract(folder: Path) -> None:
    import fiftyone_reue as reue

    found = reue.extract(folder / "out" / "one" / "one.jpg", vault=folder / "vault")
    assert found is not None


def _extract_resaved(folder: Path) -> None:
    import fiftyone_reue as reue

    resaved = folder / "resaved.jpg"
    with Picture.open(folder / "out" / "one" / "one.jpg") as copy:
        copy.save(resaved, quality=80)
    found = reue.extract(resaved, vault=folder / "vault")
    assert found.suspects[0].state == "protected", found.suspects


def _check(folder: Path) -> None:
    from fiftyone_reue.progress import finish
    from fiftyone_reue.vault.check import check

    with open_folder(folder / "vault") as vault:
        report = finish(check(vault))
    assert not report.problems, report.problems[:3]


STEPS = {
    "open": "open",
    "look_up": f"look up {LOOKUPS:,} originals and records",
    "restore": "restore two files",
    "extract": "trace a copy as it is",
    "resaved": "trace one that was saved again",
    "again": "once more",
    "check": "verify all",
}

_WORK: dict[str, Callable[[Path], None]] = {
    "open": _open,
    "look_up": _look_up,
    "restore": _restore,
    "extract": _extract,
    "resaved": _extract_resaved,
    "again": _extract_resaved,
    "check": _check,
}


if __name__ == "__main__":
    main()
