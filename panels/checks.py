"""Past leak checks, as their runs tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fiftyone as fo
import fiftyone.core.odm as foo
from bson import ObjectId

from fiftyone_reue.errors import UnsafePathError
from fiftyone_reue.names import contained
from fiftyone_reue.proofs import contents
from fiftyone_reue.proofs.words import copy_of
from fiftyone_reue.releases import tracing
from fiftyone_reue.samples import checks as case_file
from fiftyone_reue.samples import runs
from fiftyone_reue.samples.shown_names import ShownNames
from fiftyone_reue.samples.vaults import open_ledger
from fiftyone_reue.vault.vault import PUBLISHED
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION
from fiftyone_reue.workflows.extract import UNDECIDED

from . import figures

_FOLDER = "folder "
_SOURCE = "fiftyone:"


_MOST_TITLED = 3
"""So many people are named in a heading; of more it says how many."""


@dataclass(frozen=True)
class Check:
    """One leak check.

    Attributes:
        key: of its run.
        date: when, for a person.
        suspects: which images, for a person.
        verdict: in words.
        named: whom it names, as they are called; or None.
        undecided: whether it names nobody because rows of the ledger failed their
            check.
        matched: suspects that are copies of originals.
        used: originals that went into the evidence.
        failed: suspects that could not be read.
        p_value: the best recipient's bound.
        z: and statistic.
        best_innocent_p: the bound of the best code of anybody who isn't named.
        best_innocent_z: its statistic.
        needed_z: from which statistic on somebody is named.
        tested: by how many recipients the bounds were multiplied.
        more: how many more images a decision would need, or None.
        recipients: ``recipient``, ``z`` and ``p_value`` of the likeliest ones.
        name: what somebody called it, or "".
        notes: what somebody wrote to it, or "".
        case: the folder of the case that was written, or None.
        joined: of how many originals several suspects were joined.
        unaided: how many files were read without their originals, which were gone.
        published: whether what it names is a published set, and so nobody.
        unread: how many files look like originals that are gone, and show no mark.
    """

    key: str
    date: str
    suspects: str
    verdict: str
    named: str | None
    undecided: bool
    matched: int
    used: int
    failed: int
    p_value: float
    z: float
    best_innocent_p: float
    best_innocent_z: float
    needed_z: float
    tested: int
    more: int | None
    recipients: list[dict[str, Any]]
    name: str = ""
    notes: str = ""
    case: str | None = None
    joined: int = 0
    unaided: int = 0
    published: bool = False
    unread: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As a panel's state holds it."""
        return asdict(self)

    def called(self) -> str:
        """Its name, or else its number."""
        return self.name or f"check {self.key.rpartition('_')[2]}"

    def outcome(self) -> str:
        """The verdict in a few words."""
        if self.published:
            return "what was published"
        if self.named is not None:
            return copies_of(self.named, self.recipients)
        if self.undecided:
            return "undecided"
        return "no decision" if self.matched else "no match"


def copies_of(named: str, recipients: Sequence[Mapping[str, Any]]) -> str:
    """Whose copies a verdict speaks of: of everybody that it names.

    Args:
        named: whom it names first.
        recipients: as :attr:`Check.recipients`; in older checks only the first is
            marked as named.
    """
    everybody = [str(row["recipient"]) for row in recipients if row.get("named")]
    if len(everybody) < 2:
        return f"copy of {named}"
    if len(everybody) > _MOST_TITLED:
        return f"copies of {len(everybody)} recipients"
    return f"copies of {', '.join(everybody[:-1])} and {everybody[-1]}"


@dataclass(frozen=True)
class Pair:
    """A suspect and its original, ready to be shown.

    Attributes:
        suspect: the suspect's URL.
        original: the original's URL, or None if its file isn't there.
        caption: what was found of the suspect.
    """

    suspect: str
    original: str | None
    caption: str


def list_checks(dataset: fo.Dataset, names: ShownNames) -> list[Check]:
    """All checks of a dataset, newest first; deleted ones aren't among them.

    Args:
        dataset: the suspects', or the one that keeps the verdicts on folders.
        names: what to call recipients.
    """
    found = [_check(dataset, key, names) for key in case_file.list_checks(dataset)]
    # Of two in one second, the longer key has the higher number.
    return sorted(found, key=lambda c: (c.date, len(c.key), c.key), reverse=True)


def findings(dataset: fo.Dataset, key: str) -> list[dict[str, Any]]:
    """What a check found of each suspect (of the first ones, where there are many)."""
    return list(runs.get_results(dataset, key).get("per_image") or [])


