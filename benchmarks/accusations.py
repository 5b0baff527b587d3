"""Count false accusations: attacks, poisoned images, and people who look too often.

Every scenario draws images and many innocent recipients' codes, does what it says with
them, and compares how often an innocent gets below a bound with that bound. Codes are
fair coins, drawn by a generator of numpy; that the real ones are as good is tested in
``tests/watermark``. ::

    python benchmarks/accusations.py --tests 10000000
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fiftyone_reue.watermark.bounds import PRIOR
from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.evidence import weigh
from fiftyone_reue.watermark.readings import Reading
from fiftyone_reue.watermark.weights import weighted

RESULTS = Path(__file__).parent / "results"
LEVELS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
NAMED = 1e-6

Draw = np.random.Generator
Soft = list[np.ndarray]
"""Weighted soft bits, an image each."""


@dataclass(frozen=True)
class Tail:
    """How often innocents got below bounds.

    Attributes:
        tests: how many innocents.
        below: of each of LEVELS, how many.
    """

    tests: int
    below: tuple[int, ...]


def log_chances(fits: np.ndarray, energy: np.ndarray | float) -> np.ndarray:
    """:func:`fiftyone_reue.watermark.bounds.log_chance` of many fits.

    The normal distribution's share is replaced by 1, its most: at these fits it is
    nearly that, and lower bounds make more accusations, not fewer.
    """
    total = energy + PRIOR
    growth = fits * fits / (2 * total) - 0.5 * np.log(total / PRIOR) + math.log(2)
    return np.where(fits > 0, np.minimum(0.0, -growth), 0.0)


def innocent_fits(draw: Draw, bits: np.ndarray, recipients: int) -> np.ndarray:
    """How well so many codes, whose bits are fair coins, fit one image's soft bits.

    Args:
        draw: of the coins.
        bits: ``(bits,)`` float64, a multiple of 8.
        recipients: how many.

    Returns:
        ``(recipients,)`` float32.
    """
    signs = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * 2.0 - 1
    coins = draw.integers(0, 256, (len(bits) // 8, recipients), np.uint8)
    fits = np.zeros(recipients, np.float32)
    for place, eight in enumerate(bits.reshape(-1, 8)):
        fits += (signs @ eight).astype(np.float32)[coins[place]]
    return fits


# -- what is in the files


def noise(draw: Draw, images: int, bits: int) -> Soft:
    """Never marked."""
    return [weighted(20 * draw.standard_normal(bits)) for _ in range(images)]


def marked(draw: Draw, images: int, bits: int) -> Soft:
    """Somebody else's mark, clean."""
    return [weighted(30 * draw.choice([-1.0, 1.0], bits)) for _ in range(images)]


def poisoned(draw: Draw, images: int, bits: int) -> Soft:
    """A fifth turned round and a thousand times as loud."""
    made = []
    for image in range(images):
        said = draw.choice([-1.0, 1.0], bits) + draw.standard_normal(bits)
        made.append(weighted(said * (-1000.0 if image % 5 == 0 else 9.0)))
    return made


def one_bit(draw: Draw, images: int, bits: int) -> Soft:
    """One bit in each image is all that is heard."""
    made = []
    for _ in range(images):
        soft = np.full(bits, 0.01)
        soft[draw.integers(bits)] = 500.0
        made.append(weighted(soft))
    return made


def heavy(draw: Draw, images: int, bits: int) -> Soft:
    """Cauchy's distribution."""
    return [weighted(draw.standard_cauchy(bits)) for _ in range(images)]


# -- who looks, and how; each gives the smallest bound that every innocent ever has


def once(draw: Draw, soft: Soft, recipients: int) -> np.ndarray:
    """All images, once."""
    return _best(draw, soft, recipients, after=(len(soft),))


def each_image(draw: Draw, soft: Soft, recipients: int) -> np.ndarray:
    """After every image, stopping at the best."""
    return _best(draw, soft, recipients, after=range(1, len(soft) + 1))


