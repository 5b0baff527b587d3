"""The operators from end to end, as the App and as Python call them."""

import importlib
import io
import re
import zipfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import fiftyone_reue
from fiftyone_reue.samples import confirmation_code, runs
from fiftyone_reue.vault.identities import new_identity
from fiftyone_reue.vault.key_files import read_key_file

pytestmark = pytest.mark.integration

COUNT = 40


@pytest.fixture
def protect(operator: Any, dataset: Any, tmp_path: Path) -> Callable[..., Any]:
    """Protects quickly into ``<tmp>/<recipient>``."""

    def run(samples: Any = None, recipient: str = "alice", **options: Any) -> Any:
        options.setdefault("output_dir", str(tmp_path / recipient))
        options.setdefault("method", "lsp")
        return operator("protect_dataset")(
            dataset if samples is None else samples, recipient=recipient, **options
        )

    return run


def test_recipients(operator: Any, database: Any, tmp_path: Path, said: Any) -> None:
    manage = operator("manage_recipients")
    key = tmp_path / "carol.key"
    added = manage(action="add", name="carol", key_out=str(key))
    assert key.read_text().startswith("-----BEGIN")
    assert said(added) == [added.result["text"]]
    assert str(key) in added.result["text"]
    (row,) = manage().result["recipients"]
    assert (row["name"], row["state"], row["releases"]) == ("carol", "active", 0)
    assert set(row) == {"name", "releases", "state"}
    revoked = manage(action="revoke", recipient="carol").result
    assert revoked["recipients"][0]["state"] == "revoked"
    with pytest.raises(Exception, match="nobody whose key is in use"):
        manage(action="rename", recipient="carol", shown_as="Carol")
    back = manage(action="reinstate", recipient="carol").result
    assert back["text"] == "Reinstated carol."
    assert back["recipients"][0]["state"] == "active again"
    with pytest.raises(Exception, match="carol isn't revoked"):
        manage(action="reinstate", recipient="carol")
    renamed = manage(action="rename", recipient="carol", shown_as="Carol C.").result
    assert renamed["recipients"][0]["name"] == "Carol C. (carol)"
    alone = manage(action="rename", recipient="carol").result
    assert alone["recipients"][0]["name"] == "carol"


def test_a_lost_key_file_is_written_again(
    operator: Any, database: Any, tmp_path: Path
) -> None:
    manage = operator("manage_recipients")
    first, again = tmp_path / "carol.key", tmp_path / "again.key"
    manage(action="add", name="carol", key_out=str(first))
    written = manage(action="key", recipient="carol", key_out=str(again))
    assert f"Send carol {again}" in written.result["text"]
    assert read_key_file(again).key == read_key_file(first).key
    public = new_identity(tmp_path / "me.txt")
    sealed = tmp_path / "sealed.key"
    made = manage(
        action="key", recipient="carol", key_out=str(sealed), public_key=public
    )
    assert "Only their own identity opens it" in made.result["text"]
    opened = read_key_file(sealed, identity=tmp_path / "me.txt")
    assert opened.key == read_key_file(first).key
    with pytest.raises(Exception, match="is there already"):
        manage(action="key", recipient="carol", key_out=str(again))
    with pytest.raises(Exception, match="key_out"):
        manage(action="key", recipient="carol")
    manage(action="revoke", recipient="carol")
    with pytest.raises(Exception, match="nobody whose key is in use"):
        manage(action="key", recipient="carol", key_out=str(tmp_path / "b.key"))
    assert not (tmp_path / "b.key").exists()


def test_a_servers_key_file_has_a_whole_path(operator: Any, database: Any) -> None:
    with pytest.raises(Exception, match="Give the whole path"):
        operator("manage_recipients")(action="add", name="carol", key_out="carol.key")
    assert operator("manage_recipients")().result["recipients"] == []


def test_a_recipients_own_key_seals_the_key_file(
    operator: Any, database: Any, tmp_path: Path
) -> None:
    public = new_identity(tmp_path / "me.txt")
    path = tmp_path / "carol.key.age"
    added = operator("manage_recipients")(
        action="add", name="carol", key_out=str(path), public_key=public
    )
    assert "Only their own identity opens it" in added.result["text"]
    assert read_key_file(path, identity=tmp_path / "me.txt").name == "carol"