def matches(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The suspects that matched an original, those used as evidence first."""
    matched = [row for row in found if row.get("matched")]
    return sorted(matched, key=lambda row: (not row["used"], row["image"]))


def pairs(dataset: fo.Dataset, suspects: str, rows: list[dict[str, Any]]) -> list[Pair]:
    """Suspects beside their originals.

    Args:
        dataset: the check's.
        suspects: as the check says, a folder or samples.
        rows: of :func:`matches`; few, since the file system is asked about each.
    """
    files = _suspect_files(dataset, suspects, [row["image"] for row in rows])
    shown = []
    for row in rows:
        original = row.get("original")
        shown.append(
            Pair(
                suspect=_url(files.get(row["image"], "")),
                original=_url(original) if original and _exists(original) else None,
                caption=_caption(files.get(row["image"], row["image"]), row),
            )
        )
    return shown


def reports(case: str | None) -> dict[str, str]:
    """The addresses of a case's reports in the App, by what they are called."""
    if not case:
        return {}
    files = {"Report": contents.HTML_NAME, "Report as PDF": contents.PDF_NAME}
    paths = {label: str(Path(case) / name) for label, name in files.items()}
    return {label: _url(path) for label, path in paths.items() if _exists(path)}


def folder_of(check: Mapping[str, Any]) -> str:
    """The folder, or file, that a check's suspects were in."""
    return str(check["suspects"]).removeprefix(_FOLDER)


def names_of(dataset: fo.Dataset, images: list[str]) -> dict[str, str]:
    """The files' names of suspects that are samples of a dataset."""
    ids = [image for image in images if ObjectId.is_valid(image)]
    if not ids:
        return {}
    found = dataset.select(ids).values(["id", "filepath"])
    return {one: Path(path).name for one, path in zip(*found, strict=True)}


def are_samples(check: Mapping[str, Any]) -> bool:
    """Whether a check's suspects were samples, not files of a folder."""
    return not check["suspects"].startswith(_FOLDER)


def home_of(sample_ids: list[str]) -> fo.Dataset | None:
    """The dataset that protected samples belong to, if it is still there."""
    sources = {release.source for release in open_ledger().releases()}
    for source in sorted(sources):
        if not source.startswith(_SOURCE):
            continue
        wanted = {"_id": ObjectId(source.removeprefix(_SOURCE))}
        entry = foo.get_db_conn()["datasets"].find_one(wanted, {"name": True})
        if entry is None:
            continue
        dataset = fo.load_dataset(entry["name"])
        if dataset.select(sample_ids).limit(1).count():
            return dataset
    return None


def _check(dataset: fo.Dataset, key: str, names: ShownNames) -> Check:
    config = runs.get_config(dataset, key) or {}
    named = config.get("recipient")
    tested = int(config.get("recipients_tested") or 1)
    innocent = float(config.get("best_innocent_p") or 1.0)
    # Checks that older versions made have no statistics for these two.
    innocent_z = config.get("best_innocent_z", figures.z_of(innocent, tested))
    needed = config.get("needed_z") or figures.z_of(FALSE_ACCUSATION, tested)
    return Check(
        key=key,
        date=str(config.get("created", ""))[:19].replace("T", " "),
        suspects=str(config.get("suspects", "")),
        verdict=names.told(str(config.get("verdict", ""))),
        named=None if named is None else names.of(str(named)),
        undecided=config.get("decision") == UNDECIDED,
        matched=int(config.get("images_matched") or 0),
        used=int(config.get("images_used") or 0),
        failed=int(config.get("images_failed") or 0),
        joined=int(config.get("originals_joined") or 0),
        unaided=int(config.get("images_unaided") or 0),
        unread=int(config.get("images_unread") or 0),
        p_value=float(config.get("p_value") or 1.0),
        z=float(config.get("z") or 0.0),
        best_innocent_p=innocent,
        best_innocent_z=float(innocent_z),
        needed_z=float(needed),
        tested=tested,
        more=config.get("more_images_needed"),
        recipients=[
            {**row, "recipient": names.of(str(row["recipient"]))}
            for row in config.get("recipients") or []
        ],
        name=str(config.get("title") or ""),
        notes=str(config.get("notes") or ""),
        case=config.get("case"),
        published=named == PUBLISHED,
    )


def _suspect_files(
    dataset: fo.Dataset, suspects: str, names: list[str]
) -> dict[str, str]:
    if suspects.startswith(_FOLDER):
        folder = Path(suspects.removeprefix(_FOLDER))
        if folder.is_file():
            return dict.fromkeys(names, str(folder))
        return {name: _suspect_path(folder, name) for name in names}
    ids, files = dataset.select(names).values(["id", "filepath"])
    return dict(zip(ids, files, strict=True))


def _suspect_path(folder: Path, name: str) -> str:
    """Where a suspect is; nowhere if the run's results name a file elsewhere."""
    try:
        return str(contained.inside(folder, name))
    except UnsafePathError:
        return ""


def _exists(path: str) -> bool:
    return Path(path).is_file()


def _url(path: str) -> str:
    """Relative, so that it holds whatever host and port the App is reached by."""
    return f"/media?filepath={quote(path, safe='')}"


def _caption(file: str, row: dict[str, Any]) -> str:
    whose = copy_of(row["state"], row["exact"], row.get("from") or ())
    kind = f"{whose}, {row['distance']:.1f} gray levels off"
    if row["exact"]:
        kind = f"{whose}, exact pixels"
    if row["state"] == tracing.ITSELF:
        kind = case_file.ITSELF
    if row.get("unaided"):
        kind = case_file.UNREAD if row.get("unread") else case_file.UNAIDED
    box = row.get("box")
    place = "" if box is None else ", at {}, {} to {}, {} px".format(*box)
    return f"{Path(file).name}{place}: {kind}, {_use(row)}"


def _use(row: dict[str, Any]) -> str:
    """What became of a suspect in the evidence; older checks joined none."""
    joined = row.get("joined")
    if row["used"]:
        return "used" if (joined or 1) < 2 else f"used, one of {joined} joined"
    if joined is None:
        return "not used: a nearer copy of this original is"
    return "not used: it says the same as another copy of this original"