def _best(
    draw: Draw, soft: Soft, recipients: int, after: range | tuple[int, ...]
) -> np.ndarray:
    fits, energy = np.zeros(recipients), 0.0
    best = np.zeros(recipients)
    for number, bits in enumerate(soft, 1):
        fits += innocent_fits(draw, bits, recipients)
        energy += float(bits @ bits)
        if number in after:
            best = np.minimum(best, log_chances(fits, energy))
    return best


def open_signs(draw: Draw, soft: Soft, recipients: int) -> np.ndarray:
    """After every image, as it is, with all signs turned round or each one chosen."""
    fits, sized, energy = np.zeros(recipients), np.zeros(recipients), 0.0
    best = np.zeros(recipients)
    for number, bits in enumerate(soft, 1):
        own = innocent_fits(draw, bits, recipients)
        fits, sized = fits + own, sized + np.abs(own)
        energy += float(bits @ bits)
        for fit, paid in (
            (fits, -math.log(0.8)),
            (-fits, math.log(10)),
            (sized, math.log(10) + number * math.log(2)),
        ):
            best = np.minimum(best, log_chances(fit, energy) + paid)
    return best


def picks(draw: Draw, soft: Soft, recipients: int) -> np.ndarray:
    """One by one, then those that fitted, by each innocent's own choice."""
    count = len(soft)
    fits = np.array([innocent_fits(draw, bits, recipients) for bits in soft])
    weights = np.array([float(bits @ bits) for bits in soft], np.float32)
    asked = np.arange(1, count + 1)
    paid = np.log(asked * (asked + 1.0)) + np.log(asked)
    best = (log_chances(fits, weights[:, None]) + paid[:, None]).min(axis=0)
    order = np.argsort(-fits, axis=0)
    total = np.take_along_axis(fits, order, axis=0).cumsum(axis=0)
    energy = weights[order].cumsum(axis=0)
    looked = count + 1
    chosen = np.log([float(math.comb(count, taken)) for taken in asked])
    ways = math.log(looked * (looked + 1)) + math.log(count + 1) + chosen
    best = np.minimum(best, (log_chances(total, energy) + ways[:, None]).min(axis=0))
    return np.minimum(best, 0)


def free_picks(draw: Draw, soft: Soft, recipients: int) -> np.ndarray:
    """The same where nobody counts what was looked at: what the log is for."""
    fits = np.array([innocent_fits(draw, bits, recipients) for bits in soft])
    weights = np.array([float(bits @ bits) for bits in soft])
    kept = fits > 0
    energy = (kept * weights[:, None]).sum(axis=0)
    return log_chances((fits * kept).sum(axis=0), energy)


Content = Callable[[Draw, int, int], Soft]
Looker = Callable[[Draw, Soft, int], np.ndarray]
CONTENTS: tuple[Content, ...] = (noise, marked, poisoned, one_bit, heavy)
LOOKERS: tuple[Looker, ...] = (once, each_image, open_signs, picks)
SIZES = ((3, 128), (12, 32), (40, 32))
FREE = (150, 32)
"""Images and bits of those who pick without its being counted."""


def tail(
    content: Content, looker: Looker, size: tuple[int, int], tests: int, seed: int
) -> Tail:
    """Innocents' bounds in one scenario, in sets of files that are drawn anew."""
    draw = np.random.default_rng(seed)
    below = np.zeros(len(LEVELS), np.int64)
    done = 0
    while done < tests:
        some = min(20_000, tests - done)
        best = looker(draw, content(draw, *size), some)
        below += [int(np.sum(best <= math.log(level))) for level in LEVELS]
        done += some
    return Tail(tests, tuple(int(one) for one in below))


