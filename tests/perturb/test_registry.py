"""Methods by name, with options, and from other packages."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb import registry
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, MethodInfo, State
from fiftyone_reue.perturb.registry import (
    create_method,
    list_methods,
    method_options,
    register_method,
)

pytestmark = pytest.mark.unit


class Flat(Method):
    """One level more everywhere."""

    info = MethodInfo("flat", "Flat", "nobody", False, False, "nothing")

    def fit(self, data: FitData, options: FitOptions):
        yield 1.0
        return State("flat", data.classes, {})

    def pattern(self, state, image, label, sample_key):
        return np.ones((1, 1, 1), np.int8)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))
    registry._brought.cache_clear()
    yield
    registry._brought.cache_clear()


def brought(monkeypatch: pytest.MonkeyPatch, **named: str) -> None:
    entries = [EntryPoint(name, value, registry.GROUP) for name, value in named.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)


def test_a_registered_method_is_as_any_other() -> None:
    assert register_method(Flat) is Flat
    register_method(Flat)
    assert "flat" in [info.name for info in list_methods(releasable=True)]
    images = np.full((4, 8, 8, 3), 7, np.uint8)
    made = create_method("flat").perturb(images, ["a", "b", "a", "b"], epsilon=2)
    assert (made == 8).all()


def test_a_name_is_taken_once() -> None:
    class Other(Flat):
        info = MethodInfo("rue", "Another", "nobody", False, False, "nothing")

    with pytest.raises(InputError, match="method 'rue' already"):
        register_method(Other)
    with pytest.raises(InputError, match="isn't a subclass"):
        register_method(dict)  # type: ignore[type-var]


def test_functions_that_take_something_else_are_named() -> None:
    class Apart(Flat):
        info = MethodInfo("apart", "Apart", "nobody", False, False, "nothing")

        def fit(self, data, *, amplitude, seed, key, device="auto"):
            yield 1.0

    with pytest.raises(InputError, match=r"Apart\.fit .* options: FitOptions"):
        register_method(Apart)


def test_an_entry_point_brings_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    brought(monkeypatch, flat=f"{__name__}:Flat")
    monkeypatch.setattr(EntryPoint, "load", lambda entry: Flat)
    assert isinstance(create_method("flat"), Flat)
    assert list_methods()[-1].name == "flat"


def test_a_broken_package_is_named_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought(monkeypatch, broken="nowhere.at.all:Method", rue="nowhere:Rue")
    with pytest.warns(UserWarning, match="'broken' of a package can't be loaded"):
        assert create_method("lsp").info.name == "lsp"
    with pytest.raises(InputError, match="can't be loaded"):
        create_method("broken")
    assert type(create_method("rue")).__module__.startswith("fiftyone_reue")


def test_options_reach_the_method_and_its_identity() -> None:
    plain, other = create_method("em"), create_method("em", rounds="3")
    assert other.config.rounds == 3
    assert plain.identity(["a"]) == ()
    assert other.identity(["a"]) == ('{"rounds": 3}',)
    assert create_method("em", rounds=12).identity(["a"]) == ()
    assert other.changed_options() == {"rounds": 3}
    assert "rounds" in [one.name for one in method_options("em")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"turns": 3}, "Method 'em' has no option 'turns'; it has rounds"),
        ({"rounds": 0}, "Method 'em': rounds is 0"),
        ({"rounds": "x"}, "must be a whole number"),
    ],
)
def test_what_a_method_does_not_take_is_named(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        create_method("em", **options)


def test_a_method_without_options_says_so() -> None:
    with pytest.raises(InputError, match="'lsp' has no option 'rounds'; it has none"):
        create_method("lsp", rounds=3)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((2, 8, 9, 3), np.uint8), [0, 1], "can't be perturbed"),
        (np.zeros((2, 8, 8, 3), np.float32), [0, 1], "can't be perturbed"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0], "2 images have 1 labels"),
        (np.zeros((0, 8, 8, 3), np.uint8), [], "no image"),
    ],
)
def test_arrays_that_can_not_be_perturbed(images, labels, words) -> None:
    with pytest.raises(InputError, match=words):
        create_method("lsp").perturb(images, labels)


@pytest.mark.parametrize("key", [b"", b"short", "k" * 32])
def test_keys_that_are_none(key: bytes) -> None:
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="token_bytes"):
        create_method("lsp").perturb(images, [0, 1], key=key)


@pytest.mark.parametrize("info", list_methods(), ids=lambda info: info.name)
def test_options_say_what_is_taken_if_nothing_is_said(info: MethodInfo) -> None:
    config = create_method(info.name).config
    for one in method_options(info.name):
        assert one.default == getattr(config, one.name), one.name
