import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.install import link as link_module
from fiftyone_reue.install.link import PLUGIN_FILES, PLUGIN_NAME, link

REPO = Path(__file__).resolve().parents[2]

LOADS = f"""
import fiftyone.operators.registry as registry
import fiftyone.plugins as fop
plugin = fop.get_plugin({PLUGIN_NAME!r})
print(plugin.directory)
print(registry.OperatorRegistry().list_errors())
"""


@pytest.mark.unit
def test_links_the_checkout_and_repeats(tmp_path: Path) -> None:
    target = link(tmp_path / "new" / "plugins")
    assert target == tmp_path / "new" / "plugins" / "@reue" / "fiftyone-reue"
    assert target.is_symlink()
    assert target.resolve() == REPO
    assert link(tmp_path / "new" / "plugins") == target
    assert target.resolve() == REPO


@pytest.mark.unit
def test_copies_only_the_plugin_and_replaces_its_own_copy(tmp_path: Path) -> None:
    target = link(tmp_path, copy=True)
    names = {path.name for path in target.iterdir()}
    assert names == {*PLUGIN_FILES, ".reue-copy"}
    assert not list(target.rglob("__pycache__"))
    (target / "operators" / "of_an_older_version.py").touch()
    assert link(tmp_path, copy=True) == target
    assert not (target / "operators" / "of_an_older_version.py").exists()
    assert link(tmp_path).is_symlink()
    assert not link(tmp_path, copy=True).is_symlink()


@pytest.mark.unit
def test_copies_where_links_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    target = link(tmp_path)
    assert not target.is_symlink()
    assert (target / "fiftyone.yml").read_bytes() == (
        REPO / "fiftyone.yml"
    ).read_bytes()


@pytest.mark.unit
def test_replaces_a_dangling_link(tmp_path: Path) -> None:
    target = tmp_path / PLUGIN_NAME
    target.parent.mkdir()
    target.symlink_to(tmp_path / "removed checkout")
    assert link(tmp_path).resolve() == REPO


@pytest.mark.unit
@pytest.mark.parametrize("kind", ["folder", "file", "link", "download"])
def test_leaves_what_it_did_not_make(tmp_path: Path, kind: str) -> None:
    target = tmp_path / PLUGIN_NAME
    target.parent.mkdir()
    if kind == "file":
        target.write_text("mine")
    elif kind == "link":
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "mine.txt").write_text("mine")
        target.symlink_to(tmp_path / "other")
    else:
        target.mkdir()
        (target / "mine.txt").write_text("mine")
        if kind == "download":
            (target / "fiftyone.yml").write_text(f'name: "{PLUGIN_NAME}"\n')
    for copy in (False, True):
        with pytest.raises(InputError, match="move it away"):
            link(tmp_path, copy=copy)
    kept = target if kind == "file" else target / "mine.txt"
    assert kept.read_text() == "mine"


@pytest.mark.unit
def test_a_checkout_inside_the_plugins_folder_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = link(tmp_path, copy=True)
    monkeypatch.setattr(
        link_module, "__file__", str(checkout / "fiftyone_reue" / "install" / "link.py")
    )
    (checkout / ".reue-copy").unlink()
    assert link(tmp_path) == checkout
    assert (checkout / "fiftyone.yml").is_file()


@pytest.mark.unit
def test_the_wheel_brings_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "fiftyone_reue"
    (package / "_plugin").mkdir(parents=True)
    (package / "_plugin" / "fiftyone.yml").write_text(f'name: "{PLUGIN_NAME}"\n')
    monkeypatch.setattr(link_module, "__file__", str(package / "install" / "link.py"))
    assert link(tmp_path / "plugins").resolve() == package / "_plugin"
    (package / "_plugin" / "fiftyone.yml").unlink()
    with pytest.raises(InputError, match="install fiftyone-reue again"):
        link(tmp_path / "plugins")


@pytest.mark.unit
def test_the_environment_names_the_folder_without_fiftyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(tmp_path))
    assert link() == tmp_path / PLUGIN_NAME
    monkeypatch.delenv("FIFTYONE_PLUGINS_DIR")
    with pytest.raises(InputError, match="FiftyOne isn't installed"):
        link()


@pytest.mark.unit
def test_says_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "plugins").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="can't be written"):
        link(tmp_path / "plugins")


@pytest.mark.integration
@pytest.mark.parametrize("copy", [False, True])
def test_fiftyone_loads_what_was_linked(tmp_path: Path, copy: bool) -> None:
    target = link(tmp_path, copy=copy)
    done = subprocess.run(
        [sys.executable, "-c", LOADS],
        env=os.environ
        | {"FIFTYONE_PLUGINS_DIR": str(tmp_path), "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    directory, errors = done.stdout.splitlines()[-2:]
    assert directory == str(target)
    assert errors == "[]"


@pytest.mark.integration
def test_the_wheel_carries_the_plugin(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            "wheel",
            "-d",
            str(tmp_path),
        ],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for path in PLUGIN_FILES:
        for file in [REPO / path, *(REPO / path).rglob("*.py")]:
            if file.is_file():
                assert f"fiftyone_reue/_plugin/{file.relative_to(REPO)}" in names
    assert "fiftyone_reue/py.typed" in names
    assert not [name for name in names if "__pycache__" in name or ".venv" in name]
