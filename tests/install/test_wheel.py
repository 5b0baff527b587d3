"""A wheel, installed: without a compiler, and where nothing can be written."""

import io
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.integration, pytest.mark.slow]

REPO = Path(__file__).parents[2]
REUE = "import sys; from fiftyone_reue.cli import main; sys.exit(main())"
IMAGES = 4


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("*.whl")
    return made


@dataclass
class Installed:
    """The package out of the wheel, beside other people's that are there anyway.

    Attributes:
        folder: with ``site``, where it is, ``home`` and ``tmp``.
        environment: all variables that commands see.
        before: words in front of each command.
    """

    folder: Path
    environment: dict[str, str]
    before: tuple[str, ...] = ()

    def reue(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.before, sys.executable, "-c", REUE, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def protect(self, output: str, *words: str) -> subprocess.CompletedProcess[str]:
        owner = ("--vault", "vault", "--recipient", "alice", "--method", "lsp")
        return self.reue("protect", "source", output, *owner, *words)


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Installed:
    for name in ("site", "home", "tmp"):
        (tmp_path / name).mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        rough = rng.integers(0, 256, (9, 12, 3), np.uint8)
        image = Image.fromarray(rough).resize((96, 72), Image.Resampling.BICUBIC)
        path = tmp_path / "source" / f"class{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85)
        path.write_bytes(file.getvalue())
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CC", "XDG_CACHE_HOME", "PYTHONPATH")
    }
    environment |= {
        "PYTHONPATH": str(tmp_path / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
    }
    made = Installed(tmp_path, environment)
    assert made.reue("init", "--plain-key-file", "--vault", "vault").returncode == 0
    words = ("--vault", "vault", "--key-out", "alice.key")
    assert made.reue("recipient", "add", "alice", *words).returncode == 0
    return made


def files_in(folder: Path, pattern: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob(pattern)
    }


def test_nothing_is_missing_and_nothing_is_too_much(wheel: Path) -> None:
    package = REPO / "fiftyone_reue"
    wanted = {
        path.relative_to(REPO).as_posix()
        for path in package.rglob("*")
        if path.is_file() and not {"__pycache__", "built"} & set(path.parts)
    }
    assert "fiftyone_reue/media/jpeg_coefficients/codec.c" in wanted
    with zipfile.ZipFile(wheel) as archive:
        there = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {name for name in there if not name.startswith("fiftyone_reue/_plugin/")}
    assert ours == wanted


def test_without_a_compiler(installed: Installed) -> None:
    installed.environment["PATH"] = ""
    done = installed.protect("p")
    assert done.returncode == 1
    said = done.stderr + done.stdout
    assert "needs a C compiler" in said
    assert "--carrier pixels" in said
    assert "Traceback" not in said
    assert not files_in(installed.folder / "p", "*.jpg")
    done = installed.protect("pixels", "--carrier", "pixels")
    assert done.returncode == 0, done.stderr
    assert len(files_in(installed.folder / "pixels", "*.png")) == IMAGES


def without_privileges() -> tuple[str, ...]:
    """In front of a command: it can't write where modes forbid it, root or not."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions as POSIX has them")
    if os.geteuid():
        return ()
    command = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("root can write anywhere here")
    return command


def test_where_neither_package_nor_home_can_be_written(installed: Installed) -> None:
    installed.before = without_privileges()
    folders = [
        installed.folder / "home",
        installed.folder / "site/fiftyone_reue/media/jpeg_coefficients",
    ]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = installed.protect("p")
        assert done.returncode == 0, done.stderr
        owner = ("--vault", "vault")
        done = installed.reue("restore", "p", "o", *owner)
        assert done.returncode == 0, done.stderr
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert not files_in(installed.folder / "home", "*.so")
    assert not files_in(installed.folder / "site", "codec*.so")
    assert len(files_in(installed.folder / "tmp", "codec*.so")) == 1
    originals = files_in(installed.folder / "source", "*.jpg")
    assert len(originals) == IMAGES
    assert files_in(installed.folder / "o", "*.jpg") == originals
    assert files_in(installed.folder / "p", "*.jpg").keys() == originals.keys()
