"""What stores' libraries raise is said in words that say what to do."""

import socket

import pytest

from fiftyone_reue.stores.troubles import why

pytestmark = pytest.mark.unit


class DefaultCredentialsError(Exception):
    """As google.auth's."""


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, code, message):
        super().__init__(message)
        self.response = {"Error": {"Code": code, "Message": message}}


def made_of(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DefaultCredentialsError("none found"), "set credentials where"),
        (
            made_of(PermissionError("no"), ClientError("InvalidAccessKeyId", "no")),
            "set credentials where",
        ),
        (
            made_of(PermissionError("no"), ClientError("ExpiredToken", "no")),
            "whether they have run out",
        ),
        (
            made_of(PermissionError("no"), ClientError("AccessDenied", "no")),
            "no permission (no); look at what your credentials allow",
        ),
        (socket.gaierror(-2, "Name or service not known"), "check the network"),
        (ConnectionRefusedError(111, "Connection refused"), "check the network"),
        (made_of(OSError(5, "x"), TimeoutError("it took long")), "x"),
    ],
)
def test_it_is_said_what_to_do(error, says):
    assert says in why(error)
    assert "\n" not in why(error)


def test_what_opens_the_store_is_never_said():
    error = PermissionError("no to http://me:word@host/b?X-Amz-Signature=abc now")
    assert why(error).startswith("no permission (no to http://host/b now)")


def test_botocores_errors_are_known_by_these_names():
    exceptions = pytest.importorskip("botocore.exceptions", reason="no botocore")
    assert "set credentials" in why(exceptions.NoCredentialsError())
    assert "set credentials" in why(exceptions.ProfileNotFound(profile="x"))
    lost = exceptions.EndpointConnectionError(endpoint_url="http://x/")
    assert "check the network" in why(lost)
    late = exceptions.ReadTimeoutError(endpoint_url="http://x/")
    assert "check the network" in why(late)
