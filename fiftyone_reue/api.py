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
from typing import TYPE_CHECKING, TypeVar, Unpack

from fiftyone_reue.batch.engines import LOCAL, check_engine
from fiftyone_reue.batch.folders import (
    all_suspects,
    check_apart,
    read_source,
    read_tree_of,
)
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.limits import DEFAULT_MAX_PIXELS
from fiftyone_reue.progress import Progress, finish, mapped, with_bar
from fiftyone_reue.releases.config import ProtectConfig, ProtectSettings
from fiftyone_reue.stores.address import WRITTEN_HERE, Address, Place, local, place
from fiftyone_reue.vault.key_files import RecipientKey, read_key_file
from fiftyone_reue.vault.vault import Vault, create_folder, open_folder
from fiftyone_reue.workflows.decoys import DECOYS

if TYPE_CHECKING:
    from fiftyone_reue.batch.items import Item
    from fiftyone_reue.proofs.verification import Verification
    from fiftyone_reue.vault.entities import Recipient
    from fiftyone_reue.vault.rotation import Rotation
    from fiftyone_reue.workflows.audit import AuditConfig, AuditSummary
    from fiftyone_reue.workflows.extract import ExtractSummary
    from fiftyone_reue.workflows.license import LicenseSummary
    from fiftyone_reue.workflows.package import PackageSummary
    from fiftyone_reue.workflows.preview import Preview
    from fiftyone_reue.workflows.protect import ProtectSummary
    from fiftyone_reue.workflows.report import ReportSummary
    from fiftyone_reue.workflows.restore import RestoreSummary
    from fiftyone_reue.workflows.reveal import RevealSummary
    from fiftyone_reue.workflows.score import ScoreConfig, ScoreSummary
    from fiftyone_reue.workflows.unpack import UnpackSummary

PathLike = str | os.PathLike[str]
PlaceLike = PathLike | Address
"""A path, or a URL such as ``s3://bucket/photos``."""
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
        InputError: there are images in the folder.
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
        return revoke(held, name).recipient


def reinstate_recipient(name: str, *, vault: AnyVault) -> Recipient:
    """Take a revocation back, and out of the manifests of the recipient's releases.

    The key that they had counts again; that they were revoked stays in the ledger.
    What was published meanwhile takes a new licence. If somebody else has the key by
    now, add the recipient under another name instead.

    Example::

        reue.revoke_recipient("alice", vault="vault")
        reue.reinstate_recipient("alice", vault="vault")

    Args:
        name: whose.
        vault: an open vault, or its folder.

    Raises:
        InputError: there is no such recipient, or they aren't revoked.
        OutputError: a manifest can't be written.
    """
    from fiftyone_reue.releases.revocation import reinstate

    with _opened(vault) as held:
        return reinstate(held, name).recipient


def rename_recipient(name: str, shown_as: str, *, vault: AnyVault) -> Recipient:
    """Have a recipient shown by another name beside their own.

    Their own name is bound in the commitments of what they were given, and goes on
    being what keys, releases, evidence and every other function say.

    Example::

        reue.rename_recipient("alice", "Alice Smith", vault="vault")

    Args:
        name: whose: their own name.
        shown_as: the name to show; empty for their own alone.
        vault: an open vault, or its folder.

    Raises:
        InputError: there is no such recipient, or the name can't be used or is
            somebody else's.
    """
    from fiftyone_reue.vault.recipient_events import rename

    with _opened(vault) as held:
        return rename(held, name, shown_as)


