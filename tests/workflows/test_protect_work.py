"""What a worker is given to protect with."""

import pickle
import sys
from pathlib import Path

import pytest

from fiftyone_reue import api
from fiftyone_reue.batch import pipeline
from fiftyone_reue.errors import MissingPackageError
from fiftyone_reue.vault import records
from fiftyone_reue.workflows.protect_work import Protecting

pytestmark = pytest.mark.unit


def test_a_worker_gets_no_key_that_is_of_more_than_its_images(
    vault, write_folder, tmp_path, monkeypatch
):
    sent: list[bytes] = []

    def run(items, work, *arguments, real=pipeline.run, **options):
        items = list(items)
        sent.append(pickle.dumps((work, items)))
        return real(items, work, *arguments, **options)

    monkeypatch.setattr(pipeline, "run", run)
    source = write_folder(tmp_path / "source")
    made = api.protect(
        source, tmp_path / "out", vault=vault, recipient="alice", method="lsp"
    )
    looking, protecting = (pickle.loads(one) for one in sent[-2:])
    assert isinstance(protecting[0], Protecting)
    alice = vault.recipient("alice")
    purposes = ("image-id", "sample-id", "watermark", "ledger-mac", "perturbation")
    kept = {
        "the vault's key": vault._key,
        "the release's seed": vault.unseal(
            "release-seed", made.release.id, made.release.sealed_seed
        ),
        "its sealed seed": made.release.sealed_seed,
        "alice's code seed": vault.code_seed(alice),
        "the key for all owner's boxes": vault.derive_newest("owner-box"),
        "bob's key": vault.recipient_key(vault.recipient("bob")).key,
        **{one: vault.derive(one) for one in purposes},
    }
    for name, key in kept.items():
        assert key not in sent[-1] + sent[-2], name
    # To look, a worker takes no key at all; to protect, what seals this release.
    owner_key = vault.derive_newest("owner-box")
    needed = (
        vault.recipient_key(alice).key,
        records.release_key(owner_key, made.release.id),
    )
    assert [key in sent[-2] for key in needed] == [False, False]
    assert [key in sent[-1] for key in needed] == [True, True]
    # It does its work with that alone.
    work, (task, *_) = protecting
    assert work(task).record.copy_digest
    assert looking[0](looking[1][0]).digest == task.own.digest


def test_without_ray_it_says_what_to_install_and_begins_nothing(
    vault, write_folder, tmp_path: Path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ray", None)
    source = write_folder(tmp_path / "source")
    with pytest.raises(MissingPackageError, match=r"pip install 'fiftyone-reue\[ray"):
        api.protect(
            source, tmp_path / "out", vault=vault, recipient="alice", engine="ray"
        )
    assert not (tmp_path / "out").exists()
    assert vault.ledger.releases() == []
