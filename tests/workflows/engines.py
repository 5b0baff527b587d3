"""What is the same whichever engine does the work."""

import shutil
from pathlib import Path

from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.vault.vault import Vault, open_folder

LOCAL = "local"


def files(folder: Path) -> dict[str, bytes]:
    """The images in a folder, by their paths below it."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def copied(vault: Vault, place: Path, *engines: str) -> Path:
    """The same vault for each engine, in a folder that has its name."""
    vault.close()
    for engine in engines:
        shutil.copytree(place / "vault", place / "vaults" / engine)
    return place / "vaults"


def check_that_it_makes_the_same_bytes(
    engine: str, vaults: Path, source: Path, photo: Image.Image, place: Path
) -> None:
    """Of copies and of what is restored from them, and fails at the same file.

    Args:
        engine: the one beside threads.
        vaults: of :func:`copied`.
        source: 18 images, of which some are in a folder ``cat``.
        photo: one more, to be a JPEG file.
        place: where releases go.
    """
    photo.save(source / "cat" / "photo.jpg", quality=90)
    (source / "cat" / "broken.png").write_bytes(b"nothing")
    made, outcomes, originals = [], [], []
    for name in (LOCAL, engine):
        with open_folder(vaults / name) as held:
            summary = api.protect(
                source,
                place / name,
                vault=held,
                recipient="alice",
                seed=7,
                engine=name,
                workers=2,
            )
            key = held.recipient_key(held.recipient("alice"))
            originals.append({one.id for one in held.ledger.images()})
        made.append(files(place / name))
        outcomes.append(summary.outcome)
    assert len(made[0]) == 19
    assert made[0] == made[1]
    assert outcomes[0] == outcomes[1]
    assert originals[0] == originals[1]
    assert [one.sample_id for one in outcomes[0].failures] == ["cat/broken.png"]
    restored = []
    for name in (LOCAL, engine):
        out = place / f"licensed_{name}"
        done = api.restore(place / LOCAL, out, key=key, engine=name, workers=2)
        assert done.outcome.done == 19
        restored.append(files(out))
    assert restored[0] == restored[1]
