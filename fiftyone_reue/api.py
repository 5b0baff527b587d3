"""The face: what ``import fiftyone_reue as reue`` gives, for folders of images.

Every function blocks and returns a summary; ``progress=True`` draws a bar, or give a
function that is called with each :class:`~fiftyone_reue.progress.Progress`. Behind
each is a generator of the same name with ``_steps`` behind it, for who draws progress
otherwise, or wants to stop: closing it keeps what was finished. For FiftyOne datasets
there are the same verbs in :mod:`fiftyone_reue.samples`.

Example::

    import fiftyone_reue as reue

    with reue.create_vault("vault", passphrase="a long one") as vault:
        vault.add_recipient("alice")
        reue.protect("photos", "for_alice", vault=vault, recipient="alice")
        print(reue.extract("found_on_the_web", vault=vault).verdict())
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, Unpack

from fiftyone_reue.batch.folders import (
    all_suspects,
    check_apart,
    read_source,
    suspect_items,
)
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.progress import Progress, finish, mapped, with_bar
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings
from fiftyone_reue.vault.key_files import RecipientKey, read_key_file
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder
from fiftyone_reue.workflows.decoys import DECOYS

if TYPE_CHECKING:
    from fiftyone_reue.vault.entities import Recipient
    from fiftyone_reue.vault.rotation import Rotation
    from fiftyone_reue.workflows.audit import AuditConfig, AuditSummary
    from fiftyone_reue.workflows.extract import ExtractSummary
    from fiftyone_reue.workflows.protect import ProtectSummary
    from fiftyone_reue.workflows.restore import RestoreSummary
    from fiftyone_reue.workflows.reveal import RevealSummary
    from fiftyone_reue.workflows.score import ScoreConfig, ScoreSummary

PathLike = str | os.PathLike[str]
AnyVault = Vault | PathLike
"""An open vault, which stays open, or a vault's folder."""
AnyKey = RecipientKey | PathLike
ProgressOption = bool | Callable[[Progress], object]

Done = TypeVar("Done")


def create_vault(
    folder: PathLike,
    *,
    passphrase: str | None = None,
    use_keyring: bool = False,
    key_file: PathLike | None = None,
    plain_key_file: bool = False,
) -> Vault:
    """Make a vault in a new folder; use it in ``with``, or close it at the end.

    Say where its owner key is to be: sealed with a passphrase, in the operating
    system's keyring, or in a plain file. Without any of these, the variables
    ``REUE_OWNER_...`` or the keyring decide, as for ``reue init``.

    Example::

        with reue.create_vault("vault", passphrase="a long one") as vault:
            vault.add_recipient("alice")

    Args:
        folder: the vault's, new or empty.
        passphrase: of the owner key.
        use_keyring: keep the owner key in the operating system's keyring.
        key_file: keep it in a plain file, here.
        plain_key_file: keep it in a plain file in the vault's folder, to try it.

    Raises:
        VaultError: there is a vault already, or nowhere to keep the owner key.
        OutputError: the folder or the key file can't be written.
    """
    return create_folder(
        folder,
        passphrase=passphrase,
        use_keyring=use_keyring,
        key_file=key_file,
        plain_key_file=plain_key_file,
    )


def open_vault(folder: PathLike, *, passphrase: str | None = None) -> Vault:
    """Open the vault in a folder; use it in ``with``, or close it at the end.

    Example::

        with reue.open_vault("vault") as vault:
            print([recipient.name for recipient in vault.recipients()])

    Args:
        folder: the vault's.
        passphrase: of its owner key, if it has one and no variable says it.

    Raises:
        VaultError: there is no vault, or the owner key is missing.
        WrongKeyError: the owner key or the passphrase is wrong.
    """
    return open_folder(folder, ask=_answer(passphrase))


