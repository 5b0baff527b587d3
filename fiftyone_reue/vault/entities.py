"""What a ledger keeps. Bytes named *wrapped* or *sealed* are ciphertext.

`mac` authenticates all other fields under a key of the vault. Whoever puts an entity
leaves it empty: :class:`~fiftyone_reue.vault.ledger.authenticated.AuthenticatedLedger`
fills it in, and checks it whenever a row is read. It doesn't count when entities are
compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

PaperKind = Literal["commitment", "look", "timestamp", "recipient"]

PAPER_KINDS: tuple[PaperKind, ...] = (
    "commitment",
    "look",
    "timestamp",
    "recipient",
)

ANNOTATED_DIGEST = "annotations_sha256"
"""The parameter of a release that says which annotations go along: hex digits."""

LICENCE_OF = "licence_of"
"""The parameter of a release that is a licence: the id of the published release."""

ReleaseState = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Recipient:
    """Who is given copies. Times are seconds since 1970."""

    id: str
    name: str
    key_id: str
    wrapped_key: bytes
    wrapped_code_seed: bytes
    created: float
    revoked_at: float | None
    mac: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Fit:
    """The fitted state of a perturbation method, sealed by whoever fitted it."""

    id: str
    sealed: bytes
    method: str
    summary: dict[str, Any]
    created: float
    mac: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Paper:
    """What stays as it was once it is written, sealed for the owner.

    `kind` is one of PAPER_KINDS, `about` the id of the release or recipient that it
    belongs to, or nothing.
    """

    id: str
    kind: str
    about: str
    sealed: bytes
    created: float
    mac: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Release:
    """One protected copy of a set of images for one recipient.

    Or one recipient's licence for a published set, which has :data:`LICENCE_OF` among
    its parameters: its records are of licensed copies alone, `digest_p` being empty.

    The dictionaries hold what JSON can hold; their keys are strings.
    """

    id: str
    name: str
    recipient_id: str
    method: str
    source: str
    output: str
    parameters: dict[str, Any]
    state: ReleaseState
    fit_id: str | None
    commitment: str
    created: float
    updated: float
    finished: float | None
    counts: dict[str, Any]
    scores: dict[str, Any]
    sealed_seed: bytes
    mac: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Image:
    """An original, once a vault: the index in which a suspect's original is found.

    `id` is a keyed hash of `digest`, the digest of the original's samples.
    """

    id: str
    digest: bytes
    source: str
    label: str | None
    height: int
    width: int
    descriptor: bytes
    mac: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Record:
    """One protected image of a release, with its sealed records.

    There is one for each `release_id` and `sample_id`. `digest_p` and `digest_w` are
    the digests of the protected and the licensed copy's samples, `blob` is what the
    protected file carries. `file_digest` and `copy_digest` are SHA-256 of the
    original's and of the protected file's bytes; empty in records of versions that
    didn't keep them.
    """

    id: str
    release_id: str
    sample_id: str
    image_id: str
    label: str | None
    source: str
    output: str
    digest_p: bytes
    digest_w: bytes
    blob: bytes
    psnr: float
    created: float
    file_digest: bytes = b""
    copy_digest: bytes = b""
    mac: bytes = field(default=b"", compare=False, repr=False)
