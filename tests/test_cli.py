"""The command line's contract: words, exit statuses, JSON and what ends up on disk."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fiftyone_reue import __version__, cli, release_audit
from fiftyone_reue import score as scoring
from fiftyone_reue.audit import split as splitting
from fiftyone_reue.audit.budgets import BUDGETS
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.raster import DEFAULT_MAX_PIXELS
from fiftyone_reue.networks.training import Recipe
from fiftyone_reue.reveal import DECOYS, MOST_DECOYS

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Place:
    """A folder with originals, a vault, two key files and, maybe, two releases."""

    root: Path

    def path(self, name: str) -> str:
        return str(self.root / name)

    def run(self, *words: str, env: dict[str, str | None] | None = None) -> Result:
        """Run the command line; words starting with @ are names in the folder."""
        places = [self.path(w[1:]) if w.startswith("@") else w for w in words]
        return CliRunner().invoke(cli.main, places, env=env)

    def ok(self, *words: str) -> Result:
        result = self.run(*words)
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
        return result

    def json(self, *words: str, status: int = 0) -> dict:
        """The one object on standard output."""
        result = self.run(*words, "--json")
        assert result.exit_code == status, result.stderr
        (line,) = result.stdout.splitlines()
        return json.loads(line)

    def fails(self, *words: str, status: int = 1) -> str:
        """What is said of a failure; nothing but words, no traceback."""
        result = self.run(*words)
        assert result.exit_code == status, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        assert result.stderr.strip()
        return result.stderr


def build(root: Path, write_folder: Callable[..., Path]) -> Place:
    write_folder(root / "source", classes=3, each=4, side=48)
    place = Place(root)
    place.ok("init", "--vault", "@vault")
    for who in ("alice", "bob"):
        key = f"@{who}.key"
        place.ok("recipient", "add", who, "--vault", "@vault", "--key-out", key)
    return place


def protect(place: Place, who: str, output: str, *options: str) -> Result:
    words = ["protect", "@source", output, "--vault", "@vault", "--recipient", who]
    return place.run(*words, "--method", "lsp", *options)


@pytest.fixture
def place(tmp_path: Path, write_folder: Callable[..., Path]) -> Place:
    """Nothing released yet, free to change."""
    return build(tmp_path, write_folder)


@pytest.fixture(scope="module")
def house(tmp_path_factory, write_folder: Callable[..., Path]) -> Place:
    """Read only, with releases to alice and bob in pa and pb, restored in wa and wb."""
    place = build(tmp_path_factory.mktemp("house"), write_folder)
    for who in ("alice", "bob"):
        short = who[0]
        assert protect(place, who, f"@p{short}").exit_code == 0
        place.ok("restore", f"@p{short}", f"@w{short}", "--key", f"@{who}.key")
    return place


def images(folder: str | Path) -> dict[str, np.ndarray]:
    """Every image's samples below a folder, by its path without suffix."""
    return {
        str(p.relative_to(folder).with_suffix("")): load(p).raster.samples
        for p in sorted(Path(folder).rglob("*"))
        if p.suffix in (".png", ".jpg", ".bmp", ".webp", ".tif")
    }


def same(one: str | Path, other: str | Path) -> bool:
    a, b = images(one), images(other)
    assert a.keys() == b.keys()
    assert a
    return all(np.array_equal(a[name], b[name]) for name in a)


def leak(source: str, target: Path, quality: int = 85, count: int = 12) -> str:
    """Re-compress files to JPEG under names that say nothing."""
    target.mkdir()
    files = sorted(Path(source).rglob("*.png"))[:count]
    for number, file in enumerate(files):
        image = Image.open(file).convert("RGB")
        image.save(target / f"IMG_{number:04}.jpg", quality=quality)
    return str(target)


# The whole way


def test_from_init_to_naming_who_leaked(place, tmp_path):
    """The contract from end to end, each step by its words alone."""
    for who in ("alice", "bob"):
        out = protect(place, who, f"@p-{who}")
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


