"""Public functions have an example, and each is run."""

import dataclasses
import inspect
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fiftyone_reue as reue
from fiftyone_reue import api, samples
from fiftyone_reue.perturb import base, registry


def docstring_example(thing: Any) -> str | None:
    """The code below ``Example::``."""
    text = inspect.getdoc(thing) or ""
    found = re.search(r"^Example::\n\n((?: {4}.*\n?|\n)+)", text, re.MULTILINE)
    return textwrap.dedent(found[1]) if found else None


FACE = {
    "fiftyone_reue": reue,
    "fiftyone_reue.api": api,
    **{name: getattr(reue, name) for name in reue.__all__ if name != "__version__"},
    "Method.perturb": base.Method.perturb,
    "FitOptions": base.FitOptions,
}
EMPTY = ("fiftyone_reue.api", "create_vault")
"""These make a vault themselves; all others find one, with alice's release in it."""
UNRELEASED = ("fiftyone_reue", "protect")


@pytest.mark.unit
@pytest.mark.parametrize("name", FACE)
def test_a_public_docstring_has_an_example(name: str) -> None:
    assert docstring_example(FACE[name]), name


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """Photographs, a vault, alice and her key, her release, and what was found."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(photographs, folder / "photos")
    with reue.create_vault(folder / "vault", plain_key_file=True) as vault:
        _, key = vault.add_recipient("alice")
        reue.write_key_file(folder / "alice.key", key)
        out = folder / "for_alice"
        reue.protect(folder / "photos", out, vault=vault, recipient="alice")
    shutil.copytree(folder / "for_alice", folder / "found_on_the_web")
    return folder


@pytest.fixture
def short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are trained, but for some steps alone."""
    from fiftyone_reue.auditing import unlearnability
    from fiftyone_reue.auditing.budgets import BUDGETS
    from fiftyone_reue.networks.recipe import Recipe

    quick = dataclasses.replace(BUDGETS["quick"], epochs=1, least_steps=2)
    monkeypatch.setitem(BUDGETS, "quick", quick)
    short = Recipe(epochs=1, least_steps=2, batch=16)
    monkeypatch.setattr(unlearnability, "Recipe", lambda: short)
    monkeypatch.setattr("fiftyone_reue.workflows.score.Recipe", lambda: short)


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.usefixtures("short_trainings")
@pytest.mark.parametrize("name", FACE)
def test_a_docstrings_example_runs(
    name: str, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(house, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    if name in EMPTY:
        shutil.rmtree("vault")
    if name in (*EMPTY, *UNRELEASED):
        shutil.rmtree("for_alice")
    if name == "register_method":
        monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))
    draw = np.random.default_rng(0)
    given = {
        **{one: getattr(reue, one) for one in reue.__all__},
        "LinearlySeparable": registry.LinearlySeparable,
        "images": draw.integers(0, 256, (6, 32, 32, 3), np.uint8),
        "labels": [0, 1] * 3,
        "replace": dataclasses.replace,
        "reue": reue,
    }
    code = docstring_example(FACE[name])
    assert code is not None
    exec(compile(code, f"<example of {name}>", "exec"), given)


# -- docstrings of the verbs for FiftyOne datasets

ORDER = (
    "open_vault",
    "owner_key_facts",
    "confirm_owner_key",
    "add_recipient",
    "list_recipients",
    "preview_samples",
    "protect_samples",
    "list_releases",
    "show_release",
    "packable_fields",
    "package_samples",
    "publish_samples",
    "list_published",
    "license_samples",
    "find_stale",
    "mark_samples",
    "extract_samples",
    "extract_folder",
    "annotate_check",
    "list_checks",
    "compare_checks",
    "delete_check",
    "undelete_check",
    "reveal_samples",
    "score_samples",
    "audit_samples",
    "restore_samples",
    "confirmation_code",
    "delete_release",
    "write_recipient_key",
    "rename_recipient",
    "revoke_recipient",
    "reinstate_recipient",
    "check_vault",
    "rotate_key",
)
"""One after the other they are a vault's life."""


def dataset_verbs() -> set[str]:
    return {
        name
        for name in samples.__all__
        if not inspect.isclass(getattr(samples, name)) and not name.endswith("_steps")
    }


@pytest.mark.unit
def test_every_verb_for_datasets_has_an_example() -> None:
    without = {name for name in dataset_verbs() if name not in ORDER}
    assert without == {"repair_vault"}, "it does nothing where nothing is lost"


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.usefixtures("short_trainings")
def test_the_examples_for_datasets_run(
    house: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_vault: Callable[[], None],
) -> None:
    import fiftyone as fo

    shutil.copytree(house, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    kind = fo.types.ImageClassificationDirectoryTree
    dataset = fo.Dataset.from_dir(str(Path("photos").resolve()), dataset_type=kind)
    with samples.open_vault(plain_key_file=True) as vault:
        vault.add_recipient("alice")
    samples.protect_samples(dataset, "alice", output_dir=Path("mine").resolve())
    found = fo.Dataset.from_images_dir(str(Path("mine").resolve()), recursive=True)
    given = {"Path": Path, "dataset": dataset, "suspects": found, "reue": samples}
    try:
        for name in ORDER:
            code = docstring_example(getattr(samples, name))
            assert code is not None, name
            exec(compile(code, f"<example of {name}>", "exec"), given)
    finally:
        given["vault"].close()  # type: ignore[attr-defined]
        dataset.delete()
        found.delete()
    assert given["check"].recipient == "alice"  # type: ignore[attr-defined]


@pytest.fixture
def no_vault(fiftyone_folder: Path) -> Iterator[None]:
    """FiftyOne's database without a vault, before and after."""
    import fiftyone.core.odm as foo

    def drop() -> None:
        database = foo.get_db_conn()
        for name in database.list_collection_names():
            if name.startswith("reue_"):
                database.drop_collection(name)
        shutil.rmtree(fiftyone_folder / "reue", ignore_errors=True)

    drop()
    yield
    drop()
