"""How long the App waits for the plugin's forms, panels and buttons.

    python benchmarks/app.py --folder FOLDER --count 10000

Makes a dataset of so many pictures of 32 px in 20 classes, with a FiftyOne and a
database of its own below FOLDER, protects a tenth of them for two recipients, and times
the jobs that read or write each sample on these. Then all other samples get the fields
and ledger rows of one that is protected, and the plugin is asked what the App asks when
somebody opens a form or a panel, or clicks. What is timed is the plugin's and the
database's part; the browser's comes on top.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RESULTS = Path(__file__).parent / "results"
PLUGIN = "@reue/fiftyone-reue"
NAME = "app-benchmark"
SIDE = 32
CLASSES = 20
SUSPECTS = 40
REPEATS = 3

FORM_SECONDS, PANEL_SECONDS = 1.0, 2.0
"""What is asked for at 100,000 images."""


def environment(folder: Path) -> None:
    """Have FiftyOne use nothing but the folder; before it is imported."""
    os.environ.update(
        # FiftyOne takes a MongoDB that runs already, whosever folder it has.
        FIFTYONE_DATABASE_NAME=f"app-benchmark-{folder.name}",
        FIFTYONE_DATABASE_DIR=str(folder / "db"),
        FIFTYONE_PLUGINS_DIR=str(folder / "plugins"),
        FIFTYONE_DEFAULT_DATASET_DIR=str(folder / "datasets"),
        FIFTYONE_CONFIG_PATH=str(folder / "config.json"),
        FIFTYONE_APP_CONFIG_PATH=str(folder / "app_config.json"),
        FIFTYONE_DO_NOT_TRACK="true",
        REUE_OWNER_KEY="5e" * 32,
    )


def build(folder: Path, count: int) -> Any:
    """The dataset, made anew unless it is there."""
    import fiftyone as fo
    from fiftyone import ViewField as F

    from fiftyone_reue import samples as reue
    from fiftyone_reue.install.link import link

    link(folder / "plugins")
    if fo.dataset_exists(NAME):
        return fo.load_dataset(NAME)
    for name in ("alice", "bob"):
        reue.add_recipient(name, folder / f"{name}.key")
    reue.confirm_owner_key()
    dataset = fo.Dataset(NAME, persistent=True)
    paths = [_picture(folder / "originals", number) for number in range(count)]
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(path),
                ground_truth=fo.Classification(label=path.parent.name),
            )
            for path in paths
        ],
        progress=False,
    )
    tenth = dataset.match(F("ground_truth.label") < f"class_{CLASSES // 10:02}")
    for name in ("bob", "alice"):
        reue.protect_samples(
            tenth,
            name,
            output_dir=folder / name,
            method="lsp",
            label_field="ground_truth",
            progress=False,
        )
    return dataset


def fill(dataset: Any) -> None:
    """Give all samples the fields and rows of one that is protected for alice.

    Panels and forms count them, and read neither files nor what rows seal.
    """
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    samples = database[dataset._sample_collection_name]
    like = samples.find_one({"protection.release": "alice_1"})
    taken = {str(one["_id"]) for one in samples.find({"protection.state": "protected"})}
    made = {name: like[name] for name in ("protection", "protected_filepath")}
    samples.update_many({"protection.state": None}, {"$set": made})
    records = database["reue_records"]
    shown = str(like["_id"])
    (record,) = records.find(
        {"sample_id": shown, "release_id": _release(database, "alice_1")}, {"_id": 0}
    )
    missing = (str(one["_id"]) for one in samples.find({}, {"_id": 1}))
    rows = [
        {**record, "id": f"filled-{one}", "sample_id": one}
        for one in missing
        if one not in taken
    ]
    if rows:
        records.insert_many(rows, ordered=False)
    dataset.reload()


def _release(database: Any, name: str) -> str:
    return str(database["reue_releases"].find_one({"name": name})["_id"])


def _picture(folder: Path, number: int) -> Path:
    """Waves of a few lengths: smooth, and each another."""
    draw = np.random.default_rng(number)
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    levels = np.zeros((SIDE, SIDE, 3))
    for _ in range(6):
        tilt, phase = draw.uniform(-0.5, 0.5, 2), draw.uniform(0, 6.3, 3)
        wave = np.sin((tilt[0] * across + tilt[1] * down)[..., None] + phase)
        levels += draw.uniform(5, 20) * wave
    path = folder / f"class_{number % CLASSES:02}" / f"{number:06}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.clip(levels + draw.normal(128, 4, levels.shape), 0, 255)
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


class Panel:
    """A panel with the state that the App keeps for it."""

    def __init__(self, name: str, dataset: Any) -> None:
        self.uri = f"{PLUGIN}/{name}"
        self.dataset = dataset
        self.state: dict[str, Any] = {}

    def do(
        self, event: str, samples: Any = None, *, current_sample: str | None = None
    ) -> None:
        """Send an event, and keep what it answers."""
        import fiftyone.operators as foo

        given = {
            "panel_id": "panel",
            "__method__": event,
            "panel_state": self.state,
        }
        which = {"dataset": self.dataset} if samples is None else {"view": samples}
        context = {"params": given, "current_sample": current_sample, **which}
        result = foo.execute_operator(self.uri, context)
        if result.error:
            raise RuntimeError(result.error)
        for request in result.executor.to_json()["requests"]:
            if request["operator_uri"] == "patch_panel_state":
                self.state.update(request["params"]["state"])


def open_form(name: str, dataset: Any, **params: Any) -> None:
    """What the App asks for to draw an operator's form."""
    import fiftyone.operators as foo

    operator = foo.get_operator(f"{PLUGIN}/{name}")
    request = {
        "params": params,
        "dataset_name": dataset.name,
        "spaces": {"child": "as the App sends them"},
    }
    ctx = foo.ExecutionContext(
        request,
        operator_uri=operator.uri,
        required_secrets=operator._plugin_secrets,
    )
    operator.resolve_type(ctx, "inputs").to_json()


