"""What a request to the App's server can't do without the owner's code.

The requests are executed as the server's routes execute them, from any page that can
send one: with whatever it says of itself.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import NotConfirmedError
from fiftyone_reue.samples import confirm
from fiftyone_reue.vault import confirmations

pytestmark = pytest.mark.integration

PLUGIN = "@reue/fiftyone-reue"
NO_CODE = "AAAA-BBBB-CCCC-DDDD"


@pytest.fixture(autouse=True)
def no_wrong_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "_wrong", confirm._Wrong())


@pytest.fixture
def released(dataset: Any, operator: Any, alice: Path, tmp_path: Path) -> Any:
    operator("protect_dataset")(
        dataset, recipient="alice", method="lsp", output_dir=str(tmp_path / "out")
    )
    return dataset


@pytest.fixture
def request_of(released: Any) -> Callable[..., str | None]:
    """Executes what a request asks for; returns the error."""
    from fiftyone.operators.executor import execute_or_delegate_operator

    def send(name: str, params: dict[str, Any], **beside: Any) -> str | None:
        request = {"dataset_name": released.name, "params": params, **beside}
        uri = f"{PLUGIN}/{name}"
        try:
            result = asyncio.run(
                execute_or_delegate_operator(uri, request, exhaust=True)
            )
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return result.error

    return send


def harms(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What a foreign page may want of each operator."""
    folder = str(tmp_path / "loot")
    return {
        "restore_dataset": {"output_dir": folder},
        "delete_release": {"release": "alice_1", "files": True, "confirm": True},
        "manage_recipients": {"action": "revoke", "recipient": "alice"},
        "protect_dataset": {
            "recipient": "alice",
            "method": "lsp",
            "output_dir": folder,
        },
        "publish_dataset": {"method": "lsp", "output_dir": folder},
        "preview_protection": {
            "method": "deep_hiding",
            "options": {"scenes": str(tmp_path)},
        },
        "package_release": {"release": "alice_1", "output": folder},
        "reveal_hidden": {"output_dir": folder, "decoys": 1},
        "audit_release": {"release": "alice_1", "output_dir": folder},
        "extract_watermark": {"case_dir": folder},
    }


DISGUISES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"confirmation": NO_CODE}, {}),
    ({"confirmation": ["x"]}, {}),
    ({"permit": "yes"}, {}),
    ({"permit": {"a": 1}}, {}),
    ({"permit": "\ud800"}, {}),
    ({"confirmation": NO_CODE, "permit": "00-99999999999-00"}, {}),
    ({"confirmation": NO_CODE}, {"delegated": True}),
    ({"permit": "yes"}, {"delegated": True, "run_doc": "0" * 24}),
    ({"confirmation": NO_CODE}, {"request_delegation": True}),
    ({"permit": "yes"}, {"request_delegation": True}),
]


@pytest.mark.parametrize(
    "name", [one for one in confirm.ACTIONS if one != "license_recipient"]
)
def test_nothing_is_done_without_a_code(
    name: str,
    request_of: Any,
    released: Any,
    delegated: Any,
    tmp_path: Path,
) -> None:
    from fiftyone.operators.delegated import DelegatedOperationService

    for params, beside in DISGUISES:
        given = harms(tmp_path)[name] | params
        error = request_of(name, given, **beside)
        assert error is not None, (params, beside)
        assert "confirm" in error.splitlines()[-1], error
    assert DelegatedOperationService().list_operations() == []
    assert not (tmp_path / "loot").exists()
    assert released.list_runs() == ["alice_1"]
    assert len(list((tmp_path / "out").rglob("*.png"))) == 40
    (person,) = reue.list_recipients()
    assert (person.releases, person.revoked_at) == (1, None)


def test_no_licence_is_made_without_a_code(
    request_of: Any, released: Any, tmp_path: Path
) -> None:
    reue.publish_samples(
        released, output_dir=tmp_path / "web", method="lsp", progress=False
    )
    path = tmp_path / "alice.license"
    for params, beside in DISGUISES:
        given = {"recipient": "alice", "path": str(path), **params}
        error = request_of("license_recipient", given, **beside)
        assert error is not None, (params, beside)
        assert "confirm" in error.splitlines()[-1], error
    assert not path.exists()


