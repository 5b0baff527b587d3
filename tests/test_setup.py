"""The files that tools read agree with each other and with the package."""

import ast
import importlib.metadata
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import fiftyone_reue
from fiftyone_reue.install.link import PLUGIN_FILES, PLUGIN_NAME

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))
MANIFEST = yaml.safe_load((REPO / "fiftyone.yml").read_text("utf-8"))


def test_versions_agree() -> None:
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "fiftyone_reue/__init__.py"
    assert MANIFEST["version"] == fiftyone_reue.__version__
    citation = yaml.safe_load((REPO / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == fiftyone_reue.__version__
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert citation["abstract"] == PYPROJECT["project"]["description"]
    changelog = (REPO / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    version, last = Version(fiftyone_reue.__version__), Version(headings[1])
    assert last < version if version.is_devrelease else last == version


def test_golden_releases_are_of_this_version_and_those_before() -> None:
    golden = REPO / "tests" / "golden"
    version = Version(fiftyone_reue.__version__)
    this = version.release[:2]
    for folder in (golden, golden / "jpeg"):
        kept = {Version(path.name).release for path in folder.glob("[0-9]*.[0-9]*")}
        assert max(kept) <= this
        assert version.is_devrelease or this in kept


def test_manifest_agrees_with_the_project() -> None:
    assert MANIFEST["name"] == PLUGIN_NAME
    assert MANIFEST["license"] == PYPROJECT["project"]["license"]
    assert MANIFEST["description"] == PYPROJECT["project"]["description"]
    (fiftyone,) = PYPROJECT["project"]["optional-dependencies"]["app"]
    assert fiftyone == "fiftyone" + MANIFEST["fiftyone"]["version"]


def test_manifest_lists_each_thing_once() -> None:
    for key in ("operators", "panels", "secrets"):
        assert len(set(MANIFEST[key])) == len(MANIFEST[key])
    assert all(name.startswith("REUE_OWNER_") for name in MANIFEST["secrets"])


def test_requirements_mirror_the_dependencies() -> None:
    lines = (REPO / "requirements.txt").read_text("utf-8").splitlines()
    assert lines == PYPROJECT["project"]["dependencies"]


def test_wheel_carries_the_files_that_link_needs() -> None:
    forced = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert forced == {name: f"fiftyone_reue/_plugin/{name}" for name in PLUGIN_FILES}
    assert all((REPO / name).exists() for name in forced)


@pytest.mark.parametrize(
    "target",
    [
        *("demo", "test", "bfloat16", "lint", "docs", "tour", "versions"),
        *("app", "venv", "database"),
    ],
)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pip install" in done.stdout


def test_make_passes_the_data_folder_to_the_demo() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "demo", "DATA=/some/my images"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        '-m fiftyone_reue.demo --plain-key-file --data "/some/my images"' in done.stdout
    )


@pytest.mark.parametrize("script", [".ci/run", ".ci/apt-install", ".ci/try-fiftyone"])
def test_scripts_can_be_run(script: str) -> None:
    path = REPO / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_pytest_leaves_the_plugin_entry_alone(request: pytest.FixtureRequest) -> None:
    nodes = request.node.listchain()
    assert REPO in [node.path for node in nodes]
    assert not [node for node in nodes if isinstance(node, pytest.Package)]


@pytest.mark.slow
def test_library_imports_without_its_heavy_or_optional_parts() -> None:
    modules = [
        ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((REPO / "fiftyone_reue").rglob("*.py"))
        if path.name != "__main__.py"
    ]
    assert "fiftyone_reue.install.link" in modules
    script = f"""
import importlib, sys
for name in (
    *("fiftyone", "pymongo", "mongoengine", "diffusers", "transformers"),
    *("ray", "pyarrow", "fsspec", "s3fs"),
):
    sys.modules[name] = None
for name in {modules!r}:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", script], cwd=REPO, check=True)


HEAVY = (
    *("torch", "torchvision", "sklearn", "scipy", "matplotlib", "cv2", "fiftyone"),
    *("ray", "pyarrow", "fsspec"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "import fiftyone_reue",
        "import fiftyone_reue.samples",
        "from fiftyone_reue.cli import main; main(['--help'])",
        "from fiftyone_reue.cli import main; main(['protect', '--help'])",
        "from fiftyone_reue.cli import main; main(['list', 'victims'])",
    ],
)
def test_what_begins_at_once_loads_nothing_heavy(program: str) -> None:
    loaded = f"lambda: print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import atexit, sys; atexit.register({loaded}); {program}",
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def _requirement(line: str) -> str:
    return re.split(r"[<>=]", line)[0].lower()


def _imported(folder: Path) -> set[str]:
    """The packages that modules below a folder import, anywhere in them."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"fiftyone_reue"}


@pytest.mark.slow
def test_what_the_library_imports_is_a_dependency() -> None:
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    optional = ("app", "generate", "parquet", "ray", "storage")
    lines = [*project["dependencies"], *(one for o in optional for one in extras[o])]
    required = {_requirement(line) for line in lines}
    # FiftyOne brings the first two, jinja2 the last.
    required |= {"pymongo", "psutil", "markupsafe"}
    distributions = importlib.metadata.packages_distributions()
    for package in _imported(REPO / "fiftyone_reue"):
        named = {name.lower() for name in distributions.get(package, [package])}
        assert named & required, package


@pytest.mark.slow
def test_the_plugin_demands_what_is_required_and_nothing_else() -> None:
    needed = runpy.run_path(str(REPO / "__init__.py"))["_NEEDED"]
    required = {_requirement(line) for line in PYPROJECT["project"]["dependencies"]}
    distributions = importlib.metadata.packages_distributions()
    found = set()
    for package in set(needed) - {"fiftyone_reue"}:
        named = {name.lower() for name in distributions[package]} & required
        assert named, package
        found |= named
    assert found == required
