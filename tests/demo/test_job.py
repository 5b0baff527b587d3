import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fiftyone_reue.demo import job as demo
from fiftyone_reue.errors import VaultError
from fiftyone_reue.progress import Progress as Step
from fiftyone_reue.samples.vaults import open_ledger
from fiftyone_reue.vault.key_files import read_key_file
from tests.keyrings import owner_keys_in

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def no_vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import fiftyone.core.odm as foo

    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))
    _drop_all(foo.get_db_conn())
    yield
    _drop_all(foo.get_db_conn())


def _drop_all(database: Any) -> None:
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)


def kind() -> str | None:
    meta = open_ledger().get_meta()
    return None if meta is None else meta["provider"]["kind"]


def test_a_plain_file_is_for_those_without_a_keyring(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(VaultError, match="A new vault needs an owner key"):
        demo.open_vault(plain_key_file=False)
    assert kind() is None
    demo.open_vault(plain_key_file=True)
    assert kind() == "key-file"
    assert (tmp_path / "reue" / "owner.key").is_file()
    said = " ".join(capsys.readouterr().out.split())
    assert "FiftyOne's server sends every file" in said
    demo.open_vault(plain_key_file=True)
    assert capsys.readouterr().out == ""


def test_a_keyring_comes_first(memory_keyring: dict[Any, str], tmp_path: Path) -> None:
    demo.open_vault(plain_key_file=True)
    assert kind() == "keyring"
    assert len(owner_keys_in(memory_keyring)) == 1
    assert not list(tmp_path.rglob("*.key"))


def test_a_second_run_gives_the_recipients_keys_again(tmp_path: Path) -> None:
    demo.open_vault(plain_key_file=True)
    demo._recipient("alice", tmp_path)
    first = read_key_file(tmp_path / "alice.key")
    (tmp_path / "alice.key").unlink()
    demo._recipient("alice", tmp_path)
    assert read_key_file(tmp_path / "alice.key").key == first.key


def test_names_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's names of classes and files are in what is told."""
    file = io.StringIO()
    monkeypatch.setattr(demo.out, "file", file)
    demo._say("1 failed:\n:key:[bold]\x1b[2J.png")
    assert file.getvalue() == "1 failed:\n  :key:[bold]\\x1b[2J.png\n"

    console = Console(file=file, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(demo, "out", console)

    def steps() -> Iterator[Step]:
        yield Step(0.5, "[bold]:key:[/]\x1b]0;title\x07")

    demo._bar(steps())
    assert r"[bold]:key:[/]\x1b]0;title\x07" in file.getvalue()
