"""A vault with releases to two recipients, for suspects to be traced to."""

import random
from pathlib import Path
from unittest import mock

from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.restore import restore_licensed


def released(root: Path) -> Vault:
    """Protect ``root/source`` for alice and bob, and restore what they are licensed.

    Keys are the same in every run, so that where a suspect lies to a pixel is as well.

    Args:
        root: gets the vault, and ``P-NAME`` and ``W-NAME`` of each.
    """
    drawn = random.Random(1)
    with mock.patch.multiple(
        "secrets",
        token_bytes=drawn.randbytes,
        token_hex=lambda count: drawn.randbytes(count).hex(),
    ):
        vault = create_folder(root / "vault", plain_key_file=True)
        keys = {who: vault.add_recipient(who)[1] for who in ("alice", "bob")}
    for who, key in keys.items():
        steps = protect(
            vault,
            who,
            labelled_items(root / "source"),
            root / f"P-{who}",
            name=who,
            source=str(root / "source"),
            config=ProtectConfig("lsp", seed=0),
        )
        assert not finish(steps).outcome.failures
        items = image_items(root / f"P-{who}")
        finish(restore_licensed(items, None, root / f"W-{who}", key))
    return vault
