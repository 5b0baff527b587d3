import json
from pathlib import Path

import pytest

from tests.keyrings import owner_keys_in

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_rotation_touches_no_image_and_no_recipient(place):
    place.protect("alice", "@out")
    old = (place.root / "vault/owner.key").read_bytes()
    before = {p: p.stat().st_mtime_ns for p in (place.root / "out").rglob("*")}
    said = place.ok("keys", "rotate", "--vault", "@vault").stdout
    assert "The owner key is now" in said
    assert "Warning: It is a plain file" in said
    assert (place.root / "vault/owner.key").read_bytes() != old
    assert {p: p.stat().st_mtime_ns for p in (place.root / "out").rglob("*")} == before
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    place.ok("restore", "@out", "@w", "--key", "@alice.key")
    (place.root / "vault/owner.key").write_bytes(old)
    said = place.fails("restore", "@out", "@o2", "--vault", "@vault")
    assert "owner key" in said
    rotated = place.run("keys", "rotate", "--vault", "@vault", "--json")
    assert rotated.exit_code == 1
    assert json.loads(rotated.stdout)["kind"] == "WrongKeyError"


def test_a_key_is_moved_out_of_its_plain_file(place, memory_keyring):
    words = ("keys", "rotate", "--vault", "@vault")
    old = (place.root / "vault/owner.key").read_text()
    done = place.json(*words, "--keyring")
    ((was, kept),) = done["renamed"].items()
    assert was == place.path("vault/owner.key")
    assert Path(kept).read_text() == old
    assert not (place.root / "vault/owner.key").exists()
    place.ok("recipient", "list", "--vault", "@vault")
    place.ok(*words)
    assert len(owner_keys_in(memory_keyring)) == 2
    assert not (place.root / "vault/owner.key").exists()


def test_rotating_a_passphrase_writes_no_plain_file(place, quick_scrypt):
    words = ("keys", "rotate", "--vault", "@vault")
    env = {"REUE_OWNER_PASSPHRASE_NEW": "two words"}
    said = place.run(*words, env=env).stdout
    assert "The owner key is now computed from the new passphrase" in said
    assert "owner.key was renamed to" in said
    assert "Warning" not in said
    assert "opens backups of the ledger from before" in said
    assert not (place.root / "vault/owner.key").exists()
    env = {"REUE_OWNER_PASSPHRASE": "two words"}
    done = place.run(*words, env=env)
    assert done.exit_code == 1
    assert "Say where the new owner key is to come from" in done.stderr
    assert not (place.root / "vault/owner.key").exists()
    assert place.run(*words, "--plain-key-file", env=env).exit_code == 0
    place.ok("recipient", "list", "--vault", "@vault")


def test_it_has_to_be_said_which_vault(place):
    for words in (("keys", "rotate"), ("vault", "check"), ("vault", "repair")):
        assert "give --vault FOLDER, or --app" in place.fails(*words, status=2)
        both = (*words, "--vault", "@vault", "--app")
        assert "give --vault FOLDER, or --app" in place.fails(*both, status=2)
