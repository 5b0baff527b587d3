"""Options and types of arguments that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

MAX_PIXELS = 200_000_000
"""What the library refuses from, which would take too long to import for --help."""

FOLDER = click.Path(path_type=Path, readable=False)  # the library says why not
SEED = click.IntRange(0, 2**63 - 1)

vault_option = click.option(
    "--vault",
    "vault_folder",
    type=FOLDER,
    required=True,
    help="The vault's folder.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object."
)
plain_key_file_option = click.option(
    "--plain-key-file",
    is_flag=True,
    help="Keep the owner key in a plain file in the vault's folder.",
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ..."
)
pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse larger images before decoding them; without another number here also "
    "those above 25 million pixels with more than 32 for each byte of their file.",
)
originals_option = click.option(
    "--originals", type=FOLDER, help="Where the originals are, if they moved."
)
