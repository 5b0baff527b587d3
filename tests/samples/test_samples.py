"""The verbs on FiftyOne datasets, against a real database."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import samples as reue
from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.auditing.verdict import LEVELS
from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    OutputError,
    RevokedKeyError,
    TamperedLedgerError,
    UnsafePathError,
    VaultError,
)
from fiftyone_reue.names.filenames import fold
from fiftyone_reue.samples import fields, runs, source, vaults, views
from fiftyone_reue.vault.identities import new_identity
from fiftyone_reue.vault.key_files import read_key_file
from fiftyone_reue.vault.owner_keys import KeyFile
from fiftyone_reue.vault.stretch import Stretch
from fiftyone_reue.vault.vault import Vault
from tests.keyrings import owner_keys_in

pytestmark = pytest.mark.integration

CLASSES = ("astronaut", "coffee")
COUNT = 24
SIDE = 40


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).copy()


def write_tiles(photos: dict, folder: Path, count: int, seed: int = 0) -> list[Path]:
    generator = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        photo = photos[name]
        top = generator.integers(photo.shape[0] - SIDE)
        left = generator.integers(photo.shape[1] - SIDE)
        path = folder / name / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[top : top + SIDE, left : left + SIDE]).save(path)
        paths.append(path)
    return paths


def new_dataset(paths: list[Path]) -> Any:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(path),
                ground_truth=fo.Classification(label=path.parent.name),
                kind=path.parent.name,
            )
            for path in paths
        ],
        progress=False,
    )
    return dataset


@pytest.fixture
def vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: dict
) -> Iterator[Any]:
    """An empty vault in FiftyOne's database, with the recipients alice and bob."""
    import fiftyone.core.odm as foo

    monkeypatch.setenv("REUE_OWNER_KEY", "5a" * 32)
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "fo" / "config.json"))
    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    opened = reue.open_vault()
    for name in ("alice", "bob"):
        reue.add_recipient(name, tmp_path / f"{name}.key", vault=opened)
    yield opened
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)


@pytest.fixture
def dataset(tmp_path: Path, photos: dict) -> Iterator[Any]:
    made = new_dataset(write_tiles(photos, tmp_path / "originals", COUNT))
    yield made
    if not made.deleted:
        made.delete()


@pytest.fixture
def protect(vault: Any, tmp_path: Path) -> Callable[..., reue.ProtectedSamples]:
    """Protects quickly, by default for alice into ``<tmp>/alice``."""

    def run(samples: Any, recipient: str = "alice", **options: Any) -> Any:
        options.setdefault("output_dir", tmp_path / recipient)
        options.setdefault("method", "lsp")
        options.setdefault("label_field", "ground_truth")
        return reue.protect_samples(samples, recipient, progress=False, **options)

    return run


def rows_of(dataset: Any, *paths: str) -> list[tuple]:
    return list(zip(*dataset.values(list(paths)), strict=True))


# -- protecting


def test_protect_fills_the_fields(dataset: Any, vault: Any, protect: Any) -> None:
    result = protect(dataset, epsilon=6)
    assert (result.protected, result.skipped, result.failures) == (COUNT, 0, [])
    assert result.release == "alice_1"
    for sample in dataset:
        protection = sample.protection
        person = vault.recipient("alice")
        assert protection.release == "alice_1"
        assert protection.recipient == "alice"
        assert protection.method == "lsp"
        assert protection.state == "protected"
        assert protection.error is None
        assert protection.releases == ["alice_1"]
        assert protection.recipients == ["alice"]
        assert protection.unlearnability is None
        assert protection.key_ref == (
            f"reue:1:{vault.vault_id}:{result.release_id}:{person.key_id}"
        )
        bytes.fromhex(protection.payload)
        original, copy = pixels(sample.filepath), pixels(sample.protected_filepath)
        change = np.abs(original.astype(int) - copy)
        assert 0 < change.max() <= 6
        mse = np.mean(change.astype(float) ** 2)
        assert protection.psnr == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)


def test_each_file_of_a_mixed_dataset_keeps_its_kind(
    vault: Any, protect: Any, photos: dict, tmp_path: Path
) -> None:
    paths = write_tiles(photos, tmp_path / "mixed", 8)
    for place, path in enumerate(paths):
        if place % 4 < 2:
            with Image.open(path) as image:
                image.save(path.with_suffix(".jpg"), quality=85)
            path.unlink()
            paths[place] = path.with_suffix(".jpg")
    dataset = new_dataset(paths)
    result = protect(dataset)
    assert (result.protected, dict(result.converted)) == (8, {})
    for original, copy in rows_of(dataset, "filepath", "protected_filepath"):
        assert Path(copy).suffix == Path(original).suffix
        change = np.abs(pixels(original).astype(int) - pixels(copy))
        assert 0 < change.max() <= 8
    reue.restore_samples(dataset, output_dir=tmp_path / "back", progress=False)
    for original, back in rows_of(dataset, "filepath", "restored_filepath"):
        assert Path(back).read_bytes() == Path(original).read_bytes()
    other = protect(dataset, "bob", carrier="pixels")
    assert dict(other.converted) == {"JPEG": 4}
    dataset.delete()


def test_fields_are_declared_for_the_app(dataset: Any, protect: Any) -> None:
    protect(dataset)
    schema = dataset.get_field_schema(flat=True)
    ours = [name for name in schema if name.split(".")[0].startswith("protect")]
    assert len(ours) == 13
    for name in ours:
        assert schema[name].description
        assert schema[name].info == {"owner": fields.OWNER}
    assert dataset.app_config.media_fields == ["filepath", "protected_filepath"]
    assert dataset.list_saved_views() == [views.PROTECTED]


def test_the_run_says_what_was_done(dataset: Any, protect: Any, tmp_path: Path) -> None:
    protect(dataset)
    assert dataset.list_runs(method=runs.PROTECT) == ["alice_1"]
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "done"
    assert config["recipient"] == "alice"
    assert config["perturbation"] == "lsp"
    assert config["label_field"] == "ground_truth.label"
    assert config["output_dir"] == str(tmp_path / "alice")
    assert config["counts"]["protected"] == COUNT
    assert config["psnr"] > 30


def test_a_second_run_writes_nothing(dataset: Any, protect: Any) -> None:
    protect(dataset)
    paths = dataset.values("protected_filepath")
    before = [os.stat(path).st_mtime_ns for path in paths]
    again = protect(dataset)
    assert (again.protected, again.skipped) == (0, COUNT)
    assert again.release == "alice_1"
    assert dataset.values("protected_filepath") == paths
    assert [os.stat(path).st_mtime_ns for path in paths] == before


