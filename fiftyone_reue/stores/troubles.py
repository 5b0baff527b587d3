"""What a store's library says went wrong, in words that say what to do.

Each library has errors of its own, of which none can be imported here: they are known
by their names, and S3's by their codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SECRET = re.compile(r"\?[^\s\"']+|(?<=//)[^\s/@]+@")
"""Of a URL, what may be a signature or a password."""

_NOBODY = frozenset(
    (
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("ProfileNotFound", "TokenRetrievalError", "SSOTokenLoadError"),
        *("UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError"),
        *("ClientAuthenticationError", "CredentialUnavailableError"),
    )
)
"""Errors of who has no credentials, or none that can be used."""

_UNKNOWN = frozenset(
    (
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"),
        *("InvalidToken", "InvalidClientTokenId", "TokenRefreshRequired"),
        *("AuthFailure", "InvalidSecurity", "UnrecognizedClientException"),
    )
)
"""Codes of a store that doesn't know the credentials."""

_UNREACHED = frozenset(
    (
        *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"),
        *("ConnectionClosedError", "ProxyConnectionError", "ClientConnectorError"),
        *("ClientConnectorDNSError", "ServerDisconnectedError", "gaierror"),
        *("ServiceRequestError", "ConnectionRefusedError", "TransportError"),
        *("ConnectionError", "ConnectTimeout", "ConnectionTimeoutError"),
    )
)
"""Errors of who finds no network, or no store at its other end."""


def why(error: BaseException) -> str:
    """What went wrong, and what to do where that is known; on one line.

    Args:
        error: what a store's library raised.

    Returns:
        It, without anything that may open the store.
    """
    text = said(error)
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    if names & _NOBODY or _codes(error) & _UNKNOWN:
        return (
            f"the store doesn't know who asks ({text}); set credentials where its own "
            "tools look for them, such as AWS_PROFILE for s3://, and look whether they "
            "have run out"
        )
    if names & _UNREACHED:
        return (
            f"the store can't be reached ({text}); check the network, and the store's "
            "address if it isn't the usual one, such as AWS_ENDPOINT_URL for s3://"
        )
    if isinstance(error, PermissionError):
        return f"no permission ({text}); look at what your credentials allow"
    return text


def said(error: BaseException) -> str:
    """An error's text on one line, without what may open the store."""
    text = " ".join((getattr(error, "strerror", None) or str(error)).split())
    return _SECRET.sub("", text) or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was made of, as its library told it."""
    one: BaseException | None = error
    for _ in range(8):
        if one is None:
            return
        yield one
        one = one.__cause__


def _codes(error: BaseException) -> set[str]:
    found = set()
    for one in _chain(error):
        response = getattr(one, "response", None)
        about = response.get("Error") if isinstance(response, dict) else None
        if isinstance(about, dict):
            found.add(str(about.get("Code")))
    return found
