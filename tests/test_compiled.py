"""The compiled part is found, made once, or missed with plain words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fiftyone_reue import compiled
from fiftyone_reue.compiled import Part
from fiftyone_reue.errors import MissingPackageError

pytestmark = pytest.mark.unit

BESIDE = Path("/package/built")
POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")


def answering(number: int) -> str:
    """A source that compiles in no time."""
    seen = '__attribute__((visibility("default")))'
    return f"{seen} int jc_answer(void) {{ return {number}; }}\n"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Two empty folders to look in."""
    folders = (tmp_path / "one", tmp_path / "two")
    monkeypatch.setattr(compiled, "folders", lambda beside: iter(folders))
    return folders


@pytest.fixture
def part(tmp_path) -> Part:
    source = tmp_path / "codec.c"
    source.write_text(answering(42))
    return Part(source, "What answers", "use the pixel carrier")


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.slow
def test_it_is_compiled_once(part, elsewhere, monkeypatch):
    assert part.load().jc_answer() == 42
    assert files_in(elsewhere[0]) == [part.name]
    monkeypatch.setattr(compiled, "compiler", None)
    assert part.load().jc_answer() == 42
    assert not elsewhere[1].exists()


@pytest.mark.slow
def test_the_next_folder_is_taken_where_one_can_t_be_written(part, elsewhere):
    elsewhere[0].write_bytes(b"not a folder")
    assert part.load().jc_answer() == 42
    assert files_in(elsewhere[1]) == [part.name]


@pytest.mark.slow
def test_a_library_that_doesn_t_load_is_made_anew(part, elsewhere):
    elsewhere[0].mkdir(mode=0o700)
    (elsewhere[0] / part.name).write_bytes(b"\x7fELF of another machine")
    assert part.load().jc_answer() == 42
    assert files_in(elsewhere[0]) == [part.name]


@pytest.mark.slow
def test_what_an_older_version_left_is_neither_loaded_nor_lost(part, elsewhere):
    part.load()
    older = part.name
    part.source.write_text(answering(43))
    assert part.name != older
    assert part.load().jc_answer() == 43
    assert sorted(files_in(elsewhere[0])) == sorted([older, part.name])


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_nothing_is_loaded_from_where_others_can_write(part, elsewhere, mode):
    elsewhere[0].mkdir()
    part.source.write_text(answering(13))
    made = part.compiled_into(elsewhere[1], ["cc"])
    part.source.write_text(answering(42))
    made.rename(elsewhere[0] / part.name)
    elsewhere[0].chmod(mode)
    assert part.load().jc_answer() == 42
    assert files_in(elsewhere[1]) == [part.name]


@POSIX
def test_nothing_is_loaded_from_a_folder_of_somebody_else(part, elsewhere, monkeypatch):
    for folder in elsewhere:
        folder.mkdir(mode=0o755)
        (folder / part.name).write_bytes(b"theirs")
    owner = elsewhere[0].stat().st_uid
    monkeypatch.setattr(compiled, "_user", lambda: owner + 1)
    if owner == 0:  # the administrator is trusted, and so is nobody else
        for folder in elsewhere:
            os.chown(folder, 12345, -1)
    with pytest.raises(MissingPackageError, match=r"others can write to .*two"):
        part.load()
    assert all((folder / part.name).read_bytes() == b"theirs" for folder in elsewhere)


def places(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> list[Path]:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return list(compiled.folders(BESIDE))


def test_where_it_is_looked_for(monkeypatch):
    home, cache = str(Path("/home/ann")), str(Path("/cache"))
    beside, there, temporary = places(monkeypatch, HOME=home, XDG_CACHE_HOME=None)
    assert beside == BESIDE
    assert there == Path(home, ".cache", "fiftyone-reue")
    assert temporary.is_absolute()
    assert places(monkeypatch, XDG_CACHE_HOME=cache)[1] == Path(cache, "fiftyone-reue")
    relative = places(monkeypatch, HOME=home, XDG_CACHE_HOME="here")
    assert relative[1] == there


def test_without_a_home(monkeypatch):
    monkeypatch.setattr(compiled.os.path, "expanduser", lambda path: path)
    assert len(places(monkeypatch, HOME=None, XDG_CACHE_HOME=None)) == 2
    assert all(folder.is_absolute() for folder in compiled.folders(BESIDE))


@pytest.mark.slow
@pytest.mark.integration
def test_many_at_once(tmp_path):
    """Each loads a whole library, whoever was the first."""
    (tmp_path / "codec.c").write_text(answering(42))
    code = (
        "import pathlib, sys\n"
        "from fiftyone_reue import compiled\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "compiled.folders = lambda beside: iter([folder / 'cache'])\n"
        "part = compiled.Part(folder / 'codec.c', 'It', 'wait')\n"
        "assert part.load().jc_answer() == 42\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [one.wait() for one in running] == [0] * len(running)
    assert len(files_in(tmp_path / "cache")) == 1


def test_another_source_is_another_library(part):
    before = part.name
    part.source.write_text(answering(43))
    assert part.name != before


@pytest.fixture
def no_compiler(monkeypatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: None)


@pytest.mark.usefixtures("elsewhere", "no_compiler")
def test_no_compiler(part):
    with pytest.raises(MissingPackageError, match=r"apt install gcc.*pixel carrier"):
        part.load()


def test_a_compiler_that_fails(part, elsewhere, monkeypatch):
    monkeypatch.setenv("CC", f"{sys.executable} -c 'exit(\"no-luck\")'")
    with pytest.raises(MissingPackageError, match="no-luck"):
        part.load()
    assert not any(folder.exists() and any(folder.iterdir()) for folder in elsewhere)


def test_a_compiler_that_isn_t_there(
    part, elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CC", str(tmp_path / "no such compiler"))
    with pytest.raises(MissingPackageError, match="install gcc and libc6-dev"):
        part.load()


@pytest.mark.slow
def test_importing_compiles_nothing():
    code = (
        "import fiftyone_reue.media.jpeg_coefficients.reading, sys;"
        "from fiftyone_reue.media.jpeg_coefficients import library;"
        "assert not library.codec.cache_info().currsize;"
        "assert not {'torch', 'fiftyone'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
