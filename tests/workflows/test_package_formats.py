"""Packages as datasets' programs read them: the copies' files stay byte for byte."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.batch.folders import read_source
from fiftyone_reue.errors import InputError, MissingPackageError, UnsafePathError
from fiftyone_reue.names.filenames import component
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows import package_writers
from fiftyone_reue.workflows.package import package_release
from fiftyone_reue.workflows.protect import protect_folder
from fiftyone_reue.workflows.unpack import unpack
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.integration

FORMATS = ("zip", "parquet", "webdataset")
CLASSES = ["cat", 'a "dog": #1, é']


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Vault, Path]]:
    """A vault, and alice's release in ``out``: PNG and JPEG files of two classes."""
    root = tmp_path_factory.mktemp("house")
    with create_folder(root / "vault", plain_key_file=True) as vault:
        vault.add_recipient("alice")
        for number in range(6):
            folder = root / "source" / CLASSES[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            if number < 3:
                image = Image.fromarray(picture(40, 48, seed=number).astype(np.uint8))
                image.save(folder / f"{number}.png")
            else:
                # Dots end a key of webdataset: these two must not become one.
                name = folder / f"photo.{number}.jpg"
                name.write_bytes(pillow(picture(seed=number)))
        items = read_source(root / "source", root / "out").items
        steps = protect_folder(
            vault,
            "alice",
            items,
            root / "source",
            root / "out",
            config=ProtectConfig("lsp"),
        )
        assert finish(steps).outcome.done == 6
        yield vault, root


def pack(house: tuple[Vault, Path], output: Path, format: str, **options: object):
    (release,) = house[0].ledger.releases()
    steps = package_release(house[0], release, output, format=format, **options)
    return finish(steps)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def copies(house: tuple[Vault, Path]) -> dict[str, bytes]:
    found = files(house[1] / "out")
    del found["manifest.json"]
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_unpacked_is_what_was_made_and_leads_on(house, tmp_path, format):
    vault, root = house
    whole = tmp_path / "pack"
    assert pack(house, whole, format).images == 6
    done = finish(unpack(whole, tmp_path / "images"))
    assert done.images == 6
    found = files(tmp_path / "images")
    assert done.bytes == sum(map(len, found.values()))
    assert found == files(root / "out")  # the manifest included
    key = vault.recipient_key(vault.recipient("alice"))
    images = tmp_path / "images"
    assert api.restore(images, tmp_path / "w", key=key).outcome.done == 6
    back = api.restore(images, tmp_path / "o", vault=vault)
    assert back.outcome.failures == []
    originals = sorted(files(root / "source").values())
    assert sorted(files(tmp_path / "o").values()) == originals
    assert api.extract(images, vault=vault).all_named == ["alice"]


def test_datasets_reads_the_rows_and_leaves_the_files_alone(
    house, tmp_path, monkeypatch
):
    datasets = pytest.importorskip("datasets", reason="datasets isn't installed")
    pack(house, tmp_path / "rows", "parquet")
    loaded = datasets.load_dataset(
        str(tmp_path / "rows"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.features["label"].names == sorted(CLASSES)
    plain = loaded.cast_column("image", datasets.Image(decode=False))
    read = {row["image"]["path"]: row["image"]["bytes"] for row in plain}
    assert read == copies(house)
    for row, seen in zip(plain, loaded, strict=True):
        folder = row["image"]["path"].split("/")[0]
        assert folder == component(loaded.features["label"].int2str(row["label"]))
        assert seen["image"].size == Image.open(io.BytesIO(row["image"]["bytes"])).size


def test_webdataset_reads_the_tar_files(house, tmp_path, monkeypatch):
    webdataset = pytest.importorskip("webdataset", reason="webdataset isn't installed")
    monkeypatch.setattr(package_writers, "LARGEST_SHARD", 1)
    pack(house, tmp_path / "tars", "webdataset")
    shards = sorted(map(str, (tmp_path / "tars/data").glob("*.tar")))
    read = {}
    for row in webdataset.WebDataset(shards, shardshuffle=False):
        about = json.loads(row["json"])
        (image,) = (row[one] for one in row if one in ("png", "jpg"))
        read[about["path"]] = image
        assert sorted(CLASSES)[int(row["cls"])] == about["label"]
    assert read == copies(house)


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_a_shard_ends_at_its_size(house, tmp_path, monkeypatch, format):
    from fiftyone_reue.workflows import package

    monkeypatch.setattr(package_writers, "LARGEST_SHARD", 1)
    monkeypatch.setattr(package, "_BATCH", 2)
    pack(house, tmp_path / "pack", format)
    shards = sorted(path.name for path in (tmp_path / "pack/data").iterdir())
    ending = "tar" if format == "webdataset" else format
    assert shards == [f"train-{number:05}.{ending}" for number in range(3)]
    finish(unpack(tmp_path / "pack", tmp_path / "images"))
    assert files(tmp_path / "images") == files(house[1] / "out")


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_the_card_says_what_it_is_and_what_may_be_done(house, tmp_path, format):
    (release,) = house[0].ledger.releases()
    terms = tmp_path / "terms.txt"
    terms.write_text("Look,\n```\nbut don't sell.\n", "utf-8")
    labels = {"boxes.json": b"{}"}
    pack(house, tmp_path / "pack", format, terms=terms, labels=labels)
    text = (tmp_path / "pack/README.md").read_text("utf-8")
    _, top, rest = text.split("---\n", 2)
    about = yaml.safe_load(top)
    assert about["license"] == "other"
    assert about["license_link"] == "TERMS.txt"
    assert about["pretty_name"] == release.name
    (split,) = about["configs"][0]["data_files"]
    assert list((tmp_path / "pack").glob(split["path"]))
    if format == "parquet":
        label = about["dataset_info"]["features"][1]
        names = label["dtype"]["class_label"]["names"]
        assert list(names.values()) == sorted(CLASSES)
    assert "6 images, protected for alice" in rest
    assert "reue unpack . images\nreue restore images licensed --key YOUR.key\n" in rest
    assert "````text\nLook,\n```\nbut don't sell.\n````" in rest
    assert "labels/boxes.json" in rest
    assert release.commitment in rest
    (told,) = json.loads((tmp_path / "pack/commitment.json").read_text())["commitments"]
    assert told["root"] == release.commitment
    assert (tmp_path / "pack/TERMS.txt").read_bytes() == terms.read_bytes()


def test_clusters_are_no_classes(house, tmp_path):
    vault, root = house
    steps = protect_folder(
        vault,
        "alice",
        read_source(root / "source", tmp_path / "c", clustered=True).items,
        root / "source",
        tmp_path / "c",
        config=ProtectConfig("lsp", clusters=2),
    )
    release = finish(steps).release
    made = tmp_path / "pack"
    try:
        finish(package_release(vault, release, made, format="parquet"))
    finally:
        vault.ledger.delete_release(release.id)
    import pyarrow.parquet

    assert pyarrow.parquet.read_schema(made / "data/train-00000.parquet").names == [
        "image"
    ]
    assert "class_label" not in (made / "README.md").read_text()


def test_what_cannot_be_packed_so_is_said_first(house, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="There is no format 'rar'"):
        pack(house, tmp_path / "pack", "rar")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"fiftyone-reue\[parquet\]"):
        pack(house, tmp_path / "pack", "parquet")
    assert list(tmp_path.iterdir()) == []


def tar_of(path: Path, **members: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


PNG = io.BytesIO()
Image.new("RGB", (16, 16)).save(PNG, "PNG")


def test_a_dataset_of_others_gets_folders_by_its_classes(tmp_path):
    import pyarrow
    import pyarrow.parquet

    names = {"_type": "ClassLabel", "names": ["cat", "not a / folder"]}
    about = json.dumps({"info": {"features": {"label": names}}})
    for split in ("train", "test"):
        rows = [
            {"image": {"bytes": PNG.getvalue(), "path": "0.png"}, "label": 0},
            {"image": {"bytes": PNG.getvalue(), "path": None}, "label": 1},
        ]
        table = pyarrow.Table.from_pylist(rows)
        table = table.replace_schema_metadata({"huggingface": about})
        path = tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table, path)
    finish(unpack(tmp_path / "hub", tmp_path / "images"))
    found = files(tmp_path / "images")
    assert set(found.values()) == {PNG.getvalue()}
    assert sorted(found) == [
        f"{split}/{name}"
        for split in ("test", "train")
        for name in ("cat/0.png", "not a %2F folder/000000001.png")
    ]


def test_a_plain_tar_of_webdataset_is_read_by_its_names(tmp_path):
    members = {"a/1.png": PNG.getvalue(), "a/1.cls": b"0", "a/2.txt": b"no image"}
    tar_of(tmp_path / "x.tar", **members)
    assert finish(unpack(tmp_path / "x.tar", tmp_path / "images")).images == 1
    assert files(tmp_path / "images") == {"a/1.png": PNG.getvalue()}


@pytest.mark.parametrize("kind", ["tar", "zip", "json"])
def test_no_name_leads_out_of_the_folder(tmp_path, kind):
    inside = tmp_path / "inside"
    inside.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(inside / "x.zip", "w") as archive:
            archive.writestr("images/../../out.png", PNG.getvalue())
    elif kind == "tar":
        tar_of(inside / "x.tar", **{"../out.png": PNG.getvalue()})
    else:
        about = json.dumps({"path": "../out.png"}).encode()
        tar_of(inside / "x.tar", **{"a.json": about, "a.png": PNG.getvalue()})
    with pytest.raises(UnsafePathError):
        finish(unpack(next(inside.iterdir()), inside / "images"))
    assert len(list(tmp_path.rglob("*"))) == 2


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_cut_short_leaves_nothing(house, tmp_path, format):
    pack(house, tmp_path / "pack", format)
    place = tmp_path / "pack"
    one = place if place.is_file() else next((place / "data").iterdir())
    data = one.read_bytes()
    cut = tmp_path / f"cut{one.suffix}"
    # A tar file that ends between two of its files looks whole to most readers.
    with_end = len(data) - 10_240 if format == "webdataset" else len(data)
    for end in (len(data) // 2, with_end // 512 * 512 - 512):
        cut.write_bytes(data[:end])
        with pytest.raises(InputError):
            finish(unpack(cut, tmp_path / "images"))
        assert not (tmp_path / "images").exists()


def test_what_is_no_package_is_named(house, tmp_path):
    pack(house, tmp_path / "pack", "folder")
    with pytest.raises(InputError, match="isn't packed: its images are in images"):
        finish(unpack(tmp_path / "pack", tmp_path / "images"))
    with pytest.raises(InputError, match="there is no such file or folder"):
        finish(unpack(tmp_path / "nothing", tmp_path / "images"))
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match="isn't a ZIP, Parquet or tar file"):
        finish(unpack(tmp_path / "text.zip", tmp_path / "images"))
    twice = {"a.json": b'{"path": "x.png"}', "a.png": PNG.getvalue()}
    more = {name.replace("a.", "b."): data for name, data in twice.items()}
    tar_of(tmp_path / "twice.tar", **twice, **more)
    with pytest.raises(InputError, match=r"two files in it are called 'x\.png'"):
        finish(unpack(tmp_path / "twice.tar", tmp_path / "images"))
    with pytest.raises(InputError, match="is there already"):
        finish(unpack(tmp_path / "twice.tar", tmp_path / "pack"))
