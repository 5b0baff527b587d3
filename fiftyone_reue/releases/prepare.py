"""A release: one recipient's protected copy of one set of images, and its secrets."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fiftyone_reue.batch import pipeline, sampling
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.litter import LITTER
from fiftyone_reue.batch.pipeline import Failure, Outcome
from fiftyone_reue.batch.regions import BACKGROUND
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.square import to_square
from fiftyone_reue.perturb.base import FitData, FitOptions, Method, State
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import Progress, mapped
from fiftyone_reue.releases.clusters import Clusters, check_enough, cluster_items
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import Address, Place
from fiftyone_reue.vault.commitments import all_recipients
from fiftyone_reue.vault.entities import Fit, Recipient, Release
from fiftyone_reue.vault.vault import Vault
from fiftyone_reue.watermark.commitment import leaf, merkle_root

FIT, SEED = "fit", "release-seed"
"""What a vault seals states and clusters, and releases' seeds for."""


def new_id() -> str:
    """16 random hex digits."""
    return os.urandom(8).hex()


def release_in(vault: Vault, output: Place) -> Release | None:
    """The release that was begun in a folder, or None."""
    folder = str(output.resolve())
    found = (one for one in vault.ledger.releases() if one.output == folder)
    return next(found, None)


def open_release(
    vault: Vault,
    recipient: Recipient,
    *,
    name: str,
    source: str,
    output: Place,
    config: ProtectConfig,
    moved: bool = False,
    regions: bool = False,
) -> tuple[Release, bytes]:
    """The release for this recipient in this folder: the one begun, or a new one.

    Args:
        vault: the owner's.
        recipient: who is to get the copy; must not be revoked.
        name: the release's name, if it is new.
        source: where the originals come from, a folder or a dataset.
        output: the folder that the release lives in.
        config: how to protect.
        moved: whether a source of another name is known to hold the same images; the
            release takes the name.
        regions: whether images have classes for their regions.

    Returns:
        The release, stored as running, and its 32-byte seed.

    Raises:
        InputError: the folder holds another release, or other files.
        OutputError: the folder can't be looked into.
        RevokedKeyError: the recipient was revoked.
    """
    vault.require_active(recipient)
    release = release_in(vault, output)
    if release is not None:
        check_same(
            vault,
            release,
            recipient,
            config,
            release.source if moved else source,
            regions=regions,
        )
        now = time.time()
        again = replace(release, state="running", updated=now, source=source)
        vault.ledger.put_release(again)
        return again, load_seed(vault, release)
    require_empty(output)
    release_id = new_id()
    options = config.perturbation().changed_options()
    seed = _new_seed(vault, recipient, config)
    now = time.time()
    release = Release(
        id=release_id,
        name=name,
        recipient_id=recipient.id,
        method=config.method,
        source=source,
        output=str(output.resolve()),
        parameters={
            "epsilon": config.epsilon,
            "mark_amplitude": config.mark_amplitude,
            "perturbation_amplitude": config.perturbation_amplitude,
            "seeded": config.seed is not None,
            "carrier": config.carrier,
            **({} if config.clusters is None else {"clusters": config.clusters}),
            **({"options": options} if options else {}),
            **({} if config.depth is None else {"depth": config.depth}),
            **({} if config.quality is None else {"quality": config.quality}),
            **({"regions": True} if regions else {}),
        },
        state="running",
        fit_id=None,
        commitment=commitment(vault),
        created=now,
        updated=now,
        finished=None,
        counts={},
        scores={},
        sealed_seed=vault.seal(SEED, release_id, seed),
    )
    vault.ledger.put_release(release)
    return release, seed


def commitment(vault: Vault) -> str:
    """The Merkle root over all recipients' codes as they are now, hex: what a release's
    first commitment comes after.

    Raises:
        TamperedLedgerError: the ledger has lost a recipient.
    """
    leaves = [leaf(r.id, vault.code_seed(r)) for r in all_recipients(vault)]
    return merkle_root(leaves).hex()