def test_nobody_is_added_without_a_code(request_of: Any, tmp_path: Path) -> None:
    params = {"action": "add", "name": "mallory", "key_out": str(tmp_path / "m.key")}
    error = request_of("manage_recipients", {**params, "confirmation": NO_CODE})
    assert "NotConfirmedError: The confirmation code is wrong or too old" in error
    assert [person.name for person in reue.list_recipients()] == ["alice"]
    assert not (tmp_path / "m.key").exists()


OWN_SCENES = {"method": "deep_hiding", "options": {"scenes": "/tmp"}}


@pytest.mark.parametrize("more", [{"prune": True}, OWN_SCENES])
def test_a_protection_that_takes_out_or_reads_needs_a_code(
    more: dict, request_of: Any
) -> None:
    params = {"recipient": "alice", "method": "lsp", "confirmation": NO_CODE, **more}
    assert "NotConfirmedError" in request_of("protect_dataset", params)


def test_a_code_does_one_thing_once(request_of: Any, tmp_path: Path) -> None:
    code = reue.confirmation_code("restore_dataset")
    given = {
        "restore_dataset": {"output_dir": str(tmp_path / "back")},
        "delete_release": {"release": "alice_1", "files": True},
    }

    def ask(name: str) -> str | None:
        return request_of(name, {**given[name], "confirmation": code})

    assert "is wrong or too old" in ask("delete_release")
    assert ask("restore_dataset") is None
    assert len(list((tmp_path / "back").rglob("*.png"))) == 40
    assert "was used already" in ask("restore_dataset")
    # Nor in another spelling of the same letters.
    code = code.lower().replace("-", " ")
    assert "was used already" in ask("restore_dataset")


def test_a_code_ends(request_of: Any, tmp_path: Path, monkeypatch: Any) -> None:
    code = reue.confirmation_code("restore_dataset")
    later = time.time() + 2 * confirmations.CODE_SECONDS
    monkeypatch.setattr(confirm.time, "time", lambda: later)
    params = {"output_dir": str(tmp_path / "back"), "confirmation": code}
    assert "is wrong or too old" in request_of("restore_dataset", params)


def test_another_vaults_code_is_none(request_of: Any, tmp_path: Path) -> None:
    from fiftyone_reue.vault.vault import create_folder

    other = create_folder(tmp_path / "other", plain_key_file=True)
    code = reue.confirmation_code("restore_dataset", vault=other)
    params = {"output_dir": str(tmp_path / "back"), "confirmation": code}
    assert "is wrong or too old" in request_of("restore_dataset", params)


