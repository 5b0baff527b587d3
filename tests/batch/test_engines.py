"""Which engine does the work, said before anything is begun."""

import socket
import sys

import pytest

from fiftyone_reue.batch.engines import check_engine, require_engine
from fiftyone_reue.batch.on_ray import require_reachable
from fiftyone_reue.errors import EngineError, InputError, MissingPackageError
from fiftyone_reue.releases.config import ProtectConfig

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("engine", "workers", "said"),
    [
        ("spark", None, "no engine 'spark'; choose one of local, processes, ray"),
        ("ray", 0, "0 workers are none"),
        ("local", 10_001, "10001 workers are none"),
    ],
)
def test_what_there_is_not_is_named(engine, workers, said):
    with pytest.raises(InputError, match=said):
        check_engine(engine, workers)


def test_a_setting_says_it_too():
    ProtectConfig.of(engine="ray", workers="2")
    for wrong in ({"engine": "spark"}, {"workers": 0}):
        with pytest.raises(InputError):
            ProtectConfig.of(**wrong)


def test_a_missing_package_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    require_engine("local")
    with pytest.raises(MissingPackageError, match="on every machine of the cluster"):
        require_engine("ray")


def test_where_nobody_listens_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        require_reachable(address)
    with pytest.raises(
        EngineError, match=f"No Ray cluster can be reached at {address}"
    ):
        require_reachable(address)
    for other in ("auto", "local", "ray://127.0.0.1:1"):
        require_reachable(other)
