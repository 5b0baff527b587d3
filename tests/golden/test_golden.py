"""Releases of past versions restore, and are traced, for ever."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from fiftyone_reue import cli
from fiftyone_reue.batch.folders import image_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.originals import PIXELS_ALONE, UNKNOWN
from fiftyone_reue.vault.key_files import read_key_file
from fiftyone_reue.vault.vault import Vault, open_folder
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.restore import restore_licensed, restore_original

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "vault").is_dir())
METHODS = ("lsp", "rue", "deep_hiding", "raeg")
IMAGES = 20
ORIGINALS = 14  # the others are the same pixels in another format


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, since opening an old vault brings it up to date."""
    copy = tmp_path / "golden"
    shutil.copytree(HERE / request.param, copy)
    for path in (copy / "vault" / "owner.key", copy / "alice.key"):
        path.chmod(0o600)
    return copy


def opened(golden: Path) -> Vault:
    return open_folder(golden / "vault", secrets={})


def test_there_are_versions() -> None:
    # The programs that wrote both called themselves 0.1.0 in their manifests: what
    # was to become 0.2 said so only later.
    assert VERSIONS[:2] == ["0.1", "0.2"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_recipient_restores(golden: Path, tmp_path: Path, method: str) -> None:
    key = read_key_file(golden / "alice.key")
    items = image_items(golden / method)
    steps = restore_licensed(items, golden / method, tmp_path / "w", key)
    summary = finish(steps)
    assert (summary.outcome.done, summary.outcome.failures) == (IMAGES, [])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_owner_restores_from_either_copy(
    golden: Path, tmp_path: Path, method: str
) -> None:
    key = read_key_file(golden / "alice.key")
    copies = golden / method
    finish(restore_licensed(image_items(copies), copies, tmp_path / "w", key))
    vault = opened(golden)
    with vault.ledger:
        for source in (copies, tmp_path / "w"):
            output = tmp_path / f"from_{source.name}"
            summary = finish(restore_original(vault, image_items(source), output))
            assert (summary.outcome.done, summary.outcome.failures) == (IMAGES, [])
            if golden_version(golden) == "0.1":
                assert set(summary.differing.values()) == {PIXELS_ALONE}
            else:
                assert_files_are_known(golden, output, summary.differing)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["lost", "unreadable"])
def test_without_the_ledgers_record_the_pixels_come_back_and_it_is_said(
    tmp_path: Path, how: str
) -> None:
    """Of a record from before there were files in them, nobody can say more."""
    golden = tmp_path / "golden"
    shutil.copytree(HERE / "0.1", golden)
    (golden / "vault" / "owner.key").chmod(0o600)
    vault = opened(golden)
    with vault.ledger:
        for release in vault.ledger.releases():
            if how == "lost":
                vault.ledger.delete_release(release.id)
    if how == "unreadable":
        ledger = sqlite3.connect(golden / "vault/ledger.sqlite")
        with contextlib.closing(ledger), ledger:
            ledger.execute("UPDATE records SET blob = x'00'")
    vault = opened(golden)
    with vault.ledger:
        items = image_items(golden / "lsp")
        summary = finish(restore_original(vault, items, tmp_path / "o"))
    assert (summary.outcome.done, summary.outcome.failures) == (IMAGES, [])
    assert set(summary.differing.values()) == {UNKNOWN}
    assert len(summary.differing) == IMAGES

    words = ["restore", str(golden / "lsp"), "--vault", str(golden / "vault")]
    result = CliRunner().invoke(cli.main, [*words, str(tmp_path / "o2")])
    assert result.exit_code == 0, result.stderr
    told = result.stderr.splitlines()
    assert bool(told) == (how == "unreadable")
    assert all("its row was changed without the owner key" in one for one in told[:-1])
    assert f"Restored {IMAGES} originals exactly" in result.stdout
    assert f"the pixels are exact but the file differs: {UNKNOWN}" in (result.stdout)
    result = CliRunner().invoke(cli.main, [*words, str(tmp_path / "o3"), "--json"])
    told = json.loads(result.stdout)
    assert (told["restored"], told["failed"]) == (IMAGES, 0)
    assert {one["reason"] for one in told["differing"]} == {UNKNOWN}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_leak_is_traced(golden: Path, tmp_path: Path, method: str) -> None:
    """The originals and the release's folder are where they once were no more."""
    items = image_items(golden / method)
    vault = opened(golden)
    with vault.ledger:
        finish(restore_original(vault, items, tmp_path / "o"))
        steps = extract(vault, items, originals_folder=tmp_path / "o")
        summary = finish(steps)
    assert (summary.named, summary.evidence.images) == ("alice", ORIGINALS)


def golden_version(golden: Path) -> str:
    """0.1 kept nothing of the file in its records."""
    known = json.loads((golden / "known.json").read_text())
    texts = [(HERE / name / "known.json").read_text() for name in VERSIONS]
    return VERSIONS[[json.loads(text) for text in texts].index(known)]


def assert_files_are_known(golden: Path, output: Path, differing: dict) -> None:
    known = json.loads((golden / "known.json").read_text())["originals"]
    same = {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes())
        for path in output.rglob("*.*")
    }
    wrong = {name for name, digest in same.items() if known[name] != digest.hexdigest()}
    assert wrong == set(differing)
    assert len(same) == IMAGES
