"""A preview of samples leaves no trace."""

from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.integration


def everything(database: Any) -> dict[str, list[Any]]:
    """All documents; when a dataset was last opened is FiftyOne's own."""
    apart = {"last_loaded_at": False}
    return {
        name: sorted(map(repr, database[name].find({}, apart)))
        for name in database.list_collection_names()
    }


def test_it_needs_no_vault_and_writes_nothing(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fiftyone.core.odm as foo

    monkeypatch.delenv("REUE_OWNER_KEY", raising=False)
    database = foo.get_db_conn()
    before = everything(database)
    found = reue.preview_samples(dataset, method="lsp", progress=False)
    assert everything(database) == before
    assert found.total == len(dataset)
    assert len(found.images) == 8
    ids = dataset.values("id")
    assert {one.sample_id for one in found.images} <= set(ids)
    assert found.lines()[0].startswith(f"All {len(dataset)} images: ")


def test_clusters_and_views(dataset: Any) -> None:
    found = reue.preview_samples(
        dataset.limit(5), method="lsp", clusters=2, count=3, progress=False
    )
    assert (found.total, len(found.images)) == (5, 3)


def test_each_box_gets_its_own_texture(dataset: Any) -> None:
    import fiftyone as fo

    boxes = [
        fo.Detection(label=name, bounding_box=[x, 0.1, 0.4, 0.8])
        for name, x in (("cat", 0.05), ("dog", 0.55))
    ]
    dataset.set_values("boxes", [fo.Detections(detections=boxes)] * len(dataset))
    found = reue.preview_samples(dataset, label_field="boxes", count=2, progress=False)
    assert len(found.images) == 2
    with pytest.raises(InputError, match="choose rue"):
        reue.preview_samples(dataset, label_field="boxes", method="lsp", progress=False)


def test_a_view_without_samples_is_refused(dataset: Any) -> None:
    with pytest.raises(InputError, match="no sample to preview"):
        reue.preview_samples(dataset.skip(len(dataset)), label_field="ground_truth")