def test_a_flat_folder_is_protected_by_clusters(place, monkeypatch):
    flat = Path(place.path("flat"))
    flat.mkdir()
    for file in Path(place.path("source")).rglob("*.png"):
        shutil.copy(file, flat / f"{file.stem}-{file.parent.name}.png")
    words = ["--vault", "@vault", "--recipient", "alice", "--method", "lsp"]
    said = place.fails("protect", "@flat", "@p", *words)
    assert "12 images are in no class folder" in said
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


@pytest.mark.parametrize("method", ["deep_hiding", "raeg"])
def test_invertible_methods_go_the_whole_way(place, tmp_path, monkeypatch, method):
    from fiftyone_reue.perturb.raeg import RaegConfig
    from fiftyone_reue.perturb.tap import TapConfig

    quick = TapConfig(epochs=1, least_steps=5)
    monkeypatch.setattr(
        "fiftyone_reue.perturb.raeg.RaegConfig", partial(RaegConfig, training=quick)
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


def test_scenes_of_ones_own_are_hidden(place):
    words = ["--vault", "@vault", "--recipient", "alice"]
    own = [*words, "--method", "deep_hiding", "--scenes", "@own"]
    folder = Path(place.path("own"))
    folder.mkdir()
    assert "has no folder there" in place.fails("protect", "@source", "@p", *own)
    for number, kind in enumerate(sorted(Path(place.path("source")).iterdir())):
        (folder / kind.name).mkdir()
        scene = np.zeros((64, 64, 3), np.uint8)
        scene[:, 16 * number : 16 * number + 24] = 255
        Image.fromarray(scene).save(folder / kind.name / "scene.png")
    assert "hides no scenes" in place.fails(
        "protect", "@source", "@p", *words, "--method", "lsp", "--scenes", "@own"
    )
    place.ok("protect", "@source", "@p", *own)
    place.ok("protect", "@source", "@q", *own[:-2])
    assert not same(place.path("p"), place.path("q"))
    place.ok("restore", "@p", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))
    assert "scenes of one's own" in place.fails("protect", "@source", "@p", *own[:-2])


def test_clusters_come_before_folders(place):
    done = protect(place, "alice", "@p", "--clusters", "2", "--json")
    assert json.loads(done.stdout)["protected"] == 12
    manifest = json.loads(Path(place.path("p"), "manifest.json").read_text())
    assert {one["class"] for one in manifest["files"]} == {"cluster-00", "cluster-01"}


def test_rue_is_the_default_and_repeats_with_a_seed(place):
    words = ("--vault", "@vault", "--recipient", "alice", "--device", "cpu")
    first = place.json("protect", "@source", "@a", *words, "--seed", "7")
    assert first["method"] == "rue"
    assert first["protected"] == 12
    place.ok("protect", "@source", "@b", *words, "--seed", "7")
    place.ok("protect", "@source", "@c", *words, "--seed", "8")
    assert same(place.path("a"), place.path("b"))
    assert not same(place.path("a"), place.path("c"))
    place.ok("restore", "@a", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))


@pytest.mark.parametrize("epsilon", [3, 8, 32])
def test_epsilon_bounds_every_sample(place, epsilon):
    assert protect(place, "alice", "@out", "--epsilon", str(epsilon)).exit_code == 0
    originals = images(place.path("source"))
    for name, samples in images(place.path("out")).items():
        change = np.abs(samples.astype(int) - originals[name])
        assert epsilon / 2 < change.max() <= epsilon


def test_a_second_run_writes_nothing_and_a_third_what_is_missing(place):
    def snapshot() -> dict[Path, tuple[bytes, int]]:
        files = [p for p in Path(place.path("out")).rglob("*") if p.is_file()]
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in files}

    protect(place, "alice", "@out")
    before = snapshot()
    report = json.loads(protect(place, "alice", "@out", "--json").stdout)
    assert (report["protected"], report["skipped"], report["failed"]) == (0, 12, 0)
    assert snapshot() == before
    (place.root / "out/brick/2.png").unlink()
    report = json.loads(protect(place, "alice", "@out", "--json").stdout)
    assert (report["protected"], report["skipped"]) == (1, 11)
    after = snapshot()
    assert {p: b for p, (b, _) in after.items()} == {
        p: b for p, (b, _) in before.items()
    }