def test_many_wrong_codes_stop_all_for_a_minute(
    request_of: Any, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    def ask(code: str) -> str | None:
        params = {"output_dir": str(tmp_path / "back"), "confirmation": code}
        return request_of("restore_dataset", params)

    for _ in range(confirm.MOST_WRONG):
        assert "is wrong or too old" in ask(NO_CODE)
    assert "A wrong confirmation code for restore_dataset" in caplog.text
    code = reue.confirmation_code("restore_dataset")
    assert "wait a minute" in ask(code)
    # Its own clock only: by the process's, the database's driver would wait as well.
    later = time.monotonic() + confirm.WRONG_SECONDS
    clock = SimpleNamespace(**{**vars(time), "monotonic": lambda: later})
    monkeypatch.setattr(confirm, "time", clock)
    assert ask(code) is None


def test_what_is_scheduled_has_a_permit_and_no_code(
    request_of: Any, released: Any, delegated: Any, database: Any, tmp_path: Path
) -> None:
    code = reue.confirmation_code("restore_dataset")
    params = {"output_dir": str(tmp_path / "back"), "confirmation": code}
    assert request_of("restore_dataset", params, request_delegation=True) is None
    (stored,) = database["delegated_ops"].find()
    assert "permit" in stored["context"]["request_params"]["params"]
    assert code not in str(stored)
    assert delegated().run_state == "completed"
    assert len(list((tmp_path / "back").rglob("*.png"))) == 40
    # Neither may be used again: as a request, or by whoever writes the database.
    again = {"output_dir": str(tmp_path / "back")}
    assert "was used already" in request_of(
        "restore_dataset", {**again, "confirmation": code}
    )
    permit = stored["context"]["request_params"]["params"]["permit"]
    assert "for one execution" in request_of(
        "restore_dataset", {**again, "permit": permit}
    )


def test_a_code_that_was_not_needed_is_not_stored(
    request_of: Any, delegated: Any, database: Any
) -> None:
    code = reue.confirmation_code("protect_dataset")
    params = {"recipient": "alice", "method": "lsp", "confirmation": code}
    assert request_of("protect_dataset", params, request_delegation=True) is None
    (stored,) = database["delegated_ops"].find()
    assert code not in str(stored)
    assert delegated().run_state == "completed"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("audit_release", {"release": "alice_1"}),
        ("extract_watermark", {}),
        ("protect_dataset", {"recipient": "alice", "method": "lsp"}),
        ("reveal_hidden", {}),
        ("score_unlearnability", {"release": "alice_1"}),
    ],
)
def test_no_operator_stores_a_code_that_came_along(
    name: str, params: dict, request_of: Any, delegated: Any, database: Any
) -> None:
    """Whatever is stored can be read until it is done, and the code used before."""
    code = reue.confirmation_code("restore_dataset")
    given = {**params, "confirmation": code}
    assert request_of(name, given, request_delegation=True) is None
    (stored,) = database["delegated_ops"].find()
    assert stored["operator"] == f"{PLUGIN}/{name}"
    assert code not in str(stored)


CHANGES: dict[str, Any] = {
    "context.request_params.params.output_dir": "/tmp/elsewhere",
    "context.request_params.params.release": "alice_1",
    "context.request_params.params.permit": "00-99999999999-00",
    "context.request_params.view": [],
    "context.request_params.selected": ["0" * 24],
    "context.request_params.view_target": "SELECTED_SAMPLES",
    "context.request_params.view_name": "another",
}


@pytest.mark.parametrize("field", [*CHANGES, "dataset", "operator"])
def test_what_is_scheduled_can_not_be_changed(
    field: str,
    request_of: Any,
    released: Any,
    delegated: Any,
    database: Any,
    tmp_path: Path,
) -> None:
    """A change in the database is noticed before anything is restored."""
    import fiftyone as fo

    other = fo.Dataset()
    other.add_samples(list(released[:2]), progress=False)
    other.save_view("another", other[:1])
    released.save_view("another", released[:1])
    code = reue.confirmation_code("restore_dataset")
    params = {"output_dir": str(tmp_path / "back"), "confirmation": code}
    view = released[:3]._serialize()
    request_of("restore_dataset", params, request_delegation=True, view=view)
    changes = {field: CHANGES.get(field)}
    if field == "dataset":
        changes = {
            "dataset_id": other._doc.id,
            "context.request_params.dataset_id": other._doc.id,
            "context.request_params.dataset_name": other.name,
        }
    if field == "operator":
        changes = {
            "operator": f"{PLUGIN}/delete_release",
            "context.request_params.params.release": "alice_1",
        }
    assert database["delegated_ops"].update_one({}, {"$set": changes}).matched_count
    done = delegated()
    other.delete()
    assert done.run_state == "failed"
    assert not (tmp_path / "back").exists()
    assert released.list_runs() == ["alice_1"]
    error = done.result.error
    assert "NotConfirmedError: What was scheduled isn't what was confirmed" in error


def test_a_queued_request_of_the_databases_writer_is_refused(
    released: Any, delegated: Any, tmp_path: Path
) -> None:
    """Who writes the queue without the owner's code gets nothing from a worker."""
    from fiftyone.operators.delegated import DelegatedOperationService

    request = {
        "dataset_name": released.name,
        "delegated": True,
        "params": {"output_dir": str(tmp_path / "back"), "permit": "yes"},
    }
    DelegatedOperationService().queue_operation(
        operator=f"{PLUGIN}/restore_dataset", context={"request_params": request}
    )
    assert delegated().run_state == "failed"
    assert not (tmp_path / "back").exists()