def test_no_key_file_is_written_unasked(
    operator: Any, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))
    with pytest.raises(Exception, match="Set REUE_OWNER_PASSPHRASE"):
        operator("manage_recipients")(
            action="add", name="a", key_out=str(tmp_path / "a.key")
        )
    assert not list(tmp_path.rglob("*.key"))


def test_a_new_key_file_is_told_once(
    operator: Any,
    database: Any,
    tmp_path: Path,
    said: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To the owner, and not to whoever reads the server's answers."""
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(tmp_path / "owner.key"))
    manage = operator("manage_recipients")
    owner_key = str(tmp_path / "owner.key")
    for name in ("a", "b"):
        made = manage(action="add", name=name, key_out=str(tmp_path / f"{name}.key"))
        assert owner_key not in str(made.to_json())
        assert len(said(made)) == 1
    assert caplog.text.count(owner_key) == 1


@pytest.mark.usefixtures("bob")
def test_protect_restore_and_trace(
    operator: Any,
    dataset: Any,
    protect: Any,
    leak: Any,
    same_pixels: Any,
    said: Any,
    sent: Any,
    database: Any,
    tmp_path: Path,
) -> None:
    done = protect()
    (told,) = said(done)
    assert re.fullmatch(
        r"Protected 40 images for alice \(release alice_1\); "
        r"PSNR \d\d\.\d dB",
        told,
    )
    names = [name for name, _ in sent(done)]
    assert names[-2:] == ["reload_dataset", "notify"]
    assert set(names[:-2]) == {"set_progress"}
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["counts"]["protected"] == COUNT

    protect(recipient="bob")
    copies = dataset.values("protected_filepath")
    restored = operator("restore_dataset")(dataset, output_dir=str(tmp_path / "o"))
    assert said(restored)[0].startswith("Restored 40 originals exactly")
    originals = dataset.values("filepath")
    assert all(map(same_pixels, originals, dataset.values("restored_filepath")))

    operator("restore_dataset")(
        dataset, output_dir=str(tmp_path / "w"), tier="licensed", recipient="bob"
    )
    licensed = dataset.values("restored_filepath")
    assert not any(map(same_pixels, originals, licensed))

    trace = operator("extract_watermark")
    for paths in (copies[:8], licensed[:8]):
        suspects = leak(paths)
        verdict = trace(suspects).result
        assert (verdict["decision"], verdict["recipient"]) == ("match", "bob")
        assert verdict["p_value"] < 1e-6 < verdict["best_innocent_p"]
        assert [row["recipient"] for row in verdict["table"]] == ["bob", "alice"]
        assert suspects.distinct("leak.recipient") == ["bob"]
        assert suspects.values("leak.original") == dataset.values("id")[:8]
        assert suspects.list_runs(method=runs.EXTRACT) == [verdict["run"]]
    assert trace(leak(dataset.values("filepath")[:8])).result["decision"] == "no-match"
    people = database["reue_recipients"]
    people.update_one({"name": "bob"}, {"$set": {"revoked_at": 1.0}})
    suspects = leak(copies[:8])
    undecided = trace(suspects)
    assert undecided.result["decision"] == "undecided"
    assert "isn't as the owner left it" in said(undecided)[0]
    assert suspects.distinct("leak.decision") == ["undecided"]
    people.update_one({"name": "bob"}, {"$set": {"revoked_at": None}})
    from_folder = trace(dataset, folder=str(tmp_path / "alice")).result
    assert from_folder["recipient"] == "alice"


