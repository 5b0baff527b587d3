"""Leaks, traced to a recipient."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import runs
from tests.samples.datasets import pixels

pytestmark = pytest.mark.integration


def leak(dataset: Any, folder: Path, paths: list[str], quality: int = 85) -> Any:
    folder.mkdir()
    files = []
    for number, path in enumerate(paths):
        file = folder / f"{number}.jpg"
        Image.fromarray(pixels(path)).save(file, quality=quality)
        files.append(file)
    import fiftyone as fo

    suspects = fo.Dataset()
    suspects.add_samples([fo.Sample(filepath=str(f)) for f in files], progress=False)
    return suspects


def test_a_leak_names_its_recipient(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    protect(dataset, "bob")
    paths = dataset.values("protected_filepath")[:10]
    suspects = leak(dataset, tmp_path / "leak", paths)
    text = tmp_path / "leak" / "text.jpg"
    text.write_text("no image")
    import fiftyone as fo

    suspects.add_sample(fo.Sample(filepath=str(text)))

    check = reue.extract_samples(suspects, progress=False)

    assert check.recipient == "bob"
    assert check.p_value < 1e-6
    assert check.run == "leak_check_1"
    originals = suspects.values("leak.original")
    assert originals == [*dataset.values("id")[:10], None]
    assert (
        suspects.values("leak.original_filepath")[:10]
        == (dataset.values("filepath")[:10])
    )
    assert suspects.distinct("leak.recipient") == ["bob"]
    assert suspects.values("leak.used") == [True] * 10 + [False]
    assert suspects.values("leak.state")[:10] == ["protected"] * 10
    assert "image" in suspects.values("leak.reason")[-1]
    for path in suspects.get_field_schema(flat=True):
        if path.startswith("leak"):
            assert suspects.get_field(path).description
    config = runs.get_config(suspects, "leak_check_1")
    assert config is not None
    assert (config["decision"], config["recipient"]) == ("match", "bob")
    assert [row["recipient"] for row in config["recipients"]] == ["bob", "alice"]
    assert config["recipients"][1]["p_value"] > 1e-6
    (culprit,) = check.summary.to_dict()["culprits"]
    told = config["recipients"][0]
    assert (told["z"], told["p_value"]) == (culprit["z"], culprit["p_value"])
    assert config["images_failed"] == 1
    kept = runs.get_results(suspects, "leak_check_1")["per_image"]
    assert len(kept) == 11
    assert kept[0]["original_sample"] == dataset.first().id
    assert reue.extract_samples(suspects, progress=False).run == "leak_check_2"
    suspects.delete()


def test_restored_copies_are_traced_and_originals_are_not(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    reue.restore_samples(
        dataset, output_dir=tmp_path / "licensed", recipient="alice", progress=False
    )
    paths = dataset.values("restored_filepath")[:10]
    suspects = leak(dataset, tmp_path / "leak", paths)
    check = reue.extract_samples(suspects, progress=False)
    assert check.recipient == "alice"
    assert suspects.distinct("leak.state") == ["licensed"]
    suspects.delete()
    innocent = reue.extract_samples(dataset, progress=False)
    assert innocent.recipient is None
    assert dataset.distinct("leak.recipient") == []


def test_a_folder_of_suspects(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="Nothing was protected"):
        reue.extract_folder(tmp_path / "originals", progress=False)
    protect(dataset)
    folder = tmp_path / "alice"
    check = reue.extract_folder(folder, dataset=dataset, progress=False)
    assert (check.recipient, check.run) == ("alice", "leak_check_1")
    assert dataset.get_field("leak") is None
    assert reue.extract_folder(folder, progress=False).run is None
    with pytest.raises(InputError, match="no such file or folder"):
        reue.extract_folder(tmp_path / "nothing", progress=False)