def require_enough(
    vault: Vault, items: Sequence[Item], source: str, config: ProtectConfig
) -> None:
    """Make sure, before anything is begun, that there are images for the clusters.

    Raises:
        InputError: there are fewer images than clusters, and no clusters yet.
    """
    count = config.clusters
    if count is None or vault.ledger.fit(_clusters_id(vault, source, count)):
        return
    check_enough(count, len(items))


def clustered_items(
    vault: Vault, items: Sequence[Item], release: Release, config: ProtectConfig
) -> Generator[Progress, None, tuple[list[Item], Release]]:
    """Give every item its cluster as its class.

    An image that the release holds keeps the class that its record says. The others
    get the nearest cluster of those that were found when a release of this source,
    with as many clusters, was first made; they are kept sealed among the ledger's
    fits, and named by the release. So one image has one class in all releases and
    runs, and releases share the fit; a refit finds new clusters for a new release.

    Yields:
        Progress with fractions of this step alone.

    Returns:
        The items with labels, and the release naming its clusters (stored).

    Raises:
        InputError: clusters can't be found, see :func:`cluster_items`.
    """
    count = int(release.parameters["clusters"])
    named = release.parameters.get("clusters_id")
    clusters_id = named or _clusters_id(vault, release.source, count)
    if config.refit and named is None:
        clusters_id = new_id()
    fit = vault.ledger.fit(clusters_id)
    known = None
    if fit is not None:
        known = Clusters.from_bytes(vault.unseal(FIT, clusters_id, fit.sealed))
    held = {r.sample_id: r.label for r in vault.ledger.records(release.id)}
    new = [item for item in items if item.sample_id not in held]
    steps = cluster_items(new, count, known=known, max_pixels=config.max_pixels)
    sorted_in, clusters = yield from steps
    if known is None:
        sealed = vault.seal(FIT, clusters_id, clusters.to_bytes())
        vault.ledger.put_fit(Fit(clusters_id, sealed, "clusters", {}, time.time()))
    if named is None:
        parameters = {**release.parameters, "clusters_id": clusters_id}
        release = replace(release, parameters=parameters)
        vault.ledger.put_release(release)
    labels = held | {item.sample_id: item.label for item in sorted_in}
    return [replace(item, label=labels[item.sample_id]) for item in items], release


def fitted_state(
    vault: Vault,
    items: Sequence[Item],
    release: Release,
    config: ProtectConfig,
) -> Generator[Progress, None, tuple[State, Release]]:
    """The perturbation's state: the one that the vault has, or a new fit.

    Yields:
        Progress with fractions of this step alone.

    Returns:
        The state, and the release naming it (stored).

    Raises:
        InputError: the images can't be fitted on.
    """
    method = config.perturbation()
    classes = classes_of(items)
    fit_id = new_id() if config.refit else None
    known = release.fit_id
    if known is None and fit_id is None:
        known = fit_id = _fit_id(vault, release, config, method, classes)
    fit = vault.ledger.fit(known) if known else None
    if fit is not None:
        state = State.from_bytes(vault.unseal(FIT, fit.id, fit.sealed))
        if set(classes) <= set(state.classes):
            return state, _with_fit(vault, release, fit.id)
        missing = sorted(set(classes) - set(state.classes))
        raise InputError(
            f"Class {missing[0]!r} was not there when this release was fitted, and a "
            "release can't take up classes. If a class was renamed, give it its old "
            "name; else protect the enlarged dataset into a new folder"
        )
    if fit_id is None:  # the ledger has lost the release's own
        fit_id = _fit_id(vault, release, config, method, classes)
    state = yield from _fit(vault, method, items, classes, config, fit_id)
    sealed = vault.seal(FIT, fit_id, state.to_bytes())
    summary = {**state.summary, "classes": len(classes)}
    vault.ledger.put_fit(Fit(fit_id, sealed, config.method, summary, time.time()))
    return state, _with_fit(vault, release, fit_id)


