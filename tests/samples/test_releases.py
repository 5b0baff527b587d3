"""Several releases of a dataset: showing one, deleting one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.samples import views
from tests.samples.datasets import COUNT

pytestmark = pytest.mark.integration


def test_two_recipients_show_and_delete(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    alices = dataset.values("protected_filepath")
    protect(dataset[: COUNT // 2], "bob")
    first, last = dataset.first(), dataset.last()
    assert first.protection.releases == ["alice_1", "bob_1"]
    assert first.protection.recipients == ["alice", "bob"]
    # Never one's copies beside another's in one field.
    assert (first.protection.release, last.protection.release) == ("bob_1", None)
    assert first.protection.payload != ""

    assert reue.show_release(dataset, "alice_1", vault=vault, progress=False) == COUNT
    assert dataset.values("protected_filepath") == alices
    assert set(dataset.values("protection.release")) == {"alice_1"}

    count = reue.show_release(dataset, "bob_1", vault=vault, progress=False)
    assert count == COUNT // 2
    assert dataset.count("protected_filepath") == COUNT // 2
    last = dataset.last()
    assert last.protection.release is None
    assert last.protection.state is None
    assert last.protection.releases == ["alice_1"]
    assert len(dataset.load_saved_view(views.UNPROTECTED)) == COUNT // 2

    deleted = reue.delete_release(
        dataset, "bob_1", files=True, vault=vault, progress=False
    )
    assert deleted == COUNT // 2
    assert not (tmp_path / "bob").exists()
    assert dataset.list_runs() == ["alice_1"]
    assert dataset.values("protected_filepath") == alices
    assert set(map(tuple, dataset.values("protection.recipients"))) == {("alice",)}

    assert reue.delete_release(dataset, "alice_1", vault=vault, progress=False) == 0
    assert len(list((tmp_path / "alice").rglob("*.png"))) == COUNT
    assert dataset.values("protection") == [None] * COUNT
    assert dataset.list_saved_views() == [views.UNPROTECTED]
    assert vault.ledger.releases() == []
    with pytest.raises(InputError, match="no release 'alice_1'; there are: none yet"):
        reue.delete_release(dataset, "alice_1", vault=vault, progress=False)


def test_a_run_that_makes_no_copy_leaves_shown_what_is(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    steps = reue.protect_steps(
        dataset,
        "bob",
        output_dir=tmp_path / "bob",
        method="lsp",
        label_field="ground_truth",
        vault=vault,
    )
    while "bob_1" not in dataset.list_runs():
        next(steps)
        dataset.reload()
    steps.close()
    assert set(dataset.values("protection.release")) == {"alice_1"}


def test_copies_that_the_ledger_places_elsewhere_are_not_used(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    result = protect(dataset)
    record = next(iter(vault.ledger.records(result.release_id)))
    vault.ledger.put_records([replace(record, output="../alice.key")])
    restored = reue.restore_samples(
        dataset, output_dir=tmp_path / "back", release=result.release, progress=False
    )
    assert restored.restored == COUNT - 1
    (failure,) = restored.failures
    assert failure.sample_id == record.sample_id
    assert "isn't the name of a file below" in failure.reason
    with pytest.raises(UnsafePathError, match=record.sample_id):
        reue.show_release(dataset, result.release, progress=False)
    with pytest.raises(UnsafePathError, match=record.sample_id):
        reue.delete_release(dataset, result.release, files=True, progress=False)
    assert (tmp_path / "alice.key").exists()


def test_deleting_a_release_that_is_not_shown(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    protect(dataset, "bob")
    bobs = dataset.values("protected_filepath")
    reue.delete_release(dataset, "alice_1", vault=vault, progress=False)
    assert dataset.values("protected_filepath") == bobs
    assert set(map(tuple, dataset.values("protection.releases"))) == {("bob_1",)}


def test_an_interrupted_deletion_can_be_repeated(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    steps = reue.delete_release_steps(dataset, "alice_1", vault=vault)
    next(steps)
    next(steps)
    steps.close()
    assert vault.ledger.releases() == []
    assert dataset.count("protected_filepath") == COUNT
    reue.delete_release(dataset, "alice_1", vault=vault, progress=False)
    assert dataset.list_runs() == []
    assert dataset.count("protected_filepath") == 0


def test_a_copied_dataset_can_not_delete_the_release(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    copy = dataset.clone()
    with pytest.raises(InputError, match="was copied from"):
        reue.delete_release(copy, "alice_1", vault=vault, progress=False)
    assert len(vault.ledger.releases()) == 1
    copy.delete()


def test_failures_come_back_with_their_release(
    dataset: Any, vault: Any, protect: Any
) -> None:
    sample = dataset.first()
    kept = Path(sample.filepath).read_bytes()
    Path(sample.filepath).write_bytes(kept[:-40])
    protect(dataset)
    Path(sample.filepath).write_bytes(kept)
    protect(dataset, "bob")
    assert sample.protection.state == "protected"
    reue.show_release(dataset, "alice_1", vault=vault, progress=False)
    assert (sample.protection.state, sample.protection.release) == ("failed", "alice_1")
    assert sample.protection.releases == ["bob_1"]
    assert sample.protected_filepath is None