def test_formats_are_kept_and_jpeg_becomes_png(place):
    folder = place.root / "source/mixed"
    folder.mkdir()
    image = Image.open(place.path("source/brick/0.png"))
    for suffix, options in {
        "png": {},
        "bmp": {},
        "tif": {},
        "webp": {"lossless": True},
        "jpg": {"quality": 95},
    }.items():
        image.save(folder / f"{suffix}-file.{suffix}", **options)
    out = protect(place, "bob", "@out")
    assert out.exit_code == 0
    assert "1 images with lossy files (JPEG) were written as PNG" in out.stdout
    written = sorted(p.name for p in (place.root / "out/mixed").iterdir())
    assert written == [
        "bmp-file.bmp",
        "jpg-file.png",
        "png-file.png",
        "tif-file.tif",
        "webp-file.webp",
    ]
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    assert same(place.path("o"), place.path("source"))


# Extract


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("tier", ["p", "w"])
def test_a_leak_names_its_recipient(house, tmp_path, who, tier):
    suspects = leak(house.path(tier + who[0]), tmp_path / "leak", quality=75)
    found = house.json("extract", suspects, "--vault", "@vault")
    assert {
        "decision",
        "recipient",
        "p_value",
        "images_used",
        "images_matched",
        "recipients_tested",
        "best_innocent_p",
        "per_image",
    } <= found.keys()
    assert (found["decision"], found["recipient"]) == ("match", who)
    assert found["p_value"] <= 1e-6 < found["best_innocent_p"]
    assert found["recipients_tested"] == 2
    assert found["images_used"] == found["images_matched"] <= 12
    assert [i["image"] for i in found["per_image"]] == [
        f"IMG_{n:04}.jpg" for n in range(12)
    ]


