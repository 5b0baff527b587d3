"""The compiled part is found, made once, or missed with plain words."""

import subprocess
import sys

import pytest

from fiftyone_reue.errors import MissingPackageError
from fiftyone_reue.media.jpeg_coefficients import library

pytestmark = pytest.mark.unit


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Two empty folders to look in."""
    folders = (tmp_path / "one", tmp_path / "two")
    monkeypatch.setattr(library, "_folders", lambda: iter(folders))
    return folders


@pytest.mark.slow
def test_it_is_compiled_once(elsewhere):
    made = library._compiled()
    assert made.parent == elsewhere[0]
    assert library._found() == made
    assert [path.name for path in elsewhere[0].iterdir()] == [made.name]


@pytest.mark.slow
def test_the_cache_is_taken_where_the_package_can_t_be_written(elsewhere):
    elsewhere[0].write_bytes(b"not a folder")
    assert library._compiled().parent == elsewhere[1]


def test_another_source_is_another_library(tmp_path, monkeypatch):
    before = library._name()
    source = tmp_path / "codec.c"
    source.write_bytes(library._SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(library, "_SOURCE", source)
    assert library._name() != before


def test_no_compiler(elsewhere, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(library.shutil, "which", lambda name: None)
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"apt install gcc.*pixel carrier"):
        library._compiled()


def test_a_compiler_that_fails(elsewhere, monkeypatch):
    monkeypatch.setenv("CC", f"{sys.executable} -c 'exit(\"no-luck\")'")
    with pytest.raises(MissingPackageError, match="no-luck"):
        library._compiled()
    assert not any(folder.exists() and any(folder.iterdir()) for folder in elsewhere)


def test_importing_compiles_nothing():
    code = (
        "import fiftyone_reue.media.jpeg_coefficients.reading, sys;"
        "from fiftyone_reue.media.jpeg_coefficients import library;"
        "assert not library.codec.cache_info().currsize;"
        "assert not {'torch', 'fiftyone'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
