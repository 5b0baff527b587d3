"""What is read of a dataset: its labels and its samples' ids."""

from typing import Any

import pytest

from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    UnreadableImageError,
)
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


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["/d/a/0.png", "/d/b/1.png"], ["0.png", "1.png"]),
        (["/d/a/0.png", "/d/b/0.png"], ["a/0.png", "b/0.png"]),
        (["/d/a/x/0.png", "/d/b/x/0.png"], ["a/x/0.png", "b/x/0.png"]),
        (["/d/0.png", "/d/0.png"], ["0.png", "0.png"]),
        ([], []),
    ],
)
def test_files_of_one_name_are_told_apart(files: list, names: list) -> None:
    assert source.told_apart(files) == names


def test_a_dataset_without_images_is_refused_by_its_kind(tmp_path: Any) -> None:
    import fiftyone as fo

    empty = fo.Dataset()
    with pytest.raises(InputError, match="has no samples"):
        source.require_images(empty)
    empty.add_sample(fo.Sample(filepath=str(tmp_path / "a.pcd")))
    with pytest.raises(InputError, match="is a point cloud; only images"):
        source.require_images(empty)
    empty.delete()


def test_which_slice_is_taken_is_said(dataset: Any, tmp_path: Any) -> None:
    import fiftyone as fo

    assert source.slice_text(dataset) == ""
    source.require_images(dataset)
    groups = fo.Dataset()
    groups.add_group_field("group", default="left")
    group = fo.Group()
    groups.add_samples(
        [
            fo.Sample(filepath=f"{tmp_path}/{name}.png", group=group.element(name))
            for name in ("left", "right")
        ],
        progress=False,
    )
    assert "of slice 'left' alone" in source.slice_text(groups)
    assert "(right)" in source.slice_text(groups)
    groups.delete()


def test_of_several_labels_one_is_the_class(dataset: Any, vault: Any) -> None:
    import fiftyone as fo

    small, large = [0.1, 0.1, 0.2, 0.2], [0.2, 0.2, 0.6, 0.6]
    for number, sample in enumerate(dataset):
        boxes = [
            fo.Detection(label="cat", bounding_box=small),
            fo.Detection(label="dog", bounding_box=large if number % 2 else small),
        ]
        sample["boxes"] = fo.Detections(detections=boxes if number else [])
        some = [fo.Classification(label=one) for one in ("sea", "sky", "sky")]
        sample["scene"] = fo.Classifications(classifications=some)
        sample["lines"] = fo.Polylines(polylines=[fo.Polyline(label="road")])
        sample["mask"] = fo.Segmentation(mask_path="nowhere.png")
        sample.save()
    fields = ["ground_truth", "kind", "boxes", "mask", "scene"]
    assert source.label_fields(dataset) == fields
    path = source.label_path(dataset, "boxes")
    assert path == source.label_path(dataset, path) == "boxes.detections.label"
    job = source.labelled_job(dataset, path)
    assert [item.label for item in job.items[:3]] == ["dog", "cat", "dog"]
    (failure,) = job.failures
    assert "no class" in failure.reason
    path = source.label_path(dataset, "scene")
    assert {i.label for i in source.labelled_job(dataset, path).items} == {"sky"}
    for name in ("mask", "mask.mask"):
        assert source.label_path(dataset, name) == "mask.mask"
    for name in ("lines", "lines.polylines.label"):
        with pytest.raises(InputError, match="doesn't hold one class a sample"):
            source.label_path(dataset, name)


def test_a_sample_in_a_store_is_refused_and_asks_nobody(
    dataset: Any, vault: Any, monkeypatch: Any
) -> None:
    """Whoever writes to the database could say which address is asked."""
    from fiftyone_reue.samples import compare
    from fiftyone_reue.stores import connections

    monkeypatch.setattr(connections, "connected", lambda url: pytest.fail(url))
    monkeypatch.setattr(connections, "library", lambda url: pytest.fail(url))
    first = dataset.first()
    # FiftyOne makes a path of it where it can; who writes to the database needn't.
    dataset._sample_collection.update_one(
        {"_id": first._id}, {"$set": {"filepath": "http://169.254.169.254/key.png"}}
    )
    dataset.reload()
    for job in (
        source.labelled_job(dataset, "ground_truth.label"),
        source.unlabelled_job(dataset),
    ):
        (failure,) = job.failures
        assert failure.sample_id == first.id
        assert "in a store" in failure.reason
        assert first.id not in [item.sample_id for item in job.items]
    with pytest.raises(UnreadableImageError, match="in a store"):
        compare._pixels("http://169.254.169.254/key.png")


def test_a_database_that_is_gone_is_an_error_of_ours(
    dataset: Any, vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    def gone(*_: Any, **__: Any) -> None:
        raise AutoReconnect("gone")

    monkeypatch.setattr(type(dataset), "values", gone)
    with pytest.raises(LedgerUnavailableError, match="run it again"):
        source.sample_ids(dataset)
