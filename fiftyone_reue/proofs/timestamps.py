"""When a commitment was there, by an authority that others believe (RFC 3161).

The authority is sent a hash, and signs it with the time. What it signs here is a
commitment's root, so that its reply is of use without this program as well::

    openssl ts -verify -digest ROOT -in root.tsr -CAfile authority.pem
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fiftyone_reue.errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LARGEST = 1 << 20
"""Bytes of a reply, or of a file of certificates; most are a few thousand."""

_SHA256 = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True)
class Reply:
    """What an authority said; :func:`require_signed` says whether it did.

    Attributes:
        raw: as it came.
        digest: of what, 32 bytes of SHA-256.
        time: when, in UTC.
    """

    raw: bytes
    digest: bytes
    time: datetime

    @property
    def when(self) -> str:
        """The time in words."""
        return f"{self.time:%Y-%m-%d %H:%M:%S} UTC"


def request(statement: bytes) -> bytes:
    """A request, DER, to be sent to any authority.

    Args:
        statement: of which the SHA-256 is to be signed.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(statement)
    builder = builder.hash_algorithm(HashAlgorithm.SHA256)
    made: bytes = builder.build().as_bytes()
    return made


def read_reply(raw: bytes) -> Reply:
    """An authority's reply.

    Args:
        raw: DER.

    Raises:
        InputError: it isn't one, refuses, or is about another kind of hash.
    """
    from rfc3161_client import PKIStatus

    found = _decoded(raw)
    try:
        if found.status != PKIStatus.GRANTED.value:
            said = "; ".join(found.status_string) or f"status {found.status}"
            raise InputError(f"The authority has refused to sign: {said}; ask it again")
        told = found.tst_info
        imprint = told.message_imprint
        if imprint.hash_algorithm.dotted_string != _SHA256:
            raise InputError(
                "The time stamp is of another hash than SHA-256, so of no commitment"
            )
        return Reply(raw, bytes(imprint.message), told.gen_time)
    except (ValueError, TypeError) as error:
        raise _unreadable(error) from error


def require_signed(reply: Reply, authority: Sequence[Certificate]) -> None:
    """Check an authority's signature, down from certificates that somebody trusts.

    Args:
        reply: what it said.
        authority: its root's, and those between, as far as the reply lacks them.

    Raises:
        InputError: it isn't theirs.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    builder = VerifierBuilder(roots=list(authority))
    try:
        builder.build().verify(_decoded(reply.raw), reply.digest)
    except (VerificationError, ValueError) as error:
        raise InputError(
            f"The time stamp isn't signed by that authority: {error}"
        ) from error


def read_certificates(pem: bytes) -> list[Certificate]:
    """Certificates out of a PEM file.

    Raises:
        InputError: there are none.
    """
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise InputError(
            "There is no certificate here; give the authority's as PEM "
            "(-----BEGIN CERTIFICATE-----)"
        ) from error


def _decoded(raw: bytes) -> Any:
    from rfc3161_client import decode_timestamp_response

    if len(raw) > LARGEST:
        raise InputError("This is larger than any reply to a time stamp request")
    try:
        return decode_timestamp_response(raw)
    except ValueError as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> InputError:
    return InputError(
        f"This isn't an authority's reply to a time stamp request ({error}); give the "
        "file that it answered with"
    )
