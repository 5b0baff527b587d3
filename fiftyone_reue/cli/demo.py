"""``reue demo``."""

from __future__ import annotations

from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import LocalPath


@click.command()
@click.option(
    "--data",
    type=LocalPath(),
    help="Your own images, a folder for each class; else tiles of photographs that are "
    "installed already.",
)
@click.option(
    "--folder",
    type=LocalPath(),
    default=Path("demo"),
    show_default=True,
    help="Where copies and keys go.",
)
@click.option("--method", default="rue", show_default=True, help="How to perturb.")
@click.option(
    "--epsilon",
    type=click.IntRange(3, 32),
    default=8,
    show_default=True,
    help="The largest change of a sample in gray levels, watermark included.",
)
@click.option(
    "--plain-key-file",
    is_flag=True,
    help="Without a keyring or a passphrase, keep a new owner key in a plain file.",
)
@guarded
def demo(
    data: Path | None, folder: Path, method: str, epsilon: int, plain_key_file: bool
) -> None:
    """Show the main job from end to end, in FiftyOne.

    Two recipients get a protected copy each. A model trained on a copy is compared with
    one trained on what the recipient restored from it; every pixel is compared with the
    originals; then some files of one copy leak, re-compressed, and are traced. The
    dataset is left in FiftyOne, ready for the App.
    """
    from fiftyone_reue.demo.job import open_vault, run

    open_vault(plain_key_file)
    run(data, folder.resolve(), method, epsilon)
