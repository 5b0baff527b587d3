from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fiftyone_reue.batch.folders import labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError, OutputError, RevokedKeyError
from fiftyone_reue.perturb.base import Method
from fiftyone_reue.perturb.rue.config import RueConfig
from fiftyone_reue.perturb.rue.method import (
    ReversibleUnlearnable,
    ReversibleUnlearnableGratings,
)
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.prepare import fitted_state, load_state, open_release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.commitment import leaf, merkle_root

pytestmark = pytest.mark.unit

LSP = ProtectConfig("lsp", seed=1)
RUE = ProtectConfig("rue", seed=1, device="cpu")
FITTED = ProtectConfig("rue_published", seed=1, device="cpu")


@pytest.fixture(autouse=True)
def quick_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = RueConfig(
        rounds=1,
        surrogate_steps=1,
        table_steps=1,
        surrogate_batch=8,
        table_batch=8,
        width=8,
        start="random",
    )
    monkeypatch.setattr(RueConfig, "published", lambda: quick)


@pytest.fixture
def items(tmp_path: Path, write_folder: Callable[..., Path]) -> list[Item]:
    return labelled_items(write_folder(tmp_path / "source", classes=2, each=3))


def begin(vault: Vault, tmp_path: Path, who="alice", config=LSP, name="out"):
    return open_release(
        vault,
        vault.recipient(who),
        name="n",
        source="s",
        output=tmp_path / name,
        config=config,
    )


def fit(vault: Vault, items, release, config):
    return finish(fitted_state(vault, items, release, config))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ProtectConfig("nope"), "no method 'nope'"),
        (
            ProtectConfig(epsilon=2),
            "which is out of range; choose 3 to 32",
        ),
        (ProtectConfig(epsilon=33), "epsilon is 33"),
        (ProtectConfig(seed=-1), "seed is -1"),
        (ProtectConfig(seed=2**63), "seed is 9223"),
    ],
)
def test_what_can_not_be_protected_with_is_named(config, words):
    with pytest.raises(InputError, match=words):
        config.check()


@pytest.mark.parametrize("epsilon", range(3, 33))
def test_mark_and_perturbation_share_epsilon(epsilon):
    config = ProtectConfig(epsilon=epsilon)
    config.check()
    assert config.mark_amplitude in (1, 2)
    assert config.mark_amplitude + config.perturbation_amplitude == epsilon


def test_a_release_begun_is_gone_on_with(vault, tmp_path):
    first, seed = begin(vault, tmp_path)
    again, same = begin(vault, tmp_path)
    assert (again.id, same) == (first.id, seed)
    assert again.updated >= first.updated
    other, another = begin(vault, tmp_path, name="other")
    assert other.id != first.id
    assert another == seed  # the same --seed
    assert seed not in first.sealed_seed


def test_seeds_are_secret_and_the_recipients_own(vault, tmp_path):
    seeds = {
        begin(vault, tmp_path, who, config, f"{who}{number}")[1]
        for number, config in enumerate((LSP, replace(LSP, seed=2)))
        for who in ("alice", "bob")
    }
    assert len(seeds) == 4
    drawn = [
        begin(vault, tmp_path, "bob", replace(LSP, seed=None), f"x{i}")[1]
        for i in range(2)
    ]
    assert drawn[0] != drawn[1]


def test_a_release_commits_to_all_recipients(vault, tmp_path):
    people = vault.recipients()
    leaves = [leaf(person.id, vault.code_seed(person)) for person in people]
    assert begin(vault, tmp_path)[0].commitment == merkle_root(leaves).hex()
    vault.add_recipient("carol")
    later = begin(vault, tmp_path, name="later")[0].commitment
    assert later != merkle_root(leaves).hex()


def test_revoked_recipients_get_no_release(vault, tmp_path):
    vault.revoke("alice")
    with pytest.raises(RevokedKeyError):
        begin(vault, tmp_path)
    assert vault.ledger.releases() == []


def test_folders_that_can_not_be_looked_into_are_named(vault, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()

    def locked(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(OutputError, match="out: this folder can't be read"):
        begin(vault, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("config", [LSP, RUE, FITTED])
def test_a_fit_is_kept_sealed_and_used_again(vault, tmp_path, items, config):
    release, _ = begin(vault, tmp_path, config=config)
    state, release = fit(vault, items, release, config)
    assert state.classes == tuple(sorted({item.label for item in items}))
    assert vault.ledger.release(release.id).fit_id == release.fit_id
    kept = vault.ledger.fit(release.fit_id)
    assert state.tables.tobytes() not in kept.sealed
    assert kept.summary["classes"] == 2

    for who, name in (("alice", "out"), ("bob", "other")):
        next_one, _ = begin(vault, tmp_path, who, config, name)
        again, next_one = fit(vault, items, next_one, config)
        assert next_one.fit_id == release.fit_id
        assert np.array_equal(again.tables, state.tables)
    assert np.array_equal(load_state(vault, next_one).tables, state.tables)


@pytest.mark.slow
def test_a_new_fit_is_made_where_it_must_be_or_is_asked_for(vault, tmp_path, items):
    fits = set()
    for number, config in enumerate(
        (
            FITTED,
            replace(FITTED, seed=2),
            replace(FITTED, epsilon=9),
            replace(FITTED, refit=True),
            LSP,
        )
    ):
        release, _ = begin(vault, tmp_path, config=config, name=f"{number}")
        fits.add(fit(vault, items, release, config)[1].fit_id)
    assert len(fits) == 5


def fit_of_before(_, data, options):
    """What ``rue`` was fitted to before it had bands."""
    state = yield from ReversibleUnlearnableGratings().fit(data, options)
    return replace(state, method="rue")


def test_a_fit_from_before_there_were_bands_stays_with_its_release(
    vault, tmp_path, items, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(ReversibleUnlearnable, "identity", Method.identity)
        patch.setattr(ReversibleUnlearnable, "fit", fit_of_before)
        old, _ = begin(vault, tmp_path, config=RUE)
        before, old = fit(vault, items, old, RUE)
    assert set(before.arrays) == {"tables"}
    new, _ = begin(vault, tmp_path, config=RUE, name="new")
    state, new = fit(vault, items, new, RUE)
    assert new.fit_id != old.fit_id
    assert "bands" in state.arrays
    assert set(load_state(vault, old).arrays) == {"tables"}


def test_a_release_without_a_fit_has_no_state(vault, tmp_path):
    with pytest.raises(InputError, match="no fitted tables"):
        load_state(vault, begin(vault, tmp_path)[0])


def test_images_that_can_not_be_read_are_left_out_of_the_fit(vault, tmp_path, items):
    release, _ = begin(vault, tmp_path, config=FITTED)
    gone = Item("gone", "gone", items[0].label, "gone")
    state, _ = fit(vault, [*items, gone], release, FITTED)
    assert state.summary["images"] == 6


def test_fitting_needs_two_classes_and_an_image(vault, tmp_path, items):
    release, _ = begin(vault, tmp_path, config=FITTED)
    one = [item for item in items if item.label == items[0].label]
    with pytest.raises(InputError, match="Only one class, 'astronaut'"):
        fit(vault, one, release, FITTED)
    gone = [Item("gone", "gone", "a", "gone"), Item("lost", "lost", "b", "lost")]
    with pytest.raises(InputError, match=r"None of the images can be read[^$]*gone: "):
        fit(vault, gone, release, FITTED)
