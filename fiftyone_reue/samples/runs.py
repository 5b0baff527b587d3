"""One custom run a release or leak check: what was done, without any secret."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fiftyone_reue import __version__
from fiftyone_reue.samples.database_errors import plain_errors, require_dataset

if TYPE_CHECKING:
    import fiftyone as fo
    import fiftyone.core.collections as foc

PROTECT = "reue/protect"
EXTRACT = "reue/extract"


def put(
    samples: foc.SampleCollection, key: str, method: str, values: dict[str, Any]
) -> None:
    """Register a run, or update what it says.

    Args:
        samples: what it is about; a view is stored with a new run.
        key: an identifier.
        method: PROTECT or EXTRACT.
        values: plain values, merged into those that a known run has.
    """
    dataset = samples._root_dataset
    require_dataset(dataset)
    stamped = {**values, "updated": now(), "program": f"fiftyone-reue {__version__}"}
    with plain_errors():
        known = dataset.has_run(key)
        config = dataset.get_run_info(key).config if known else dataset.init_run()
        config.method = method
        for name, value in stamped.items():
            setattr(config, name, value)
        if known:
            dataset.update_run_config(key, config)
        else:
            samples.register_run(key, config)


def put_results(dataset: fo.Dataset, key: str, **values: Any) -> None:
    """Store a run's results; those that it had and that aren't given are kept."""
    with plain_errors():
        results = dataset.init_run_results(
            key, **{**get_results(dataset, key), **values}
        )
        dataset.save_run_results(key, results, overwrite=True)


def get_results(dataset: fo.Dataset, key: str) -> dict[str, Any]:
    """A run's results, or nothing if it has none."""
    with plain_errors():
        if not dataset.has_run(key):
            return {}
        results = dataset.load_run_results(key, cache=False)
    if results is None:
        return {}
    found = results.serialize()
    return {name: value for name, value in found.items() if name != "cls"}


def get_config(dataset: fo.Dataset, key: str) -> dict[str, Any] | None:
    """What a run says, or None if there is no such run."""
    with plain_errors():
        if not dataset.has_run(key):
            return None
        return dataset.get_run_info(key).config.serialize()


def delete(dataset: fo.Dataset, key: str) -> None:
    """Delete a run, if it is there."""
    with plain_errors():
        if dataset.has_run(key):
            dataset.delete_run(key)


def now() -> str:
    """The time in UTC, for people and machines."""
    return stamp(time.time())


def stamp(seconds: float) -> str:
    """Seconds since 1970 as text, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def identifier(text: str) -> str:
    """Text as an identifier, which is what run keys must be."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"r_{name}".rstrip("_")


def free_key(base: str, taken: set[str]) -> str:
    """The first of ``base_1``, ``base_2`` ... that isn't taken."""
    number = 1
    while f"{base}_{number}" in taken:
        number += 1
    return f"{base}_{number}"