def rotate_key(
    vault: PathLike,
    *,
    passphrase: str | None = None,
    present_passphrase: str | None = None,
    use_keyring: bool = False,
    key_file: PathLike | None = None,
    plain_key_file: bool = False,
) -> Rotation:
    """Give the vault in a folder a new owner key; no image changes, no recipient's key.

    Without any word of where the new key is to be, it is kept as the old one is. The
    vault must not be open here or elsewhere.

    Example::

        for note in reue.rotate_key("vault", passphrase="a longer one").notes():
            print(note)

    Args:
        vault: the vault's folder.
        passphrase: the new owner key's.
        present_passphrase: of the owner key until now, if it has one and no variable
            says it.
        use_keyring: keep the new key in the operating system's keyring.
        key_file: keep it in a plain file, here.
        plain_key_file: keep it in a plain file in the vault's folder, to try it.

    Returns:
        What became of both keys.

    Raises:
        VaultError: there is no vault, its owner key is missing, or it has to be said
            where the new one is to be.
        WrongKeyError: the owner key or the passphrase is wrong.
        OutputError: ``key_file`` is there already, or a key file can't be written.
        InputError: the present key's file opens other vaults too.
    """
    from fiftyone_reue.vault.rotation import rotate_folder

    return rotate_folder(
        vault,
        passphrase=passphrase,
        use_keyring=use_keyring,
        key_file=key_file,
        plain_key_file=plain_key_file,
        ask=_answer(present_passphrase),
    )


def revoke_recipient(name: str, *, vault: AnyVault) -> Recipient:
    """Revoke a recipient's key, and say so in the manifests of their releases.

    It stops future releases and restores. Copies that they have stay what they are.

    Example::

        reue.revoke_recipient("alice", vault="vault")

    Args:
        name: whose.
        vault: an open vault, or its folder.

    Raises:
        InputError: there is no such recipient.
        OutputError: a manifest can't be written.
    """
    from fiftyone_reue.releases.revocation import revoke

    with _opened(vault) as held:
        return revoke(held, name)[0]


def protect(
    source: PathLike,
    output: PathLike,
    *,
    vault: AnyVault,
    recipient: str,
    classes_at: int | None = None,
    prune: bool = False,
    progress: ProgressOption = False,
    **settings: Unpack[ProtectSettings],
) -> ProtectSummary:
    """Protect a folder of images for one recipient.

    Run it again after any interruption, or when images changed: only that is done.

    Example::

        reue.protect("photos", "for_alice", vault="vault", recipient="alice", epsilon=6)

    Args:
        source: a folder with a folder for each class; with ``clusters=N`` any folder.
        output: the release's folder, new or one that was begun.
        vault: an open vault, or its folder.
        recipient: whom the copy is for; see :meth:`Vault.add_recipient`.
        classes_at: how many folders down the classes are; else that is found out.
        prune: take copies whose original is gone out of the output folder.
        progress: whether to draw a bar, or what is called with each step.
        **settings: see :class:`~fiftyone_reue.releases.config.ProtectConfig`.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        RevokedKeyError: the recipient was revoked.
        OutputError, VaultError: files or the vault can't be written.
    """
    with _opened(vault) as held:
        steps = protect_steps(
            source,
            output,
            vault=held,
            recipient=recipient,
            classes_at=classes_at,
            prune=prune,
            **settings,
        )
        return _run(steps, progress)


def protect_steps(
    source: PathLike,
    output: PathLike,
    *,
    vault: Vault,
    recipient: str,
    classes_at: int | None = None,
    prune: bool = False,
    **settings: Unpack[ProtectSettings],
) -> Generator[Progress, None, ProtectSummary]:
    """See :func:`protect`."""
    from fiftyone_reue.batch.classes import listing
    from fiftyone_reue.workflows.protect import protect_folder

    config = ProtectConfig.of(**settings)
    source, output = Path(source), Path(output)
    clustered = config.clusters is not None
    if clustered and classes_at is not None:
        raise InputError("clusters and classes_at both say what the classes are")
    items = read_source(source, output, classes_at, clustered=clustered).items
    if not clustered:
        yield Progress(0.0, listing(items))
    steps = protect_folder(
        vault, recipient, items, source, output, config=config, prune=prune
    )
    return (yield from steps)


