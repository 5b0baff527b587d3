"""Clusters as classes: what belongs together, and that it stays together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import clusters as clustering
from fiftyone_reue.releases.clusters import Clusters, cluster_items, describe
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.protect import ProtectSummary, protect

pytestmark = pytest.mark.unit

KINDS = ("coffee", "grass", "rocket")
CONFIG = ProtectConfig("lsp", clusters=3)


@pytest.fixture
def flat(tmp_path: Path, photos: dict) -> Path:
    """A folder of 12 crops of three photographs, without folders for them."""
    write(tmp_path / "flat", photos, range(4))
    return tmp_path / "flat"


def write(folder: Path, photos: dict, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for name in KINDS:
        for number in numbers:
            top = 4 * number
            crop = photos[name][top : top + 64, 8 + top : 72 + top]
            Image.fromarray(crop).save(folder / f"{number:02}-{name}.png")


def labels_of(folder: Path, count: int = 3, **options) -> dict[str, str | None]:
    items, _ = finish(cluster_items(image_items(folder), count, **options))
    return {item.sample_id: item.label for item in items}


def by_kind(labels: dict[str, str | None]) -> dict[str, set[str | None]]:
    return {k: {v for name, v in labels.items() if k in name} for k in KINDS}


def run(vault: Vault, folder: Path, output: Path, who="alice", config=CONFIG):
    steps = protect(
        vault,
        who,
        image_items(folder),
        output,
        name=output.name,
        source=str(folder),
        config=config,
    )
    return finish(steps)


def recorded(vault: Vault, summary: ProtectSummary) -> dict[str, str | None]:
    return {r.sample_id: r.label for r in vault.ledger.records(summary.release.id)}


@pytest.mark.slow
def test_images_that_look_alike_are_one_class(flat):
    labels = labels_of(flat)
    found = by_kind(labels)
    assert all(len(names) == 1 for names in found.values())
    assert set().union(*found.values()) == {"cluster-00", "cluster-01", "cluster-02"}
    assert list(labels) == [item.sample_id for item in image_items(flat)]
    assert labels == labels_of(flat)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["MAX_FIT_IMAGES", "MINI_BATCH_FROM"])
def test_many_images_are_clustered_by_a_part_or_in_batches(flat, monkeypatch, limit):
    monkeypatch.setattr(clustering, limit, 8)
    found = by_kind(labels_of(flat))
    assert all(len(names) == 1 for names in found.values())
    assert len(set().union(*found.values())) == 3


def test_gray_colour_and_16_bit_are_described_alike(flat, tmp_path):
    first = next(iter(sorted(flat.glob("*.png"))))
    gray = Image.open(first).convert("L")
    deep = np.asarray(gray).astype(np.uint16) << 8
    gray.save(flat / "gray-coffee.png")
    Image.fromarray(deep).save(flat / "deep-coffee.png")
    labels = labels_of(flat, 4)
    assert labels["gray-coffee.png"] == labels["deep-coffee.png"]


def test_each_part_of_the_descriptor_sees_its_own():
    plain = np.full((32, 32, 3), 128, np.uint8)
    ramp = np.linspace(0, 255, 32, dtype=np.uint8)
    red, across, down = plain.copy(), plain.copy(), plain.copy()
    red[..., 0] = 200
    across[:] = ramp[None, :, None]
    down[:] = ramp[:, None, None]
    base = describe(plain)
    assert base.shape == (512,)
    assert base.dtype == np.float32
    assert not base[256:].any()
    assert describe(red)[256 + 64 : 384].min() > 0.1
    edges = [describe(image)[384:].reshape(8, 4, 4) for image in (across, down)]
    assert [int(e.sum(axis=(1, 2)).argmax()) for e in edges] == [0, 4]


def test_clusters_survive_being_stored(flat):
    _, known = finish(cluster_items(image_items(flat), 3))
    again = Clusters.from_bytes(known.to_bytes())
    assert labels_of(flat, known=again) == labels_of(flat)
    many = replace(known, centres=np.zeros((101, 512), np.float32))
    assert (many.names[7], many.names[100]) == ("cluster-007", "cluster-100")


def test_too_few_images_or_clusters_are_refused(flat):
    for count in (1, 1001):
        with pytest.raises(InputError, match=f"{count} can't be.*choose 2 to 1000"):
            labels_of(flat, count)
    with pytest.raises(InputError, match="13 clusters need at least 13 images"):
        labels_of(flat, 13)
    (flat / "00-rocket.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="there are 11; choose fewer"):
        labels_of(flat, 12)


def test_images_that_do_not_differ_are_told(tmp_path):
    for number in range(5):
        Image.new("RGB", (40, 40), (number // 3 * 200,) * 3).save(
            tmp_path / f"{number}.png"
        )
    with pytest.raises(InputError, match=r"Only 2 of 3 clusters.*choose fewer"):
        labels_of(tmp_path)
    assert len(set(labels_of(tmp_path, 2).values())) == 2


def test_nothing_readable_is_told_with_the_reason(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="None of the images can be read"):
        labels_of(tmp_path, 2)


# In a release


@pytest.mark.slow
def test_classes_stay_when_images_are_added(vault, flat, tmp_path, photos):
    first = recorded(vault, run(vault, flat, tmp_path / "out"))
    assert all(len(names) == 1 for names in by_kind(first).values())
    write(flat, photos, range(4, 8))
    Image.new("RGB", (64, 64), (255, 0, 255)).save(flat / "other.png")
    second = run(vault, flat, tmp_path / "out")
    assert (second.outcome.done, second.outcome.skipped) == (13, 12)
    labels = recorded(vault, second)
    assert first.items() <= labels.items()
    assert by_kind(labels) == by_kind(first)


@pytest.mark.slow
def test_a_changed_image_keeps_its_class(vault, flat, tmp_path):
    first = recorded(vault, run(vault, flat, tmp_path / "out"))
    names = sorted(first)
    (flat / names[0]).write_bytes((flat / names[1]).read_bytes())
    assert first[names[0]] != first[names[1]]
    (tmp_path / "out" / names[0]).unlink()
    again = run(vault, flat, tmp_path / "out")
    assert again.outcome.done == 1
    assert recorded(vault, again) == first


@pytest.mark.slow
def test_releases_of_one_source_share_classes_and_fit(vault, flat, tmp_path, photos):
    one = run(vault, flat, tmp_path / "a")
    write(flat, photos, range(4, 6))
    two = run(vault, flat, tmp_path / "b", "bob")
    assert one.release.fit_id == two.release.fit_id
    assert recorded(vault, one).items() <= recorded(vault, two).items()
    fits = len(vault.ledger.fits())
    new = run(vault, flat, tmp_path / "c", config=replace(CONFIG, refit=True))
    assert len(vault.ledger.fits()) == fits + 2
    key = "clusters_id"
    assert new.release.parameters[key] != one.release.parameters[key]


@pytest.mark.slow
def test_an_unreadable_image_is_a_failure_of_its_own(vault, flat, tmp_path):
    (flat / "broken.png").write_bytes(b"no image")
    summary = run(vault, flat, tmp_path / "out")
    assert [f.sample_id for f in summary.outcome.failures] == ["broken.png"]
    assert summary.outcome.done == 12


def test_what_can_not_be_clustered_leaves_nothing(vault, flat, tmp_path):
    for count, words in ((1, "choose 2 to 1000"), (13, "choose fewer clusters")):
        with pytest.raises(InputError, match=words):
            run(vault, flat, tmp_path / "out", config=replace(CONFIG, clusters=count))
    assert vault.ledger.releases() == []
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_another_number_of_clusters_is_another_release(vault, flat, tmp_path):
    run(vault, flat, tmp_path / "out")
    with pytest.raises(InputError, match="clusters 3, not 2"):
        run(vault, flat, tmp_path / "out", config=replace(CONFIG, clusters=2))


@pytest.mark.slow
def test_centres_are_sealed(vault, flat, tmp_path):
    summary = run(vault, flat, tmp_path / "out")
    fit = vault.ledger.fit(summary.release.parameters["clusters_id"])
    assert fit is not None
    assert not fit.sealed.startswith(b"PK")  # as what NumPy stores would