def test_a_view_is_all_that_is_touched(dataset: Any, protect: Any) -> None:
    view = dataset[:10]
    result = protect(view)
    assert result.total == 10
    assert dataset.count("protected_filepath") == 10
    assert dataset.values("protection")[10:] == [None] * (COUNT - 10)
    assert dataset.list_saved_views() == [views.PROTECTED, views.UNPROTECTED]
    assert len(dataset.load_saved_view(views.UNPROTECTED)) == COUNT - 10
    assert protect(dataset).protected == COUNT - 10
    assert dataset.list_saved_views() == [views.PROTECTED]


def test_string_labels_and_the_default_folder(
    dataset: Any, vault: Any, fiftyone_folder: Path
) -> None:
    result = reue.protect_samples(
        dataset, "alice", label_field="kind", method="lsp", progress=False
    )
    folder = f"{dataset.name}-releases"
    assert result.output_dir == str(fiftyone_folder / "datasets" / folder / "alice")
    assert len(dataset.exists("protected_filepath")) == COUNT


def test_the_only_classification_field_is_found(dataset: Any, vault: Any) -> None:
    assert source.label_path(dataset, None) == "ground_truth.label"
    assert source.label_path(dataset, "ground_truth.label") == "ground_truth.label"
    assert source.label_path(dataset, "kind") == "kind"
    assert source.label_fields(dataset) == ["ground_truth", "kind"]


def test_clusters_stand_in_for_labels(
    dataset: Any, vault: Any, protect: Any, quick_training: None
) -> None:
    """Of samples that come later too, and in all releases of the dataset."""
    dataset.delete_sample_field("ground_truth")
    with pytest.raises(InputError, match="choose 2 to 1000"):
        protect(dataset, label_field=None, clusters=1)
    first = protect(dataset[:16], label_field=None, clusters=2)
    before = classes_of(vault, first)
    second = protect(dataset, label_field=None, clusters=2)
    after = classes_of(vault, second)
    assert (second.protected, second.skipped) == (COUNT - 16, 16)
    assert before.items() <= after.items()
    assert set(before.values()) == set(after.values()) == {"cluster-00", "cluster-01"}
    assert classes_of(vault, protect(dataset, "bob", clusters=2)) == after
    scored = reue.score_samples(dataset, second.release, vault=vault, progress=False)
    assert scored.images == COUNT


def classes_of(vault: Any, release: reue.ProtectedSamples) -> dict[str, str]:
    records = vault.ledger.records(release.release_id)
    return {record.sample_id: record.label for record in records}


def test_label_fields_that_can_not_be_used(dataset: Any, vault: Any) -> None:
    import fiftyone as fo

    with pytest.raises(InputError, match=r"no field 'nothing'.*ground_truth, kind"):
        source.label_path(dataset, "nothing")
    with pytest.raises(InputError, match="doesn't hold one class a sample"):
        source.label_path(dataset, "tags")
    dataset.add_sample_field(
        "guess", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    with pytest.raises(InputError, match=r"2 fields.*ground_truth, guess"):
        source.label_path(dataset, None)
    dataset.delete_sample_fields(["guess", "ground_truth"])
    with pytest.raises(InputError, match=r"no Classification field.*kind"):
        source.label_path(dataset, None)
    dataset.delete_sample_field("kind")
    with pytest.raises(InputError, match="add a Classification field"):
        source.label_path(dataset, None)


def test_samples_that_can_not_be_protected(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    ids = dataset.values("id")
    unlabelled, missing, text = (dataset[key] for key in ids[:3])
    unlabelled["ground_truth"] = None
    unlabelled.save()
    path = Path(missing.filepath)
    kept = path.read_bytes()
    path.unlink()
    Path(text.filepath).write_text("not an image")

    result = protect(dataset)

    assert result.protected == COUNT - 3
    failed = dataset.load_saved_view(views.FAILED)
    assert failed.values("id") == ids[:3]
    reasons = failed.values("protection.error")
    assert "no class" in reasons[0]
    assert "isn't an image" in reasons[2] or "not an image" in reasons[2]
    assert all(ids[place] not in reason for place, reason in enumerate(reasons))
    assert failed.values("protected_filepath") == [None] * 3
    assert "3 failed" in result.text()
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["counts"]["failed"] == 3

    path.write_bytes(kept)
    again = protect(dataset)
    assert (again.protected, again.skipped) == (1, COUNT - 3)
    assert dataset.load_saved_view(views.FAILED).values("id") == [ids[0], ids[2]]
    assert dataset[ids[1]].protection.state == "protected"
    assert dataset[ids[1]].protection.error is None


def test_other_media_fail_one_by_one(protect: Any) -> None:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(filepath=f"/nowhere/{n}.mp4", kind=fo.Classification(label="a"))
            for n in range(2)
        ],
        progress=False,
    )
    with pytest.raises(InputError, match=r"None of the 2 samples.*\n.*a video"):
        protect(dataset, label_field=None)
    assert "protection" not in dataset.get_field_schema()
    dataset.delete()


def test_the_active_slice_of_groups(
    protect: Any, photos: dict, tmp_path: Path, vault: Any
) -> None:
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    for left, right in zip(
        write_tiles(photos, tmp_path / "left", 6),
        write_tiles(photos, tmp_path / "right", 6, seed=1),
        strict=True,
    ):
        group = fo.Group()
        label = left.parent.name
        dataset.add_samples(
            [
                fo.Sample(
                    filepath=str(path),
                    group=group.element(name),
                    ground_truth=fo.Classification(label=label),
                )
                for name, path in (("left", left), ("right", right))
            ]
            + [fo.Sample(filepath=f"{right}.pcd", group=group.element("cloud"))],
            progress=False,
        )
    view = dataset.view()
    view.group_slice = "right"
    result = protect(view)
    assert (result.protected, result.total) == (6, 6)
    everything = fields.all_samples(dataset)
    named = rows_of(everything, "group.name", "protected_filepath")
    assert all((name == "right") == bool(path) for name, path in named)
    assert protect(view).skipped == 6
    assert reue.restore_samples(
        view, output_dir=tmp_path / "back", progress=False
    ).restored == len(view)
    reue.delete_release(dataset, "alice_1", progress=False)
    assert everything.count("protected_filepath") == 0
    dataset.delete()


def test_views_that_can_not_be_protected(dataset: Any, protect: Any) -> None:
    import fiftyone as fo

    with pytest.raises(InputError, match="leaves out a field"):
        protect(dataset.exclude_fields("ground_truth"))
    with pytest.raises(InputError, match="no sample to protect"):
        protect(dataset.limit(0))
    box = {"label": "a", "bounding_box": [0, 0, 1, 1]}
    boxes = [fo.Detections(detections=[fo.Detection(**box)]) for _ in range(COUNT)]
    dataset.set_values("boxes", boxes)
    with pytest.raises(InputError, match="shows patches"):
        protect(dataset.to_patches("boxes"))


