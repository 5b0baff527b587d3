"""What others rely on: the command line's words, and what a seeded release holds."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from PIL import Image

from fiftyone_reue import cli
from tests.golden.make import write_originals

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "0.2"


def words(command: click.Command, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command, and the names of its arguments and options."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from words(one, f"{path} {name}".strip())
        return
    yield (
        path,
        {
            name
            for parameter in command.params
            for name in (
                (parameter.human_readable_name,)
                if isinstance(parameter, click.Argument)
                else (*parameter.opts, *parameter.secondary_opts)
            )
        },
    )


def test_no_command_or_option_is_gone() -> None:
    """Somebody's scripts call them. New ones may come; add them to commands.json."""
    known = json.loads((HERE / "commands.json").read_text())
    now = dict(words(cli.main))
    for command, names in known.items():
        assert set(names) <= now[command], command


@pytest.mark.slow
def test_a_seeded_release_has_the_same_pixels(tmp_path: Path) -> None:
    """With one vault, one seed and a method of whole numbers, on any machine."""
    shutil.copytree(GOLDEN / "vault", tmp_path / "vault")
    (tmp_path / "vault" / "owner.key").chmod(0o600)
    write_originals(tmp_path / "originals")
    command = ["protect", str(tmp_path / "originals"), str(tmp_path / "copies")]
    command += ["--vault", str(tmp_path / "vault"), "--recipient", "bob"]
    command += ["--method", "lsp", "--seed", "7", "--carrier", "pixels", "--json"]
    with pytest.raises(SystemExit) as ended:
        cli.main(command)
    assert ended.value.code == 0
    known = json.loads((HERE / "pixels.json").read_text())
    assert pixels(tmp_path / "copies") == known


def pixels(copies: Path) -> dict[str, str]:
    """The digest of each copy's samples, by its name."""
    return {
        path.relative_to(copies).as_posix(): _digest(path)
        for path in sorted(copies.glob("*/*.*"))
    }


def _digest(path: Path) -> str:
    with Image.open(path) as image:
        return hashlib.sha256(image.tobytes()).hexdigest()[:16]
