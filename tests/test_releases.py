from collections.abc import Callable
from pathlib import Path

import pytest

from fiftyone_reue import manifest, releases
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.folders import labelled_items
from fiftyone_reue.protect import protect
from fiftyone_reue.release import ProtectConfig
from fiftyone_reue.releases import delete_release, find_release
from fiftyone_reue.steps import finish
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.vault.vault import Vault

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


def test_forgetting_keeps_the_files(vault, make, tmp_path):
    gone, kept = make("gone"), make("kept")
    assert delete_release(vault, gone, files=False) == 0
    assert [r.id for r in vault.ledger.releases()] == [kept.id]
    assert vault.ledger.count_records(gone.id) == 0
    assert len(list((tmp_path / "gone").rglob("*.png"))) == 4


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


def test_another_releases_manifest_is_left(vault, make, tmp_path):
    gone = make("gone")
    path = tmp_path / "gone" / manifest.NAME
    path.write_text('{"release": "another"}')
    delete_release(vault, gone, files=True)
    assert path.exists()


def test_a_file_that_can_not_be_deleted_keeps_the_release(vault, make, monkeypatch):
    kept = make("kept")

    def locked(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(releases.Path, "unlink", locked)
    with pytest.raises(OutputError, match=r"kept.*Permission denied; the release"):
        delete_release(vault, kept, files=True)
    assert find_release(vault, "kept")
