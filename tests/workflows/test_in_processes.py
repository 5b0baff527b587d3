"""Releases that are made in processes are those that are made in threads."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.errors import InputError
from fiftyone_reue.releases import prepare
from fiftyone_reue.vault.vault import Vault, open_folder
from tests.workflows.engines import (
    check_that_it_makes_the_same_bytes,
    copied,
    files,
)

pytestmark = [pytest.mark.slow, pytest.mark.integration]

ENGINES = ("local", "processes")


@pytest.fixture
def vaults(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prepare, "new_id", lambda: "5" * 16)
    return copied(vault, tmp_path, *ENGINES)


def test_both_engines_make_the_same_bytes(vaults, write_folder, photos, tmp_path):
    source = write_folder(tmp_path / "source", each=6)
    photo = Image.fromarray(photos["cat"])
    check_that_it_makes_the_same_bytes("processes", vaults, source, photo, tmp_path)


def test_licensed_copies_of_a_published_set_are_the_same(
    vaults, write_folder, tmp_path
):
    source = write_folder(tmp_path / "source", each=4)
    with open_folder(vaults / "local") as held:
        api.publish(source, tmp_path / "public", vault=held, engine="processes")
        licence = tmp_path / "alice.license"
        api.license("alice", release="published-public", vault=held, output=licence)
        key = held.recipient_key(held.recipient("alice"))
    for engine in ENGINES:
        api.restore(
            tmp_path / "public",
            tmp_path / engine,
            key=key,
            license=licence,
            engine=engine,
        )
    assert files(tmp_path / "processes") == files(tmp_path / "local")
    assert len(files(tmp_path / "local")) == 12


def test_networks_do_the_same_in_processes(vaults, write_folder, tmp_path):
    source = write_folder(tmp_path / "source", each=2)
    for engine in ENGINES:
        with open_folder(vaults / engine) as held:
            api.protect(
                source,
                tmp_path / engine,
                vault=held,
                recipient="alice",
                method="deep_hiding",
                seed=7,
                engine=engine,
                workers=2,
            )
    made = [files(tmp_path / engine) for engine in ENGINES]
    assert made[0] == made[1]
    assert len(made[0]) == 6
    with Image.open(next((tmp_path / "local").rglob("*.png"))) as copy:
        assert np.asarray(copy).ndim == 3


def test_originals_are_not_restored_in_processes(vaults, tmp_path):
    with pytest.raises(InputError, match="leave the engine out"):
        api.restore(
            tmp_path, tmp_path / "o", vault=vaults / "local", engine="processes"
        )
