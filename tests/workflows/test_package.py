"""What a recipient is handed: whole or not at all, and with it they can go on."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, read_source
from fiftyone_reue.errors import InputError, RevokedKeyError, UnreadableImageError
from fiftyone_reue.media.files import TEMPORARY_SUFFIX
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.revocation import revoke
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows import package
from fiftyone_reue.workflows.license import license_release
from fiftyone_reue.workflows.package import PackageSummary, package_release
from fiftyone_reue.workflows.protect import protect_folder
from fiftyone_reue.workflows.restore import restore_licensed
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.integration

COUNT = 4


@pytest.fixture
def house(tmp_path: Path) -> Vault:
    """A vault and a release for alice in ``out``: two PNG files and two JPEG files."""
    vault = create_folder(tmp_path / "vault", plain_key_file=True)
    vault.add_recipient("alice")
    for number in range(COUNT):
        path = tmp_path / "source" / ("cat", "dog")[number % 2] / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < 2:
            image = Image.fromarray(picture(40, 48, seed=number).astype(np.uint8))
            image.save(path.with_suffix(".png"))
        else:
            path.with_suffix(".jpg").write_bytes(pillow(picture(seed=number)))
    protect(vault, tmp_path, "alice", "out")
    return vault


def protect(vault: Vault, root: Path, who: str, output: str) -> None:
    source, folder = root / "source", root / output
    items = read_source(source, folder).items
    made = finish(
        protect_folder(vault, who, items, source, folder, config=ProtectConfig("lsp"))
    )
    assert made.outcome.failures == []


def pack(vault: Vault, output: Path, **options: object) -> PackageSummary:
    (release, *_) = vault.ledger.releases()
    return finish(package_release(vault, release, output, **options))


def test_the_recipient_can_go_on_with_what_is_packed(
    house: Vault, tmp_path: Path
) -> None:
    terms = tmp_path / "terms.txt"
    terms.write_text("Train what you like.", "utf-8")
    made = pack(house, tmp_path / "pack", terms=terms, labels={"a/b.json": b"{}"})
    assert (made.images, made.recipient, made.left_out) == (COUNT, "alice", 0)
    folder = tmp_path / "pack"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert made.bytes == sum(path.stat().st_size for path in files)
    assert (folder / "TERMS.txt").read_text("utf-8") == "Train what you like."
    assert (folder / "labels/a/b.json").read_bytes() == b"{}"
    said = (folder / "README.txt").read_text("utf-8")
    assert "4 images, protected for alice" in said
    assert "reue restore images licensed --key YOUR.key\n" in said
    assert max(map(len, said.splitlines())) < 80
    (release,) = house.ledger.releases()
    (told,) = json.loads((folder / "commitment.json").read_text())["commitments"]
    assert told["root"] == release.commitment
    key = house.recipient_key(house.recipient("alice"))
    images = folder / "images"
    restored = finish(
        restore_licensed(image_items(images), images, tmp_path / "w", key)
    )
    assert (restored.outcome.done, restored.outcome.failures) == (COUNT, [])


def test_a_zip_file_holds_the_same(house: Vault, tmp_path: Path) -> None:
    pack(house, tmp_path / "pack")
    pack(house, tmp_path / "pack.zip")
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        assert archive.testzip() is None
        zipped = {name: archive.read(name) for name in archive.namelist()}
    folder = tmp_path / "pack"
    assert zipped == {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_published_set_says_that_a_licence_is_needed(
    house: Vault, tmp_path: Path
) -> None:
    protect(house, tmp_path, house.published().name, "public")
    _, release = house.ledger.releases()
    finish(package_release(house, release, tmp_path / "pack"))
    said = (tmp_path / "pack/README.txt").read_text("utf-8")
    assert "protected for everybody" in said
    assert "--key YOUR.key --license YOUR.license" in said
    finish(license_release(house, "alice", release, tmp_path / "a.license"))
    licence = house.ledger.releases()[-1]
    with pytest.raises(InputError, match="is a licence, one file"):
        finish(package_release(house, licence, tmp_path / "other"))


@pytest.mark.parametrize("name", ["pack", "pack.zip"])
@pytest.mark.parametrize("harm", ["gone", "edited", "linked"])
def test_nothing_is_packed_of_what_is_not_as_made(
    house: Vault, tmp_path: Path, name: str, harm: str
) -> None:
    copy = sorted((tmp_path / "out").rglob("*.jpg"))[0]
    data = copy.read_bytes()
    copy.unlink()
    if harm == "edited":
        copy.write_bytes(data + b" ")
    elif harm == "linked":
        copy.symlink_to(tmp_path / "source/cat/2.jpg")
    with pytest.raises(InputError, match=r"^1 copy is missing from .*cat/2\.jpg"):
        pack(house, tmp_path / name)
    assert not list(tmp_path.glob("pack*"))


@pytest.mark.parametrize("name", ["pack", "pack.zip"])
def test_a_cancelled_run_leaves_nothing_behind(
    house: Vault, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "_BATCH", 1)
    (release,) = house.ledger.releases()
    steps = package_release(house, release, tmp_path / name)
    other = tmp_path / f"mine{TEMPORARY_SUFFIX}"
    other.mkdir()
    next(steps)
    assert len(list(tmp_path.glob(f"*{TEMPORARY_SUFFIX}"))) == 2
    steps.close()
    assert not list(tmp_path.glob("pack*"))
    assert list(tmp_path.glob(f"*{TEMPORARY_SUFFIX}")) == [other]
    assert pack(house, tmp_path / name).images == COUNT


def test_what_can_not_be_packed_is_said(house: Vault, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in the folder of release alice-out"):
        pack(house, tmp_path / "out" / "pack")
    with pytest.raises(InputError, match="there is no such folder; make it first"):
        pack(house, tmp_path / "nowhere" / "pack")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="is there already; choose a new name"):
        pack(house, tmp_path / "there")
    with pytest.raises(UnreadableImageError, match=r"terms\.txt"):
        pack(house, tmp_path / "pack", terms=tmp_path / "terms.txt")
    (tmp_path / "terms.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="isn't a text in UTF-8"):
        pack(house, tmp_path / "pack", terms=tmp_path / "terms.txt")
    (tmp_path / "terms.txt").write_bytes((tmp_path / "vault/owner.key").read_bytes())
    with pytest.raises(InputError, match="this is a key"):
        pack(house, tmp_path / "pack", terms=tmp_path / "terms.txt")
    revoke(house, "alice")
    with pytest.raises(RevokedKeyError, match="alice"):
        pack(house, tmp_path / "pack")
    assert not list(tmp_path.glob("pack*"))


def test_an_unfinished_release_is_not_packed(house: Vault, tmp_path: Path) -> None:
    (release,) = house.ledger.releases()
    house.ledger.put_release(replace(release, state="cancelled"))
    with pytest.raises(InputError, match=r"isn't finished \(cancelled\)"):
        pack(house, tmp_path / "pack")
