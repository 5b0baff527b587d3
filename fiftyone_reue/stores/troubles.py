"""What a store's library says went wrong, in words that say what to do.

Each library has errors of its own, of which none can be imported here: they are known
by their names, S3's and Azure's by their codes, and a few by what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SECRET = re.compile(r"\?[^\s\"']+|(?<=//)[^\s/@]+@")
"""Of a URL, what may be a signature or a password."""

_DETAILS = re.compile(r"\s*RequestId:.*", re.DOTALL)
"""What Azure's library says behind the sentence: a page of XML."""

_NOBODY = frozenset(
    (
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("ProfileNotFound", "TokenRetrievalError", "SSOTokenLoadError"),
        *("UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError"),
        *("ClientAuthenticationError", "CredentialUnavailableError"),
        *("AuthenticationException", "PasswordRequiredException", "KeyImportError"),
    )
)
"""Errors of who has no credentials, or none that can be used."""

_UNKNOWN = frozenset(
    (
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"),
        *("InvalidToken", "InvalidClientTokenId", "TokenRefreshRequired"),
        *("AuthFailure", "InvalidSecurity", "UnrecognizedClientException"),
        *("AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo"),
        *("NoAuthenticationInformation", "InvalidAccountKey"),
    )
)
"""Codes of a store that doesn't know the credentials."""

_NOBODY_SAID = (
    *("No authentication methods available", "unable to connect to account for"),
    *("Permission denied for user", "not a valid OPENSSH private key file"),
    "Anonymous caller",
)
"""What is said of the same where the error's name says nothing."""

_WHERE = {
    "s3": "AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    **dict.fromkeys(("az", "abfs", "abfss"), "AZURE_STORAGE_CONNECTION_STRING"),
    **dict.fromkeys(("sftp", "ssh", "smb", "ftp"), "fsspec's configuration"),
}
"""Where a kind of store's library looks for credentials."""

_ADDRESSES = {
    "s3": "AWS_ENDPOINT_URL",
    "gs": "STORAGE_EMULATOR_HOST",
    **dict.fromkeys(("az", "abfs", "abfss"), "AZURE_STORAGE_CONNECTION_STRING"),
}
"""Where it is said, of those whose URL doesn't say it, where the store is."""

_NOWHERE = frozenset({"ContainerNotFound", "BlobNotFound", "NoSuchBucket"})
"""Codes of a store that has no such place."""

_UNREACHED = frozenset(
    (
        *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"),
        *("ConnectionClosedError", "ProxyConnectionError", "ClientConnectorError"),
        *("ClientConnectorDNSError", "ServerDisconnectedError", "gaierror"),
        *("ServiceRequestError", "ConnectionRefusedError", "TransportError"),
        *("ConnectionError", "ConnectTimeout", "ConnectionTimeoutError"),
        *("NoValidConnectionsError", "TimeoutError", "FSTimeoutError"),
    )
)
"""Errors of who finds no network, or no store at its other end."""

_LOST = frozenset(
    (
        *("ConnectionLost", "SFTPConnectionLost", "SFTPNoConnection", "EOFError"),
        *("ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"),
        *("SSHException", "ChannelOpenError"),
    )
)
"""Errors of a connection that there was and that is gone."""


def is_lost(error: BaseException) -> bool:
    """Whether a connection is gone, and another may do.

    Args:
        error: what a store's library raised, or was made of that.
    """
    if _is_nobodys(error):
        return False
    return bool(_names(error) & _LOST) or "Socket is closed" in str(error)


def is_nowhere(error: BaseException) -> bool:
    """Whether a store said that it has no such place, by an error of its own."""
    return bool(_codes(error) & _NOWHERE)


def why(error: BaseException, scheme: str = "") -> str:
    """What went wrong, and what to do where that is known; on one line.

    Args:
        error: what a store's library raised.
        scheme: the kind of store, whose own tools are named.

    Returns:
        It, without anything that may open the store.
    """
    text = said(error)
    names = _names(error)
    if _is_nobodys(error):
        where = f", such as {_WHERE[scheme]}" if scheme in _WHERE else ""
        return (
            f"the store doesn't know who asks ({text}); set credentials where its own "
            f"tools look for them{where}, and look whether they have run out"
        )
    if names & _UNREACHED or is_lost(error):
        usual = " if it isn't the usual one, such as "
        where = usual + _ADDRESSES[scheme] if scheme in _ADDRESSES else ""
        return (
            f"the store can't be reached ({text}); check the network, and the store's "
            f"address{where}"
        )
    if isinstance(error, PermissionError) or "SFTPPermissionDenied" in names:
        return f"no permission ({text}); look at what your credentials allow"
    return text


def said(error: BaseException) -> str:
    """An error's text on one line, without what may open the store."""
    text = " ".join((getattr(error, "strerror", None) or str(error)).split())
    return _SECRET.sub("", _DETAILS.sub("", text)) or type(error).__name__


def _is_nobodys(error: BaseException) -> bool:
    """Whether there are no credentials, or none that the store knows."""
    if _names(error) & _NOBODY or _codes(error) & _UNKNOWN:
        return True
    texts = [str(one) for one in _chain(error)]
    return any(words in text for words in _NOBODY_SAID for text in texts)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was made of, as its library told it."""
    one: BaseException | None = error
    for _ in range(8):
        if one is None:
            return
        yield one
        one = one.__cause__


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}


def _codes(error: BaseException) -> set[str]:
    found = set()
    for one in _chain(error):
        response = getattr(one, "response", None)
        about = response.get("Error") if isinstance(response, dict) else None
        if isinstance(about, dict):
            found.add(str(about.get("Code")))
        found.add(str(getattr(one, "error_code", None)))  # Azure's
    return found
