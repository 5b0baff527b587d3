"""What anyone can see of a protected file or a release, without a key."""

from __future__ import annotations

from typing import Any

from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.names.filenames import shown
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.originals import digest_for
from fiftyone_reue.stores.address import Place, is_there
from fiftyone_reue.vault import records
from fiftyone_reue.workflows.what_it_is import what_it_is

_EACH_FILE = ("files", "failures", "digests")
"""Of a manifest, what has an entry for each file."""


def describe(path: Place) -> dict[str, Any]:
    """The public facts on a file or a release's folder, or what else it is.

    Args:
        path: of the file or folder, or its address in a store.

    Raises:
        InputError: there is no such file, the folder holds no release, or the store
            doesn't say.
        UnreadableImageError, UnsupportedImageError, DamagedRecordError: of a file.
    """
    if not is_there(path):
        raise InputError(f"{shown(str(path))}: there is no such file or folder")
    is_folder = path.is_dir()
    if is_folder and manifest.read(path) is not None:
        return _release(path)
    known = what_it_is(path)
    if known is not None:
        return {"folder" if is_folder else "file": shown(str(path)), "what": known}
    if is_folder:
        return _release(path)
    loaded = load(path)
    raster = loaded.raster
    facts: dict[str, Any] = {
        "file": shown(str(path)),
        "format": raster.format,
        "size": f"{raster.width} x {raster.height}",
        "channels": raster.channels,
        "bits": raster.depth,
    }
    if loaded.record is None:
        return {**facts, "state": "no record: not protected, or re-saved"}
    envelope = records.unpack(loaded.record)
    header = envelope.header
    changed = header.digest != digest_for(raster, envelope)
    return {
        **facts,
        "state": header.tier + (", but edited since" if changed else ""),
        "vault": header.vault,
        "release": header.release,
        "recipient_key": header.key,
        "record_bytes": len(loaded.record),
    }


def _release(folder: Place) -> dict[str, Any]:
    content = manifest.read(folder)
    if content is None:
        raise InputError(
            f"{shown(str(folder))}: no release is here (no {manifest.NAME}); give the "
            "folder that protect or publish wrote, or one file"
        )
    facts = {k: v for k, v in content.items() if k not in _EACH_FILE}
    if "failures" in content:  # told by format 1
        failures = content["failures"]
        facts["failed"] = len(failures) if isinstance(failures, list) else 0
    return {"folder": shown(str(folder)), **facts}
