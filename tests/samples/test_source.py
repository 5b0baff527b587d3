"""What is read of a dataset: its labels and its samples' ids."""

from typing import Any

import pytest

from fiftyone_reue.errors import InputError, LedgerUnavailableError
from fiftyone_reue.samples import source

pytestmark = pytest.mark.integration


def test_the_only_classification_field_is_found(dataset: Any, vault: Any) -> None:
    assert source.label_path(dataset, None) == "ground_truth.label"
    assert source.label_path(dataset, "ground_truth.label") == "ground_truth.label"
    assert source.label_path(dataset, "kind") == "kind"
    assert source.label_fields(dataset) == ["ground_truth", "kind"]


def test_label_fields_that_can_not_be_used(dataset: Any, vault: Any) -> None:
    import fiftyone as fo

    with pytest.raises(InputError, match=r"no field 'nothing'.*ground_truth, kind"):
        source.label_path(dataset, "nothing")
    with pytest.raises(InputError, match="doesn't hold one class a sample"):
        source.label_path(dataset, "tags")
    dataset.add_sample_field(
        "guess", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    with pytest.raises(InputError, match=r"2 fields.*ground_truth, guess"):
        source.label_path(dataset, None)
    dataset.delete_sample_fields(["guess", "ground_truth"])
    with pytest.raises(InputError, match=r"no Classification field.*kind"):
        source.label_path(dataset, None)
    dataset.delete_sample_field("kind")
    with pytest.raises(InputError, match="add a Classification field"):
        source.label_path(dataset, None)


def test_a_database_that_is_gone_is_an_error_of_ours(
    dataset: Any, vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    def gone(*_: Any, **__: Any) -> None:
        raise AutoReconnect("gone")

    monkeypatch.setattr(type(dataset), "values", gone)
    with pytest.raises(LedgerUnavailableError, match="run it again"):
        source.sample_ids(dataset)