def test_no_request_makes_a_vault(
    database: Any, dataset: Any, plugin: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    """Else a page would have an owner key made, and be told where it is."""
    from fiftyone.operators.executor import (
        ExecutionError,
        execute_or_delegate_operator,
    )

    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "c" / "config.json"))
    for name, params in (
        ("extract_watermark", {}),
        (
            "manage_recipients",
            {
                "action": "add",
                "name": "m",
                "key_out": str(tmp_path / "m"),
                "confirmation": NO_CODE,
            },
        ),
    ):
        request = {"dataset_name": dataset.name, "params": params}
        try:
            result = asyncio.run(
                execute_or_delegate_operator(f"{PLUGIN}/{name}", request, exhaust=True)
            )
            said = f"{result.error} {result.to_json()['error_message']}"
        except ExecutionError as error:  # the form refused it before
            said = str(error)
        assert "There is no vault" in said
        assert str(tmp_path / "c") not in said
    assert database["reue_meta"].count_documents({}) == 0
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("restore_dataset", {}),
        ("delete_release", {}),
        ("manage_recipients", {"action": "add"}),
        ("manage_recipients", {"action": "key"}),
        ("manage_recipients", {"action": "revoke"}),
        ("manage_recipients", {"action": "rename"}),
        ("protect_dataset", {"recipient": "alice", "prune": True}),
        ("protect_dataset", {"recipient": "alice", "output_dir": "/tmp/a"}),
        ("reveal_hidden", {"output_dir": "/tmp/a"}),
        ("audit_release", {"output_dir": "/tmp/a"}),
        ("extract_watermark", {"case_dir": "/tmp/a"}),
    ],
)
def test_a_form_asks_for_the_code_and_says_how_to_get_it(
    name: str, params: dict, form: Any, released: Any
) -> None:
    def asked(**more: str) -> dict[str, Any]:
        return form(name, released, **params, **more)["confirmation"]

    described = asked()["view"]["description"]
    assert f"reue app confirm {name}" in described
    assert asked()["invalid"]
    # A form's answer can be read by more than one page: it doesn't judge the code.
    assert not asked(confirmation=NO_CODE)["invalid"]
    assert not asked(confirmation=reue.confirmation_code(name))["invalid"]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("manage_recipients", {"action": "list"}),
        ("protect_dataset", {"recipient": "alice"}),
        ("reveal_hidden", {}),
        ("audit_release", {}),
        ("extract_watermark", {}),
        ("show_release", {}),
        ("check_files", {}),
        ("score_unlearnability", {}),
    ],
)
def test_what_harms_nobody_asks_for_no_code(
    name: str, params: dict, form: Any, released: Any
) -> None:
    assert "confirmation" not in form(name, released, **params)


def test_only_some_operators_have_codes(database: Any) -> None:
    with pytest.raises(Exception, match="'show_release' is no operator that asks"):
        reue.confirmation_code("show_release")


def test_one_of_many_at_once_wins(released: Any) -> None:
    vault = reue.open_vault()
    code = reue.confirmation_code("restore_dataset")

    def spend(_: int) -> bool:
        try:
            confirm.spend_code(vault, "restore_dataset", code)
        except NotConfirmedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(spend, range(8))) == 1


def test_the_command_prints_a_code_that_works(
    request_of: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from click.testing import CliRunner

    from fiftyone_reue.cli import main

    printed = CliRunner().invoke(main, ["app", "confirm", "restore_dataset"])
    assert printed.exit_code == 0, printed.output
    (line,) = printed.stdout.splitlines()
    params = {"output_dir": str(tmp_path / "back"), "confirmation": line}
    assert request_of("restore_dataset", params) is None
    assert os.listdir(tmp_path / "back")
