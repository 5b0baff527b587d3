"""A vault in FiftyOne's database, and a dataset to protect."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from tests.samples.datasets import COUNT, new_dataset, write_tiles


@pytest.fixture
def vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: dict
) -> Iterator[Any]:
    """An empty vault in FiftyOne's database, with the recipients alice and bob."""
    import fiftyone.core.odm as foo

    monkeypatch.setenv("REUE_OWNER_KEY", "5a" * 32)
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "fo" / "config.json"))
    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    opened = reue.open_vault()
    for name in ("alice", "bob"):
        reue.add_recipient(name, tmp_path / f"{name}.key", vault=opened)
    yield opened
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)


@pytest.fixture
def dataset(tmp_path: Path, photos: dict) -> Iterator[Any]:
    made = new_dataset(write_tiles(photos, tmp_path / "originals", COUNT))
    yield made
    if not made.deleted:
        made.delete()


@pytest.fixture
def protect(vault: Any, tmp_path: Path) -> Callable[..., reue.ProtectedSamples]:
    """Protects quickly, by default for alice into ``<tmp>/alice``."""

    def run(samples: Any, recipient: str = "alice", **options: Any) -> Any:
        options.setdefault("output_dir", tmp_path / recipient)
        options.setdefault("method", "lsp")
        options.setdefault("label_field", "ground_truth")
        return reue.protect_samples(samples, recipient, progress=False, **options)

    return run


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_reue.networks.recipe import Recipe
    from fiftyone_reue.workflows import score

    quick = Recipe(epochs=2, least_steps=25, batch=16)
    monkeypatch.setattr(score, "Recipe", lambda: quick)
