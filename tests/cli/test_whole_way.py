"""Commands after one another: from a vault to naming who leaked."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.workflows import score as scoring

pytestmark = pytest.mark.unit


@pytest.mark.slow
def test_from_init_to_naming_who_leaked(place, tmp_path, same, leak):
    """The contract from end to end, each step by its words alone."""
    for who in ("alice", "bob"):
        out = place.protect(who, f"@p-{who}")
        assert out.exit_code == 0
        assert f"for {who}: 12 protected, 0 were there, 0 failed" in out.stdout
    assert not same(place.path("p-alice"), place.path("p-bob"))

    place.ok("restore", "@p-alice", "@w-alice", "--key", "@alice.key")
    assert not same(place.path("w-alice"), place.path("source"))
    place.ok("restore", "@p-alice", "@o1", "--vault", "@vault")
    place.ok("restore", "@w-alice", "@o2", "--vault", "@vault")
    assert same(place.path("o1"), place.path("source"))
    assert same(place.path("o2"), place.path("source"))

    for name in ("p-alice", "w-alice", "p-bob"):
        suspects = leak(place.path(name), tmp_path / f"leak-{name}")
        found = place.json("extract", suspects, "--vault", "@vault")
        assert found["decision"] == "match"
        assert found["recipient"] == name[2:]


@pytest.mark.slow
def test_a_flat_folder_is_protected_by_clusters(place, monkeypatch, same):
    flat = Path(place.path("flat"))
    flat.mkdir()
    for file in Path(place.path("source")).rglob("*.png"):
        shutil.copy(file, flat / f"{file.stem}-{file.parent.name}.png")
    words = ["--vault", "@vault", "--recipient", "alice", "--method", "lsp"]
    said = place.fails("protect", "@flat", "@p", *words)
    assert "12 images in no class folder" in said
    assert "--clusters" in said
    assert "at least 13" in place.fails(
        "protect", "@flat", "@p", *words, "--clusters", "13"
    )
    done = place.json("protect", "@flat", "@p", *words, "--clusters", "3")
    assert (done["protected"], done["failed"], done["clusters"]) == (12, 0, 3)
    again = place.json("protect", "@flat", "@p", *words, "--clusters", "3")
    assert (again["protected"], again["skipped"]) == (0, 12)

    place.ok("restore", "@p", "@w", "--key", "@alice.key")
    place.ok("restore", "@p", "@o1", "--vault", "@vault")
    place.ok("restore", "@w", "@o2", "--vault", "@vault")
    assert not same(place.path("w"), flat)
    assert same(place.path("o1"), flat)
    assert same(place.path("o2"), flat)
    found = place.json("extract", "@p", "--vault", "@vault")
    assert (found["decision"], found["recipient"]) == ("match", "alice")

    quick = partial(Recipe, epochs=1, least_steps=1)
    monkeypatch.setattr(scoring, "Recipe", quick)
    measured = place.json("score", "@p", "--vault", "@vault")
    assert {one["class"] for one in measured["per_image"]} == {
        f"cluster-{number:02}" for number in range(3)
    }
    Path(place.path("p"), "manifest.json").unlink()
    assert "whole folder" in place.fails("score", "@p", "--vault", "@vault")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["deep_hiding", "raeg"])
def test_invertible_methods_go_the_whole_way(
    place, tmp_path, monkeypatch, method, same, images, leak
):
    from fiftyone_reue.perturb.raeg.config import RaegConfig
    from fiftyone_reue.perturb.tap.config import TapConfig

    quick = TapConfig(epochs=1, least_steps=5)
    monkeypatch.setattr(
        "fiftyone_reue.perturb.raeg.method.RaegConfig",
        partial(RaegConfig, training=quick),
    )
    words = ["--vault", "@vault", "--recipient", "alice", "--method", method]
    done = place.json("protect", "@source", "@p", *words)
    assert (done["protected"], done["failed"]) == (12, 0)
    before, after = images(place.path("source")), images(place.path("p"))
    for name, image in before.items():
        assert 2 < np.abs(after[name].astype(int) - image).max() <= 8

    place.ok("restore", "@p", "@w", "--key", "@alice.key")
    place.ok("restore", "@p", "@o1", "--vault", "@vault")
    place.ok("restore", "@w", "@o2", "--vault", "@vault")
    assert not same(place.path("w"), place.path("source"))
    assert same(place.path("o1"), place.path("source"))
    assert same(place.path("o2"), place.path("source"))
    for name in ("p", "w"):
        suspects = leak(place.path(name), tmp_path / f"leak-{name}")
        found = place.json("extract", suspects, "--vault", "@vault")
        assert (found["decision"], found["recipient"]) == ("match", "alice")
    assert "Wrong key" in place.fails("restore", "@p", "@x", "--key", "@bob.key")


@pytest.mark.slow
def test_no_key_is_ever_printed(place):
    keys = [
        line
        for name in ("alice.key", "bob.key", "vault/owner.key")
        for line in (place.root / name).read_text().splitlines()
        if len(line) > 40 and ":" not in line
    ]
    assert len(keys) >= 3
    said = [
        place.ok("recipient", "list", "--vault", "@vault"),
        place.protect("alice", "@out"),
        place.ok("extract", "@out", "--vault", "@vault"),
        place.ok("info", "@out"),
        place.run("restore", "@out", "@x", "--key", "@vault/owner.key"),
    ]
    for result in said:
        assert not any(key in result.output for key in keys)