@pytest.mark.slow
@pytest.mark.usefixtures("alice")
def test_what_was_hidden_is_revealed(
    operator: Any, dataset: Any, protect: Any, leak: Any, said: Any, tmp_path: Path
) -> None:
    from fiftyone.operators.executor import ExecutionError

    view = dataset[:8]
    protect(view, method="deep_hiding")
    reveal = operator("reveal_hidden")
    done = reveal(view, decoys=3)
    found = done.result
    assert said(done) == [found["verdict"]]
    assert (found["images_revealed"], found["images_failed"]) == (8, 0)
    assert found["decoys_as_good"] == 0
    assert [row["original"] for row in found["table"]] == view.values("id")
    assert "revealed_filepath" not in dataset.get_field_schema()
    field = dataset.get_field("reveal_agreement")
    assert "agrees with what was hidden" in field.description
    values = dataset.values("reveal_agreement")
    assert values[8:] == [None] * (COUNT - 8)
    assert sum(values[:8]) / 8 == pytest.approx(found["agreement"], abs=0.001)

    suspects = leak(view.values("protected_filepath"))
    found = reveal(suspects, decoys=3).result
    assert [row["original"] for row in found["table"]] == view.values("id")
    assert all(suspects.values("reveal_agreement"))

    protect(view[:2], method="lsp", output_dir=str(tmp_path / "lsp"))
    with pytest.raises(ExecutionError, match="made with lsp, which hides nothing"):
        reveal(view[:2], decoys=3)


@pytest.mark.slow
@pytest.mark.usefixtures("alice")
def test_the_best_scenes_are_shown(
    operator: Any, dataset: Any, protect: Any, delegated: Any, tmp_path: Path
) -> None:
    protect(dataset[:4], method="deep_hiding")
    reveal = operator("reveal_hidden")
    reveal(dataset[:4], decoys=2, output_dir=str(tmp_path / "shown"), delegate=True)
    operation = delegated()
    assert operation.run_state == "completed", operation.result.error
    found = operation.result.result
    dataset.reload()
    fields = ["reveal_agreement", "id", "ground_truth.label"]
    rows = sorted(zip(*dataset[:4].values(fields), strict=True), reverse=True)
    firsts = [rows[0], next(row for row in rows if row[2] != rows[0][2])]
    others = [row for row in rows if row not in firsts]
    best = [row[:2] for row in [*firsts, *others][:3]]
    assert [(one["agreement"], one["original"]) for one in found["best"]] == best
    labels = [f"Sample {key}: agreement {value:.2f}" for value, key in best]
    assert shown_pictures(reveal, found) == labels
    for place in range(3):
        head, data = found[f"picture_{place}"].split(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(b64decode(data))) as picture:
            assert picture.width <= 512
    assert dataset.count("revealed_filepath") == 4


def shown_pictures(operator: Any, results: dict) -> list[str]:
    """The labels of the pictures that the App shows of a result."""
    import fiftyone.operators as foo

    ctx = foo.ExecutionContext({"results": results}, operator_uri=operator.uri)
    properties = operator.resolve_output(ctx).to_json()["type"]["properties"]
    views = [prop["view"] for prop in properties.values()]
    return [view["label"] for view in views if view["name"] == "ImageView"]


@pytest.mark.slow
@pytest.mark.usefixtures("bob")
def test_unlabelled_samples_are_protected_by_clusters(
    operator: Any,
    dataset: Any,
    protect: Any,
    leak: Any,
    same_pixels: Any,
    said: Any,
    tmp_path: Path,
) -> None:
    from fiftyone.operators.executor import ExecutionError

    dataset.delete_sample_field("ground_truth")
    with pytest.raises(ExecutionError, match="or choose clusters"):
        protect()
    assert said(protect(clusters=2))[0].startswith("Protected 40 images for alice")
    protect(recipient="bob", clusters=2)
    copies = dataset.values("protected_filepath")
    config = runs.get_config(dataset, "bob_1")
    assert config is not None
    assert (config["clusters"], config["label_field"]) == (2, None)
    assert dataset.get_field_schema().keys() >= {"protection"}
    assert "ground_truth" not in dataset.get_field_schema()

    restored = operator("restore_dataset")(dataset, output_dir=str(tmp_path / "o"))
    assert said(restored)[0].startswith("Restored 40 originals exactly")
    originals = dataset.values("filepath")
    assert all(map(same_pixels, originals, dataset.values("restored_filepath")))
    verdict = operator("extract_watermark")(leak(copies[:8])).result
    assert (verdict["decision"], verdict["recipient"]) == ("match", "bob")