def protect(
    source: PlaceLike,
    output: PlaceLike,
    *,
    vault: AnyVault,
    recipient: str,
    classes_at: int | None = None,
    coco: PlaceLike | None = None,
    prune: bool = False,
    progress: ProgressOption = False,
    **settings: Unpack[ProtectSettings],
) -> ProtectSummary:
    """Protect a folder of images for one recipient.

    Run it again after any interruption, or when images changed: only that is done.

    Example::

        reue.protect("photos", "for_alice", vault="vault", recipient="alice", epsilon=6)

    Args:
        source: a folder with a folder for each class, or its URL; with ``clusters=N``
            any folder.
        output: the release's folder or URL, new or one that was begun.
        vault: an open vault, or its folder.
        recipient: whom the copy is for; see :meth:`Vault.add_recipient`.
        classes_at: how many folders down the classes are; else that is found out.
        coco: a COCO annotation file or its URL, by whose boxes and masks each region of
            an image is of a class; its file names begin in ``source``. What it says of
            the copies is put beside them.
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
            coco=coco,
            prune=prune,
            **settings,
        )
        return _run(steps, progress)


def protect_steps(
    source: PlaceLike,
    output: PlaceLike,
    *,
    vault: Vault,
    recipient: str,
    classes_at: int | None = None,
    coco: PlaceLike | None = None,
    prune: bool = False,
    **settings: Unpack[ProtectSettings],
) -> Generator[Progress, None, ProtectSummary]:
    """See :func:`protect`."""
    from fiftyone_reue.batch.classes import listing
    from fiftyone_reue.batch.coco import read_coco
    from fiftyone_reue.workflows.protect import protect_folder

    config = ProtectConfig.of(**settings)
    origin, into = place(source), place(output)
    clustered = config.clusters is not None
    if clustered and classes_at is not None:
        raise InputError("clusters and classes_at both say what the classes are")
    if coco is not None and (clustered or classes_at is not None):
        raise InputError("coco says what the classes are; leave the other word out")
    annotations = None if coco is None else read_coco(place(coco), origin, into)
    if annotations is None:
        items = read_source(origin, into, classes_at, clustered=clustered).items
    else:
        items = annotations.items
    if not clustered:
        yield Progress(0.0, listing(items))
    steps = protect_folder(
        vault,
        recipient,
        items,
        origin,
        into,
        config=config,
        prune=prune,
        annotations=annotations,
    )
    return (yield from steps)


def publish(
    source: PlaceLike,
    output: PlaceLike,
    *,
    vault: AnyVault,
    classes_at: int | None = None,
    coco: PlaceLike | None = None,
    prune: bool = False,
    progress: ProgressOption = False,
    **settings: Unpack[ProtectSettings],
) -> ProtectSummary:
    """Protect a folder of images once, for everybody; :func:`license` does the rest.

    All is as for :func:`protect`, but that the copies may be put anywhere: nobody is
    given their key, and their watermark names the published set.

    Example::

        reue.publish("photos", "public", vault="vault")

    Args:
        source: a folder with a folder for each class, or its URL; with ``clusters=N``
            any folder.
        output: the published folder or URL, new or one that was begun.
        vault: an open vault, or its folder.
        classes_at: how many folders down the classes are; else that is found out.
        coco: a COCO annotation file or its URL, by whose boxes and masks each region of
            an image is of a class; its file names begin in ``source``. What it says of
            the copies is put beside them.
        prune: take copies whose original is gone out of the output folder.
        progress: whether to draw a bar, or what is called with each step.
        **settings: see :class:`~fiftyone_reue.releases.config.ProtectConfig`.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        OutputError, VaultError: files or the vault can't be written.
    """
    with _opened(vault) as held:
        return protect(
            source,
            output,
            vault=held,
            recipient=held.published().name,
            classes_at=classes_at,
            coco=coco,
            prune=prune,
            progress=progress,
            **settings,
        )


def license(
    recipient: str,
    output: PathLike,
    *,
    vault: AnyVault,
    release: str,
    days: int = 365,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> LicenseSummary:
    """Make a recipient's licence for a published release, or one that replaces it.

    With it and their key they turn the published copies into their own, exactly, each
    with their watermark. Only what the licence in ``output`` doesn't hold is computed.

    Example::

        published = reue.publish("photos", "public", vault="vault")
        reue.license(
            "alice", "alice.license", vault="vault", release=published.release.id
        )
        reue.restore("public", "mine", key="alice.key", license="alice.license")

    Args:
        recipient: for whom; see :meth:`Vault.add_recipient`.
        output: the licence's file; only this licence's predecessor is replaced.
        vault: an open vault, or its folder.
        release: what was published, by name or id; its folder must be there.
        days: how long it is good for; 0: it never expires. A date that the program
            keeps to, by the recipient's clock, and no lock.
        max_pixels: larger images are refused before they are decoded.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        RevokedKeyError: the recipient was revoked.
        OutputError, VaultError: the licence or the vault can't be written.
    """
    from fiftyone_reue.releases.lookup import find_release
    from fiftyone_reue.workflows.license import license_release

    with _opened(vault) as held:
        found = find_release(held, release)
        steps = license_release(
            held,
            recipient,
            found,
            local(output, WRITTEN_HERE),
            days=days,
            max_pixels=max_pixels,
        )
        return _run(steps, progress)


def preview(
    source: PlaceLike,
    *,
    count: int = 8,
    classes_at: int | None = None,
    progress: ProgressOption = False,
    **settings: Unpack[ProtectSettings],
) -> Preview:
    """Protect a few images of a folder in memory, and say what all would give.

    Nothing is written anywhere, and no vault is needed.

    Example::

        found = reue.preview("photos", epsilon=6)
        print(found.ssimulacra2, found.size_before, found.size_after, found.seconds)

    Args:
        source: the originals, as for :func:`protect`: a folder, or its URL.
        count: how many images, up to 32, spread over kinds of files and classes.
        classes_at: as for :func:`protect`.
        progress: whether to draw a bar, or what is called with each step.
        **settings: how to protect, see :class:`ProtectConfig`.

    Raises:
        InputError: something can't be used as it was given.
    """
    from fiftyone_reue.workflows import preview as previewing

    config = ProtectConfig.of(**settings)
    tree = read_tree_of(
        place(source), classes_at, clustered=config.clusters is not None
    )
    steps = previewing.preview(tree.items, config=config, count=count)
    return _run(steps, progress)


def package(
    release: str,
    output: PathLike,
    *,
    vault: AnyVault,
    terms: PathLike | None = None,
    format: str | None = None,
    progress: ProgressOption = False,
) -> PackageSummary:
    """Pack a release to be handed over: copies, what to do, terms, commitment.

    The recipient's key isn't in it; it goes by another way.

    Example::

        reue.package("alice-for_alice", "for_alice.zip", vault="vault")
        reue.package("alice-for_alice", "rows", vault="vault", format="parquet")

    Args:
        release: which, by name or id; its folder must be there.
        output: a new folder, or a new file that ends in ``.zip``.
        vault: an open vault, or its folder.
        terms: a text file with what the recipient may do.
        format: "folder" or "zip", else what ``output`` says; "parquet" or
            "webdataset": a folder as Hugging Face's ``datasets`` or ``webdataset``
            reads it, with the copies' files byte for byte, their classes and a card;
            :func:`unpack` makes files of it.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: the release isn't finished, copies aren't what was made, or the
            output is there already.
        RevokedKeyError: the recipient was revoked.
        MissingPackageError: what writes this format isn't installed.
        OutputError: it can't be written.
    """
    from fiftyone_reue.releases.lookup import find_release
    from fiftyone_reue.workflows.package import package_release

    with _opened(vault) as held:
        steps = package_release(
            held,
            find_release(held, release),
            local(output, WRITTEN_HERE),
            terms=None if terms is None else local(terms),
            format=format,
        )
        return _run(steps, progress)


def unpack(
    source: PlaceLike, output: PlaceLike, *, progress: ProgressOption = False
) -> UnpackSummary:
    """Write the images of a package into a new folder, byte for byte.

    Any other Parquet or tar files with images will do, such as a dataset from a hub.

    Example::

        reue.package("alice-for_alice", "tars", vault="vault", format="webdataset")
        reue.unpack("tars", "images")
        reue.restore("images", "from_tars", key="alice.key")

    Args:
        source: a ZIP file; a Parquet or tar file, or a folder with such; or its URL.
        output: a new folder, or the URL of one.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: there is nothing to unpack, it is damaged, or the output is there.
        UnsafePathError: a name in it leads out of the folder.
        MissingPackageError: what reads Parquet files isn't installed.
        OutputError: nothing can be written.
    """
    from fiftyone_reue.workflows.unpack import unpack as steps_of

    return _run(steps_of(place(source), place(output)), progress)


def restore(
    source: PlaceLike,
    output: PlaceLike,
    *,
    key: AnyKey | None = None,
    license: PathLike | None = None,
    vault: AnyVault | None = None,
    approximate: bool = False,
    records: PlaceLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    engine: str = LOCAL,
    workers: int | None = None,
    progress: ProgressOption = False,
) -> RestoreSummary:
    """Give a recipient's licensed copies back, or the owner's originals.

    Example::

        reue.restore("for_alice", "licensed", key="alice.key")     # the recipient
        reue.restore("for_alice", "originals", vault="vault")      # the owner

    Args:
        source: a folder of copies, or one file, or its URL.
        output: where the restored files go; other images there are never replaced.
        key: the recipient's, or its file, for licensed copies.
        license: of a published set, the licence that came with the key.
        vault: the owner's, for originals; one of the two is needed.
        approximate: where pixels changed since, make the best of them; with a key.
        records: the release as it was delivered, for that.
        max_pixels: larger images are refused before they are decoded.
        engine: with a key, ``"processes"`` has processes of this machine do it, and
            ``"ray"`` the workers of a Ray cluster.
        workers: so many threads, processes or workers on Ray; else one a processor.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: something can't be used as it was given; says what to do.
        RevokedKeyError: the release's manifest says that the key was revoked.
        WrongKeyError: the key file needs another passphrase, or the licence another
            key.
        ExpiredLicenceError: the licence's last day is over, by this machine's clock.
        OutputError: nothing can be written.
        MissingPackageError, EngineError: what is to do the work isn't there.
    """
    _check_restoring(
        key,
        vault,
        approximate=approximate,
        records=records,
        licence=license,
        engine=engine,
    )
    if key is not None:
        held_key = key if isinstance(key, RecipientKey) else read_key_file(key)
        steps = restore_steps(
            source,
            output,
            key=held_key,
            license=license,
            approximate=approximate,
            records=records,
            max_pixels=max_pixels,
            engine=engine,
            workers=workers,
        )
        return _run(steps, progress)
    assert vault is not None
    with _opened(vault) as held:
        steps = restore_steps(
            source, output, vault=held, max_pixels=max_pixels, workers=workers
        )
        return _run(steps, progress)


def restore_steps(
    source: PlaceLike,
    output: PlaceLike,
    *,
    key: RecipientKey | None = None,
    license: PathLike | None = None,
    vault: Vault | None = None,
    approximate: bool = False,
    records: PlaceLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    engine: str = LOCAL,
    workers: int | None = None,
) -> Generator[Progress, None, RestoreSummary]:
    """See :func:`restore`."""
    from fiftyone_reue.workflows.restore import (
        restore_by_licence,
        restore_licensed,
        restore_original,
    )
    from fiftyone_reue.workflows.what_it_is import find_suspects

    _check_restoring(
        key,
        vault,
        approximate=approximate,
        records=records,
        licence=license,
        engine=engine,
    )
    origin, into = place(source), place(output)
    check_apart(origin, into)
    items = find_suspects(origin)
    if vault is not None:
        return restore_original(
            vault, items, into, max_pixels=max_pixels, workers=workers
        )
    assert key is not None
    if license is not None:
        return restore_by_licence(
            items,
            into,
            key,
            local(license),
            source=origin,
            max_pixels=max_pixels,
            engine=engine,
            workers=workers,
        )
    return restore_licensed(
        items,
        origin,
        into,
        key,
        max_pixels=max_pixels,
        approximate=approximate,
        records=None if records is None else place(records),
        engine=engine,
        workers=workers,
    )


def extract(
    suspects: PlaceLike | Iterable[PlaceLike],
    *,
    vault: AnyVault,
    originals: PlaceLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> ExtractSummary:
    """Say whose copy suspect images were made from, and how sure that is.

    Example::

        print(reue.extract("found_on_the_web", vault="vault").verdict())

    Args:
        suspects: a folder, a file, a URL, or several.
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
    suspects: PlaceLike | Iterable[PlaceLike],
    *,
    vault: Vault,
    originals: PlaceLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, ExtractSummary]:
    """See :func:`extract`."""
    from fiftyone_reue.workflows.extract import extract as steps_of

    folder = None if originals is None else place(originals)
    items = _suspects(suspects)
    return steps_of(vault, items, originals_folder=folder, max_pixels=max_pixels)


