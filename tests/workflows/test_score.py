from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows import score as scoring
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed
from fiftyone_reue.workflows.score import ScoreConfig, ScoreSummary, described, score

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps of a narrow network, for what training is not the point of."""
    quick = partial(Recipe, epochs=1, least_steps=3, batch=16)
    monkeypatch.setattr(scoring, "Recipe", quick)


@pytest.fixture
def protected(vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """A release of two classes of six images."""
    source = write_folder(tmp_path / "source", classes=2, each=6)
    return make(vault, source, tmp_path / "protected")


def make(vault: Vault, source: Path, output: Path) -> Path:
    steps = protect(
        vault,
        "alice",
        labelled_items(source),
        output,
        name=output.name,
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    finish(steps)
    return output


def run(vault: Vault, items, **options) -> ScoreSummary:
    return finish(score(vault, items, ScoreConfig(device="cpu", **options)))


def test_every_image_is_scored_and_the_release_remembers(vault, protected, tmp_path):
    (tmp_path / "source").rename(tmp_path / "moved")  # the originals aren't needed
    summary = run(vault, labelled_items(protected))
    found = summary.to_dict()
    assert found["images"] == 12
    assert found["chance"] == 0.5
    for figure in ("accuracy_clean", "accuracy_protected"):
        assert 0 <= found[figure] <= 1
    names = [image["image"] for image in found["per_image"]]
    assert names == [item.sample_id for item in labelled_items(protected)]
    assert all(0 <= image["score"] <= 1 for image in found["per_image"])
    kept = vault.ledger.release(summary.release_id).scores
    assert kept["accuracy_clean"] == found["accuracy_clean"]
    assert "per_image" not in kept
    assert kept["measured"]


def test_what_is_not_protected_is_listed_and_left_out(vault, protected, tmp_path):
    broken, resaved = (Path(item.path) for item in labelled_items(protected)[:2])
    broken.write_bytes(b"")
    Image.open(resaved).save(resaved)
    found = run(vault, labelled_items(protected)).to_dict()
    assert (found["images"], found["images_failed"]) == (10, 2)
    errors = {i["image"]: i["error"] for i in found["per_image"] if "error" in i}
    assert len(errors) == 2
    assert "empty" in errors[str(broken.relative_to(protected))]
    assert "no record" in errors[str(resaved.relative_to(protected))]
    assert [i["score"] for i in found["per_image"] if "error" in i] == [None, None]


def test_originals_and_licensed_copies_are_not_a_release(vault, protected, tmp_path):
    with pytest.raises(
        InputError, match=r"None of the images can be measured[^$]*record"
    ):
        run(vault, labelled_items(tmp_path / "source"))
    key = vault.recipient_key(vault.recipient("alice"))
    finish(restore_licensed(image_items(protected), None, tmp_path / "w", key))
    with pytest.raises(InputError, match="meant to be learned"):
        run(vault, labelled_items(tmp_path / "w"))


def test_two_releases_are_not_scored_as_one(vault, protected, tmp_path):
    other = make(vault, tmp_path / "source", tmp_path / "other")
    items = [*labelled_items(protected), *labelled_items(other)]
    with pytest.raises(InputError, match="of 2 releases; measure one"):
        run(vault, items)


def test_images_without_a_class_are_named(vault, protected):
    folder = next(path for path in protected.iterdir() if path.is_dir())
    with pytest.raises(InputError, match="has no class"):
        run(vault, image_items(folder))


def test_few_images_are_drawn_evenly(vault, protected):
    summary = run(vault, labelled_items(protected), max_images=8, every=False)
    labels = [item.label for item in summary.items]
    assert len(labels) == 8
    assert {labels.count(label) for label in set(labels)} == {4}


def test_progress_never_falls(vault, protected):
    steps = score(vault, labelled_items(protected), ScoreConfig(device="cpu"))
    seen = [step.fraction for step in steps]
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_the_rest_is_judged_by_models_that_never_saw_it(vault, protected):
    items = labelled_items(protected)
    sampled = run(vault, items, max_images=10, every=False)
    assert len(sampled.items) == len(sampled.per_image) == 10
    Path(items[-1].path).write_bytes(b"")
    summary = run(vault, items, max_images=10)
    found = summary.to_dict()
    assert (found["images"], found["images_failed"]) == (11, 1)
    assert found["images_trained_on"] in (9, 10)
    names = [image["image"] for image in found["per_image"]]
    assert sorted(names) == sorted(item.sample_id for item in items)
    assert all(0 <= score <= 1 for score in summary.per_image)


def test_photographs_are_trained_on_at_their_size_as_far_as_there_is_time(
    vault, tmp_path, write_folder
):
    source = write_folder(tmp_path / "source", classes=2, each=4)
    for path in source.rglob("*.png"):
        Image.open(path).resize((200, 210)).save(path)
    items = labelled_items(make(vault, source, tmp_path / "protected"))
    found = run(vault, items, every=False).to_dict()
    assert (found["size"], found["usual_size"]) == (128, 224)
    assert "People train on images like these at 224 pixels" in described(found)
    small = run(vault, items, every=False, size=32).to_dict()
    assert (small["size"], small["usual_size"]) == (32, 224)
    with pytest.raises(InputError, match="at 33 pixels a side"):
        run(vault, items, size=33)


def test_so_many_images_are_trained_on_as_their_size_allows():
    assert ScoreConfig().most_images(64) == 6000
    assert ScoreConfig().most_images(128) == 2000
    assert ScoreConfig(max_images=10).most_images(224) == 10


def test_a_figure_has_its_range_or_nothing_is_told():
    figures = {
        "accuracy_clean": 0.219,
        "accuracy_protected": 0.222,
        "chance": 0.1,
        "size": 128,
        "usual_size": 128,
        "unlearnability": None,
        "margin": 0.57,
        "images_trained_on": 300,
        "level": "not tellable",
    }
    assert "Nothing can be told" in described(figures)
    assert "0.00" not in described(figures)
    assert "can't be learned" in described({**figures, "margin": None})
    few = described({**figures, "images_trained_on": 40, "margin": 0.0})
    assert "from so few: 40 images were trained on, and it takes 100." in few
    assert "0.00" not in few
    strong = {"unlearnability": 0.9, "margin": 0.2, "level": "holds"}
    told = described({**figures, **strong})
    assert "Unlearnability 0.90 (0.70 to 1.00; 1: no better than guessing)" in told
    assert "learns next to nothing from the copies" in told