def test_unrelated_photos_are_no_match(house, tmp_path, photos):
    for name in ("rocket", "flower", "pagoda"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.jpg")
    found = house.json("extract", str(tmp_path), "--vault", "@vault")
    assert (found["decision"], found["recipient"]) == ("no-match", None)
    assert found["images_used"] == 0
    assert found["p_value"] == 1
    assert len(found["per_image"]) == 3


def test_the_originals_are_no_match(house, tmp_path):
    suspects = leak(house.path("source"), tmp_path / "leak")
    for folder in (suspects, "@source"):
        found = house.json("extract", folder, "--vault", "@vault")
        assert (found["decision"], found["recipient"]) == ("no-match", None)


def test_single_files_can_be_given(house):
    files = sorted(Path(house.path("pb")).rglob("*.png"))[:5]
    one = house.json("extract", str(files[0]), "--vault", "@vault")
    assert one["images_matched"] == 1
    five = house.json("extract", *map(str, files), "--vault", "@vault")
    assert (five["recipient"], five["images_used"]) == ("bob", 5)


def test_the_verdict_in_words(house):
    out = house.ok("extract", "@pa", "--vault", "@vault").stdout
    assert "derived from the copy of alice" in out
    assert "not who leaked it" in out
    assert "best innocent code" in out
    assert out.index("alice") < out.index("bob")


def test_a_suspect_that_can_not_be_read_is_reported_beside_the_verdict(house, tmp_path):
    suspects = Path(leak(house.path("pa"), tmp_path / "leak"))
    (suspects / "text.png").write_text("no image")
    found = house.json("extract", str(suspects), "--vault", "@vault", status=1)
    assert found["recipient"] == "alice"
    assert "not an image" in found["per_image"][-1]["error"]


# Score


def test_what_was_hidden_is_shown(place, tmp_path):
    words = ["protect", "@source", "@pd", "--vault", "@vault", "--recipient", "alice"]
    place.ok(*words, "--method", "deep_hiding")
    folder = leak(place.path("pd"), tmp_path / "leak", quality=75, count=3)
    reveal = ["reveal", folder, "--vault", "@vault", "--out", "@shown"]
    found = place.json(*reveal, "--decoys", "3")
    assert (found["images_revealed"], found["images_failed"]) == (3, 0)
    assert (found["decoys"], found["found"]) == (3, False)
    panels = [Path(place.path("shown")) / row["panels"] for row in found["per_image"]]
    for path in panels:
        with Image.open(path) as image:
            assert image.width > 3 * image.height
    said = place.ok(*reveal, "--decoys", "3").stdout
    assert "Decoys as good" in said
    assert "3 decoys can't decide" in said.splitlines()[-1]
    assert place.fails("reveal", "@pd", *reveal[2:], "--decoys", "0", status=2)
    inside = place.fails("reveal", "@pd", "--vault", "@vault", "--out", "@pd/shown")
    assert "within one another" in inside
    assert protect(place, "bob", "@pl").exit_code == 0
    refused = place.fails("reveal", "@pl", "--vault", "@vault", "--out", "@none")
    assert "made with lsp, which hides nothing" in refused


def test_scores_for_machines_and_in_words(house, monkeypatch):
    quick = partial(Recipe, epochs=1, least_steps=3, batch=16)
    monkeypatch.setattr(scoring, "Recipe", quick)
    words = ("score", "@pa", "--vault", "@vault", "--device", "cpu")
    found = house.json(*words)
    assert {
        "accuracy_clean",
        "accuracy_protected",
        "chance",
        "unlearnability",
        "per_image",
    } <= found.keys()
    assert found["chance"] == pytest.approx(1 / 3, abs=1e-3)
    assert len(found["per_image"]) == found["images"] == 12
    assert all(0 <= image["score"] <= 1 for image in found["per_image"])
    assert "Trained on originals" in house.ok(*words).stdout
    listed = house.json("release", "list", "--vault", "@vault")["releases"]
    by_recipient = {row["recipient"]: row for row in listed}
    assert by_recipient["alice"]["unlearnability"] == found["unlearnability"]


def test_what_is_no_release_has_no_score(house):
    said = house.fails("score", "@source", "--vault", "@vault")
    assert "no record" in said


# Audit


def test_an_audit_for_machines_and_in_words(house, monkeypatch, tmp_path):
    tiny = replace(
        BUDGETS["quick"],
        epochs=1,
        least_steps=2,
        victims=("mlp",),
        countermeasures=("none",),
    )
    monkeypatch.setattr(release_audit, "budget_named", lambda name: tiny)
    monkeypatch.setattr(splitting, "LEAST_IMAGES", 12)
    report = tmp_path / "report"
    words = ("audit", "@pa", "--vault", "@vault", "--device", "cpu", "--out")
    found = house.json(*words, str(report))
    assert [one["countermeasure"] for one in found["findings"]] == ["none"]
    assert found["report"] == str(report / "audit.html")
    said = house.ok(*words, str(report)).stdout
    assert found["headline"] in said
    assert str(report / "audit.html") in said
    refused = house.fails(*words, str(report), "--countermeasures", "none,jpg")
    assert "no countermeasure 'jpg'" in refused


@pytest.mark.parametrize("what", ["methods", "countermeasures", "victims"])
def test_what_can_be_named_is_listed(place, what):
    listed = place.json("list", what)
    assert len(listed) > 5
    said = place.ok("list", what).stdout
    for one in listed:
        assert one["name"] in said
        assert one["title"] in said


# Vault and recipients


def test_init_says_where_the_owner_key_is_and_refuses_a_second_time(tmp_path):
    place = Place(tmp_path)
    out = place.ok("init", "--vault", "@v").stdout
    assert "owner.key" in out
    assert "keep a copy in a safe place" in out
    assert (tmp_path / "v/owner.key").stat().st_mode & 0o077 == 0
    before = (tmp_path / "v/owner.key").read_bytes()
    assert "a vault in" in place.fails("init", "--vault", "@v")
    assert (tmp_path / "v/owner.key").read_bytes() == before
    made = place.json("init", "--vault", "@w")
    assert len(made["vault"]) == 16


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
        protect(place, "alice", "@out"),
        place.ok("extract", "@out", "--vault", "@vault"),
        place.ok("info", "@out"),
        place.run("restore", "@out", "@x", "--key", "@vault/owner.key"),
    ]
    for result in said:
        assert not any(key in result.output for key in keys)


def test_recipients_are_listed_with_their_releases(house):
    rows = house.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [(r["name"], r["releases"], r["revoked_at"]) for r in rows] == [
        ("alice", 1, None),
        ("bob", 1, None),
    ]
    out = house.ok("recipient", "list", "--vault", "@vault").stdout
    assert "alice" in out
    assert "active" in out