def report(
    suspects: PlaceLike | Iterable[PlaceLike],
    output: PathLike,
    *,
    vault: AnyVault,
    originals: PlaceLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> ReportSummary:
    """Weigh suspects as :func:`extract` does, and write a case that others can check.

    Example::

        made = reue.report("found_on_the_web", "case", vault="vault")
        print(made.page, reue.verify("case").verdict())

    Args:
        suspects: a folder, a file, a URL, or several.
        output: a new folder: report.html and report.pdf for people, evidence.json for
            :func:`verify`. It tells the codes of who is named and, for these images,
            where marks lie.
        vault: an open vault, or its folder.
        originals: where the originals are, if they moved.
        max_pixels: larger images are refused before they are decoded.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: there is no image, nothing was protected with this vault, or the
            folder holds something.
        OutputError: the case can't be written.
        TamperedLedgerError: the ledger has no row left that the owner wrote, or has
            lost a commitment.
    """
    with _opened(vault) as held:
        steps = report_steps(
            suspects, output, vault=held, originals=originals, max_pixels=max_pixels
        )
        return _run(steps, progress)


def report_steps(
    suspects: PlaceLike | Iterable[PlaceLike],
    output: PathLike,
    *,
    vault: Vault,
    originals: PlaceLike | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, ReportSummary]:
    """See :func:`report`."""
    from fiftyone_reue.workflows.report import report as steps_of

    folder = None if originals is None else place(originals)
    case = local(output, WRITTEN_HERE)
    items = _suspects(suspects, apart_from=case)
    return steps_of(vault, items, case, originals_folder=folder, max_pixels=max_pixels)


def verify(
    case: PlaceLike,
    *,
    manifest: PlaceLike | Iterable[PlaceLike] | None = None,
    authority: PathLike | None = None,
    read_suspects: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Verification:
    """Recompute the verdict of a case from it alone, without the vault.

    Example::

        reue.report("found_on_the_web", "for_court", vault="vault")
        for step in reue.verify("for_court").steps:
            print(step.name, step.state, step.text)

    Args:
        case: the folder that :func:`report` wrote, or its URL.
        manifest: what a recipient holds the commitment in, to compare it with: the
            ``manifest.json`` that they were handed, a package, or their licence; or
            several, one of each who is named; or their URLs.
        authority: a PEM file with the certificates of whom you believe when a
            commitment was there.
        read_suspects: whether to open the suspects' pictures too and read them without
            the originals, on which it then doesn't rest who is named. Pictures of
            people whom you don't trust are best opened where nothing can be lost.
        max_pixels: differences and suspects of more pixels are refused before they are
            unpacked; by default those of more than 24 and 55 million.

    Raises:
        InputError: there is no case, no manifest or no certificate.
        UnsafePathError: a case in a store has a name that no folder could hold.
    """
    from fiftyone_reue.media.codec import read_file
    from fiftyone_reue.proofs.timestamps import LARGEST
    from fiftyone_reue.proofs.verification import verify as verified
    from fiftyone_reue.releases.roots import held_roots
    from fiftyone_reue.stores.fetched import fetched

    pem = None if authority is None else read_file(local(authority), most=LARGEST)
    given = () if manifest is None else _places(manifest)
    roots = [held_roots(one) for one in given]
    where = place(case)
    with fetched(where) as folder:
        found = verified(
            folder,
            roots,
            authority=pem,
            read_suspects=read_suspects,
            max_pixels=max_pixels,
        )
    return found.told_of(str(folder), str(where))


def reveal(
    suspects: PlaceLike | Iterable[PlaceLike],
    output: PathLike | None = None,
    *,
    vault: AnyVault,
    originals: PlaceLike | None = None,
    decoys: int = DECOYS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: ProgressOption = False,
) -> RevealSummary:
    """Show what a method such as ``deep_hiding`` hid in images, as a second proof.

    Example::

        settings = {"vault": "vault", "recipient": "alice", "method": "deep_hiding"}
        reue.protect("photos", "scenes_for_alice", **settings)
        shown = reue.reveal("scenes_for_alice", "pictures", vault="vault", decoys=9)
        print(shown.verdict())

    Args:
        suspects: a folder, a file, a URL, or several.
        output: where a picture of each goes; None writes nothing.
        vault: an open vault, or its folder.
        originals: where the originals are, if they moved.
        decoys: how many other keys are drawn for comparison.
        max_pixels: larger images are refused before they are decoded.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: there is no image, or nothing was protected with this vault by such
            a method.
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
    suspects: PlaceLike | Iterable[PlaceLike],
    output: PathLike | None = None,
    *,
    vault: Vault,
    originals: PlaceLike | None = None,
    decoys: int = DECOYS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Generator[Progress, None, RevealSummary]:
    """See :func:`reveal`."""
    from fiftyone_reue.workflows.reveal import reveal as steps_of

    pictures = None if output is None else local(output, WRITTEN_HERE)
    return steps_of(
        vault,
        _suspects(suspects, apart_from=pictures),
        pictures,
        originals_folder=None if originals is None else place(originals),
        decoys=decoys,
        max_pixels=max_pixels,
    )


def score(
    release: PlaceLike,
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
        release: the release's folder, or its URL.
        vault: an open vault, or its folder.
        config: how to measure.
        progress: whether to draw a bar, or what is called with each step.

    Raises:
        InputError: the release can't be measured; says why.
    """
    with _opened(vault) as held:
        return _run(score_steps(release, vault=held, config=config), progress)


def score_steps(
    release: PlaceLike, *, vault: Vault, config: ScoreConfig | None = None
) -> Generator[Progress, None, ScoreSummary]:
    """See :func:`score`."""
    from fiftyone_reue.releases.lookup import released_items
    from fiftyone_reue.workflows.score import ScoreConfig
    from fiftyone_reue.workflows.score import score as steps_of

    items = released_items(vault, place(release))
    return steps_of(vault, items, config or ScoreConfig())


def audit(
    release: PlaceLike,
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
        release: the release's folder, or its URL.
        output: the folder where the report goes; None for one beside the release, if
            that is a folder.
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
    release: PlaceLike,
    output: PathLike | None = None,
    *,
    vault: Vault,
    config: AuditConfig | None = None,
) -> Generator[Progress, None, AuditSummary]:
    """See :func:`audit`."""
    from fiftyone_reue.releases.lookup import released_items
    from fiftyone_reue.workflows.audit import AuditConfig, audit_release, report_folder

    found = place(release)
    folder = None if output is None else local(output, WRITTEN_HERE)
    if folder is None and isinstance(found, Address):
        report_folder(str(found))  # it says now what to do, and not after reading
    items = released_items(vault, found)
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
    key: object,
    vault: object,
    *,
    approximate: bool,
    records: object,
    licence: object,
    engine: str,
) -> None:
    if (key is None) == (vault is None):
        raise InputError("Give the recipient's key or the owner's vault, one of them")
    check_engine(engine, None)
    if key is None and engine != LOCAL:
        raise InputError(
            "Originals are restored on this machine alone: that takes the ledger and "
            "keys of the whole vault, which no worker gets; leave the engine out"
        )
    if key is None and (approximate or records is not None):
        raise InputError(
            "Only licensed copies are restored approximately: give a recipient's key"
        )
    if licence is not None and (key is None or approximate or records is not None):
        raise InputError(
            "A licence goes with its recipient's key, and restores exactly or not"
        )


def _suspects(
    given: PlaceLike | Iterable[PlaceLike], apart_from: Place | None = None
) -> list[Item]:
    from fiftyone_reue.workflows.what_it_is import find_suspects

    return all_suspects(_places(given), apart_from=apart_from, find=find_suspects)


def _places(given: PlaceLike | Iterable[PlaceLike]) -> Iterator[Place]:
    several = [given] if isinstance(given, str | os.PathLike | Address) else given
    return map(place, several)


def _run(steps: Generator[Progress, None, Done], progress: ProgressOption) -> Done:
    if progress is False:
        return finish(steps)
    if progress is not True:
        return finish(mapped(steps, progress))
    return with_bar(steps)
