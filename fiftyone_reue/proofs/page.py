"""The page that tells people what a case rests on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fiftyone_reue.names.display import count, printable
from fiftyone_reue.proofs import contents
from fiftyone_reue.proofs.pictures import STRONGER
from fiftyone_reue.proofs.words import copy_of
from fiftyone_reue.watermark.evidence import DECOYS, FALSE_ACCUSATION
from fiftyone_reue.watermark.looks import Look, log_ways

_TEMPLATES = Path(__file__).with_name("templates")

MOST_PAIRS = 200
"""The page shows so many images; the evidence has all of them."""


def digest_of(evidence: Mapping[str, Any]) -> str:
    """SHA-256 of all that the evidence says, however its file is laid out; hex.

    Args:
        evidence: what the case's JSON holds; ``pdf``, which is made of the page, isn't
            counted.
    """
    found = hashlib.sha256()
    for piece in _pieces(evidence):
        found.update(piece.encode())
    return found.hexdigest()


def _pieces(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Its JSON without spaces and with sorted keys, of which all takes much memory."""
    between = "{"
    for key in sorted(evidence.keys() - {"pdf"}):
        value = evidence[key]
        yield f"{between}{_plain(key)}:"
        between = ","
        if not isinstance(value, list):
            yield _plain(value)
            continue
        yield "["
        for place, one in enumerate(value):
            yield "," * (place > 0) + _plain(one)
        yield "]"
    yield "}"


def _plain(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def rendered(evidence: Mapping[str, Any]) -> str:
    """The page; needs nothing but the pictures beside it, no network and no scripts.

    The same evidence gives the same page, so that a page can be checked by it.

    Args:
        evidence: what the case's JSON holds.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda v: printable(v) if isinstance(v, str) else v,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    earlier = [Look.from_dict(one) for one in evidence["earlier_looks"]]
    images = evidence["look"].get("images", {})
    rows = evidence["readings"]
    return environment.get_template("report.html.j2").render(
        case=evidence,
        rows=rows[:MOST_PAIRS],
        more=max(0, len(rows) - MOST_PAIRS),
        suspects_of=Counter(str(row["image_id"]) for row in rows),
        several=len(_collages(rows)),
        looks=earlier,
        ways=math.exp(min(_log_ways(evidence, earlier, images), 700.0)),
        when=_when,
        decoys=DECOYS,
        limit=FALSE_ACCUSATION,
        stronger=STRONGER,
        needed=_needed(evidence),
        turned=contents.turns(evidence),
        digest=digest_of(evidence),
        count=count,
        copy_of=copy_of,
    )


def _needed(evidence: Mapping[str, Any]) -> float | None:
    """From which Z on somebody would be named; None where these images could give no
    such Z, as those without any mark, so that the figure tells nobody anything.

    No Z is above the square root of how many bits there are, unless somebody has it.
    """
    needed: float | None = evidence["needed_z"]
    if needed is None or evidence["culprits"]:
        return needed
    bits = {str(row["image_id"]): len(row["soft"]) for row in evidence["readings"]}
    return needed if needed <= math.sqrt(sum(bits.values())) else None


def _log_ways(
    evidence: Mapping[str, Any], earlier: Sequence[Look], images: Mapping[str, str]
) -> float:
    return log_ways(earlier, images, joined=contents.joins(evidence))


def _collages(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of suspects that show several originals; older cases have none."""
    suspects = (row["suspect"] for row in rows)
    return {str(one["name"]) for one in suspects if one.get("originals", 1) > 1}


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
