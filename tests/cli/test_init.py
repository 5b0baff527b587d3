import json

import pytest
from click.testing import CliRunner

from fiftyone_reue import cli
from fiftyone_reue.vault.owner_keys import load_keyring
from tests.keyrings import owner_keys_in

pytestmark = pytest.mark.unit


def test_init_says_where_the_owner_key_is_and_refuses_a_second_time(empty, tmp_path):
    out = empty.ok("init", "--vault", "@v", "--plain-key-file").stdout
    assert "owner.key" in out
    assert "keep a copy in a safe place" in out
    assert (tmp_path / "v/owner.key").stat().st_mode & 0o077 == 0
    before = (tmp_path / "v/owner.key").read_bytes()
    assert "a vault in" in empty.fails("init", "--vault", "@v", "--plain-key-file")
    assert (tmp_path / "v/owner.key").read_bytes() == before
    made = empty.json("init", "--vault", "@w", "--plain-key-file")
    assert len(made["vault"]) == 16


def test_the_owner_key_may_come_from_the_environment(empty, tmp_path, write_folder):
    write_folder(tmp_path / "source", classes=2, each=2)
    env = {"REUE_OWNER_KEY": "5a" * 32}
    assert empty.run("init", "--vault", "@vault", env=env).exit_code == 0
    assert not (tmp_path / "vault/owner.key").exists()
    words = ("recipient", "add", "a", "--vault", "@vault", "--key-out", "@a.key")
    assert "REUE_OWNER_KEY" in empty.fails(*words)
    assert empty.run(*words, env=env).exit_code == 0
    wrong = empty.run(*words, env={"REUE_OWNER_KEY": "00" * 32})
    assert wrong.exit_code == 1
    assert "00000000" not in wrong.output


HEX_KEY = "5a" * 32


def created(empty, *options, env=None):
    done = empty.run("init", "--vault", "@v", *options, env=env)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_a_stray_key_file_isnt_called_the_owner_key(empty, tmp_path):
    empty.ok("init", "--vault", "@other", "--plain-key-file")
    (tmp_path / "v").mkdir(mode=0o700)
    (tmp_path / "other/owner.key").rename(tmp_path / "v/owner.key")
    said = created(empty, env={"REUE_OWNER_KEY": HEX_KEY})
    assert "The owner key is the one in REUE_OWNER_KEY" in said
    assert "owner.key" not in said
    assert HEX_KEY not in said
    words = ("recipient", "list", "--vault", "@v")
    assert empty.run(*words, env={"REUE_OWNER_KEY": HEX_KEY}).exit_code == 0
    assert empty.run(*words).exit_code == 1


def test_the_file_that_a_variable_names_is_named(empty, tmp_path):
    place = tmp_path / "elsewhere.key"
    said = created(empty, env={"REUE_OWNER_KEY_FILE": str(place)})
    assert f"The owner key is {place}. " in said
    assert place.is_file()
    assert not (tmp_path / "v/owner.key").exists()
    empty.ok("recipient", "list", "--vault", "@v")


def test_a_key_file_that_was_there_is_called_so(empty, tmp_path):
    assert "which was there already" not in created(empty, "--key-file", "@my.key")
    again = empty.ok("init", "--vault", "@w", "--key-file", "@my.key").stdout
    assert f"The owner key is {tmp_path / 'my.key'}, which was there already" in again


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in REUE_OWNER_PASSPHRASE.", "in {file}, which"])
def test_a_passphrase_from_the_environment_is_said(empty, tmp_path, where):
    file = tmp_path / "words.txt"
    file.write_text("correct horse battery")
    env = {"REUE_OWNER_PASSPHRASE_FILE": str(file)}
    if "{file}" not in where:
        env["REUE_OWNER_PASSPHRASE"] = "correct horse battery"
    said = created(empty, env=env)
    assert f"from the passphrase {where.format(file=file)}" in said
    assert "horse" not in said
    assert ("Warning: It is a plain file" in said) == ("{file}" in where)
    assert not (tmp_path / "v/owner.key").exists()


@pytest.mark.slow
def test_a_typed_passphrase_is_said(empty, monkeypatch):
    monkeypatch.setattr("fiftyone_reue.cli.init.ask_new", lambda *_: "correct horse")
    said = created(empty, "--passphrase", "--key-file", "@unused.key")
    assert "from the passphrase you typed" in said
    assert "--key-file was not needed" in said


def test_the_keyring_is_said(empty, monkeypatch):
    load_keyring()
    kept = {}
    monkeypatch.setattr(
        "keyring.set_password", lambda service, name, key: kept.update({name: key})
    )
    monkeypatch.setattr("keyring.get_password", lambda service, name: kept.get(name))
    said = created(empty, "--keyring")
    account, counter = kept
    assert counter == f"{account}.counter"
    assert f"in the keyring of this user, under fiftyone-reue/{account}" in said
    assert kept[account] not in said


def test_without_a_keyring_and_a_terminal_the_choices_are_named(empty, tmp_path):
    said = empty.fails("init", "--vault", "@v")
    assert "there is no keyring here" in said
    assert "--plain-key-file" in said
    assert not (tmp_path / "v").exists()


def test_nothing_chosen_is_the_keyring(empty, tmp_path, memory_keyring):
    assert empty.json("init", "--vault", "@v") | {"vault": ""} == {
        "vault": "",
        "owner_key": "keyring",
        "warning": None,
    }
    assert len(owner_keys_in(memory_keyring)) == 1
    assert not list(tmp_path.rglob("*.key"))


@pytest.mark.slow
def test_on_a_terminal_without_a_keyring_a_passphrase_is_asked_for_twice(
    empty, tmp_path, monkeypatch
):
    monkeypatch.setattr("fiftyone_reue.cli.init.can_ask", lambda: True)
    typed = "correct horse\ncorrect horse\n"
    words = ["init", "--vault", str(tmp_path / "v")]
    done = CliRunner().invoke(cli.main, words, input=typed)
    assert done.exit_code == 0, done.stderr
    assert "There is no keyring here" in done.stderr
    assert "from the passphrase you typed" in done.stdout
    assert not list(tmp_path.rglob("*.key"))
    env = {"REUE_OWNER_PASSPHRASE": "correct horse"}
    assert empty.run("recipient", "list", "--vault", "@v", env=env).exit_code == 0


@pytest.mark.parametrize("named", [False, True])
def test_a_plain_key_file_comes_with_a_warning(empty, tmp_path, named):
    env = {"REUE_OWNER_KEY_FILE": str(tmp_path / "k.key")} if named else {}
    options = [] if named else ["--plain-key-file"]
    said = created(empty, *options, env=env)
    assert "Warning: It is a plain file, and FiftyOne's server sends" in said
    done = empty.run("init", "--vault", "@w", *options, "--json", env=env)
    assert "FiftyOne's server sends" in json.loads(done.stdout)["warning"]


def test_a_plain_key_file_that_was_not_needed_is_said(empty, tmp_path):
    said = created(empty, "--plain-key-file", env={"REUE_OWNER_KEY": HEX_KEY})
    assert "--plain-key-file was not needed" in said
    assert "Warning" not in said
    assert not (tmp_path / "v/owner.key").exists()


def test_a_folder_of_images_isnt_made_a_vault(empty, tmp_path, write_folder):
    write_folder(tmp_path / "photos", classes=1, each=1)
    (photos,) = (tmp_path / "photos").iterdir()
    said = empty.fails("init", "--vault", str(photos), "--plain-key-file")
    assert "has images in it (0.png): choose a folder of its own" in said
    assert [path.name for path in photos.iterdir()] == ["0.png"]
