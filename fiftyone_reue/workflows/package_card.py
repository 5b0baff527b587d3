"""What a package says to people: a text, or a card as hubs show it."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fiftyone_reue import __version__
from fiftyone_reue.names.display import count, markdown, printable
from fiftyone_reue.releases import roots
from fiftyone_reue.vault.entities import Recipient, Release
from fiftyone_reue.vault.vault import PUBLISHED
from fiftyone_reue.workflows.package_writers import DATA, IMAGES, PARQUET

TERMS = "TERMS.txt"
COMMITMENT = roots.PACKAGED
LABELS = "labels"


@dataclass(frozen=True)
class Told:
    """What is told of a package.

    Attributes:
        release: what is packed.
        recipient: for whom.
        total: how many copies.
        beside: the names of the files that go along.
    """

    release: Release
    recipient: Recipient
    total: int
    beside: Collection[str]

    @property
    def published(self) -> bool:
        """Whether it is for everybody."""
        return self.recipient.name == PUBLISHED

    @property
    def labels(self) -> list[str]:
        """The names of files with labels."""
        return sorted(name for name in self.beside if name.startswith(f"{LABELS}/"))

    @property
    def title(self) -> str:
        """What it is, in a line."""
        whom = "everybody" if self.published else printable(self.recipient.name)
        return f"{count(self.total, 'image')}, protected for {whom}"

    @property
    def packed(self) -> str:
        """By what, and when."""
        date = time.strftime("%Y-%m-%d", time.gmtime())
        return (
            f"Packed on {date} with fiftyone-reue {__version__}. Release "
            f"{self.release.id}."
        )

    @property
    def warning(self) -> str:
        """What they are no good for."""
        return (
            "These copies show what the originals show, with changes that may be seen: "
            "a model that is trained on them does badly on real images. "
            + (
                "They are marked as the published set."
                if self.published
                else "They carry a mark that names you if they leak."
            )
        )

    @property
    def needed(self) -> str:
        """What has to be done before they are trained on."""
        what = "your key and your licence" if self.published else "your key"
        return (
            f"To train on them, make your licensed copies first. That needs {what}, "
            f"which came by another way, and the program fiftyone-reue, {__version__} "
            "or newer: whoever gave you these copies tells you where it is. It needs "
            "Python 3.11 and, for JPEG files, once a C compiler."
        )

    @property
    def restoring(self) -> str:
        """The command."""
        licence = " --license YOUR.license" if self.published else ""
        return f"reue restore {IMAGES} licensed --key YOUR.key{licence}"

    @property
    def exact(self) -> str:
        """What it makes."""
        return "What that makes is exact, file by file, and carries your mark."

    @property
    def committed(self) -> str:
        """What the commitment is good for."""
        licence = ", and your licence, which holds what names you"
        return (
            f"{COMMITMENT} holds what the owner was committed to before the copies "
            f"were made. Keep it{licence if self.published else ''}"
            f": with it (reue verify CASE --manifest {COMMITMENT}) you can check that "
            "a claim about a leak wasn't made up afterwards."
        )


def readme(told: Told) -> str:
    """The text of a folder or ZIP file."""
    parts = [
        f"{told.title}\n{'=' * 40}",
        told.packed,
        told.warning,
        told.needed,
        f"    {told.restoring}",
        told.exact,
    ]
    if told.labels:
        listed = "\n".join(f"    {printable(name)}" for name in told.labels)
        parts += [
            "The labels are for the copies and for the licensed copies alike, which "
            f"have the same names in {IMAGES}:",
            listed,
        ]
    if TERMS in told.beside:
        parts.append(f"What you may do with them is said in {TERMS}.")
    parts.append(told.committed)
    return "\n\n".join(map(_wrapped, parts)) + "\n"


def card(
    told: Told,
    format: str,
    classes: Sequence[str] | None,
    roots_: Sequence[str],
    terms: str | None,
) -> str:
    """The card of a dataset on a hub: YAML that says what is in it, then a text.

    Args:
        told: of what.
        format: "parquet" or "webdataset".
        classes: the names of its classes, or None.
        roots_: of its commitments, hex digits, the newest last.
        terms: what may be done with it, or None.
    """
    kind = "parquet" if format == PARQUET else "tar"
    top = ["---", "license: other"]
    if terms is not None:
        top += ["license_name: terms", f"license_link: {TERMS}"]
    top += [
        f"pretty_name: {_quoted(told.release.name)}",
        "tags:",
        "- fiftyone-reue",
        "- protected",
    ]
    if classes is not None:
        top += ["task_categories:", "- image-classification"]
    top += [
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {DATA}/train-*.{kind}",
    ]
    if format == PARQUET:
        top += ["dataset_info:", "  features:", "  - name: image", "    dtype: image"]
        if classes is not None:
            top += ["  - name: label", "    dtype:", "      class_label:"]
            top += ["        names:"]
            top += [f"          '{n}': {_quoted(c)}" for n, c in enumerate(classes)]
    parts = [
        "\n".join([*top, "---"]),
        f"# {markdown(told.title)}",
        told.packed,
        told.warning,
        told.needed,
        f"```\nreue unpack . {IMAGES}\n{told.restoring}\n```",
        told.exact + " The files of the copies stand here byte for byte: written "
        "again by another program, even without loss, they may lose the record that "
        "this takes.",
    ]
    if classes is not None and format != PARQUET:
        listed = "\n".join(f"{n}. {markdown(c)}" for n, c in enumerate(classes))
        parts += ["The classes' numbers (`.cls`):", listed]
    if told.labels:
        listed = "\n".join(f"- {markdown(name)}" for name in told.labels)
        parts += [
            "The labels are for the copies and for the licensed copies alike:",
            listed,
        ]
    if terms is not None:
        parts += ["## Terms", _fenced(terms)]
    parts += ["## Commitment", told.committed]
    if roots_:
        parts.append(f"The newest root is `{roots_[-1]}`.")
    if earlier := roots_[:-1]:
        listed = ", ".join(f"`{one}`" for one in earlier)
        parts.append(f"It is built on earlier ones, which count as well: {listed}.")
    return "\n\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    """Text as YAML takes it, whatever is in it."""
    return json.dumps(text)


def _fenced(text: str) -> str:
    """Text as it is, whatever marks it holds."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text.strip()}\n{fence}"


def _wrapped(part: str) -> str:
    """Sentences in lines of a terminal's width; what has lines of its own as it is."""
    return part if part.startswith(" ") or "\n" in part else textwrap.fill(part, 76)
