"""Releases that are made in processes are those that are made in threads."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError
from fiftyone_reue.releases import prepare
from fiftyone_reue.vault.vault import Vault, open_folder

pytestmark = [pytest.mark.slow, pytest.mark.integration]

ENGINES = ("local", "processes")


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def vaults(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same vault for either engine, in a folder that has its name."""
    vault.close()
    for engine in ENGINES:
        shutil.copytree(tmp_path / "vault", tmp_path / "vaults" / engine)
    monkeypatch.setattr(prepare, "new_id", lambda: "5" * 16)
    return tmp_path / "vaults"


def test_both_engines_make_the_same_bytes(vaults, write_folder, photos, tmp_path):
    source = write_folder(tmp_path / "source", each=6)
    Image.fromarray(photos["cat"]).save(source / "cat" / "photo.jpg", quality=90)
    (source / "cat" / "broken.png").write_bytes(b"nothing")
    outcomes: dict[str, Outcome] = {}
    for engine in ENGINES:
        with open_folder(vaults / engine) as held:
            summary = api.protect(
                source,
                tmp_path / engine,
                vault=held,
                recipient="alice",
                seed=7,
                engine=engine,
                workers=2,
            )
            key = held.recipient_key(held.recipient("alice"))
        outcomes[engine] = summary.outcome
    assert len(files(tmp_path / "local")) == 19
    assert files(tmp_path / "processes") == files(tmp_path / "local")
    assert outcomes["processes"] == outcomes["local"]
    assert [one.sample_id for one in outcomes["local"].failures] == ["cat/broken.png"]
    for engine in ENGINES:
        out = tmp_path / f"licensed_{engine}"
        done = api.restore(tmp_path / "local", out, key=key, engine=engine, workers=2)
        assert done.outcome.done == 19
    assert files(tmp_path / "licensed_processes") == files(tmp_path / "licensed_local")


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
