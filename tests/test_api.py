"""The face: three functions, as a newcomer calls them."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fiftyone_reue as reue
from fiftyone_reue import api
from fiftyone_reue.errors import InputError, VaultError, WrongKeyError
from fiftyone_reue.progress import Progress

pytestmark = pytest.mark.unit

PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def folder(write_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return write_folder(tmp_path / "photos", classes=2, each=3)


@pytest.mark.slow
def test_protect_restore_and_trace(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    with reue.create_vault(tmp_path / "vault", passphrase=PASSPHRASE) as vault:
        _, key = vault.add_recipient("alice")
        vault.add_recipient("bob")
        made = reue.protect(
            folder,
            tmp_path / "copies",
            vault=vault,
            recipient="alice",
            method="lsp",
            epsilon=6,
            progress=seen.append,
        )
        assert made.outcome.done == 6
        assert made.release.parameters["epsilon"] == 6
    assert seen[-1].fraction == 1.0
    reue.write_key_file(tmp_path / "alice.key", key)
    for given in (key, tmp_path / "alice.key"):
        licensed = tmp_path / f"licensed_{type(given).__name__}"
        summary = reue.restore(tmp_path / "copies", licensed, key=given)
        assert (summary.tier, summary.outcome.done) == ("licensed", 6)
    with reue.open_vault(tmp_path / "vault", passphrase=PASSPHRASE) as vault:
        back = reue.restore(tmp_path / "copies", tmp_path / "back", vault=vault)
        assert (back.outcome.done, back.differing) == (6, {})
        traced = reue.extract(tmp_path / "copies", vault=vault)
        assert traced.named == "alice"
        one = next((tmp_path / "copies").rglob("*.png"))
        assert reue.extract([one], vault=vault).suspects[0].exact
    for path in folder.rglob("*.*"):
        again = tmp_path / "back" / path.relative_to(folder)
        assert again.read_bytes() == path.read_bytes()


def test_a_vault_may_be_its_folder(folder: Path, tmp_path: Path) -> None:
    with reue.create_vault(tmp_path / "vault", plain_key_file=True) as vault:
        vault.add_recipient("alice")
    reue.protect(
        folder,
        tmp_path / "c",
        vault=tmp_path / "vault",
        recipient="alice",
        method="lsp",
    )
    scored = reue.extract(tmp_path / "c", vault=str(tmp_path / "vault"))
    assert scored.named == "alice"


@pytest.mark.slow
def test_what_was_forgotten_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(VaultError):
        reue.open_vault(tmp_path / "nowhere")
    with reue.create_vault(tmp_path / "vault", passphrase=PASSPHRASE) as vault:
        with pytest.raises(InputError, match="'nobody'"):
            reue.protect(folder, tmp_path / "c", vault=vault, recipient="nobody")
        with pytest.raises(InputError, match="no option 'strength'; it has"):
            reue.protect(
                folder,
                tmp_path / "c",
                vault=vault,
                recipient="nobody",
                strength=3,  # type: ignore[call-arg]
            )
    assert not (tmp_path / "c").exists()
    with pytest.raises(WrongKeyError):
        reue.open_vault(tmp_path / "vault", passphrase="another one altogether")
    for more in ({}, {"key": "k", "vault": "v"}, {"vault": "v", "approximate": True}):
        with pytest.raises(InputError):
            reue.restore(folder, tmp_path / "r", **more)  # type: ignore[arg-type]


def test_every_verb_has_its_steps_with_the_same_settings() -> None:
    for name in ("protect", "restore", "extract", "reveal", "score", "audit"):
        verb, steps = getattr(reue, name), getattr(api, f"{name}_steps")
        taken = set(inspect.signature(verb).parameters) - {"progress"}
        assert set(inspect.signature(steps).parameters) == taken


@pytest.mark.slow
def test_a_vault_gets_a_new_key(tmp_path: Path) -> None:
    with reue.create_vault(tmp_path / "vault", plain_key_file=True) as vault:
        vault.add_recipient("alice")
    rotation = reue.rotate_key(tmp_path / "vault", passphrase=PASSPHRASE)
    assert rotation.old_id != rotation.new_id
    with pytest.raises(VaultError):
        reue.open_vault(tmp_path / "vault")
    with reue.open_vault(tmp_path / "vault", passphrase=PASSPHRASE) as vault:
        assert [one.name for one in vault.recipients()] == ["alice"]
    another = f"{PASSPHRASE} again"
    reue.rotate_key(
        tmp_path / "vault", passphrase=another, present_passphrase=PASSPHRASE
    )
    reue.open_vault(tmp_path / "vault", passphrase=another).close()


def test_every_name_is_there_and_documented() -> None:
    assert dir(reue) == sorted(reue.__all__)
    for name in reue.__all__:
        assert getattr(reue, name).__doc__, name
    with pytest.raises(AttributeError, match="'nothing'"):
        reue.nothing  # noqa: B018


@pytest.mark.slow
def test_importing_it_is_quick() -> None:
    program = (
        "import sys, fiftyone_reue; "
        "print([m for m in sys.modules if m.startswith('fiftyone_reue.')]); "
        "print([m for m in ('numpy', 'click', 'PIL') if m in sys.modules]); "
        "from fiftyone_reue import protect; "
        "print([m for m in ('torch', 'fiftyone', 'sklearn') if m in sys.modules]); "
        "print('fiftyone_reue.workflows.protect' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n[]\n[]\nFalse\n"
