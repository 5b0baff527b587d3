"""What somebody sees who calls an operator from Python and gets something wrong."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.integration

REPO = Path(__file__).resolve().parents[2]
PLUGIN = "@reue/fiftyone-reue"
NAMES = yaml.safe_load((REPO / "fiftyone.yml").read_text())["operators"]


def arguments(called: Any) -> dict[str, str]:
    """Something for all that a call needs."""
    return {
        name: "x"
        for name, one in inspect.signature(called).parameters.items()
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_call_names_what_an_unknown_argument_was_meant_to_be(
    name: str, operator: Any
) -> None:
    called = operator(name)
    known = [p for p in inspect.signature(called).parameters if p != "settings"]
    meant = known[-1]
    with pytest.raises(InputError) as raised:
        called(**arguments(called), **{f"{meant}e": 1})
    assert str(raised.value) == (
        f"There is no parameter '{meant}e'; did you mean {meant}?"
    )


@pytest.mark.parametrize("name", ["protect_dataset", "publish_dataset"])
def test_settings_are_known_too(name: str, operator: Any) -> None:
    called = operator(name)
    with pytest.raises(InputError, match="'epsilonn'; did you mean epsilon"):
        called(**arguments(called), epsilonn=8)


@pytest.mark.parametrize("name", NAMES)
def test_an_execution_names_it_too(
    name: str, operator: Any, dataset: Any, alice: Path
) -> None:
    import fiftyone.operators as foo

    params = {"relese": "alice_1", "zzzz": 1}
    with pytest.raises(foo.executor.ExecutionError) as raised:
        foo.execute_operator(operator(name).uri, {"dataset": dataset}, params=params)
    said = str(raised.value)
    assert "There is no parameter 'relese'; " in said
    assert "There is no parameter 'zzzz'; there are: " in said
    if name == "show_release":
        assert said.startswith(
            "Validation error. Path: unknown. Reason: There is no parameter 'relese'; "
            "did you mean release?"
        )


def test_what_is_given_beside_the_parameters_is_said(
    operator: Any, released: Any
) -> None:
    import fiftyone.operators as foo

    uri, params = operator("check_files").uri, {"delegate": True}
    with pytest.raises(foo.executor.ExecutionError, match="request_delegation=True"):
        foo.execute_operator(uri, {"dataset": released}, params=params)


def test_what_the_app_and_jobs_have_beside_them_stays(
    operator: Any, released: Any
) -> None:
    import fiftyone.operators as foo

    uri = operator("show_release").uri
    beside = {"release": "alice_1", "unconfirmed_key": None, "read_owner_key": None}
    for request in ({"spaces": {}}, {"delegated": True}):
        ctx = foo.ExecutionContext(
            {"dataset_name": released.name, "params": beside, **request},
            operator_uri=uri,
            required_secrets=operator("show_release")._plugin_secrets,
        )
        form = operator("show_release").resolve_type(ctx, "inputs").to_json()
        assert "release" in form["type"]["properties"]
        assert "unknown" not in form["type"]["properties"]


def test_errors_begin_with_what_to_do(
    operator: Any, released: Any, tmp_path: Path
) -> None:
    from fiftyone.operators.executor import ExecutionError

    out = str(tmp_path / "out")
    key = str(tmp_path / "other.key")
    for run, said in (
        (
            lambda: operator("manage_recipients")(
                action="add", name="alice", key_out=key
            ),
            "There is a recipient named 'alice' already; choose another name",
        ),
        (
            lambda: operator("restore_dataset")(released, out, release="nope"),
            "release: There is no release 'nope'; choose alice_1",
        ),
        (
            lambda: operator("switch_media")(released, show="x"),
            "There is no 'x' to show, but original, protected",
        ),
        (
            lambda: operator("protect_dataset")(released, "alice", epsilon=99),
            "epsilon: Value must be less than",
        ),
    ):
        with pytest.raises((ExecutionError, InputError)) as raised:
            run()
        assert str(raised.value).startswith(said)
        assert "Traceback" not in str(raised.value)


def test_a_fault_of_the_program_keeps_its_traceback(
    operator: Any, released: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone.operators.executor import ExecutionError

    from fiftyone_reue import samples as reue

    def broken(*args: Any, **options: Any) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(reue, "mark_steps", broken)
    with pytest.raises(ExecutionError) as raised:
        operator("mark_samples")(released)
    first, _, rest = str(raised.value).partition("\n\n")
    assert first == "nobody thought of this"
    assert rest.startswith("Traceback")
    assert "in broken" in rest


def test_in_a_notebook_it_is_raised_where_it_is_awaited(
    operator: Any, released: Any
) -> None:
    from fiftyone.operators.executor import ExecutionError

    async def cell(show: str) -> Any:
        return await operator("switch_media")(released, show=show)

    assert asyncio.run(cell("protected")).error is None
    with pytest.raises(ExecutionError) as raised:
        asyncio.run(cell("x"))
    assert str(raised.value).startswith("There is no 'x' to show")


@pytest.fixture
def released(operator: Any, dataset: Any, alice: Path) -> Any:
    operator("protect_dataset")(dataset, "alice", method="lsp")
    return dataset
