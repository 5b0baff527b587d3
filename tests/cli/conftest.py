"""The command line with a folder to work in: words, exit statuses, JSON and files."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fiftyone_reue import cli
from fiftyone_reue.media.codec import load


@dataclass(frozen=True)
class Place:
    """A folder with originals, a vault, two key files and, maybe, two releases."""

    root: Path

    def path(self, name: str) -> str:
        return str(self.root / name)

    def run(self, *words: str, env: dict[str, str | None] | None = None) -> Result:
        """Run the command line; words starting with @ are names in the folder."""
        places = [self.path(w[1:]) if w.startswith("@") else w for w in words]
        return CliRunner().invoke(cli.main, places, env=env)

    def ok(self, *words: str) -> Result:
        result = self.run(*words)
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
        return result

    def json(self, *words: str, status: int = 0) -> dict:
        """The one object on standard output."""
        result = self.run(*words, "--json")
        assert result.exit_code == status, result.stderr
        (line,) = result.stdout.splitlines()
        return json.loads(line)

    def fails(self, *words: str, status: int = 1) -> str:
        """What is said of a failure; nothing but words, no traceback."""
        result = self.run(*words)
        assert result.exit_code == status, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        assert result.stderr.strip()
        return result.stderr

    def protect(self, who: str, output: str, *options: str) -> Result:
        """Make somebody's copy of the originals, with lsp."""
        words = ["protect", "@source", output, "--vault", "@vault", "--recipient", who]
        return self.run(*words, "--method", "lsp", *options)


def build(root: Path, write_folder: Callable[..., Path]) -> Place:
    write_folder(root / "source", classes=3, each=4, side=48)
    place = Place(root)
    place.ok("init", "--vault", "@vault", "--plain-key-file")
    for who in ("alice", "bob"):
        key = f"@{who}.key"
        place.ok("recipient", "add", who, "--vault", "@vault", "--key-out", key)
    return place


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """Nothing there yet."""
    return Place(tmp_path)


@pytest.fixture
def place(tmp_path: Path, write_folder: Callable[..., Path]) -> Place:
    """Nothing released yet, free to change."""
    return build(tmp_path, write_folder)


@pytest.fixture(scope="session")
def house(tmp_path_factory, write_folder: Callable[..., Path]) -> Place:
    """Read only, with releases to alice and bob in pa and pb, restored in wa and wb."""
    place = build(tmp_path_factory.mktemp("house"), write_folder)
    for who in ("alice", "bob"):
        short = who[0]
        assert place.protect(who, f"@p{short}").exit_code == 0
        place.ok("restore", f"@p{short}", f"@w{short}", "--key", f"@{who}.key")
    return place


def samples(folder: str | Path) -> dict[str, np.ndarray]:
    return {
        str(p.relative_to(folder).with_suffix("")): load(p).raster.samples
        for p in sorted(Path(folder).rglob("*"))
        if p.suffix in (".png", ".jpg", ".bmp", ".webp", ".tif")
    }


@pytest.fixture
def images() -> Callable[[str | Path], dict[str, np.ndarray]]:
    """Every image's samples below a folder, by its path without suffix."""
    return samples


@pytest.fixture
def same() -> Callable[[str | Path, str | Path], bool]:
    """Whether two folders hold the same images."""

    def compare(one: str | Path, other: str | Path) -> bool:
        a, b = samples(one), samples(other)
        assert a.keys() == b.keys()
        assert a
        return all(np.array_equal(a[name], b[name]) for name in a)

    return compare


@pytest.fixture
def leak() -> Callable[..., str]:
    """Re-compress files to JPEG under names that say nothing."""

    def post(source: str, target: Path, quality: int = 85, count: int = 12) -> str:
        target.mkdir()
        files = sorted(Path(source).rglob("*.png"))[:count]
        for number, file in enumerate(files):
            image = Image.open(file).convert("RGB")
            image.save(target / f"IMG_{number:04}.jpg", quality=quality)
        return str(target)

    return post
