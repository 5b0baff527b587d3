import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fiftyone_reue.batch.folders import labelled_items
from fiftyone_reue.errors import InputError, OutputError, UnsafePathError
from fiftyone_reue.names import contained
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.lookup import delete_release, find_release
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.workflows.protect import protect

pytestmark = pytest.mark.unit


@pytest.fixture
def make(
    vault: Vault, tmp_path: Path, write_folder: Callable[..., Path]
) -> Callable[..., Release]:
    """Make a release of a given name in the folder of that name."""
    source = write_folder(tmp_path / "source", classes=2, each=2)

    def release(folder: str, name: str = "") -> Release:
        steps = protect(
            vault,
            "alice",
            labelled_items(source),
            tmp_path / folder,
            name=name or folder,
            source=str(source),
            config=ProtectConfig("lsp"),
        )
        return finish(steps).release

    return release


@pytest.mark.slow
def test_a_release_is_found_by_id_or_name(vault, make):
    one, two, three = make("one"), make("two"), make("three", "two")
    assert find_release(vault, one.id) == find_release(vault, "one") == one
    with pytest.raises(InputError, match=rf"2 releases are called 'two'.*{two.id}"):
        find_release(vault, "two")
    assert find_release(vault, three.id).id == three.id
    with pytest.raises(InputError, match="no release 'x'; there are: one"):
        find_release(vault, "x")


def test_in_an_empty_vault_there_are_none_yet(vault):
    with pytest.raises(InputError, match="none yet"):
        find_release(vault, "x")


@pytest.mark.slow
def test_forgetting_keeps_the_files(vault, make, tmp_path):
    gone, kept = make("gone"), make("kept")
    assert delete_release(vault, gone, files=False) == 0
    assert [r.id for r in vault.ledger.releases()] == [kept.id]
    assert vault.ledger.count_records(gone.id) == 0
    assert len(list((tmp_path / "gone").rglob("*.png"))) == 4


@pytest.mark.slow
def test_deleting_takes_only_what_is_the_releases(vault, make, tmp_path):
    gone, kept = make("gone"), make("kept")
    mine = tmp_path / "gone/cat.txt"
    mine.write_text("mine")
    (tmp_path / "gone/astronaut/0.png").unlink()
    assert delete_release(vault, gone, files=True) == 3
    assert list((tmp_path / "gone").rglob("*")) == [mine]
    assert delete_release(vault, kept, files=True) == 4
    assert not (tmp_path / "kept").exists()
    assert (tmp_path / "source").is_dir()


@pytest.mark.parametrize("said", ['{"release": "another"}', "{", None])
def test_only_the_releases_own_folder_is_deleted_from(vault, make, tmp_path, said):
    kept = make("kept")
    path = tmp_path / "kept" / manifest.NAME
    path.unlink()
    if said is not None:
        path.write_text(said)
    before = sorted((tmp_path / "kept").rglob("*"))
    with pytest.raises(OutputError, match="so nothing in it was deleted"):
        delete_release(vault, kept, files=True)
    assert sorted((tmp_path / "kept").rglob("*")) == before
    assert find_release(vault, "kept")
    assert delete_release(vault, kept, files=False) == 0


@pytest.mark.slow
def test_a_folder_without_any_of_its_files_is_left_alone(vault, make, tmp_path):
    gone = make("gone")
    shutil.rmtree(tmp_path / "gone")
    assert delete_release(vault, gone, files=True) == 0
    again = make("gone")
    shutil.rmtree(tmp_path / "gone")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/mine.txt").touch()
    assert delete_release(vault, again, files=True) == 0
    assert (tmp_path / "gone/mine.txt").exists()


@pytest.mark.parametrize("absolute", [False, True])
def test_a_ledger_can_not_have_files_elsewhere_deleted(vault, make, tmp_path, absolute):
    kept = make("kept")
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    record = next(iter(vault.ledger.records(kept.id)))
    output = str(mine) if absolute else "../mine.png"
    vault.ledger.put_records([replace(record, output=output)])
    with pytest.raises(UnsafePathError, match="mine"):
        delete_release(vault, kept, files=True)
    assert mine.read_bytes() == b"mine"
    assert len(list((tmp_path / "kept").rglob("*.png"))) == 4
    assert find_release(vault, "kept")


def test_a_linked_folder_in_a_release_is_not_deleted_from(vault, make, tmp_path):
    kept = make("kept")
    inner, elsewhere = tmp_path / "kept/astronaut", tmp_path / "elsewhere"
    inner.rename(elsewhere)
    inner.symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(UnsafePathError, match=r"astronaut: this is a link"):
        delete_release(vault, kept, files=True)
    assert len(list(elsewhere.iterdir())) == 2
    assert find_release(vault, "kept")


def test_a_release_folder_that_is_a_link_is_the_users(vault, make, tmp_path):
    gone = make("gone")
    (tmp_path / "gone").rename(tmp_path / "moved")
    (tmp_path / "gone").symlink_to(tmp_path / "moved", target_is_directory=True)
    assert delete_release(vault, gone, files=True) == 4
    assert not list((tmp_path / "moved").iterdir())


def test_a_file_that_can_not_be_deleted_keeps_the_release(vault, make, monkeypatch):
    kept = make("kept")

    def locked(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(contained.Entry, "unlink", locked)
    with pytest.raises(OutputError, match=r"kept.*Permission denied; the release"):
        delete_release(vault, kept, files=True)
    assert find_release(vault, "kept")
