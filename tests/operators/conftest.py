"""The plugin as FiftyOne loads it, and a small labelled dataset."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PLUGIN = "@reue/fiftyone-reue"
CLASSES = ("astronaut", "coffee")
COUNT = 40
SIDE = 40


@pytest.fixture(scope="session")
def plugin(fiftyone_folder: Path) -> Path:
    """The plugin's folder, linked into the session's plugins folder."""
    from fiftyone_reue.install.link import link

    return link(fiftyone_folder / "plugins")


@pytest.fixture
def operator(plugin: Path) -> Callable[[str], Any]:
    """An operator by its name."""
    import fiftyone.operators as foo

    return lambda name: foo.get_operator(f"{PLUGIN}/{name}")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """FiftyOne's database without a vault, and an owner key for a new one."""
    import fiftyone.core.odm as foo

    monkeypatch.setenv("REUE_OWNER_KEY", "3c" * 32)
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "fo" / "config.json"))
    found = foo.get_db_conn()
    _drop_vault(found)
    yield found
    _drop_vault(found)


def _drop_vault(database: Any) -> None:
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)


@pytest.fixture
def dataset(database: Any, tmp_path: Path, photos: dict) -> Iterator[Any]:
    """40 labelled tiles of two photographs."""
    import fiftyone as fo

    generator = np.random.default_rng(0)
    samples = []
    for number in range(COUNT):
        label = CLASSES[number % 2]
        height, width = photos[label].shape[:2]
        top = generator.integers(height - SIDE)
        left = generator.integers(width - SIDE)
        path = tmp_path / "originals" / label / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        tile = photos[label][top : top + SIDE, left : left + SIDE]
        Image.fromarray(tile).save(path)
        samples.append(
            fo.Sample(filepath=str(path), ground_truth=fo.Classification(label=label))
        )
    made = fo.Dataset()
    made.add_samples(samples, progress=False)
    yield made
    if not made.deleted:
        made.delete()


@pytest.fixture
def empty_vault(database: Any) -> None:
    """A vault without recipients."""
    from fiftyone_reue.samples import open_vault

    open_vault()


@pytest.fixture
def alice(database: Any, operator: Any, tmp_path: Path) -> Path:
    """The key file of a recipient alice, added through the operator."""
    key = tmp_path / "alice.key"
    operator("manage_recipients")(action="add", name="alice", key_out=str(key))
    return key


@pytest.fixture
def bob(alice: Path, operator: Any, tmp_path: Path) -> Path:
    """The key file of a second recipient."""
    key = tmp_path / "bob.key"
    operator("manage_recipients")(action="add", name="bob", key_out=str(key))
    return key


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).copy()


@pytest.fixture
def same_pixels() -> Callable[[str, str], bool]:
    """Whether two files hold the same pixels."""
    return lambda one, other: np.array_equal(pixels(one), pixels(other))


@pytest.fixture
def leak(tmp_path: Path) -> Iterator[Callable[[list[str]], Any]]:
    """Makes a dataset of images as a thief would post them: as JPEG files."""
    import fiftyone as fo

    made = []

    def post(paths: list[str]) -> Any:
        folder = tmp_path / f"leak{len(made)}"
        folder.mkdir()
        suspects = fo.Dataset()
        for number, path in enumerate(paths):
            file = folder / f"{number}.jpg"
            Image.fromarray(pixels(path)).save(file, quality=80)
            suspects.add_sample(fo.Sample(filepath=str(file)))
        made.append(suspects)
        return suspects

    yield post
    for suspects in made:
        suspects.delete()


@pytest.fixture
def tiny_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick audit that takes a second, and can't mean anything."""
    from fiftyone_reue.auditing.budgets import BUDGETS

    quick = replace(
        BUDGETS["quick"],
        train=16,
        epochs=1,
        least_steps=2,
        countermeasures=("none", "grayscale"),
    )
    monkeypatch.setitem(BUDGETS, "quick", quick)


def requests_of(result: Any) -> list[tuple[str, dict]]:
    sent = result.executor.to_json()["requests"]
    return [(request["operator_uri"], request["params"]) for request in sent]


@pytest.fixture
def said() -> Callable[[Any], list[str]]:
    """The messages that an operator's result shows to a person."""
    return lambda result: [
        params["message"] for name, params in requests_of(result) if name == "notify"
    ]


@pytest.fixture
def sent() -> Callable[[Any], list[tuple[str, dict]]]:
    """What an operator's result makes the App do, with parameters."""
    return requests_of


@pytest.fixture
def form(plugin: Path) -> Callable[..., dict[str, Any]]:
    """The properties of an operator's form, as the App gets them; none without."""

    def resolve(name: str, dataset: Any = None, /, **params: Any) -> dict[str, Any]:
        import fiftyone.operators as foo

        operator = foo.get_operator(f"{PLUGIN}/{name}")
        request: dict[str, Any] = {"params": params}
        if dataset is not None:
            request["dataset_name"] = dataset.name
        ctx = foo.ExecutionContext(
            request,
            operator_uri=operator.uri,
            required_secrets=operator._plugin_secrets,
        )
        found = operator.resolve_type(ctx, "inputs")
        return found.to_json()["type"]["properties"] if found else {}

    return resolve


@pytest.fixture
def delegated() -> Iterator[Callable[[], Any]]:
    """Runs what is queued, as a worker does, and returns the last operation."""
    from fiftyone.operators.delegated import DelegatedOperationService

    service = DelegatedOperationService()

    def run() -> Any:
        service.execute_queued_operations(log=False)
        return max(service.list_operations(), key=lambda one: one.queued_at)

    yield run
    for operation in service.list_operations():
        service.delete_operation(operation.id)