def classes_of(items: Sequence[Item]) -> tuple[str, ...]:
    """The classes that a method is fitted for, sorted.

    With regions, what is of none of them counts as one.
    """
    found = {item.label for item in items if item.label is not None}
    for item in items:
        if item.regions is not None:
            found |= {BACKGROUND, *item.regions.names}
    return tuple(sorted(found))


def load_state(vault: Vault, release: Release) -> State:
    """The state that a release was perturbed with.

    Raises:
        InputError: it was never fitted.
    """
    fit = vault.ledger.fit(release.fit_id) if release.fit_id else None
    if fit is None:
        raise InputError(f"Release {release.name} has no fitted tables in this vault")
    return State.from_bytes(vault.unseal(FIT, fit.id, fit.sealed))


def load_seed(vault: Vault, release: Release) -> bytes:
    """A release's 32-byte seed."""
    return vault.unseal(SEED, release.id, release.sealed_seed)


def sample_key(seed: bytes, sample_id: str) -> bytes:
    """What is a sample's own in a release's perturbation, 32 bytes.

    Args:
        seed: the release's.
        sample_id: which.
    """
    return derive(seed, "variety", sample_id)


def _fit(
    vault: Vault,
    method: Method,
    items: Sequence[Item],
    classes: tuple[str, ...],
    config: ProtectConfig,
    fit_id: str,
) -> Generator[Progress, None, State]:
    seed = config.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(7), "big")
    reading = 0.0
    data = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, np.int64), classes)
    if method.info.needs_fit:
        reading = 0.2
        chosen = sampling.stratified(items, method.info.fit_images, seed)
        size = sampling.suitable_size(chosen, method.info.fit_side)
        steps = _read_fit_data(chosen, classes, size, config.max_pixels)
        data = yield from mapped(
            steps, lambda f: Progress(reading * f, "Reading images to fit on")
        )
    key = vault.derive_newest("perturbation", config.method)
    options = FitOptions(config.perturbation_amplitude, seed, key, config.device)
    label = f"Fitting {method.info.title} for {len(classes)} classes"
    return (
        yield from mapped(
            method.fit(data, options),
            lambda f: Progress(reading + (1 - reading) * f, label),
        )
    )


@dataclass(frozen=True)
class _Small:
    label: str
    image: np.ndarray

    @property
    def size(self) -> int:
        return self.image.nbytes


def _read_fit_data(
    chosen: Sequence[Item], classes: tuple[str, ...], size: int, max_pixels: int
) -> Generator[float, None, FitData]:
    kept: list[_Small] = []

    def read(item: Item) -> _Small:
        raster = load(item.path, name=item.sample_id, max_pixels=max_pixels).raster
        square = to_square(shown(raster), raster.colour_channels, size)
        return _Small(item.label or "", square)

    outcome = Outcome()
    for behind in pipeline.run(chosen, read, kept.extend, outcome):
        yield behind / len(chosen)
    present = {small.label for small in kept}
    if not kept:
        raise InputError(_nothing_to_fit(outcome.failures))
    if len(present) < 2:
        raise InputError(
            f"Only one class, {next(iter(present))!r}, has a readable image; at least "
            "two classes are needed for a classifier to be misled"
        )
    index = {name: number for number, name in enumerate(classes)}
    labels = np.array([index[small.label] for small in kept], np.int64)
    return FitData(np.stack([small.image for small in kept]), labels, classes)


def _nothing_to_fit(failures: list[Failure]) -> str:
    reasons = pipeline.first_failures(failures)
    return f"None of the images can be read, so nothing was protected\n{reasons}"


def _said(value: object) -> str:
    """A setting's value in a message; one that wasn't given has none."""
    return "none" if value is None else repr(value)