@pytest.mark.usefixtures("alice")
def test_a_view_and_a_view_target(
    dataset: Any, protect: Any, operator: Any, tmp_path: Path
) -> None:
    protect(dataset[:10])
    assert dataset.count("protected_filepath") == 10
    import fiftyone.operators as foo

    code = confirmation_code("protect_dataset")
    foo.execute_operator(
        operator("protect_dataset").uri,
        {
            "dataset": dataset,
            "view": dataset[10:30],
            "selected": dataset.values("id")[20:23],
            "params": {
                "recipient": "alice",
                "method": "lsp",
                "output_dir": str(tmp_path / "alice"),
                "view_target": "SELECTED_SAMPLES",
                "confirmation": code,
            },
        },
    )
    assert dataset.count("protected_filepath") == 13


@pytest.mark.usefixtures("alice")
def test_failures_are_told_with_their_reasons(
    dataset: Any, protect: Any, said: Any, sent: Any
) -> None:
    for sample in dataset[:5]:
        Path(sample.filepath).write_text("no image")
    done = protect()
    (message,) = said(done)
    assert message.startswith("Protected 35 images for alice (release alice_1); PSNR")
    assert "; 5 failed:\n" in message
    assert message.count("\n") == 4
    assert "000.png: " in message
    assert "... and 2 more" in message
    assert sent(done)[-1][1]["variant"] == "warning"


@pytest.mark.usefixtures("alice")
def test_errors_begin_with_a_line_for_a_person(
    dataset: Any, protect: Any, operator: Any, tmp_path: Path
) -> None:
    import fiftyone.operators as foo
    from fiftyone.operators.executor import ExecutionError

    for run, message in (
        (lambda: protect(recipient="zoe"), "^recipient: "),
        (lambda: protect(epsilon=99), "^epsilon: "),
        (lambda: protect(output_dir="here"), "Give the whole path"),
        (
            lambda: operator("restore_dataset")(dataset, str(tmp_path / "o")),
            "^Of 40 samples none has a protected copy",
        ),
        (
            lambda: operator("restore_dataset")(
                dataset, str(tmp_path / "o"), tier="licensed"
            ),
            "^recipient: ",
        ),
        (
            lambda: operator("extract_watermark")(dataset),
            "^Nothing was protected with this vault yet",
        ),
    ):
        with pytest.raises(ExecutionError, match=message):
            run()
    protect()
    with pytest.raises(ExecutionError, match="Type the 16 letters"):
        foo.execute_operator(
            operator("delete_release").uri,
            {"dataset": dataset, "params": {"release": "alice_1"}},
        )
    assert dataset.list_runs() == ["alice_1"]


@pytest.mark.slow
@pytest.mark.usefixtures("bob")
def test_show_and_delete(
    dataset: Any, protect: Any, operator: Any, said: Any, tmp_path: Path
) -> None:
    protect()
    protect(recipient="bob")
    shown = operator("show_release")(dataset, "alice_1")
    assert shown.result == {"samples": COUNT}
    assert dataset.distinct("protection.release") == ["alice_1"]
    deleted = operator("delete_release")(dataset, "alice_1", files=True)
    assert deleted.result == {"files_deleted": COUNT}
    assert said(deleted) == ["Deleted release alice_1; 40 files of it were deleted"]
    assert dataset.list_runs() == ["bob_1"]
    assert dataset.distinct("protection.release") == ["bob_1"]
    assert not (tmp_path / "alice").exists()


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_reue.networks.recipe import Recipe
    from fiftyone_reue.workflows import score

    quick = Recipe(epochs=2, least_steps=20, batch=16)
    monkeypatch.setattr(score, "Recipe", lambda: quick)


