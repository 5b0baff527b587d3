"""How FiftyOne finds and loads the plugin."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.integration

REPO = Path(__file__).resolve().parents[2]

LOAD = """
import json
from fiftyone.operators.registry import OperatorRegistry
registry = OperatorRegistry()
ours = [o for o in registry.list_operators(builtin=False) if "reue" in o.uri]
report = {"names": sorted(o.name for o in ours), "errors": registry.list_errors()}
print("report", json.dumps(report))
"""


def load(folder: Path) -> dict[str, Any]:
    """What a fresh process finds, in another folder than the checkout."""
    ran = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, "FIFTYONE_PLUGINS_DIR": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    line = next((x for x in ran.stdout.splitlines() if x.startswith("report")), None)
    assert line is not None, ran.stderr
    return json.loads(line.removeprefix("report"))


@pytest.mark.slow
def test_a_linked_plugin_loads_in_a_fresh_process(tmp_path: Path) -> None:
    from fiftyone_reue.install.link import link

    link(tmp_path)
    found = load(tmp_path)
    assert found["errors"] == []
    manifest = yaml.safe_load((REPO / "fiftyone.yml").read_text())
    assert found["names"] == sorted(manifest["operators"] + manifest["panels"])


def test_the_manifest_names_what_is_registered(plugin: Path) -> None:
    class Recorder:
        def __init__(self) -> None:
            self.names: list[str] = []

        def register(self, kind: Any) -> None:
            self.names.append(kind().config.name)

    import operators

    recorder = Recorder()
    operators.register(recorder)
    manifest = yaml.safe_load((REPO / "fiftyone.yml").read_text())
    assert sorted(recorder.names) == sorted(manifest["operators"])


REGISTER = """
import sys
import fiftyone.operators
before = set(sys.modules)
sys.path.insert(0, {parent!r})
class Plugin:
    def register(self, kind):
        kind().config
__import__({name!r}).register(Plugin())
print(*sorted(set(sys.modules) - before))
"""

HEAVY = {"torch", "torchvision", "sklearn", "scipy", "matplotlib", "cv2"}


def modules_after(program: str, folder: Path) -> set[str]:
    """What a program prints, run in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.split())


@pytest.mark.slow
def test_registering_loads_nothing_heavy(tmp_path: Path) -> None:
    """Every start of the App pays for it, whatever is done there."""
    (tmp_path / "linked_plugin").symlink_to(REPO)
    program = REGISTER.format(parent=str(tmp_path), name="linked_plugin")
    loaded = modules_after(program, tmp_path)
    assert "linked_plugin.operators.audit_release" in loaded
    assert "linked_plugin.panels.leak_check" in loaded
    assert not loaded & HEAVY
    # FiftyOne has loaded some of these itself: what ours would load without it.
    ours = sorted(name for name in loaded if name.split(".")[0] == "fiftyone_reue")
    assert "fiftyone_reue.samples" in ours
    again = f"import importlib, sys; [importlib.import_module(n) for n in {ours!r}]"
    assert not modules_after(f"{again}; print(*sys.modules)", tmp_path) & HEAVY


def test_a_missing_package_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = runpy.run_path(str(REPO / "__init__.py"))
    find = importlib.util.find_spec

    def find_all_but_one(name: str, package: str | None = None) -> Any:
        return None if name == "imagecodecs" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_all_but_one)
    with pytest.raises(ImportError, match="needs imagecodecs: run") as info:
        entry["register"](None)
    assert "\n" not in str(info.value)


def test_every_operator_says_what_it_is_and_risks(operator: Any) -> None:
    manifest = yaml.safe_load((REPO / "fiftyone.yml").read_text())
    risks = {}
    for name in manifest["operators"]:
        config = operator(name).config
        assert config.label
        assert config.description
        assert config.icon
        risks[name] = config.risk_level.value
    assert risks == {
        "preview_protection": "low",
        "protect_dataset": "medium",
        "publish_dataset": "medium",
        "license_recipient": "medium",
        "package_release": "medium",
        "restore_dataset": "high",
        "extract_watermark": "low",
        "reveal_hidden": "low",
        "score_unlearnability": "low",
        "audit_release": "low",
        "manage_recipients": "medium",
        "delete_release": "high",
        "show_release": "low",
        "switch_media": "low",
        "switch_sample_media": "low",
        "mark_samples": "low",
        "check_files": "low",
        "confirm_owner_key": "low",
    }


def test_only_what_scales_with_samples_can_be_delegated(operator: Any) -> None:
    manifest = yaml.safe_load((REPO / "fiftyone.yml").read_text())
    able = {
        name
        for name in manifest["operators"]
        if operator(name).config.allow_delegated_execution
    }
    assert able == {
        "preview_protection",
        "protect_dataset",
        "publish_dataset",
        "license_recipient",
        "package_release",
        "restore_dataset",
        "extract_watermark",
        "reveal_hidden",
        "score_unlearnability",
        "audit_release",
        "mark_samples",
        "check_files",
        "show_release",
        "delete_release",
    }