def check_same(
    vault: Vault,
    release: Release,
    recipient: Recipient,
    config: ProtectConfig,
    source: str,
    *,
    regions: bool = False,
) -> None:
    """Make sure that a release that was begun is the one that is asked for.

    Raises:
        InputError: recipient, source or a setting is another.
    """
    holder = vault.ledger.recipient(release.recipient_id)
    name = holder.name if holder else release.recipient_id
    differences = [
        f"{what} {_said(was)}, not {_said(now)}"
        for what, was, now in (
            ("recipient", name, recipient.name),
            ("method", release.method, config.method),
            ("epsilon", release.parameters["epsilon"], config.epsilon),
            ("source", release.source, source),
            ("clusters", release.parameters.get("clusters"), config.clusters),
            ("carrier", carrier_of_release(release, config), config.carrier),
            ("depth", release.parameters.get("depth"), config.depth),
            ("quality", release.parameters.get("quality"), config.quality),
            ("perturbed", _perturbed(by_region(release)), _perturbed(regions)),
            (
                "options",
                options_of_release(release),
                config.perturbation().changed_options(),
            ),
        )
        if was != now
    ]
    if differences:
        raise InputError(
            f"{release.output}: this folder holds release {release.name} with "
            f"{'; '.join(differences)}. Choose another output folder"
        )


def by_region(release: Release) -> bool:
    """Whether a release's images have classes for their regions."""
    return bool(release.parameters.get("regions"))


def _perturbed(regions: bool) -> str:
    return "by region" if regions else "as whole images"


def carrier_of_release(release: Release, config: ProtectConfig) -> str:
    """How a release carries JPEG files, to be compared with what is asked for.

    Those of version 0.2 and earlier don't say: they are pixels, and are gone on with as
    pixels without being asked.
    """
    return release.parameters.get("carrier", config.carrier)


def options_of_release(release: Release) -> dict[str, Any]:
    """The options of a release's method that aren't as the method comes."""
    # Releases of version 0.2 and earlier had one option alone.
    earlier = {"scenes": True} if release.parameters.get("own_scenes") else {}
    return release.parameters.get("options", earlier)


def require_empty(output: Place) -> None:
    """Make sure that a new release's folder holds nothing, or isn't there yet.

    Raises:
        InputError: it holds files, or is one.
        OutputError: it can't be looked into.
    """
    try:
        occupied = any(
            name.lower() not in LITTER and not objects.is_left_behind(name)
            for name in _names_in(output)
        )
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise InputError(f"{output}: this is a file; choose a new folder") from None
    except OSError as error:
        raise OutputError(
            f"{output}: this folder can't be read ({error.strerror}); choose another"
        ) from error
    if occupied:
        raise InputError(
            f"{output}: the folder isn't empty and this vault knows no release in "
            "it; choose a new folder"
        )


def _names_in(folder: Place) -> list[str]:
    if isinstance(folder, Address):
        return [one.name for one in objects.listing(str(folder))]
    return [path.name for path in folder.iterdir()]


def _new_seed(vault: Vault, recipient: Recipient, config: ProtectConfig) -> bytes:
    if config.seed is None:
        return os.urandom(32)
    return vault.derive_newest("release-seed-of", str(config.seed), recipient.id)


def _with_fit(vault: Vault, release: Release, fit_id: str) -> Release:
    if release.fit_id == fit_id:
        return release
    named = replace(release, fit_id=fit_id)
    vault.ledger.put_release(named)
    return named


def _fit_id(
    vault: Vault,
    release: Release,
    config: ProtectConfig,
    method: Method,
    classes: tuple[str, ...],
) -> str:
    seed = "" if config.seed is None else str(config.seed)
    amplitude = str(config.perturbation_amplitude)
    parts = (config.method, amplitude, seed, release.source, "\0".join(classes))
    return vault.derive_newest("fit-id", *parts, *method.identity(classes))[:8].hex()


def _clusters_id(vault: Vault, source: str, count: int) -> str:
    return vault.derive("clusters-id", source, str(count))[:8].hex()
