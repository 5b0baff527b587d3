"""In the App nothing is protected before the owner knows about the key."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SPACES = {"child": "as the App sends them"}


@pytest.fixture
def app_form(plugin: Path) -> Any:
    """An operator's form as the App asks for it: it says how its panels lie."""
    import fiftyone.operators as foo

    def resolve(name: str, dataset: Any, **params: Any) -> dict[str, Any]:
        operator = foo.get_operator(f"@reue/fiftyone-reue/{name}")
        ctx = foo.ExecutionContext(
            {"params": params, "dataset_name": dataset.name, "spaces": SPACES},
            operator_uri=operator.uri,
            required_secrets=operator._plugin_secrets,
        )
        return operator.resolve_type(ctx, "inputs").to_json()["type"]["properties"]

    return resolve


@pytest.mark.parametrize("name", ["protect_dataset", "publish_dataset"])
def test_the_form_leads_to_what_is_to_be_confirmed(
    name: str, app_form: Any, operator: Any, dataset: Any, alice: Path
) -> None:
    asked = app_form(name, dataset)
    assert asked["unconfirmed_key"]["invalid"]
    assert "method" not in asked
    button = asked["read_owner_key"]["view"]
    assert button["operator"].endswith("/confirm_owner_key")
    assert button["params"] == {"next": name}
    operator("confirm_owner_key")(kept=True)
    assert "method" in app_form(name, dataset)


def test_it_says_three_things_and_wants_a_tick(
    app_form: Any, dataset: Any, alice: Path
) -> None:
    asked = app_form("confirm_owner_key", dataset)
    said = {
        name: asked[name]["view"]["description"] for name in asked if name != "kept"
    }
    assert "REUE" in said["where"]
    assert said.keys() == {"where", "backup", "without"}
    assert asked["kept"]["invalid"]
    assert not app_form("confirm_owner_key", dataset, kept=True)["kept"]["invalid"]


def test_without_the_tick_nothing_is_noted(operator: Any, alice: Path) -> None:
    from fiftyone.operators.executor import ExecutionError

    from fiftyone_reue.samples import owner_key_facts

    with pytest.raises(ExecutionError):
        operator("confirm_owner_key")()
    assert owner_key_facts().confirmed is None


def test_the_form_that_was_left_opens_again(dataset: Any, alice: Path) -> None:
    import fiftyone.operators as foo

    for following, opened in (("protect_dataset", True), ("delete_release", False)):
        result = foo.execute_operator(
            "@reue/fiftyone-reue/confirm_owner_key",
            {"dataset": dataset},
            params={"kept": True, "next": following},
        )
        sent = [one["operator_uri"] for one in result.executor.to_json()["requests"]]
        assert ("prompt_user_for_operation" in sent) is opened


def test_python_is_asked_nothing(operator: Any, dataset: Any, alice: Path) -> None:
    operator("protect_dataset")(dataset, "alice", method="lsp")
    assert dataset.count("protected_filepath") == 40