def rows(tests: int) -> Iterator[dict]:
    """All scenarios, each with its share of the tests."""
    scenarios = [(c, k, s) for c in CONTENTS for k in LOOKERS for s in SIZES]
    share = -(-tests // len(scenarios))
    for seed, (content, looker, size) in enumerate(scenarios):
        found = tail(content, looker, size, share, seed)
        yield {
            "content": content.__name__,
            "looks": looker.__name__,
            "images": size[0],
            "bits": size[1],
            "tests": found.tests,
            "below": dict(zip(map(str, LEVELS), found.below, strict=True)),
        }


def hidden(sets: int = 200) -> dict:
    """How often a fifth of poisoned images hides 40 honest ones, or accuses."""
    seeds = {f"r{n}": bytes([n]) * 16 for n in range(20)}
    draw = np.random.default_rng(0)
    named = wrong = 0
    for number in range(sets):
        suspects = []
        for image in range(50):
            name = f"{number}-{image}"
            own = code(seeds["r0"], name, 32).astype(float)
            honest = 9 * (own + draw.standard_normal(32))
            # O - 0.25 w: the opposite, clean, and loud.
            soft = honest if image < 40 else -300.0 * own
            suspects.append(Reading(name, soft))
        found = {one.recipient_id for one in weigh(suspects, seeds).culprits}
        named += "r0" in found
        wrong += len(found - {"r0"})
    return {"sets": sets, "named": named, "innocents_named": wrong}


def speed() -> dict:
    """Processor time of weighing 100,000 recipients on 1,000 images of 128 bits."""
    draw = np.random.default_rng(0)
    seeds = {f"r{n}": draw.bytes(16) for n in range(100_000)}
    suspects = [Reading(f"{n:032x}", draw.standard_normal(128)) for n in range(1000)]
    cpu = time.process_time()
    weigh(suspects, seeds)
    return {"cpu_s": round(time.process_time() - cpu, 1)}


def table(found: list[dict], free: Tail, extra: dict) -> str:
    """The results in Markdown."""
    total = sum(row["tests"] for row in found)
    lines = [
        "# False accusations",
        "",
        f"{total:,} innocent recipients in {len(found)} scenarios. Of each bound the "
        "share of innocents who ever get below it, over all scenarios and in the worst "
        "one; it must not be above the bound.",
        "",
        "| bound | innocents below | share | worst scenario |",
        "|---|---|---|---|",
    ]
    for level in map(str, LEVELS):
        below = sum(row["below"][level] for row in found)
        worst = max(found, key=lambda row: row["below"][level] / row["tests"])
        share = worst["below"][level] / worst["tests"]
        lines.append(
            f"| {level} | {below:,} | {below / total:.1e} | {share:.1e}: "
            f"{worst['content']}, {worst['looks']}, {worst['images']} images |"
        )
    named = sum(row["below"][str(NAMED)] for row in found)
    loose = free.below[LEVELS.index(NAMED)]
    lines += [
        "",
        f"Below {NAMED:g}, where somebody is named: {named} of {total:,}.",
        f"Where nobody counts what was looked at, {loose:,} of {free.tests:,} "
        f"innocents are ({FREE[0]} images looked at one by one, then what fitted).",
        "",
        f"A fifth of poisoned images beside 40 honest ones: the culprit was named in "
        f"{extra['hidden']['named']} of {extra['hidden']['sets']} sets, an innocent in "
        f"{extra['hidden']['innocents_named']}.",
        "",
        f"100,000 recipients, 1,000 images of 128 bits: {extra['speed']['cpu_s']} s of "
        f"processor time.",
        "",
        "Contents: " + "; ".join(f"{c.__name__}: {_first(c)}" for c in CONTENTS),
        "",
        "Looks: " + "; ".join(f"{k.__name__}: {_first(k)}" for k in LOOKERS),
    ]
    return "\n".join(lines) + "\n"


def _first(one: Callable) -> str:
    return (one.__doc__ or "").splitlines()[0].rstrip(".").lower()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.tests):
        found.append(row)
        print(row, flush=True)
    free = tail(noise, free_picks, FREE, 20_000, 0)
    extra = {"hidden": hidden(), "speed": speed()}
    content = {"rows": found, "free_picks": vars(free), **extra}
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "accusations.json").write_text(json.dumps(content, indent=1))
    (arguments.out / "accusations.md").write_text(table(found, free, extra))


if __name__ == "__main__":
    main()
