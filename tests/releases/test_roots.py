"""The commitment is found in whatever a recipient was handed."""

import json
import zipfile
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.releases import roots
from fiftyone_reue.releases.roots import held_roots

pytestmark = pytest.mark.unit

ROOT = "ab" * 32


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_it_is_in_a_manifest_of_any_name(tmp_path: Path) -> None:
    path = write(tmp_path / "of alice.json", {"commitment": ROOT})
    assert held_roots(path) == [ROOT]
    write(tmp_path / "copies" / "manifest.json", {"commitment": ROOT})
    assert held_roots(tmp_path / "copies") == [ROOT]


def test_it_is_in_a_package(tmp_path: Path) -> None:
    write(tmp_path / "images" / "manifest.json", {"commitment": ROOT})
    assert held_roots(tmp_path) == [ROOT]
    rows = [{"root": "cd" * 32}, {"root": ROOT}]
    path = write(tmp_path / "commitment.json", {"commitments": rows})
    assert held_roots(path) == ["cd" * 32, ROOT]


def zipped(path: Path, name: str, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("README.txt", "words")
        package.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("images/manifest.json", {"commitment": ROOT}),
        ("commitment.json", {"commitments": [{"root": "cd" * 32}, {"root": ROOT}]}),
    ],
)
def test_it_is_in_a_package_as_zip(tmp_path: Path, name: str, content: object) -> None:
    data = json.dumps(content).encode()
    held = held_roots(zipped(tmp_path / "alice.zip", name, data))
    assert held[-1] == ROOT
    assert len(held) == (2 if name == "commitment.json" else 1)
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / name, content)
    assert held_roots(tmp_path / "folder") == held


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("elsewhere/manifest.json", b"{}"),
        ("images/manifest.json", b"no JSON"),
        ("images/manifest.json", b" " * 2000),
    ],
    ids=["elsewhere", "words", "long"],
)
def test_a_zip_without_one_is_refused(
    tmp_path: Path, name: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots, "_MOST_BYTES", 1000)
    path = zipped(tmp_path / "alice.zip", name, data)
    with pytest.raises(InputError, match="no commitment here"):
        held_roots(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="no commitment here"):
        held_roots(path)


@pytest.mark.parametrize(
    "content", [[], {}, {"commitment": 3}, {"commitments": []}, {"commitments": [3]}]
)
def test_what_holds_none_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(InputError, match="there is no commitment here; give the"):
        held_roots(write(tmp_path / "x.json", content))
    with pytest.raises(InputError, match="there is no commitment here"):
        held_roots(tmp_path)
    with pytest.raises(InputError, match="there is no commitment here"):
        held_roots(tmp_path / "nowhere")
