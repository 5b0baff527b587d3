"""Samples, views and parameters that can't be protected."""

from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import protect_steps, runs, views
from tests.samples.datasets import CLASSES, COUNT

pytestmark = pytest.mark.integration


def test_samples_that_can_not_be_protected(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    ids = dataset.values("id")
    unlabelled, missing, text = (dataset[key] for key in ids[:3])
    unlabelled["ground_truth"] = None
    unlabelled.save()
    path = Path(missing.filepath)
    kept = path.read_bytes()
    path.unlink()
    Path(text.filepath).write_text("not an image")

    result = protect(dataset)

    assert result.protected == COUNT - 3
    failed = dataset.load_saved_view(views.FAILED)
    assert failed.values("id") == ids[:3]
    reasons = failed.values("protection.error")
    assert "no class" in reasons[0]
    assert "isn't an image" in reasons[2] or "not an image" in reasons[2]
    assert all(ids[place] not in reason for place, reason in enumerate(reasons))
    assert failed.values("protected_filepath") == [None] * 3
    assert "3 failed" in result.text()
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["counts"]["failed"] == 3

    path.write_bytes(kept)
    again = protect(dataset)
    assert (again.protected, again.skipped) == (1, COUNT - 3)
    assert dataset.load_saved_view(views.FAILED).values("id") == [ids[0], ids[2]]
    assert dataset[ids[1]].protection.state == "protected"
    assert dataset[ids[1]].protection.error is None


def test_other_media_are_refused_by_their_kind(protect: Any) -> None:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(filepath=f"/nowhere/{n}.mp4", kind=fo.Classification(label="a"))
            for n in range(2)
        ],
        progress=False,
    )
    with pytest.raises(InputError, match="is a video; only images can be used"):
        protect(dataset, label_field=None)
    assert "protection" not in dataset.get_field_schema()
    dataset.delete()


def test_views_that_can_not_be_protected(dataset: Any, protect: Any) -> None:
    import fiftyone as fo

    with pytest.raises(InputError, match="leaves out a field"):
        protect(dataset.exclude_fields("ground_truth"))
    with pytest.raises(InputError, match="no sample to protect"):
        protect(dataset.limit(0))
    box = {"label": "a", "bounding_box": [0, 0, 1, 1]}
    boxes = [fo.Detections(detections=[fo.Detection(**box)]) for _ in range(COUNT)]
    dataset.set_values("boxes", boxes)
    with pytest.raises(InputError, match="shows patches"):
        protect(dataset.to_patches("boxes"))


def test_parameters_that_can_not_be_used(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no recipient 'carol'.*alice, bob"):
        protect(dataset, "carol")
    with pytest.raises(InputError, match="no method 'magic'"):
        protect(dataset, method="magic")
    with pytest.raises(InputError, match="whole path"):
        protect(dataset, output_dir="somewhere")
    with pytest.raises(InputError, match="isn't empty"):
        protect(dataset, output_dir=tmp_path / "originals")
    with pytest.raises(InputError, match="name 'a b' can't be used"):
        protect(dataset, name="a b")
    assert dataset.list_runs() == []
    protect(dataset, name="first")
    assert dataset.list_runs() == ["first"]
    with pytest.raises(InputError, match="'first' already"):
        protect(dataset, name="first", output_dir=tmp_path / "other")
    with pytest.raises(InputError, match="Choose another output folder"):
        protect(dataset, epsilon=12)


def test_a_single_class_is_refused_before_anything_is_begun(
    dataset: Any, protect: Any
) -> None:
    one_class = dataset.match({"kind": CLASSES[0]})
    with pytest.raises(InputError, match="Only one class"):
        protect(one_class, method="rue")
    assert runs.get_config(dataset, "alice_1") is None
    assert protect(dataset).protected == COUNT


def test_settings_can_change_after_a_failed_start(
    dataset: Any, protect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> None:
        raise InputError("no table can be fitted")

    with monkeypatch.context() as broken:
        broken.setattr("fiftyone_reue.workflows.protect.fitted_state", nothing)
        with pytest.raises(InputError, match="no table"):
            protect(dataset, method="rue")
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "failed"
    assert "no table" in config["error"]
    assert protect(dataset).protected == COUNT


def begun_and_stopped(dataset: Any, vault: Any, **settings: Any) -> None:
    """A run of the default folder that is cancelled after its first images."""
    from fiftyone_reue.batch import pipeline

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "CHUNK_ITEMS", 2)
        patch.setattr(pipeline, "COMMIT_ITEMS", 2)
        steps = protect_steps(dataset, "alice", method="lsp", vault=vault, **settings)
        while not len(dataset.list_runs()) or not made(vault):
            next(steps)
        steps.close()


def made(vault: Any) -> int:
    return sum(vault.ledger.count_records(r.id) for r in vault.ledger.releases())


def test_a_cancelled_run_does_not_lock_its_folder(dataset: Any, vault: Any) -> None:
    begun_and_stopped(dataset, vault, epsilon=8)
    kept = made(vault)
    assert 0 < kept < COUNT
    options: dict[str, Any] = {"method": "lsp", "vault": vault, "progress": False}
    other = reue.protect_samples(dataset, "alice", epsilon=6, **options)
    assert (other.protected, Path(other.output_dir).name) == (COUNT, "alice-2")
    # What was finished is kept, and is gone on with where it is.
    again = reue.protect_samples(dataset, "alice", epsilon=8, **options)
    assert (again.skipped, Path(again.output_dir).name) == (kept, "alice")


def test_a_killed_run_that_made_nothing_does_not_lock_its_folder(
    dataset: Any, vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = protect_steps(dataset, "alice", method="lsp", epsilon=8, vault=vault)
    while not dataset.list_runs():
        next(steps)
    # As if this process had been killed there: nothing says how it ended.
    (name,) = dataset.list_runs()
    monkeypatch.setattr("fiftyone_reue.samples.processes.is_gone", lambda _: True)
    options: dict[str, Any] = {"method": "lsp", "vault": vault, "progress": False}
    done = reue.protect_samples(dataset, "alice", epsilon=6, **options)
    assert (done.release, done.protected) == (name, COUNT)


def test_samples_never_show_two_releases(dataset: Any, protect: Any) -> None:
    first = protect(dataset, "alice")
    ids = dataset.values("id")
    protect(dataset[:3], "bob")
    assert set(dataset.values("protection.recipient")) == {"bob", None}
    shown = dataset.exists("protected_filepath").values("id")
    assert shown == ids[:3]
    recipients = dataset.values("protection.recipients")
    assert recipients == [["alice", "bob"]] * 3 + [["alice"]] * (COUNT - 3)
    assert reue.show_release(dataset, first.release, progress=False) == COUNT
    assert set(dataset.values("protection.recipient")) == {"alice"}


def test_a_field_of_the_users_own_is_left_alone(dataset: Any, protect: Any) -> None:
    import fiftyone as fo

    dataset.add_sample_field("protection", fo.StringField)
    with pytest.raises(InputError, match="'protection' of its own"):
        protect(dataset)
    assert dataset.values("protection") == [None] * COUNT
