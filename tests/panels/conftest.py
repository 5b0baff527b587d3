"""Panels as FiftyOne runs them, without a browser, on a small protected dataset."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PLUGIN = "@reue/fiftyone-reue"
CLASSES = ("astronaut", "coffee", "grass")
SIDE = 48


@dataclass
class Driver:
    """A panel and its state, as the App would keep it between events.

    Attributes:
        uri: the panel's.
        dataset: open in the App.
        state: what the panel put into its state.
        data: what it put into its data.
        layout: what it rendered last, by property.
        sent: what the last event made the App do, by operator.
    """

    uri: str
    dataset: Any
    state: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    layout: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, dict] = field(default_factory=dict)

    def do(self, event: str, *, view: Any = None, selected: Any = (), **params: Any):
        """Send one event; returns what it makes the App do."""
        import fiftyone.operators as foo

        given = {
            "panel_id": "panel",
            "__method__": event,
            "panel_state": self.state,
            **params,
        }
        context = {"params": given, "selected": list(selected)}
        context["view" if view is not None else "dataset"] = (
            view if view is not None else self.dataset
        )
        result = foo.execute_operator(self.uri, context)
        self.sent = {}
        for request in result.executor.to_json()["requests"]:
            name, told = request["operator_uri"], request["params"]
            if name == "patch_panel_state":
                self.state.update(told["state"])
            elif name == "patch_panel_data":
                self.data.update(told["data"])
            elif name == "show_panel_output":
                self.layout = told["output"]["type"]["properties"]
            else:
                self.sent[name] = told
        # The App sends both back as one with what it asks on its own.
        assert not self.state.keys() & self.data.keys()
        return self.sent

    def shown(self) -> Any:
        """The view that the last event put into the grid."""
        import fiftyone as fo

        stages = self.sent["set_view"]["view"]
        return fo.DatasetView._build(self.dataset, stages)

    def said(self) -> str:
        """All text that is shown."""
        return "\n".join(texts_of(self.layout))

    def buttons(self) -> dict[str, Any]:
        """The buttons that are shown, by name."""
        return dict(buttons_of(self.layout))


def texts_of(properties: dict[str, Any]) -> Iterator[str]:
    for prop in properties.values():
        view = prop.get("view") or {}
        for key in ("title", "label", "description"):
            if isinstance(view.get(key), str):
                yield view[key]
        if isinstance(prop.get("default"), str):
            yield prop["default"]
        yield from texts_of(prop["type"].get("properties") or {})


def buttons_of(properties: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, prop in properties.items():
        view = prop.get("view") or {}
        if view.get("name") == "Button":
            yield name, view
        yield from buttons_of(prop["type"].get("properties") or {})


@pytest.fixture(scope="session")
def plugin(fiftyone_folder: Path) -> str:
    """The plugin's name, after it was linked into the session's plugins folder."""
    from fiftyone_reue.install.link import link

    link(fiftyone_folder / "plugins")
    return PLUGIN


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, photos: dict, plugin: str
) -> Iterator[Any]:
    """36 tiles of three classes: two of them protected for alice and for bob.

    The class coffee is protected for alice alone, and one of its files is damaged.
    """
    import fiftyone.core.odm as foo
    from fiftyone import ViewField

    from fiftyone_reue import samples as reue

    folder = tmp_path_factory.mktemp("scene")
    database = foo.get_db_conn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REUE_OWNER_KEY", "7b" * 32)
        patch.setenv("FIFTYONE_CONFIG_PATH", str(folder / "fo" / "config.json"))
        drop_vault(database)
        for name in ("alice", "bob"):
            reue.add_recipient(name, folder / f"{name}.key")
        reue.confirm_owner_key()
        made = labelled(write_tiles(photos, folder / "originals", 36))
        (folder / "originals" / "coffee" / "001.png").write_bytes(b"no image")
        for name, classes in (("bob", CLASSES[:1]), ("alice", CLASSES[:2])):
            view = made.match(ViewField("ground_truth.label").is_in(classes))
            reue.protect_samples(
                view,
                name,
                output_dir=folder / name,
                method="lsp",
                label_field="ground_truth",
                progress=False,
            )
        yield made
        if not made.deleted:
            made.delete()
        drop_vault(database)


def drop_vault(database: Any) -> None:
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)


def write_tiles(photos: dict, folder: Path, count: int) -> list[Path]:
    generator = np.random.default_rng(5)
    paths = []
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        height, width = photos[name].shape[:2]
        top = generator.integers(height - SIDE)
        left = generator.integers(width - SIDE)
        path = folder / name / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        tile = photos[name][top : top + SIDE, left : left + SIDE]
        Image.fromarray(tile).save(path)
        paths.append(path)
    return paths


def labelled(paths: list[Path]) -> Any:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(path),
                ground_truth=fo.Classification(label=path.parent.name),
            )
            for path in paths
        ],
        progress=False,
    )
    return dataset


@pytest.fixture
def panel(plugin: str) -> Callable[[str, Any], Driver]:
    """A panel of the plugin, opened on a dataset."""

    def open_it(name: str, dataset: Any) -> Driver:
        driver = Driver(f"{plugin}/{name}", dataset)
        driver.do("on_load")
        return driver

    return open_it


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Callable[[list[str]], Any]]:
    """Makes a dataset of images as a thief would post them: as JPEG files."""
    import fiftyone as fo

    made = []

    def jpegs(paths: list[str]) -> Any:
        suspects = fo.Dataset()
        for number, path in enumerate(paths):
            file = tmp_path / "leak" / f"{number:02d}.jpg"
            file.parent.mkdir(exist_ok=True)
            with Image.open(path) as image:
                image.convert("RGB").save(file, quality=85)
            suspects.add_sample(fo.Sample(filepath=str(file)))
        made.append(suspects)
        return suspects

    yield jpegs
    for suspects in made:
        suspects.delete()
