"""What stores' libraries raise is said in words that say what to do."""

import socket

import pytest

from fiftyone_reue.stores.troubles import is_lost, is_nowhere, why

pytestmark = pytest.mark.unit


class AuthenticationException(Exception):
    """As paramiko's."""


class HttpResponseError(Exception):
    """As azure.core's."""

    def __init__(self, code, message):
        super().__init__(message)
        self.error_code = code


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
        (AuthenticationException("Authentication failed."), "set credentials where"),
        (
            ValueError("unable to connect to account for Must provide either"),
            "set credentials where",
        ),
        (HttpResponseError("AuthorizationFailure", "no"), "set credentials where"),
        (EOFError(), "check the network"),
        (OSError("Socket is closed"), "check the network"),
        (socket.gaierror(-2, "Name or service not known"), "check the network"),
        (ConnectionRefusedError(111, "Connection refused"), "check the network"),
        (made_of(OSError(5, "x"), TimeoutError("it took long")), "x"),
    ],
)
def test_it_is_said_what_to_do(error, says):
    assert says in why(error)
    assert "\n" not in why(error)


def test_a_kinds_own_tools_are_named():
    unknown = DefaultCredentialsError("none found")
    assert "such as GOOGLE_APPLICATION_CREDENTIALS," in why(unknown, "gs")
    assert "such as fsspec's configuration," in why(unknown, "sftp")
    assert "such as" not in why(unknown, "other")
    gone = ConnectionRefusedError(111, "Connection refused")
    assert "the usual one, such as AWS_ENDPOINT_URL" in why(gone, "s3")
    assert why(gone, "sftp").endswith("check the network, and the store's address")


def test_azures_pages_of_xml_are_left_out():
    said = "The specified container does not exist.\nRequestId:1\nContent: <Error>"
    error = HttpResponseError("ContainerNotFound", said)
    assert why(error) == "The specified container does not exist."
    assert is_nowhere(error)
    assert not is_nowhere(HttpResponseError("ServerBusy", said))


def test_only_a_connection_that_there_was_is_lost():
    assert is_lost(made_of(OSError(5, "x"), ConnectionResetError()))
    assert is_lost(OSError("Socket is closed"))
    assert not is_lost(ConnectionRefusedError())
    assert not is_lost(FileNotFoundError())
    assert not is_lost(AuthenticationException("Authentication failed."))


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
