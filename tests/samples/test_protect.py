"""Protecting: what is written to the fields, the run and the folder."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.media import visibility
from fiftyone_reue.names.filenames import fold
from fiftyone_reue.samples import fields, runs, views
from fiftyone_reue.workflows.protect import LOOKED_AT
from tests.samples.datasets import COUNT, new_dataset, pixels, rows_of, write_tiles

pytestmark = pytest.mark.integration


def test_protect_fills_the_fields(dataset: Any, vault: Any, protect: Any) -> None:
    result = protect(dataset, epsilon=6)
    assert (result.protected, result.skipped, result.failures) == (COUNT, 0, [])
    assert result.release == "alice_1"
    for sample in dataset:
        protection = sample.protection
        person = vault.recipient("alice")
        assert protection.release == "alice_1"
        assert protection.recipient == "alice"
        assert protection.method == "lsp"
        assert protection.state == "protected"
        assert protection.error is None
        assert protection.releases == ["alice_1"]
        assert protection.recipients == ["alice"]
        assert protection.unlearnability is None
        assert protection.key_ref == (
            f"reue:1:{vault.vault_id}:{result.release_id}:{person.key_id}"
        )
        bytes.fromhex(protection.payload)
        original, copy = pixels(sample.filepath), pixels(sample.protected_filepath)
        change = np.abs(original.astype(int) - copy)
        assert 0 < change.max() <= 6
        mse = np.mean(change.astype(float) ** 2)
        assert protection.psnr == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)


def test_fields_are_declared_for_the_app(dataset: Any, protect: Any) -> None:
    protect(dataset)
    schema = dataset.get_field_schema(flat=True)
    ours = [name for name in schema if name.split(".")[0].startswith("protect")]
    assert len(ours) == 14
    for name in ours:
        assert schema[name].description
        assert schema[name].info == {"owner": fields.OWNER}
    assert dataset.app_config.media_fields == ["filepath", "protected_filepath"]
    assert dataset.list_saved_views() == [views.PROTECTED]


def test_the_run_says_what_was_done(dataset: Any, protect: Any, tmp_path: Path) -> None:
    protect(dataset)
    assert dataset.list_runs(method=runs.PROTECT) == ["alice_1"]
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "done"
    assert config["recipient"] == "alice"
    assert config["perturbation"] == "lsp"
    assert config["label_field"] == "ground_truth.label"
    assert config["output_dir"] == str(tmp_path / "alice")
    assert config["counts"]["protected"] == COUNT
    assert config["psnr"] > 30


def test_how_visible_copies_are_is_kept_of_those_that_were_looked_at(
    dataset: Any, vault: Any, protect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility, "SMALLEST", 8)  # tiles are smaller than it takes
    result = protect(dataset)
    path = "protection.ssimulacra2"
    assert dataset.count(path) == LOOKED_AT
    assert result.ssimulacra2 == pytest.approx(dataset.mean(path))
    assert f"SSIMULACRA2 {result.ssimulacra2:.0f}" in result.text()
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["ssimulacra2"] == result.ssimulacra2
    before = dataset.values(path)
    protect(dataset, "bob", measure=True)
    assert dataset.count(path) == COUNT
    reue.show_release(dataset, "alice_1", vault=vault)
    assert dataset.values(path) == before


def test_a_second_run_writes_nothing(dataset: Any, protect: Any) -> None:
    protect(dataset)
    paths = dataset.values("protected_filepath")
    before = [os.stat(path).st_mtime_ns for path in paths]
    again = protect(dataset)
    assert (again.protected, again.skipped) == (0, COUNT)
    assert again.release == "alice_1"
    assert dataset.values("protected_filepath") == paths
    assert [os.stat(path).st_mtime_ns for path in paths] == before


def test_a_view_is_all_that_is_touched(dataset: Any, protect: Any) -> None:
    view = dataset[:10]
    result = protect(view)
    assert result.total == 10
    assert dataset.count("protected_filepath") == 10
    assert dataset.values("protection")[10:] == [None] * (COUNT - 10)
    assert dataset.list_saved_views() == [views.PROTECTED, views.UNPROTECTED]
    assert len(dataset.load_saved_view(views.UNPROTECTED)) == COUNT - 10
    assert protect(dataset).protected == COUNT - 10
    assert dataset.list_saved_views() == [views.PROTECTED]


def test_string_labels_and_the_default_folder(
    dataset: Any, vault: Any, fiftyone_folder: Path
) -> None:
    result = reue.protect_samples(
        dataset, "alice", label_field="kind", method="lsp", progress=False
    )
    folder = f"{dataset.name}-releases"
    assert result.output_dir == str(fiftyone_folder / "datasets" / folder / "alice")
    assert len(dataset.exists("protected_filepath")) == COUNT


@pytest.mark.slow
def test_clusters_stand_in_for_labels(
    dataset: Any, vault: Any, protect: Any, quick_training: None
) -> None:
    """Of samples that come later too, and in all releases of the dataset."""
    dataset.delete_sample_field("ground_truth")
    with pytest.raises(InputError, match="choose 2 to 1000"):
        protect(dataset, label_field=None, clusters=1)
    first = protect(dataset[:16], label_field=None, clusters=2)
    before = classes_of(vault, first)
    second = protect(dataset, label_field=None, clusters=2)
    after = classes_of(vault, second)
    assert (second.protected, second.skipped) == (COUNT - 16, 16)
    assert before.items() <= after.items()
    assert set(before.values()) == set(after.values()) == {"cluster-00", "cluster-01"}
    assert classes_of(vault, protect(dataset, "bob", clusters=2)) == after
    scored = reue.score_samples(dataset, second.release, vault=vault, progress=False)
    assert scored.images == COUNT


def classes_of(vault: Any, release: reue.ProtectedSamples) -> dict[str, str]:
    records = vault.ledger.records(release.release_id)
    return {record.sample_id: record.label for record in records}


def test_the_active_slice_of_groups(
    protect: Any, photos: dict, tmp_path: Path, vault: Any
) -> None:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    for left, right in zip(
        write_tiles(photos, tmp_path / "left", 6),
        write_tiles(photos, tmp_path / "right", 6, seed=1),
        strict=True,
    ):
        group = fo.Group()
        label = left.parent.name
        dataset.add_samples(
            [
                fo.Sample(
                    filepath=str(path),
                    group=group.element(name),
                    ground_truth=fo.Classification(label=label),
                )
                for name, path in (("left", left), ("right", right))
            ]
            + [fo.Sample(filepath=f"{right}.pcd", group=group.element("cloud"))],
            progress=False,
        )
    view = dataset.view()
    view.group_slice = "right"
    result = protect(view)
    assert (result.protected, result.total) == (6, 6)
    everything = fields.all_samples(dataset)
    named = rows_of(everything, "group.name", "protected_filepath")
    assert all((name == "right") == bool(path) for name, path in named)
    assert protect(view).skipped == 6
    assert reue.restore_samples(
        view, output_dir=tmp_path / "back", progress=False
    ).restored == len(view)
    reue.delete_release(dataset, "alice_1", progress=False)
    assert everything.count("protected_filepath") == 0
    dataset.delete()


def test_different_labels_never_share_a_folder(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    import fiftyone as fo

    labels = [
        "猫",
        "犬",
        "a b",
        "a/b",
        "Cat",
        "cat",
        "CON",
        "..",
        "caf\u00e9",
        "cafe\u0301",
    ]
    labels += ["x" * 300, "x" * 301]
    for sample, label in zip(dataset, 2 * labels, strict=True):
        sample["ground_truth"] = fo.Classification(label=label)
        sample.save()
    result = protect(dataset)
    assert result.failures == []
    folders: dict[str, set[str]] = {}
    for sample in dataset:
        folder = Path(sample.protected_filepath).parent
        assert folder.parent == tmp_path / "alice"
        folders.setdefault(sample.ground_truth.label, set()).add(folder.name)
    assert all(len(names) == 1 for names in folders.values())
    assert len({fold(name) for (name,) in folders.values()}) == len(labels)
    read = fo.Dataset.from_dir(
        str(tmp_path / "alice"),
        dataset_type=fo.types.ImageClassificationDirectoryTree,
        progress=False,
    )
    assert len(read.distinct("ground_truth.label")) == len(labels)
    read.delete()
    assert protect(dataset).skipped == COUNT


def test_odd_classes_are_said(dataset: Any, vault: Any, protect: Any) -> None:
    import fiftyone as fo

    sample = dataset.first()
    sample["ground_truth"] = fo.Classification(label="alone")
    sample.save()
    told: list[str] = []
    steps = reue.protect_steps(
        dataset, "alice", method="lsp", label_field="ground_truth", vault=vault
    )
    while True:
        try:
            told.append(next(steps).label)
        except StopIteration as stop:
            result = stop.value
            break
    assert any(label.startswith("3 classes, 24 images: alone 1") for label in told)
    assert "1 class has one image: alone." in result.text()


def test_progress_reaches_a_callback(dataset: Any, vault: Any) -> None:
    seen: list[float] = []
    reue.protect_samples(
        dataset,
        "alice",
        label_field="kind",
        method="lsp",
        name="with_progress",
        progress=lambda bar: seen.append(bar.progress),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_each_file_of_a_mixed_dataset_keeps_its_kind(
    vault: Any, protect: Any, photos: dict, tmp_path: Path
) -> None:
    paths = write_tiles(photos, tmp_path / "mixed", 8)
    for place, path in enumerate(paths):
        if place % 4 < 2:
            with Image.open(path) as image:
                image.save(path.with_suffix(".jpg"), quality=85)
            path.unlink()
            paths[place] = path.with_suffix(".jpg")
    dataset = new_dataset(paths)
    result = protect(dataset)
    assert (result.protected, dict(result.converted)) == (8, {})
    for original, copy in rows_of(dataset, "filepath", "protected_filepath"):
        assert Path(copy).suffix == Path(original).suffix
        change = np.abs(pixels(original).astype(int) - pixels(copy))
        assert 0 < change.max() <= 8
    reue.restore_samples(dataset, output_dir=tmp_path / "back", progress=False)
    for original, back in rows_of(dataset, "filepath", "restored_filepath"):
        assert Path(back).read_bytes() == Path(original).read_bytes()
    other = protect(dataset, "bob", carrier="pixels")
    assert dict(other.converted) == {"JPEG": 4}
    dataset.delete()