def test_key_files_are_never_overwritten(place):
    before = (place.root / "alice.key").read_bytes()
    words = ("recipient", "add", "carol", "--vault", "@vault")
    said = place.fails(*words, "--key-out", "@alice.key")
    assert "is there already" in said
    assert (place.root / "alice.key").read_bytes() == before
    assert "no such folder" in place.fails(*words, "--key-out", "@none/carol.key")
    names = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [row["name"] for row in names] == ["alice", "bob"]
    said = place.fails(
        "recipient", "add", "bob", "--vault", "@vault", "--key-out", "@k"
    )
    assert "bob" in said
    assert not (place.root / "k").exists()


def test_a_lost_key_file_is_written_again(place):
    place.ok("recipient", "key", "bob", "--vault", "@vault", "--key-out", "@again.key")
    again, first = (place.root / name for name in ("again.key", "bob.key"))
    assert again.read_bytes() == first.read_bytes()
    place.ok("recipient", "revoke", "bob", "--vault", "@vault")
    words = ("recipient", "key", "bob", "--vault", "@vault", "--key-out", "@third.key")
    assert "revoked" in place.fails(*words)


def test_a_sealed_key_file_needs_its_passphrase(place):
    protect(place, "alice", "@out")
    words = ("recipient", "key", "alice", "--vault", "@vault", "--key-out", "@s.key")
    env = {"REUE_KEY_PASSPHRASE": "open sesame"}
    assert place.run(*words, "--passphrase", env=env).exit_code == 0
    restore = ("restore", "@out", "@w", "--key", "@s.key")
    assert "REUE_KEY_PASSPHRASE" in place.fails(*restore)
    wrong = place.run(*restore, env={"REUE_KEY_PASSPHRASE": "wrong"})
    assert wrong.exit_code == 1
    assert "passphrase" in wrong.stderr
    assert not (place.root / "w").exists()
    assert place.run(*restore, env=env).exit_code == 0


def test_a_revoked_recipient_gets_and_restores_nothing(place):
    protect(place, "bob", "@pb")
    said = place.ok("recipient", "revoke", "bob", "--vault", "@vault").stdout
    assert "1 release folder marked" in said
    assert "stay readable" in said
    for said in (
        protect(place, "bob", "@more").stderr,
        place.fails("restore", "@pb", "@wb", "--key", "@bob.key"),
    ):
        assert "bob" in said
        assert "revoked on" in said
    assert not (place.root / "more").exists()
    assert not (place.root / "wb").exists()
    rows = place.json("recipient", "list", "--vault", "@vault")["recipients"]
    assert [bool(row["revoked_at"]) for row in rows] == [False, True]
    # A leak of what bob has already is still his, and the owner still restores.
    assert place.json("extract", "@pb", "--vault", "@vault")["recipient"] == "bob"
    place.ok("restore", "@pb", "@o", "--vault", "@vault")
    # Revoking again changes nothing.
    place.ok("recipient", "revoke", "bob", "--vault", "@vault")


def test_rotation_touches_no_image_and_no_recipient(place):
    protect(place, "alice", "@out")
    old = (place.root / "vault/owner.key").read_bytes()
    before = {p: p.stat().st_mtime_ns for p in (place.root / "out").rglob("*")}
    said = place.ok("keys", "rotate", "--vault", "@vault").stdout
    assert "The owner key is now" in said
    assert (place.root / "vault/owner.key").read_bytes() != old
    assert {p: p.stat().st_mtime_ns for p in (place.root / "out").rglob("*")} == before
    place.ok("restore", "@out", "@o", "--vault", "@vault")
    place.ok("restore", "@out", "@w", "--key", "@alice.key")
    (place.root / "vault/owner.key").write_bytes(old)
    said = place.fails("restore", "@out", "@o2", "--vault", "@vault")
    assert "owner key" in said
    rotated = place.run("keys", "rotate", "--vault", "@vault", "--json")
    assert rotated.exit_code == 1
    assert json.loads(rotated.stdout)["kind"] == "WrongKeyError"


