"""What is said of versions of FiftyOne that nobody tried."""

import logging
import runpy
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from fiftyone_reue.install import fiftyone_version

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.unit
@pytest.mark.parametrize("version", ["1.19.0", "1.20.1", "1.22.1", "1.22.0.dev3"])
def test_nothing_is_said_of_what_was_tested(version: str) -> None:
    assert fiftyone_version.problem(version) is None


@pytest.mark.unit
@pytest.mark.parametrize("version", ["1.23.0", "1.99.1"])
def test_a_newer_one_is_named_and_used(version: str) -> None:
    assert fiftyone_version.is_supported(version)
    said = fiftyone_version.problem(version)
    assert said is not None
    assert said.startswith("fiftyone-reue was tested with FiftyOne 1.19 to 1.22, and")
    assert version in said


@pytest.mark.unit
@pytest.mark.parametrize("version", ["1.18.4", "0.25.0", "2.0.0", "unknown"])
def test_another_is_refused_with_what_to_do(version: str) -> None:
    assert not fiftyone_version.is_supported(version)
    said = fiftyone_version.problem(version)
    assert said is not None
    assert f"not with {version}: pip install 'fiftyone>=1.19,<2'" in said


@pytest.mark.unit
def test_the_range_is_that_of_the_package_and_of_these_tests() -> None:
    """Else nobody would see that it must be tried with what is newer."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    (wanted,) = project["optional-dependencies"]["app"]
    assert fiftyone_version.problem("0.1") is not None
    assert wanted in str(fiftyone_version.problem("0.1"))
    assert metadata.version("fiftyone").startswith("1.22.")
    assert fiftyone_version.NEWEST == (1, 22)


@pytest.mark.integration
@pytest.mark.parametrize("version", ["1.18.0", "2.1.0"])
def test_the_plugin_is_not_loaded_with_it(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fiftyone

    monkeypatch.setattr(fiftyone, "__version__", version)
    entry = runpy.run_path(str(REPO / "__init__.py"))
    with pytest.raises(ImportError, match=f"not with {version}: pip install") as info:
        entry["register"](None)
    assert "\n" not in str(info.value)


@pytest.mark.integration
def test_the_log_and_the_panel_say_that_it_is_untested(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import fiftyone

    from panels import protection_status

    assert protection_status.version_notice() is None
    monkeypatch.setattr(fiftyone, "__version__", "1.23.0")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            fiftyone_version.require(fiftyone.__version__)
    said = "was tested with FiftyOne 1.19 to 1.22, and this is 1.23.0"
    assert caplog.text.count(said) == 1
    assert "this is 1.23.0" in str(protection_status.version_notice())