@pytest.mark.slow
@pytest.mark.usefixtures("alice", "quick_training")
def test_the_default_method_and_its_score(
    dataset: Any, protect: Any, operator: Any, said: Any
) -> None:
    done = protect(method="rue", device="cpu")
    (told,) = said(done)
    assert re.fullmatch(
        r"Protected 40 images for alice \(release alice_1\); "
        r"PSNR \d\d\.\d dB",
        told,
    )
    assert dataset.distinct("protection.method") == ["rue"]
    scored = operator("score_unlearnability")(dataset, device="cpu")
    assert scored.result["release"] == "alice_1"
    assert scored.result["images"] == COUNT
    assert dataset.count("protection.unlearnability") == COUNT
    low, high = dataset.bounds("protection.unlearnability")
    assert 0 <= low <= high <= 1
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["unlearnability"] == scored.result["unlearnability"]


@pytest.mark.slow
@pytest.mark.usefixtures("alice", "tiny_audit")
def test_an_audit_is_returned_and_kept(
    dataset: Any, protect: Any, operator: Any, said: Any, tmp_path: Path
) -> None:
    protect()
    audit = operator("audit_release")
    done = audit(dataset, "alice_1", device="cpu", output_dir=str(tmp_path / "r"))
    result = done.result
    assert result["release"] == "alice_1"
    assert result["report"] == str(tmp_path / "r" / "audit.html")
    assert Path(result["report"]).is_file()
    found = [finding["countermeasure"] for finding in result["findings"]]
    assert found == ["none", "grayscale"]
    row = result["table"][1]
    assert row["title"] == "Grayscale"
    assert row["level"] == result["findings"][1]["level"]
    assert row["copies"].endswith("%")
    (message,) = said(done)
    assert message.startswith(result["headline"])
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    for name in ("headline", "paragraph", "findings", "report"):
        assert config["audit"][name] == result[name]

    # Without choices: the release that is shown, and a folder beside its own.
    chosen = audit(dataset, countermeasures=["none"], seeds=2, device="cpu").result
    assert chosen["report"] == str(tmp_path / "alice.audit" / "audit.html")
    assert [finding["countermeasure"] for finding in chosen["findings"]] == ["none"]


@pytest.mark.usefixtures("alice", "tiny_audit")
def test_what_an_audit_refuses(dataset: Any, protect: Any, operator: Any) -> None:
    from fiftyone.operators.executor import ExecutionError

    protect()
    audit = operator("audit_release")
    for options, message in (
        ({"release": "zoe_1"}, "^release: "),
        ({"budget": "huge"}, "^budget: "),
        ({"countermeasures": ["magic"]}, "^There is no countermeasure"),
        ({"victims": ["oracle"]}, "^There is no network"),
        ({"seeds": 0}, "^seeds: "),
        ({"output_dir": "here"}, "Give the whole path"),
    ):
        with pytest.raises(ExecutionError, match=message):
            audit(dataset, device="cpu", **options)
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert "audit" not in config


@pytest.mark.usefixtures("alice", "tiny_audit")
def test_a_delegated_audit(
    dataset: Any, protect: Any, operator: Any, delegated: Any
) -> None:
    protect()
    assert operator("audit_release")(dataset, device="cpu", delegate=True).delegated
    operation = delegated()
    assert operation.run_state == "completed", operation.result.error
    assert operation.status.progress is not None
    headline = operation.result.result["headline"]
    dataset.reload()
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["audit"]["headline"] == headline


@pytest.mark.slow
@pytest.mark.usefixtures("alice", "quick_training")
def test_delegated(
    dataset: Any, protect: Any, operator: Any, delegated: Any, tmp_path: Path
) -> None:
    assert protect(delegate=True).delegated
    assert dataset.get_field("protection") is None
    operation = delegated()
    assert operation.run_state == "completed", operation.result.error
    assert operation.status.progress is not None
    dataset.reload()
    assert dataset.count("protected_filepath") == COUNT

    operator("restore_dataset")(dataset, str(tmp_path / "o"), delegate=True)
    assert delegated().run_state == "completed"
    dataset.reload()
    assert dataset.count("restored_filepath") == COUNT

    operator("extract_watermark")(dataset, str(tmp_path / "alice"), delegate=True)
    operation = delegated()
    assert operation.run_state == "completed", operation.result.error
    assert operation.result.result["recipient"] == "alice"

    operator("score_unlearnability")(dataset, device="cpu", delegate=True)
    operation = delegated()
    assert operation.run_state == "completed", operation.result.error
    assert operation.result.result["images"] == COUNT