def test_the_owner_key_may_come_from_the_environment(tmp_path, write_folder):
    place = Place(tmp_path)
    write_folder(tmp_path / "source", classes=2, each=2)
    env = {"REUE_OWNER_KEY": "5a" * 32}
    assert place.run("init", "--vault", "@vault", env=env).exit_code == 0
    assert not (tmp_path / "vault/owner.key").exists()
    words = ("recipient", "add", "a", "--vault", "@vault", "--key-out", "@a.key")
    assert "REUE_OWNER_KEY" in place.fails(*words)
    assert place.run(*words, env=env).exit_code == 0
    wrong = place.run(*words, env={"REUE_OWNER_KEY": "00" * 32})
    assert wrong.exit_code == 1
    assert "00000000" not in wrong.output


# Releases, info, link


def test_releases_are_listed_and_deleted(place):
    protect(place, "alice", "@pa")
    protect(place, "bob", "@pb")
    rows = place.json("release", "list", "--vault", "@vault")["releases"]
    assert [(r["recipient"], r["state"], r["images"]) for r in rows] == [
        ("alice", "done", 12),
        ("bob", "done", 12),
    ]
    assert rows[0]["id"] in place.ok("release", "list", "--vault", "@vault").stdout
    asked = place.run("release", "delete", rows[0]["id"], "--vault", "@vault")
    assert asked.exit_code == 1  # nobody said yes
    words = ("--vault", "@vault", "--files", "--yes")
    assert "12 files deleted" in place.ok("release", "delete", "bob-pb", *words).stdout
    assert not (place.root / "pb").exists()
    left = place.json("release", "list", "--vault", "@vault")["releases"]
    assert [row["recipient"] for row in left] == ["alice"]


def test_info_tells_files_and_folders_apart(house):
    facts = house.json("info", "@pa/brick/0.png")
    assert facts["state"] == "protected"
    assert house.json("info", "@wa/brick/0.png")["state"] == "licensed"
    assert "no record" in house.json("info", "@source/brick/0.png")["state"]
    folder = house.json("info", "@pa")
    assert folder["release"] == facts["release"]
    assert folder["images"] == 12
    said = house.ok("info", "@pa").stdout
    assert "revoked at: no" in said
    assert "created: 20" in said
    assert "UTC" in said


def test_link_puts_the_plugin_where_fiftyone_looks(tmp_path, monkeypatch):
    monkeypatch.setenv("FIFTYONE_PLUGINS_DIR", str(tmp_path / "plugins"))
    out = Place(tmp_path).ok("link").stdout
    assert str(tmp_path / "plugins") in out
    assert list((tmp_path / "plugins").glob("*/*/fiftyone.yml"))


# Statuses and messages


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["init"],
        ["protect", "@source"],
        ["protect", "@source", "@out", "--vault", "@vault"],
        ["protect", "@source", "@out", "--recipient", "alice"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--method", "xyz"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--epsilon", "2"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--epsilon", "33"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--epsilon", "x"],
        ["protect", "@s", "@o", "--vault", "@v", "--recipient", "a", "--seed", "-1"],
        ["restore", "@source", "@out"],
        ["restore", "@source", "@out", "--key", "@alice.key", "--vault", "@vault"],
        ["extract", "--vault", "@vault"],
        ["extract", "@source"],
        ["score", "@source"],
        ["recipient", "add", "x", "--vault", "@vault"],
        ["recipient", "nonsense"],
        ["keys", "rotate"],
        ["info"],
    ],
)
def test_wrong_usage_is_status_2(house, words):
    said = house.fails(*words, status=2)
    assert "Usage:" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["protect", "@none", "@x", "--recipient", "alice"], "no such folder"),
        (["protect", "@source", "@x", "--recipient", "eve"], "no recipient 'eve'"),
        (
            ["protect", "@source", "@source/x", "--recipient", "bob"],
            "within one another",
        ),
        (["protect", "@source", "@vault", "--recipient", "bob"], "isn't empty"),
        (["protect", "@source/brick", "@x", "--recipient", "bob"], "class/name.png"),
        (["restore", "@none", "@x"], "no such folder"),
        (["extract", "@none"], "no such file or folder"),
        (["reveal", "@none", "--out", "@x"], "no such file or folder"),
        (["recipient", "revoke", "eve"], "no recipient 'eve'"),
        (["release", "delete", "xyz", "--yes"], "no release 'xyz'"),
    ],
)
def test_failed_jobs_are_status_1_and_say_why(house, words, said):
    text = house.fails(*words, "--vault", "@vault")
    assert said in text
    assert text.startswith("Error: ")
    assert not (house.root / "x").exists()