def restore(
    source: PathLike,
    output: PathLike,
    *,
    key: AnyKey | None = None,
    vault: AnyVault | None = None,
    approximate: bool = False,
    records: PathLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> RestoreSummary:
    """Give a recipient's licensed copies back, or the owner's originals.

    Example::

        reue.restore("for_alice", "licensed", key="alice.key")     # the recipient
        reue.restore("for_alice", "originals", vault="vault")      # the owner

    Args:
        source: a folder of copies, or one file.
        output: where the restored files go; other images there are never replaced.
        key: the recipient's, or its file, for licensed copies.
        vault: the owner's, for originals; one of the two is needed.
        approximate: where pixels changed since, make the best of them; with a key.
        records: the release as it was delivered, for that.
        max_pixels: larger images are refused before they are decoded.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        RevokedKeyError: the release's manifest says that the key was revoked.
        WrongKeyError: the key file needs another passphrase.
        OutputError: nothing can be written.
    """
    _check_restoring(key, vault, approximate=approximate, records=records)
    if key is not None:
        held_key = key if isinstance(key, RecipientKey) else read_key_file(key)
        steps = restore_steps(
            source,
            output,
            key=held_key,
            approximate=approximate,
            records=records,
            max_pixels=max_pixels,
        )
        return _run(steps, progress)
    assert vault is not None
    with _opened(vault) as held:
        steps = restore_steps(source, output, vault=held, max_pixels=max_pixels)
        return _run(steps, progress)


def restore_steps(
    source: PathLike,
    output: PathLike,
    *,
    key: RecipientKey | None = None,
    vault: Vault | None = None,
    approximate: bool = False,
    records: PathLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, RestoreSummary]:
    """See :func:`restore`."""
    from fiftyone_reue.workflows.restore import restore_licensed, restore_original

    _check_restoring(key, vault, approximate=approximate, records=records)
    source, output = Path(source), Path(output)
    check_apart(source, output)
    items = suspect_items(source)
    if vault is not None:
        return restore_original(vault, items, output, max_pixels=max_pixels)
    assert key is not None
    return restore_licensed(
        items,
        source if source.is_dir() else None,
        output,
        key,
        max_pixels=max_pixels,
        approximate=approximate,
        records=None if records is None else Path(records),
    )


def extract(
    suspects: PathLike | Iterable[PathLike],
    *,
    vault: AnyVault,
    originals: PathLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> ExtractSummary:
    """Say whose copy suspect images were made from, and how sure that is.

    Example::

        print(reue.extract("found_on_the_web", vault="vault").verdict())

    Args:
        suspects: a folder, a file, or several.
        vault: an open vault, or its folder.
        originals: where the originals are, if they moved.
        max_pixels: larger images are refused before they are decoded.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: there is no image, or nothing was protected with this vault.
        TamperedLedgerError: the ledger has no row left that the owner wrote.
    """
    with _opened(vault) as held:
        steps = extract_steps(
            suspects, vault=held, originals=originals, max_pixels=max_pixels
        )
        return _run(steps, progress)


def extract_steps(
    suspects: PathLike | Iterable[PathLike],
    *,
    vault: Vault,
    originals: PathLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, ExtractSummary]:
    """See :func:`extract`."""
    from fiftyone_reue.workflows.extract import extract as steps_of

    folder = None if originals is None else Path(originals)
    items = all_suspects(_paths(suspects))
    return steps_of(vault, items, originals_folder=folder, max_pixels=max_pixels)


def reveal(
    suspects: PathLike | Iterable[PathLike],
    output: PathLike | None = None,
    *,
    vault: AnyVault,
    originals: PathLike | None = None,
    decoys: int = DECOYS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> RevealSummary:
    """Show what a method such as ``deep_hiding`` hid in images, as a second proof.

    Example::

        shown = reue.reveal("found_on_the_web", "pictures", vault="vault", decoys=9)
        print(shown.verdict())

    Args:
        suspects: a folder, a file, or several.
        output: where a picture of each goes; None writes nothing.
        vault: an open vault, or its folder.
        originals: where the originals are, if they moved.
        decoys: how many other keys are drawn for comparison.
        max_pixels: larger images are refused before they are decoded.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: there is no image, or nothing was protected with this vault.
        OutputError: nothing can be written.
    """
    with _opened(vault) as held:
        steps = reveal_steps(
            suspects,
            output,
            vault=held,
            originals=originals,
            decoys=decoys,
            max_pixels=max_pixels,
        )
        return _run(steps, progress)


def reveal_steps(
    suspects: PathLike | Iterable[PathLike],
    output: PathLike | None = None,
    *,
    vault: Vault,
    originals: PathLike | None = None,
    decoys: int = DECOYS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, RevealSummary]:
    """See :func:`reveal`."""
    from fiftyone_reue.workflows.reveal import reveal as steps_of

    pictures = None if output is None else Path(output)
    return steps_of(
        vault,
        all_suspects(_paths(suspects), apart_from=pictures),
        pictures,
        originals_folder=None if originals is None else Path(originals),
        decoys=decoys,
        max_pixels=max_pixels,
    )


def score(
    release: PathLike,
    *,
    vault: AnyVault,
    config: ScoreConfig | None = None,
    progress: ProgressOption = False,
) -> ScoreSummary:
    """Measure how much worse a model gets from a release than from its originals.

    Example::

        config = reue.ScoreConfig(max_images=2000)
        scored = reue.score("for_alice", vault="vault", config=config)
        print(scored.to_dict()["unlearnability"])       # 1: no better than guessing

    Args:
        release: the release's folder.
        vault: an open vault, or its folder.
        config: how to measure.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: the release can't be measured; says why.
    """
    with _opened(vault) as held:
        return _run(score_steps(release, vault=held, config=config), progress)


def score_steps(
    release: PathLike, *, vault: Vault, config: ScoreConfig | None = None
) -> Generator[Progress, None, ScoreSummary]:
    """See :func:`score`."""
    from fiftyone_reue.releases.lookup import released_items
    from fiftyone_reue.workflows.score import ScoreConfig
    from fiftyone_reue.workflows.score import score as steps_of

    items = released_items(vault, Path(release))
    return steps_of(vault, items, config or ScoreConfig())


def audit(
    release: PathLike,
    output: PathLike | None = None,
    *,
    vault: AnyVault,
    config: AuditConfig | None = None,
    progress: ProgressOption = False,
) -> AuditSummary:
    """Measure how well a release holds against what a thief may do to it.

    Example::

        config = reue.AuditConfig(countermeasures=("none", "grayscale"))
        found = reue.audit("for_alice", vault="vault", config=config)
        print(found.verdict.headline, found.report)

    Args:
        release: the release's folder.
        output: where the report goes; None for a folder beside the release.
        vault: an open vault, or its folder.
        config: what to measure.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: the release can't be measured, or a name doesn't exist.
        OutputError: the report can't be written.
    """
    with _opened(vault) as held:
        steps = audit_steps(release, output, vault=held, config=config)
        return _run(steps, progress)


def audit_steps(
    release: PathLike,
    output: PathLike | None = None,
    *,
    vault: Vault,
    config: AuditConfig | None = None,
) -> Generator[Progress, None, AuditSummary]:
    """See :func:`audit`."""
    from fiftyone_reue.releases.lookup import released_items
    from fiftyone_reue.workflows.audit import AuditConfig, audit_release

    items = released_items(vault, Path(release))
    folder = None if output is None else Path(output)
    return audit_release(vault, items, config or AuditConfig(), folder)


@contextmanager
def _opened(vault: AnyVault) -> Iterator[Vault]:
    if isinstance(vault, Vault):
        yield vault
        return
    with open_vault(vault) as held:
        yield held


def _answer(passphrase: str | None) -> Callable[[str], str] | None:
    """What answers when a passphrase is asked for, if it is known."""
    return None if passphrase is None else lambda _: passphrase


def _check_restoring(
    key: object, vault: object, *, approximate: bool, records: object
) -> None:
    if (key is None) == (vault is None):
        raise InputError("Give the recipient's key or the owner's vault, one of them")
    if key is None and (approximate or records is not None):
        raise InputError(
            "Only licensed copies are restored approximately: give a recipient's key"
        )


def _paths(given: PathLike | Iterable[PathLike]) -> Iterator[Path]:
    several = [given] if isinstance(given, str | os.PathLike) else given
    return map(Path, several)


def _run(steps: Generator[Progress, None, Done], progress: ProgressOption) -> Done:
    if progress is False:
        return finish(steps)
    if progress is not True:
        return finish(mapped(steps, progress))
    return with_bar(steps)
