"""What reviewers of FiftyOne plugins look for, as far as a program can.

After voxel51's rubric for plugins (the skill `fiftyone-eval-plugin`): manifest and
secrets, dangerous code, schemas, bad parameters, risks and confirmations, delegation,
progress, stores, words. `test_plugin.py` and `test_confirming.py` say
more of some of it.
"""

import ast
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from fiftyone_reue.samples.confirm import ACTIONS

pytestmark = pytest.mark.integration

REPO = Path(__file__).resolve().parents[2]
MANIFEST = yaml.safe_load((REPO / "fiftyone.yml").read_text("utf-8"))
OPERATORS = MANIFEST["operators"]
FILES = [
    REPO / "__init__.py",
    *sorted((REPO / "operators").glob("*.py")),
    *sorted((REPO / "panels").glob("*.py")),
]
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"subprocess", "pickle", "marshal", "shelve", "socket", "requests"}
LONGEST_LABEL = 45
JARGON = re.compile(r"\b(ctx|uri|MongoDB|payload|PRF|HKDF|AEAD|Merkle|tensor)\b")
# Filled in by other means than the operator's parameters.
BESIDE = {"confirmation", "view_target", "advanced"}
BAD: tuple[dict[str, Any], ...] = (
    {},
    {"release": "nothing", "recipient": "nobody", "action": "explode"},
    {"epsilon": "loud", "clusters": -3, "label_field": "ground_truth"},
    {"output_dir": 7, "options": ["x"], "method": "none", "advanced": True},
    {"folder": "\0", "case_dir": "\udcff", "decoys": None, "weak_below": "much"},
)


NAMES = [path.relative_to(REPO).as_posix() for path in FILES]


def tree_of(name: str) -> ast.Module:
    return ast.parse((REPO / name).read_text("utf-8"))


# -- the manifest


def test_the_manifest_is_complete() -> None:
    wanted = {"name", "version", "author", "license", "description", "fiftyone"}
    assert wanted <= MANIFEST.keys()
    assert re.fullmatch(r"@[\w-]+/[\w-]+", MANIFEST["name"])
    assert MANIFEST["fiftyone"]["version"]
    assert len(MANIFEST["operators"]) == len(set(MANIFEST["operators"]))


def test_secrets_are_those_that_are_asked_for() -> None:
    from fiftyone_reue.samples.vaults import SECRETS

    assert set(MANIFEST["secrets"]) == set(SECRETS)
    calls = [
        node
        for tree in map(tree_of, NAMES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]
    assert not [one for one in calls if ast.unparse(one.func) == "ctx.secret"]
    # These go through all of SECRETS, and no operator or panel names one itself.
    asking = {
        ast.unparse(one.func)
        for one in calls
        if "ctx.secret" in map(ast.unparse, one.args)
    }
    assert asking == {"known_secrets", "shown_names"}


# -- dangerous code


@pytest.mark.parametrize("path", NAMES)
def test_no_code_that_reviewers_refuse(path: str) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, path
        if isinstance(node, ast.Import):
            names = {one.name.split(".")[0] for one in node.names}
            assert not names & FORBIDDEN_MODULES, path
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert str(node.module).split(".")[0] not in FORBIDDEN_MODULES, path
        if isinstance(node, ast.Attribute):
            # Variables come from the secrets alone.
            assert ast.unparse(node) not in ("os.environ", "os.getenv"), path
            # No stores whose keys could clash, or that nobody empties.
            assert node.attr not in ("store", "create_store"), path


# -- schemas


def parameters_of(name: str) -> set[str]:
    module = import_module(f"operators.{name}")
    return {one.name for one in fields(module.Parameters)}


def inputs_of(properties: dict[str, Any]) -> set[str]:
    """The fields that a person fills in: neither texts nor buttons."""
    return {
        name
        for name, prop in properties.items()
        if prop["type"]["name"] not in ("Void", "ViewTargetProperty")
        and (prop.get("view") or {}).get("name")
        not in ("Button", "Notice", "Warning", "ViewTargetView", "AlertView")
    }


@pytest.fixture
def released(operator: Any, dataset: Any, bob: Path) -> Any:
    operator("protect_dataset")(dataset, "alice", method="lsp")
    operator("publish_dataset")(dataset, method="lsp")
    return dataset


CHOICES = ({}, {"advanced": True}, {"action": "revoke"}, {"tier": "licensed"})


def test_a_form_asks_for_what_is_taken_and_labels_it(form: Any, released: Any) -> None:
    for name in OPERATORS:
        for params in CHOICES:
            properties = form(name, released, **params)
            asked = inputs_of(properties)
            assert asked - parameters_of(name) - BESIDE == set(), (name, params)
            for field in asked - {"view_target"}:
                label = (properties[field]["view"] or {}).get("label")
                assert label, (name, field)
                assert not JARGON.search(label), (name, field)


# -- bad parameters


def test_no_parameters_and_bad_ones_break_no_form(form: Any, released: Any) -> None:
    for name in OPERATORS:
        for params in BAD:
            for prop in form(name, released, **params).values():
                if prop["invalid"]:
                    assert prop["error_message"], (name, params)
                    assert "Traceback" not in prop["error_message"]


# -- risks, confirmations, delegation, progress


@pytest.mark.parametrize("name", OPERATORS)
def test_a_risk_is_declared_and_what_is_high_is_confirmed(
    name: str, operator: Any
) -> None:
    config = operator(name).config
    assert config.risk_level is not None
    if config.risk_level.value == "high":
        assert name in ACTIONS


@pytest.mark.parametrize("name", OPERATORS)
def test_delegation_is_offered_and_never_forced(name: str, operator: Any) -> None:
    config = operator(name).config
    assert config.allow_immediate_execution
    if config.allow_delegated_execution:
        source = (REPO / "operators" / f"{name}.py").read_text("utf-8")
        assert "reported(" in source or "finished(" in source, "shows no progress"
        assert "background.start(" in source, "keeps the page waiting"


# -- words


@pytest.mark.parametrize("name", OPERATORS)
def test_labels_are_for_people(name: str, operator: Any) -> None:
    config = operator(name).config
    for text in (config.label, config.description):
        assert text[0].isupper()
        assert "_" not in text.replace("deep_hiding", "")
        assert not JARGON.search(text)
    assert len(config.label) <= LONGEST_LABEL
    assert config.icon
