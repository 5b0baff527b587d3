"""Which engine does the work, said before anything is begun."""

import socket
import sys

import pytest

from fiftyone_reue.batch.engines import check_engine, require_engine
from fiftyone_reue.batch.on_ray import (
    GPUS_VARIABLE,
    Places,
    places,
    require_reachable,
    wants_gpus,
)
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


def node(processors: float, gpus: float = 0) -> dict[str, float]:
    return {"CPU": processors, "memory": 1e9} | ({"GPU": gpus} if gpus else {})


@pytest.mark.parametrize(
    ("nodes", "workers", "wanted"),
    [
        ([node(4), node(2)], None, Places(6, 0)),
        ([node(4), node(2)], 3, Places(3, 0)),
        ([node(0)], None, Places(1, 0)),
        ([node(4, 4)], None, Places(4, 1)),
        ([node(16, 1)], None, Places(16, 0.0625)),
        ([node(16, 4)], 4, Places(4, 1)),
        ([node(16, 4)], 5, Places(5, 0.5)),
        ([node(6, 2), node(8)], None, Places(6, 0.3333)),  # the others look on
        ([node(16, 1), node(2, 2)], None, Places(18, 0.0625)),
        ([node(4, 2)], 9, Places(9, 0.5)),  # some wait until others have gone
        ([node(200, 1)], None, Places(64, 0.0156)),
        ([node(0, 8), node(2)], None, Places(2, 0)),
    ],
)
def test_workers_share_as_few_gpus_as_they_can(nodes, workers, wanted):
    found = places(nodes, workers)
    assert found == wanted
    assert 0 <= found.gpus <= 1


@pytest.mark.parametrize(
    ("value", "gains", "wanted"),
    [
        (None, True, True),
        (None, False, False),
        ("", True, True),
        ("auto", False, False),
        ("on", False, True),
        ("off", True, False),
    ],
)
def test_a_variable_decides_who_asks_for_gpus(monkeypatch, value, gains, wanted):
    monkeypatch.delenv(GPUS_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(GPUS_VARIABLE, value)
    assert wants_gpus(gains) == wanted


def test_a_variable_that_says_nothing_is_refused(monkeypatch):
    monkeypatch.setenv(GPUS_VARIABLE, "yes")
    with pytest.raises(InputError, match=r"^REUE_RAY_GPUS is 'yes'; set it to on"):
        wants_gpus(True)