@pytest.mark.usefixtures("alice")
def test_a_delegated_failure_keeps_its_message(
    dataset: Any, operator: Any, delegated: Any, tmp_path: Path
) -> None:
    operator("restore_dataset")(dataset, str(tmp_path / "o"), delegate=True)
    operation = delegated()
    assert operation.run_state == "failed"
    assert "Of 40 samples none" in operation.result.error


@pytest.mark.usefixtures("alice")
def test_a_delegated_run_stops_when_it_is_marked_as_failed(
    dataset: Any,
    protect: Any,
    operator: Any,
    delegated: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone.operators.delegated import DelegatedOperationService

    from fiftyone_reue.batch import pipeline

    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)
    package = type(operator("protect_dataset")).__module__.rpartition(".")[0]
    running = importlib.import_module(f"{package}.running")
    monkeypatch.setattr(running, "_SECONDS_BETWEEN_STORED_UPDATES", 0.0)
    service = DelegatedOperationService()
    queued = protect(delegate=True).result["id"]

    from fiftyone_reue.samples import fields

    show = fields.show_copies

    def show_and_cancel(*arguments: Any) -> None:
        show(*arguments)
        service.set_failed(queued)

    monkeypatch.setattr(fields, "show_copies", show_and_cancel)
    delegated()
    monkeypatch.setattr(fields, "show_copies", show)
    dataset.reload()
    assert 0 < dataset.count("protected_filepath") < COUNT
    config = runs.get_config(dataset, "alice_1")
    assert config is not None
    assert config["state"] == "cancelled"
    protect()
    assert dataset.count("protected_filepath") == COUNT


def test_publish_and_license(
    operator: Any, form: Any, dataset: Any, alice: Path, tmp_path: Path
) -> None:
    problem = form("license_recipient", dataset)["problem"]
    assert "published yet" in problem["error_message"]
    public = tmp_path / "public"
    operator("publish_dataset")(dataset, method="lsp", output_dir=str(public))
    assert dataset.first().protection.recipient == "(published)"
    path = tmp_path / "alice.license"
    fields = form("license_recipient", dataset, recipient="alice", path="a.license")
    assert "whole path" in fields["path"]["error_message"]
    operator("license_recipient")(dataset, "alice", str(path), days=30)
    mine = tmp_path / "mine"
    done = fiftyone_reue.restore(public, mine, key=alice, license=path, progress=False)
    assert (done.outcome.done, done.outcome.failures) == (COUNT, [])


def test_a_release_is_packed(
    operator: Any, form: Any, protect: Any, dataset: Any, alice: Path, tmp_path: Path
) -> None:
    protect(dataset)
    fields = form("package_release", dataset, release="alice_1", output="alice.zip")
    assert "whole path" in fields["output"]["error_message"]
    path = tmp_path / "alice.zip"
    operator("package_release")(dataset, "alice_1", str(path))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert sum(name.endswith(".png") for name in names) == COUNT
    assert "labels/samples.csv" in names


def test_several_recipients_get_a_release_each(
    operator: Any, form: Any, dataset: Any, bob: Path, tmp_path: Path
) -> None:
    assert "also_for" in form("protect_dataset", dataset, recipient="alice")
    both = {"recipient": "alice", "also_for": ["bob", "alice"], "method": "lsp"}
    named = form("protect_dataset", dataset, **both, name="mine")
    assert "each release has its default folder" in named["one_alone"]["error_message"]
    operator("protect_dataset")(dataset, **both)
    assert dataset.list_runs() == ["alice_1", "bob_1"]
    first = dataset.first()
    assert first.protection.releases == ["alice_1", "bob_1"]
    assert first.protection.release == "bob_1"
    with pytest.raises(Exception, match="each release has its default folder"):
        operator("protect_dataset")(dataset, **both, output_dir=str(tmp_path / "x"))