def test_a_missing_vault_says_how_to_make_one(house):
    for words in (
        ["recipient", "list"],
        ["extract", "@pa"],
        ["restore", "@pa", "@x"],
        ["keys", "rotate"],
    ):
        said = house.fails(*words, "--vault", "@none")
        assert "reue init --vault" in said
    assert not (house.root / "none").exists()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("@none.key", "no key file"),
        ("@vault/owner.key", "owner key where a recipient's key is expected"),
        ("@pa/brick/0.png", "isn't a key file"),
        ("@pa", "can't be read"),
    ],
)
def test_what_is_no_key_file_is_named(house, key, said):
    assert said in house.fails("restore", "@pa", "@x", "--key", key)


def test_errors_are_one_json_object_too(house):
    found = house.json("extract", "@none", "--vault", "@vault", status=1)
    assert set(found) == {"error", "kind"}
    assert found["kind"] == "InputError"
    assert "no such file" in found["error"]


def test_failures_are_grouped_by_reason_and_named(house, tmp_path):
    said = house.fails("restore", "@pa", str(tmp_path / "x"), "--key", "@bob.key")
    assert said.count("Wrong key") == 1
    assert "astronaut/0.png" in said
    assert "and 2 more" in said
    assert "12 images failed" in said
    words = ("restore", "@pa", str(tmp_path / "x"), "--key", "@bob.key")
    found = house.json(*words, status=1)
    assert found["failed"] == len(found["failures"]) == 12
    assert found["restored"] == 0


def test_an_error_of_the_system_is_a_message(house, monkeypatch):
    def broken(*_):
        raise PermissionError(13, "Permission denied", "/locked")

    monkeypatch.setattr("fiftyone_reue.folders.image_items", broken)
    said = house.fails("restore", "@pa", "@x", "--vault", "@vault")
    assert said == "Error: /locked: Permission denied\n"


def test_brackets_in_names_are_shown_as_they_are(house):
    said = house.fails("extract", "@[bold]none[/]", "--vault", "@vault")
    assert "[bold]none[/]" in said


def test_ctrl_c_is_a_plain_message(house, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fiftyone_reue.folders.image_items", interrupted)
    said = house.fails("restore", "@pa", "@x", "--vault", "@vault")
    assert "Stopped. What was finished is kept" in said
    found = house.json("restore", "@pa", "@x", "--vault", "@vault", status=1)
    assert found["kind"] == "CancelledError"


def test_a_progress_bar_is_no_noise_in_a_log(house, tmp_path):
    result = house.ok("restore", "@pa", str(tmp_path / "o"), "--vault", "@vault")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


def test_help_is_quick_and_says_the_librarys_limit():
    """Nothing heavy is imported before a command needs it."""
    program = (
        "import sys, fiftyone_reue.cli; "
        "print([m for m in ('numpy', 'torch', 'PIL', 'fiftyone') if m in sys.modules])"
    )
    root = Path(cli.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert cli.MAX_PIXELS == DEFAULT_MAX_PIXELS
    assert (cli.DECOYS, cli.MOST_DECOYS) == (DECOYS, MOST_DECOYS)


def test_help_and_version():
    place = Place(Path())
    assert __version__ in place.ok("--version").stdout
    commands = place.ok("--help").stdout
    words = "init recipient protect restore extract reveal score info"
    for word in words.split():
        assert f"  {word} " in commands
        assert "Usage" in place.ok(word, "-h").stdout


def test_the_installed_program_has_the_same_statuses(house, tmp_path):
    """Once through a real process, away from any checkout."""
    program = "import sys; from fiftyone_reue.cli import main; sys.exit(main())"
    root = Path(cli.__file__).parents[1]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("extract", house.path("pa"), "--vault", house.path("vault"), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["recipient"] == "alice"
    failed = run("info", "nowhere.png")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("Error: nowhere.png")
    assert run("info").returncode == 2