def test_parameters_that_can_not_be_used(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no recipient 'carol'.*alice, bob"):
        protect(dataset, "carol")
    with pytest.raises(InputError, match="no method 'magic'"):
        protect(dataset, method="magic")
    with pytest.raises(InputError, match="whole path"):
        protect(dataset, output_dir="somewhere")
    with pytest.raises(InputError, match="isn't empty"):
        protect(dataset, output_dir=tmp_path / "originals")
    with pytest.raises(InputError, match="name 'a b' can't be used"):
        protect(dataset, name="a b")
    assert dataset.list_runs() == []
    protect(dataset, name="first")
    assert dataset.list_runs() == ["first"]
    with pytest.raises(InputError, match="'first' already"):
        protect(dataset, name="first", output_dir=tmp_path / "other")
    with pytest.raises(InputError, match="Choose another output folder"):
        protect(dataset, epsilon=12)


def test_a_single_class_is_refused_before_anything_is_begun(
    dataset: Any, protect: Any
) -> None:
    one_class = dataset.match({"kind": CLASSES[0]})
    with pytest.raises(InputError, match="Only one class"):
        protect(one_class, method="rue")
    assert runs.get_config(dataset, "alice_1") is None
    assert protect(dataset).protected == COUNT


def test_settings_can_change_after_a_failed_start(
    dataset: Any, protect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> None:
        raise InputError("no table can be fitted")

    with monkeypatch.context() as broken:
        broken.setattr("fiftyone_reue.workflows.protect.fitted_state", nothing)
        with pytest.raises(InputError, match="no table"):
            protect(dataset, method="rue")
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "failed"
    assert "no table" in config["error"]
    assert protect(dataset).protected == COUNT


def test_a_field_of_the_users_own_is_left_alone(dataset: Any, protect: Any) -> None:
    import fiftyone as fo

    dataset.add_sample_field("protection", fo.StringField)
    with pytest.raises(InputError, match="'protection' of its own"):
        protect(dataset)
    assert dataset.values("protection") == [None] * COUNT


def test_progress_reaches_a_callback(dataset: Any, vault: Any) -> None:
    seen: list[float] = []
    reue.protect_samples(
        dataset,
        "alice",
        label_field="kind",
        method="lsp",
        name="with_progress",
        progress=lambda bar: seen.append(bar.progress),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


# -- interruptions


def steps_of(dataset: Any, tmp_path: Path) -> Any:
    return reue.protect_steps(
        dataset,
        "alice",
        output_dir=tmp_path / "alice",
        label_field="kind",
        method="lsp",
    )


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_reue.batch import pipeline

    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)


@pytest.mark.usefixtures("small_batches")
def test_a_kill_between_ledger_and_fields_loses_nothing(
    dataset: Any, vault: Any, protect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, calls = fields.show_copies, []

    def die(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        show(*arguments)

    monkeypatch.setattr(fields, "show_copies", die)
    with pytest.raises(KeyboardInterrupt):
        protect(dataset)
    monkeypatch.setattr(fields, "show_copies", show)
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "cancelled"
    made = vault.ledger.record_sample_ids(config["release_id"])
    assert len(made) > dataset.count("protected_filepath") > 0

    again = protect(dataset)

    assert (again.protected, again.skipped) == (COUNT - len(made), len(made))
    assert dataset.distinct("protection.state") == ["protected"]
    assert dataset.count("protection.payload") == COUNT
    assert dataset.count("protection.psnr") == COUNT


@pytest.mark.usefixtures("small_batches")
def test_closing_the_generator_cancels(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    steps = steps_of(dataset, tmp_path)
    while dataset.get_field("protection") is None or not dataset.count(
        "protected_filepath"
    ):
        next(steps)
    steps.close()
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "cancelled"
    assert 0 < dataset.count("protected_filepath") < COUNT
    assert protect(dataset, label_field="kind").skipped > 0
    assert dataset.count("protected_filepath") == COUNT


@pytest.mark.usefixtures("small_batches")
def test_samples_deleted_meanwhile(dataset: Any, vault: Any, tmp_path: Path) -> None:
    from fiftyone_reue.progress import finish

    steps = steps_of(dataset, tmp_path)
    for _ in range(5):
        next(steps)
    dataset.delete_samples(dataset.values("id")[-5:])
    result = finish(steps)
    assert result.protected == COUNT
    assert dataset.count("protected_filepath") == len(dataset) == COUNT - 5


@pytest.mark.usefixtures("small_batches")
def test_a_dataset_deleted_by_another_process(
    dataset: Any, vault: Any, tmp_path: Path
) -> None:
    import fiftyone.core.odm as foo

    from fiftyone_reue.progress import finish

    steps = steps_of(dataset, tmp_path)
    while not (dataset.get_field("protection") and dataset.count("protected_filepath")):
        next(steps)
    database = foo.get_db_conn()
    database["datasets"].delete_one({"_id": dataset._doc.id})
    with pytest.raises(InputError, match="The dataset was deleted"):
        finish(steps)
    (release,) = vault.ledger.releases()
    assert release.state == "failed"
    written = sorted(p for p in (tmp_path / "alice").rglob("*.png"))
    listed = sorted(
        tmp_path / "alice" / record.output
        for record in vault.ledger.records(release.id)
    )
    assert written == listed
    assert not list((tmp_path / "alice").rglob("*.reue-tmp"))
    with pytest.raises(InputError, match="The dataset was deleted"):
        finish(steps_of(dataset, tmp_path))


STOPPED_SCRIPT = """
import sys
import fiftyone as fo
from fiftyone_reue import samples
from fiftyone_reue.batch import pipeline
from fiftyone_reue.errors import ReueError

output, key, *paths = sys.argv[1:]
dataset = fo.Dataset("stopped")
dataset.add_samples(
    [fo.Sample(filepath=path, kind=path.split("/")[-2]) for path in paths],
    progress=False,
)
samples.add_recipient("alice", key)
pipeline.CHUNK_ITEMS, pipeline.COMMIT_ITEMS = 1, 2
options = dict(output_dir=output, label_field="kind", method="lsp")
try:
    for step in samples.protect_steps(dataset, "alice", **options):
        if step.label.startswith("Protecting"):
            print("halfway", flush=True)
            sys.stdin.readline()
except ReueError as error:
    print("error", type(error).__name__, error, flush=True)
while sys.stdin.readline() != "again\\n":
    pass
result = samples.protect_samples(dataset, "alice", progress=False, **options)
print("done", result.skipped, dataset.count("protected_filepath"), flush=True)
"""


class Mongod:
    """A server of our own, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        import fiftyone.core.service as fos

        try:
            self._binary = fos.DatabaseService.find_mongod()
        except Exception:
            pytest.skip("no mongod here that can be stopped")
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            self.port = server.getsockname()[1]
        self._folder = folder
        folder.mkdir()

    def start(self) -> None:
        command = [
            self._binary,
            "--dbpath",
            str(self._folder),
            "--port",
            str(self.port),
        ]
        options = ["--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"]
        self._process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail("mongod doesn't start")

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)


def test_mongodb_stopped_halfway(tmp_path: Path, photos: dict) -> None:
    server = Mongod(tmp_path / "db")
    server.start()
    output = tmp_path / "alice"
    paths = [str(path) for path in write_tiles(photos, tmp_path / "originals", COUNT)]
    options = "serverSelectionTimeoutMS=500&connectTimeoutMS=500"
    job = subprocess.Popen(
        [sys.executable, "-c", STOPPED_SCRIPT, output, tmp_path / "alice.key", *paths],
        env={
            **os.environ,
            "FIFTYONE_DATABASE_URI": f"mongodb://127.0.0.1:{server.port}/?{options}",
            "FIFTYONE_DATABASE_NAME": "stopped",
            "REUE_OWNER_KEY": "5a" * 32,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert job.stdin is not None
    assert job.stdout is not None

    def wait_for(word: str) -> str:
        seen = []
        for line in job.stdout:
            if line.startswith(word):
                return line
            seen.append(line)
        raise AssertionError("".join(seen))

    try:
        wait_for("halfway")
        server.kill()
        job.stdin.write("\n" * COUNT)
        job.stdin.flush()
        message = wait_for("error")
        assert "LedgerUnavailableError" in message
        assert "MongoDB" in message
        assert not list(output.rglob("*.reue-tmp"))
        server.start()
        text, _ = job.communicate("again\n", timeout=60)
        done = text.split()
        assert done[-3] == "done", text
        assert 0 <= int(done[-2]) < COUNT
        assert int(done[-1]) == COUNT
        assert len(list(output.rglob("*.png"))) == COUNT
    finally:
        job.kill()
        server.kill()


def test_a_database_that_is_gone_is_an_error_of_ours(
    dataset: Any, vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    def gone(*_: Any, **__: Any) -> None:
        raise AutoReconnect("gone")

    monkeypatch.setattr(type(dataset), "values", gone)
    with pytest.raises(LedgerUnavailableError, match="run it again"):
        source.sample_ids(dataset)


# -- restoring


def test_both_tiers_are_exact(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    back = reue.restore_samples(dataset, output_dir=tmp_path / "back", progress=False)
    assert (back.tier, back.restored, back.failures) == ("original", COUNT, [])
    for original, restored in rows_of(dataset, "filepath", "restored_filepath"):
        assert restored.startswith(str(tmp_path / "back"))
        np.testing.assert_array_equal(pixels(original), pixels(restored))
    licensed = reue.restore_samples(
        dataset, output_dir=tmp_path / "licensed", recipient="alice", progress=False
    )
    assert (licensed.tier, licensed.restored) == ("licensed", COUNT)
    (release,) = vault.ledger.releases()
    digests = {r.sample_id: r.digest_w for r in vault.ledger.records(release.id)}
    from fiftyone_reue.media.codec import load
    from fiftyone_reue.media.digest import sample_digest

    for key, restored in rows_of(dataset, "id", "restored_filepath"):
        assert sample_digest(load(restored).raster.samples) == digests[key]
    assert "restored_filepath" in dataset.app_config.media_fields
    again = reue.restore_samples(
        dataset, output_dir=tmp_path / "licensed", recipient="alice", progress=False
    )
    assert (again.restored, again.skipped) == (0, COUNT)


def test_what_can_not_be_restored(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    output = tmp_path / "back"

    def restore(**options: Any) -> Any:
        options.setdefault("output_dir", output)
        return reue.restore_samples(dataset, progress=False, **options)

    with pytest.raises(InputError, match=f"None of the {COUNT} samples"):
        restore()
    with pytest.raises(InputError, match="no release of this dataset for bob"):
        restore(recipient="bob")
    protect(dataset[:6])
    with pytest.raises(InputError, match="is for alice"):
        restore(recipient="bob", release="alice_1")
    with pytest.raises(InputError, match="no release 'x'; there are: alice_1"):
        restore(release="x")
    with pytest.raises(InputError, match="overwritten"):
        restore(output_dir=tmp_path / "alice")
    with pytest.raises(InputError, match="whole path"):
        restore(output_dir="back")
    Path(dataset.first().protected_filepath).unlink()
    result = restore()
    assert result.restored == 5
    assert len(result.failures) == COUNT - 5
    assert dataset.count("restored_filepath") == 5
    reue.revoke_recipient("alice", vault=vault)
    with pytest.raises(RevokedKeyError, match="was revoked"):
        restore(recipient="alice")
    with pytest.raises(RevokedKeyError, match="was revoked"):
        protect(dataset)
    owners = restore(release="alice_1", output_dir=tmp_path / "owner")
    assert (owners.tier, owners.restored) == ("original", 5)


# -- revealing


def test_pictures_of_what_is_revealed(
    dataset: Any, protect: Any, tmp_path: Path
) -> None:
    output = tmp_path / "shown"

    def reveal(samples: Any, **options: Any) -> Any:
        options.setdefault("output_dir", output)
        return reue.reveal_samples(samples, decoys=2, progress=False, **options)

    protect(dataset[:3], method="deep_hiding")
    gone, first, second = dataset.values("id")[:3]
    none = reveal(dataset[:3], output_dir=None)
    assert none.output_dir is None
    assert "revealed_filepath" not in dataset.get_field_schema()

    Path(dataset.first().protected_filepath).unlink()
    result = reveal(dataset[:3])
    assert (result.output_dir, len(result.failures)) == (str(output), 1)
    assert f"2 pictures ({output})\n1 failed" in result.text()
    origin = source.source_of(dataset)
    paths = {
        key: str(output / f"{number:03d}-{source.tag(origin, key)}.revealed.png")
        for number, key in ((1, first), (2, second))
    }
    shown = dict(rows_of(dataset[:3], "id", "revealed_filepath"))
    assert shown == {gone: None, **paths}
    assert sorted(map(str, output.iterdir())) == sorted(paths.values())
    assert pixels(paths[first]).shape[1] > 4 * SIDE
    field = dataset.get_field("revealed_filepath")
    assert "the scene that was hidden" in field.description
    assert "revealed_filepath" in dataset.app_config.media_fields
    assert source.label_fields(dataset) == ["ground_truth", "kind"]

    (best,) = result.best(1)
    assert best.agreement == dataset.bounds("reveal_agreement")[1]

    reveal(dataset[:3], output_dir=tmp_path / "again")
    assert dataset[first].revealed_filepath.startswith(str(tmp_path / "again"))
    assert Path(paths[first]).is_file()


def test_pictures_that_are_not_made(dataset: Any, protect: Any, tmp_path: Path) -> None:
    """They would show what is hidden to whom the release is handed out."""
    import fiftyone as fo

    protect(dataset[:2], method="deep_hiding")
    for folder in (tmp_path / "alice", tmp_path / "alice" / "shown"):
        with pytest.raises(InputError, match="folder of release alice_1"):
            reue.reveal_samples(dataset, output_dir=folder, progress=False)
    with pytest.raises(InputError, match="whole path"):
        reue.reveal_samples(dataset, output_dir="shown", progress=False)
    dataset.add_sample_field("revealed_filepath", fo.StringField)
    with pytest.raises(InputError, match="'revealed_filepath' of its own"):
        reue.reveal_samples(dataset, output_dir=tmp_path / "shown", progress=False)
    assert not (tmp_path / "shown").exists()
    assert "reveal_agreement" not in dataset.get_field_schema()


# -- several releases


def test_two_recipients_show_and_delete(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    alices = dataset.values("protected_filepath")
    protect(dataset[: COUNT // 2], "bob")
    first, last = dataset.first(), dataset.last()
    assert first.protection.releases == ["alice_1", "bob_1"]
    assert first.protection.recipients == ["alice", "bob"]
    assert (first.protection.release, last.protection.release) == ("bob_1", "alice_1")
    assert first.protection.payload != ""

    assert reue.show_release(dataset, "alice_1", vault=vault, progress=False) == COUNT
    assert dataset.values("protected_filepath") == alices
    assert set(dataset.values("protection.release")) == {"alice_1"}

    count = reue.show_release(dataset, "bob_1", vault=vault, progress=False)
    assert count == COUNT // 2
    assert dataset.count("protected_filepath") == COUNT // 2
    last = dataset.last()
    assert last.protection.release is None
    assert last.protection.state is None
    assert last.protection.releases == ["alice_1"]
    assert len(dataset.load_saved_view(views.UNPROTECTED)) == COUNT // 2

    deleted = reue.delete_release(
        dataset, "bob_1", files=True, vault=vault, progress=False
    )
    assert deleted == COUNT // 2
    assert not (tmp_path / "bob").exists()
    assert dataset.list_runs() == ["alice_1"]
    assert dataset.values("protected_filepath") == alices
    assert set(map(tuple, dataset.values("protection.recipients"))) == {("alice",)}

    assert reue.delete_release(dataset, "alice_1", vault=vault, progress=False) == 0
    assert len(list((tmp_path / "alice").rglob("*.png"))) == COUNT
    assert dataset.values("protection") == [None] * COUNT
    assert dataset.list_saved_views() == [views.UNPROTECTED]
    assert vault.ledger.releases() == []
    with pytest.raises(InputError, match="no release 'alice_1'; there are: none yet"):
        reue.delete_release(dataset, "alice_1", vault=vault, progress=False)


def test_copies_that_the_ledger_places_elsewhere_are_not_used(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    result = protect(dataset)
    record = next(iter(vault.ledger.records(result.release_id)))
    vault.ledger.put_records([replace(record, output="../alice.key")])
    restored = reue.restore_samples(
        dataset, output_dir=tmp_path / "back", release=result.release, progress=False
    )
    assert restored.restored == COUNT - 1
    (failure,) = restored.failures
    assert failure.sample_id == record.sample_id
    assert "isn't the name of a file below" in failure.reason
    with pytest.raises(UnsafePathError, match=record.sample_id):
        reue.show_release(dataset, result.release, progress=False)
    with pytest.raises(UnsafePathError, match=record.sample_id):
        reue.delete_release(dataset, result.release, files=True, progress=False)
    assert (tmp_path / "alice.key").exists()


def test_deleting_a_release_that_is_not_shown(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    protect(dataset, "bob")
    bobs = dataset.values("protected_filepath")
    reue.delete_release(dataset, "alice_1", vault=vault, progress=False)
    assert dataset.values("protected_filepath") == bobs
    assert set(map(tuple, dataset.values("protection.releases"))) == {("bob_1",)}


def test_an_interrupted_deletion_can_be_repeated(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    steps = reue.delete_release_steps(dataset, "alice_1", vault=vault)
    next(steps)
    next(steps)
    steps.close()
    assert vault.ledger.releases() == []
    assert dataset.count("protected_filepath") == COUNT
    reue.delete_release(dataset, "alice_1", vault=vault, progress=False)
    assert dataset.list_runs() == []
    assert dataset.count("protected_filepath") == 0


def test_a_copied_dataset_can_not_delete_the_release(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    copy = dataset.clone()
    with pytest.raises(InputError, match="was copied from"):
        reue.delete_release(copy, "alice_1", vault=vault, progress=False)
    assert len(vault.ledger.releases()) == 1
    copy.delete()


def test_failures_come_back_with_their_release(
    dataset: Any, vault: Any, protect: Any
) -> None:
    sample = dataset.first()
    kept = Path(sample.filepath).read_bytes()
    Path(sample.filepath).write_bytes(kept[:-40])
    protect(dataset)
    Path(sample.filepath).write_bytes(kept)
    protect(dataset, "bob")
    assert sample.protection.state == "protected"
    reue.show_release(dataset, "alice_1", vault=vault, progress=False)
    assert (sample.protection.state, sample.protection.release) == ("failed", "alice_1")
    assert sample.protection.releases == ["bob_1"]
    assert sample.protected_filepath is None


# -- leaks


def leak(dataset: Any, folder: Path, paths: list[str], quality: int = 85) -> Any:
    folder.mkdir()
    files = []
    for number, path in enumerate(paths):
        file = folder / f"{number}.jpg"
        Image.fromarray(pixels(path)).save(file, quality=quality)
        files.append(file)
    import fiftyone as fo

    suspects = fo.Dataset()
    suspects.add_samples([fo.Sample(filepath=str(f)) for f in files], progress=False)
    return suspects


def test_a_leak_names_its_recipient(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    protect(dataset, "bob")
    paths = dataset.values("protected_filepath")[:10]
    suspects = leak(dataset, tmp_path / "leak", paths)
    text = tmp_path / "leak" / "text.jpg"
    text.write_text("no image")
    import fiftyone as fo

    suspects.add_sample(fo.Sample(filepath=str(text)))

    check = reue.extract_samples(suspects, progress=False)

    assert check.recipient == "bob"
    assert check.p_value < 1e-6
    assert check.run == "leak_check_1"
    originals = suspects.values("leak.original")
    assert originals == [*dataset.values("id")[:10], None]
    assert (
        suspects.values("leak.original_filepath")[:10]
        == (dataset.values("filepath")[:10])
    )
    assert suspects.distinct("leak.recipient") == ["bob"]
    assert suspects.values("leak.used") == [True] * 10 + [False]
    assert suspects.values("leak.state")[:10] == ["protected"] * 10
    assert "image" in suspects.values("leak.reason")[-1]
    for path in suspects.get_field_schema(flat=True):
        if path.startswith("leak"):
            assert suspects.get_field(path).description
    config = runs.get_config(suspects, "leak_check_1")
    assert config is not None
    assert (config["decision"], config["recipient"]) == ("match", "bob")
    assert [row["recipient"] for row in config["recipients"]] == ["bob", "alice"]
    assert config["recipients"][1]["p_value"] > 1e-6
    assert config["images_failed"] == 1
    kept = runs.get_results(suspects, "leak_check_1")["per_image"]
    assert len(kept) == 11
    assert kept[0]["original_sample"] == dataset.first().id
    assert reue.extract_samples(suspects, progress=False).run == "leak_check_2"
    suspects.delete()


def test_restored_copies_are_traced_and_originals_are_not(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    reue.restore_samples(
        dataset, output_dir=tmp_path / "licensed", recipient="alice", progress=False
    )
    paths = dataset.values("restored_filepath")[:10]
    suspects = leak(dataset, tmp_path / "leak", paths)
    check = reue.extract_samples(suspects, progress=False)
    assert check.recipient == "alice"
    assert suspects.distinct("leak.state") == ["licensed"]
    suspects.delete()
    innocent = reue.extract_samples(dataset, progress=False)
    assert innocent.recipient is None
    assert dataset.distinct("leak.recipient") == []


def test_a_folder_of_suspects(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="Nothing was protected"):
        reue.extract_folder(tmp_path / "originals", progress=False)
    protect(dataset)
    folder = tmp_path / "alice"
    check = reue.extract_folder(folder, dataset=dataset, progress=False)
    assert (check.recipient, check.run) == ("alice", "leak_check_1")
    assert dataset.get_field("leak") is None
    assert reue.extract_folder(folder, progress=False).run is None
    with pytest.raises(InputError, match="no such file or folder"):
        reue.extract_folder(tmp_path / "nothing", progress=False)


# -- scoring


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_reue.networks.recipe import Recipe
    from fiftyone_reue.workflows import score

    quick = Recipe(epochs=2, least_steps=25, batch=16)
    monkeypatch.setattr(score, "Recipe", lambda: quick)


@pytest.mark.usefixtures("quick_training")
def test_scores_are_written_and_kept(dataset: Any, vault: Any, protect: Any) -> None:
    protect(dataset)
    protect(dataset, "bob")
    result = reue.score_samples(dataset, "alice_1", device="cpu", progress=False)
    assert result.images == COUNT
    assert 0 <= result.accuracy_protected <= 1
    assert dataset.count("protection.unlearnability") == 0
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["unlearnability"] == result.unlearnability
    assert config["scores"]["images"] == COUNT
    reue.show_release(dataset, "alice_1", vault=vault, progress=False)
    shown = dataset.values("protection.unlearnability")
    assert all(0 <= value <= 1 for value in shown)
    shown_again = reue.score_samples(dataset, device="cpu", progress=False)
    assert shown_again.release == "alice_1"
    assert dataset.values("protection.unlearnability") == pytest.approx(shown, abs=0.2)


def test_which_release_to_score(dataset: Any, vault: Any, protect: Any) -> None:
    with pytest.raises(InputError, match="none yet; protect"):
        reue.score_samples(dataset, progress=False)
    protect(dataset)
    protect(dataset[:4], "bob")
    with pytest.raises(InputError, match=r"several releases \(alice_1, bob_1\)"):
        reue.score_samples(dataset, progress=False)
    with pytest.raises(InputError, match="too few"):
        reue.score_samples(dataset[:4], progress=False)
    with pytest.raises(InputError, match="None of the 4 samples"):
        reue.score_samples(dataset[4:8], "bob_1", progress=False)


# -- auditing


@pytest.fixture
def tiny_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick audit that takes a second, and can't mean anything."""
    quick = replace(
        BUDGETS["quick"],
        train=16,
        epochs=1,
        least_steps=2,
        countermeasures=("none", "grayscale"),
    )
    monkeypatch.setitem(BUDGETS, "quick", quick)


@pytest.mark.usefixtures("tiny_audit")
def test_an_audit_is_kept_in_the_run(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    protect(dataset)
    protect(dataset, "bob")
    fractions: list[float] = []
    result = reue.audit_samples(
        dataset,
        "alice_1",
        device="cpu",
        output_dir=str(tmp_path / "report"),
        progress=lambda pb: fractions.append(pb.progress),
    )
    assert result.release == "alice_1"
    assert Path(result.report) == tmp_path / "report" / "audit.html"
    assert result.text().endswith(result.report)
    names = [finding["countermeasure"] for finding in result.findings]
    assert names == ["none", "grayscale"]
    for finding in result.findings:
        assert finding["level"] in LEVELS
        assert 0 <= finding["accuracy"] <= 1
        assert 0 <= finding["originals"] <= 1
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    kept = config["audit"]
    assert kept["findings"] == result.findings
    assert kept["headline"] == result.headline
    assert kept["measured"] >= config["finished"]
    # What the run said before is still there, and the other release is untouched.
    assert config["recipient"] == "alice"
    other = runs.get_config(dataset, "bob_1")
    assert other is not None
    assert "audit" not in other
    # The samples show bob's release, and its report goes beside its folder.
    shown = reue.audit_samples(
        dataset, countermeasures=["none"], device="cpu", progress=False
    )
    assert shown.release == "bob_1"
    folder = Path(runs.get_config(dataset, "bob_1")["output_dir"])
    assert Path(shown.report).parent == folder.with_name(f"{folder.name}.audit")


def test_an_audit_needs_a_place_outside_the_release(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    folder = runs.get_config(dataset, "alice_1")["output_dir"]
    with pytest.raises(InputError, match="inside the folder that the recipient gets"):
        reue.audit_samples(
            dataset, device="cpu", output_dir=f"{folder}/report", progress=False
        )


# -- staleness, recipients and vault


def test_stale_copies(dataset: Any, vault: Any, protect: Any) -> None:
    assert reue.find_stale(dataset).ids == []
    protect(dataset)
    assert reue.find_stale(dataset).ids == []
    first, second, third, fourth, fifth, sixth = list(dataset[:6])
    turned(first.filepath)
    Path(second.protected_filepath).unlink()
    Path(third.filepath).unlink()
    later = time.time() + 1000
    os.utime(fourth.filepath, (later, later))
    relabel(fifth)
    Path(sixth.protected_filepath).write_bytes(b"cut short")
    stale = reue.find_stale(dataset)
    assert stale.changed == [first.id, fifth.id]
    assert stale.missing == [second.id, sixth.id]
    assert reue.find_stale(dataset[5:]).ids == [sixth.id]
    protect(dataset)
    assert reue.find_stale(dataset).ids == []


def test_different_labels_never_share_a_folder(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    import fiftyone as fo

    labels = [
        "猫",
        "犬",
        "a b",
        "a/b",
        "Cat",
        "cat",
        "CON",
        "..",
        "caf\u00e9",
        "cafe\u0301",
    ]
    labels += ["x" * 300, "x" * 301]
    for sample, label in zip(dataset, 2 * labels, strict=True):
        sample["ground_truth"] = fo.Classification(label=label)
        sample.save()
    result = protect(dataset)
    assert result.failures == []
    folders: dict[str, set[str]] = {}
    for sample in dataset:
        folder = Path(sample.protected_filepath).parent
        assert folder.parent == tmp_path / "alice"
        folders.setdefault(sample.ground_truth.label, set()).add(folder.name)
    assert all(len(names) == 1 for names in folders.values())
    assert len({fold(name) for (name,) in folders.values()}) == len(labels)
    read = fo.Dataset.from_dir(
        str(tmp_path / "alice"),
        dataset_type=fo.types.ImageClassificationDirectoryTree,
        progress=False,
    )
    assert len(read.distinct("ground_truth.label")) == len(labels)
    read.delete()
    assert protect(dataset).skipped == COUNT


def test_odd_classes_are_said(dataset: Any, vault: Any, protect: Any) -> None:
    import fiftyone as fo

    sample = dataset.first()
    sample["ground_truth"] = fo.Classification(label="alone")
    sample.save()
    told: list[str] = []
    steps = reue.protect_steps(
        dataset, "alice", method="lsp", label_field="ground_truth", vault=vault
    )
    while True:
        try:
            told.append(next(steps).label)
        except StopIteration as stop:
            result = stop.value
            break
    assert any(label.startswith("3 classes, 24 images: alone 1") for label in told)
    assert "1 class has one image: alone." in result.text()


def turned(path: str) -> None:
    """Replace an image by another of the same name, of an older date."""
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.ROTATE_90)
    other.save(path)
    os.utime(path, (1, 1))


def relabel(sample: Any) -> None:
    """Give a sample the other class."""
    (other,) = set(CLASSES) - {sample.ground_truth.label}
    sample.ground_truth.label = other
    sample.save()


def test_what_changed_in_a_dataset_is_brought_up_to_date(
    dataset: Any, vault: Any, protect: Any
) -> None:
    protect(dataset)
    replaced, corrected, deleted = list(dataset[:3])
    turned(replaced.filepath)
    old = corrected.protected_filepath
    relabel(corrected)
    gone = deleted.protected_filepath
    dataset.delete_samples([deleted.id])
    result = protect(dataset)
    assert (result.protected, result.changed, result.skipped) == (2, 2, COUNT - 3)
    assert (result.obsolete, result.pruned) == ([deleted.id], 0)
    assert "2 anew" in result.text()
    assert "1 copies have no sample any more" in result.text()
    new = dataset[corrected.id].protected_filepath
    assert Path(new).parent.name == corrected.ground_truth.label
    assert Path(new).name == Path(old).name
    assert not Path(old).exists()
    assert Path(gone).exists()
    result = protect(dataset[:5], prune=True)
    assert (result.protected, result.obsolete, result.pruned) == (0, [], 1)
    assert not Path(gone).exists()
    assert all(Path(path).is_file() for path in dataset.values("protected_filepath"))
    assert vault.ledger.count_records(result.release_id) == COUNT - 1


def test_recipients(vault: Any, tmp_path: Path) -> None:
    names = [person.name for person in reue.list_recipients()]
    assert names == ["alice", "bob"]
    key = tmp_path / "alice.key"
    assert os.stat(key).st_mode & 0o777 == 0o600
    before = key.read_bytes()
    for place, error, match in (
        (key, OutputError, "is there already"),
        (tmp_path, InputError, "is a folder"),
        (tmp_path / "none" / "c.key", OutputError, "no such folder"),
    ):
        with pytest.raises(error, match=match):
            reue.add_recipient("carol", place)
    assert key.read_bytes() == before
    assert len(reue.list_recipients()) == 2
    with pytest.raises(InputError, match="named 'bob' already"):
        reue.add_recipient("bob", tmp_path / "b2.key")
    assert not (tmp_path / "b2.key").exists()
    revoked = reue.revoke_recipient("bob")
    assert revoked.revoked_at is not None
    assert reue.list_recipients()[1].revoked_at == revoked.revoked_at


def test_a_recipients_own_key_seals_the_key_file(vault: Any, tmp_path: Path) -> None:
    public = new_identity(tmp_path / "me.txt")
    path = tmp_path / "carol.key.age"
    with pytest.raises(InputError, match="isn't a public key"):
        reue.add_recipient("carol", path, public_key=public[:-1])
    with pytest.raises(InputError, match="public key or with a passphrase"):
        reue.add_recipient("carol", path, public_key=public, passphrase="two words")
    assert len(reue.list_recipients()) == 2
    added = reue.add_recipient("carol", path, public_key=public)
    key = read_key_file(path, identity=tmp_path / "me.txt")
    assert (key.name, key.key_id) == ("carol", added.key_id)


def test_a_relative_key_file_is_one_of_the_current_folder(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    monkeypatch.chdir(tmp_path / "keys")
    reue.add_recipient("carol", "carol.key")
    assert (tmp_path / "keys/carol.key").is_file()


@pytest.fixture
def no_key(vault: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No vault yet, and nothing that says where its key is to be."""
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))


@pytest.mark.usefixtures("no_key")
def test_the_first_use_writes_no_key_file_unasked(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="Set REUE_OWNER_PASSPHRASE to a passphrase"):
        reue.add_recipient("carol", tmp_path / "carol.key")
    with pytest.raises(VaultError, match="`reue app confirm manage_recipients`"):
        vaults.key_notice()
    assert vaults.open_ledger().get_meta() is None
    assert not (tmp_path / "carol.key").exists()
    assert not list(tmp_path.rglob("owner.key"))
    assert not (tmp_path / "reue").exists()


@pytest.mark.usefixtures("no_key")
def test_the_first_use_takes_the_keyring(
    memory_keyring: dict[tuple[str, str], str], tmp_path: Path
) -> None:
    with pytest.raises(VaultError, match="`reue app confirm manage_recipients`"):
        vaults.key_notice()  # nothing of a key that this wouldn't make
    said: list[str] = []
    made = reue.open_vault(on_new_key=said.append)
    assert owner_keys_in(memory_keyring) == [made.vault_id]
    assert f"keyring's entry fiftyone-reue/{made.vault_id}" in said[0]
    assert reue.open_vault(on_new_key=said.append).derive("x") == made.derive("x")
    assert len(said) == 1
    assert vaults.key_notice() is None
    # Nothing that is secret is in a file.
    kept = {path.name for path in (tmp_path / "reue").iterdir()}
    memo = f"{made.vault_id}.counter"
    assert kept == {memo, f"{memo}.lock"}


@pytest.mark.usefixtures("no_key")
def test_a_passphrase_may_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "2")
    new = Stretch.new
    monkeypatch.setattr(Stretch, "new", lambda n=0: new(n=2))
    made = reue.open_vault(ask_new=lambda prompt: "two words")
    monkeypatch.setenv("REUE_OWNER_PASSPHRASE", "two words")
    assert reue.open_vault().derive("x") == made.derive("x")
    assert vaults.key_notice() is None


@pytest.mark.usefixtures("no_key")
def test_a_key_in_a_file_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = tmp_path / "named.key"
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(named))
    reue.open_vault()
    assert "FiftyOne's server sends every file" in str(vaults.key_notice())
    assert str(tmp_path) not in str(vaults.key_notice())
    assert named.is_file()


@pytest.mark.usefixtures("no_key")
def test_a_plain_key_file_is_made_if_wanted_and_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    made = reue.open_vault(on_new_key=said.append, plain_key_file=True)
    key = tmp_path / "reue" / "owner.key"
    assert os.stat(key).st_mode & 0o777 == 0o600
    assert len(said) == 1
    assert str(key) in said[0]
    assert "FiftyOne's server sends every file" in said[0]
    assert "FiftyOne's server sends every file" in str(vaults.key_notice())
    assert reue.open_vault(on_new_key=said.append).vault_id == made.vault_id
    assert len(said) == 1
    shutil.move(key, tmp_path / "elsewhere.key")
    with pytest.raises(VaultError, match=r"owner.key is missing.*REUE_OWNER_KEY_FILE"):
        reue.open_vault()
    secrets = {"REUE_OWNER_KEY_FILE": str(tmp_path / "elsewhere.key")}
    assert reue.open_vault(secrets).vault_id == made.vault_id


def test_a_lost_description_makes_no_new_vault_and_is_put_back(
    vault: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import fiftyone.core.odm as foo

    assert reue.check_vault().problems == []
    foo.get_db_conn()["reue_meta"].delete_one({"_id": "vault"})
    with monkeypatch.context() as patch:
        patch.delenv("REUE_OWNER_KEY")
        patch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))
        with pytest.raises(VaultError, match=r"lost.*`reue vault repair`.*--app"):
            reue.open_vault()
        assert not (tmp_path / "reue").exists()
    assert reue.repair_vault() == vault.vault_id
    assert reue.check_vault().problems == []


def test_the_declared_secrets_are_the_ones_used() -> None:
    import yaml

    manifest = Path(__file__).parents[2] / "fiftyone.yml"
    assert yaml.safe_load(manifest.read_text())["secrets"] == list(vaults.SECRETS)


def memos(tmp_path: Path) -> dict[str, str]:
    found = (tmp_path / "fo" / "reue").glob("*.counter")
    return {path.name: path.read_text() for path in found}


def test_a_database_without_its_ledger_gets_no_new_vault(
    vault: Any, tmp_path: Path
) -> None:
    """Also where every row is gone, nothing but the memo tells that one was there."""
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    with pytest.raises(VaultError, match="its ledger is gone"):
        reue.open_vault()
    assert vaults.open_ledger().get_meta() is None
    (tmp_path / "fo" / "reue" / f"{vault.vault_id}.counter").unlink()
    assert reue.open_vault().vault_id != vault.vault_id


@pytest.mark.parametrize("same_id", [True, False])
def test_a_vault_of_others_in_the_database_is_noticed(
    same_id: bool, vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the database could give the owner's programs a key of theirs."""
    import fiftyone.core.odm as foo

    before = memos(tmp_path)
    assert list(before) == [f"{vault.vault_id}.counter"]
    database = foo.get_db_conn()
    for name in database.list_collection_names():
        if name.startswith("reue_"):
            database.drop_collection(name)
    planted = KeyFile(tmp_path / "planted.key")
    planted.create()
    theirs = Vault.create(
        vaults.open_ledger(), planted, vault_id=vault.vault_id if same_id else None
    )
    theirs.add_recipient("alice")
    monkeypatch.delenv("REUE_OWNER_KEY")  # as with a key in the keyring
    with pytest.raises(
        TamperedLedgerError, match=r"a vault of their own|another vault"
    ):
        reue.open_vault()
    assert memos(tmp_path) == before
    # Another database may have another vault.
    monkeypatch.setattr(vaults, "_database", lambda: "mongodb://elsewhere/fiftyone")
    if not same_id:
        assert reue.open_vault().vault_id == theirs.vault_id


def test_an_exchanged_description_in_the_database_is_put_back(
    vault: Any, tmp_path: Path
) -> None:
    from fiftyone_reue.vault.ledger.sqlite import SqliteLedger

    planted = KeyFile(tmp_path / "planted.key")
    planted.create()
    with SqliteLedger(tmp_path / "theirs.sqlite") as ledger:
        theirs = Vault.create(ledger, planted).ledger.get_meta()
    vaults.open_ledger().put_meta(theirs or {})
    with pytest.raises(TamperedLedgerError, match="reue vault repair"):
        reue.open_vault()
    assert reue.repair_vault() == vault.vault_id
    assert reue.check_vault().problems == []


def test_which_database_it_is_of_is_remembered_through_a_rotation(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for key_file in (elsewhere / "owner.key", None):
        # What is there was written by a version that didn't say it.
        for path in tmp_path.rglob("*.counter"):
            content = json.loads(path.read_text())
            assert content.pop("ledger") == vaults._database()
            path.write_text(json.dumps(content))
        reue.rotate_key(key_file=key_file)
        monkeypatch.delenv("REUE_OWNER_KEY", raising=False)
        paths = list(tmp_path.rglob("*.counter"))
        assert {path.parent for path in paths} == {elsewhere, tmp_path / "fo" / "reue"}
        for path in paths:
            assert json.loads(path.read_text())["ledger"] == vaults._database()


def test_no_password_of_the_database_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import fiftyone as fo

    uri = "mongodb://me:p@ss@db.example.org:27017/?authSource=admin"
    monkeypatch.setattr(fo.config, "database_uri", uri)
    monkeypatch.setattr(fo.config, "database_name", "photos")
    assert vaults._database() == "mongodb://db.example.org:27017/photos"