class Clock:
    """Times what is asked for, and keeps rows of it."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def note(
        self, kind: str, what: str, ask: Callable[[], Any], times: int = REPEATS
    ) -> None:
        """The median of some tries, in seconds."""
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            ask()
            took.append(time.perf_counter() - begun)
        took.sort()
        self.rows.append({"kind": kind, "what": what, "s": round(took[times // 2], 2)})
        print(self.rows[-1], flush=True)


GIVEN: dict[str, dict[str, Any]] = {
    "protect_dataset": {"recipient": "alice", "method": "lsp"},
    "show_release": {"release": "bob_1"},
    "delete_release": {"release": "bob_1"},
    "package_release": {"release": "alice_1"},
    "score_unlearnability": {"release": "alice_1"},
    "audit_release": {"release": "alice_1"},
}
"""What is filled in when a form is asked for."""


def measured(dataset: Any) -> list[dict[str, Any]]:
    """Rows: what was asked for, and the seconds that it took."""
    import fiftyone as fo
    import fiftyone.operators as foo

    from fiftyone_reue import samples as reue

    clock = Clock()
    done = dataset.match({"protection.release": "alice_1"})
    found = done.limit(SUSPECTS).values("protected_filepath")
    suspects = fo.Dataset.from_images(found, progress=False)
    try:
        copies = len(done)
        if copies < len(dataset):
            reue.extract_samples(suspects, progress=False)
        for what, ask in (
            ("check files", partial(reue.find_stale, dataset)),
            ("mark failed, stale, weak", partial(reue.mark_samples, dataset)),
            ("show the other release", partial(reue.show_release, dataset, "bob_1")),
            ("show the first again", partial(reue.show_release, dataset, "alice_1")),
        ):
            if copies < len(dataset):  # else a run before this one filled it
                clock.note("job", f"{what}, {copies:,} copies", ask, times=1)
        fill(dataset)
        for one in foo.list_operators(type="operator"):
            if one.plugin_name == PLUGIN:
                form = partial(open_form, one.name, dataset, **GIVEN.get(one.name, {}))
                clock.note("form", one.name, form)
        _panels(clock, dataset, suspects)
    finally:
        suspects.delete()
    return clock.rows


def _panels(clock: Clock, dataset: Any, suspects: Any) -> None:
    status = Panel("protection_status", dataset)
    view = dataset.match({"ground_truth.label": "class_03"})
    leak, compare = Panel("leak_check", suspects), Panel("compare_copies", dataset)
    sample = dataset.first().id
    for what, ask in (
        ("Protection status: opened", partial(status.do, "on_load")),
        ("Protection status: looks for news", partial(status.do, "follow")),
        ("Protection status: a view", partial(status.do, "on_change_view", view)),
        ("Protection status: Refresh", partial(status.do, "refresh")),
        ("Leak check: opened", partial(leak.do, "on_load")),
        ("Leak check: looks for news", partial(leak.do, "follow")),
        (
            "Compare copies: a sample",
            partial(compare.do, "on_load", current_sample=sample),
        ),
    ):
        clock.note("panel", what, ask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    environment(folder)
    begun = time.perf_counter()
    dataset = build(folder, given.count)
    print(f"made in {time.perf_counter() - begun:.0f} s", flush=True)
    rows = measured(dataset)
    if given.output:
        known = json.loads(given.output.read_text()) if given.output.exists() else {}
        known[str(len(dataset))] = rows
        given.output.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
