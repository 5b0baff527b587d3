"""What the App is told while a verb runs."""

import importlib
from types import SimpleNamespace

import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import Progress

pytestmark = pytest.mark.integration


@pytest.fixture
def context():
    def operation(name):
        return lambda *a, **k: (name, a, k)

    ops = SimpleNamespace(
        set_progress=operation("set_progress"), notify=operation("notify")
    )
    return SimpleNamespace(ops=ops, delegated=False, request_params={})


@pytest.fixture
def reported(operator):
    package = type(operator("protect_dataset")).__module__.rpartition(".")[0]
    return importlib.import_module(f"{package}.running").reported


def test_the_bar_reaches_its_end(context, reported):
    def steps():
        yield Progress(0.1, "Begun")
        yield Progress(0.9, "Nearly")
        return "result"

    told = list(reported(context, steps()))
    assert told[-1] == ("set_progress", (), {"progress": 1.0, "label": "Done"})


def test_an_error_is_told_before_it_is_raised(context, reported):
    def steps():
        yield Progress(0.1, "Begun")
        raise InputError("photos: choose another folder\nwith details")

    updates = reported(context, steps())
    told = [next(updates), next(updates)]
    with pytest.raises(InputError):
        next(updates)
    assert told[-1] == (
        "notify",
        ("photos: choose another folder",),
        {"variant": "error"},
    )
