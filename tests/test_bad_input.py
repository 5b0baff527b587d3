"""What goes wrong in folders: one message a cause, the rest finished, a second run."""

import errno
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from fiftyone_reue import cli
from fiftyone_reue.batch import pipeline
from fiftyone_reue.errors import LedgerUnavailableError
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.names.filenames import fold, portable
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.perturb.rue.config import RueConfig
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger
from fiftyone_reue.workflows import protect as protecting
from fiftyone_reue.workflows import score as scoring

pytestmark = pytest.mark.unit

REPO = Path(cli.__file__).parents[2]
BAD = "brick/1.png"  # the image that each test breaks


@dataclass(frozen=True)
class Place:
    """A folder with originals (three classes of four), a vault and alice's key."""

    root: Path

    def words(self, verb: str, source: str = "", output: str = "") -> list[str]:
        """A command's words; folders are names below the root."""
        vault = ["--vault", str(self.root / "vault")]
        here = [str(self.root / name) for name in (source, output) if name]
        return {
            "protect": [
                *("protect", *here, *vault, "--recipient", "alice", "--method", "lsp")
            ],
            "licensed": ["restore", *here, "--key", str(self.root / "alice.key")],
            "original": ["restore", *here, *vault],
            "extract": ["extract", *here, *vault],
            "score": ["score", *here, *vault, "--device", "cpu"],
        }[verb]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli.main, self.words(*words))

    def fails(self, *words: str, done: str = "") -> str:
        """What is said of a job that fails for some files, having done the rest."""
        result = self.run(*words)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert done in result.stdout
        return result.stderr

    def completes(self, *words: str, done: str) -> None:
        result = self.run(*words)
        assert result.exit_code == 0, result.stderr
        assert done in result.stdout

    def check(self, output: str, count: int) -> None:
        """So many images, each of them whole, and nothing half-written."""
        folder = self.root / output
        files = [p for p in folder.rglob("*") if p.is_file()]
        assert not [p for p in files if p.name.startswith(".")]
        images = [p for p in files if p.name != "manifest.json"]
        assert len(images) == count
        for path in images:
            load(path)


@pytest.fixture
def place(tmp_path: Path, write_folder: Callable[..., Path]) -> Place:
    return build(tmp_path, write_folder)


def build(root: Path, write_folder: Callable[..., Path], each: int = 4) -> Place:
    write_folder(root / "source", classes=3, each=each)
    vault = ["--vault", str(root / "vault")]
    key = ["--key-out", str(root / "alice.key")]
    for words in (
        ["init", "--plain-key-file", *vault],
        ["recipient", "add", "alice", *vault, *key],
    ):
        assert CliRunner().invoke(cli.main, words).exit_code == 0
    return Place(root)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def bomb(_: bytes) -> bytes:
    """A PNG of some bytes whose header promises ten thousand million pixels."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def saved(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def animation(data: bytes) -> bytes:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    return saved(frames[0], "PNG", save_all=True, append_images=frames[1:])


def cmyk(data: bytes) -> bytes:
    return saved(Image.new("CMYK", (32, 32)), "TIFF")


def tiny(data: bytes) -> bytes:
    return saved(Image.open(io.BytesIO(data)).resize((7, 32)), "PNG")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (truncated, "cut short|truncated|ends"),
        (lambda data: data[:-20], "cut short|truncated|ends"),
        (lambda data: b"", "empty; replace or remove it"),
        (lambda data: b"Just some text, no image at all.\n", "not an image file"),
        (bomb, r"100000 x 100000 pixels.*--max-pixels"),
        (tiny, r"7 x 32 pixels are too few.*at least 8"),
        (animation, "2 frames"),
        (cmyk, "CMYK"),
    ],
)
def test_one_bad_original_is_named_and_the_rest_protected(place, change, said):
    bad = place.root / "source" / BAD
    good = bad.read_bytes()
    bad.write_bytes(change(good))
    text = place.fails(
        "protect", "source", "out", done="11 protected, 0 were there, 1 f"
    )
    assert text.startswith(f"Failed: {BAD}: ")
    assert re.search(said, text), text
    place.check("out", 11)
    assert not (place.root / "out" / BAD).exists()
    # Nothing changed: nothing is done again, and it is still said.
    again = place.fails("protect", "source", "out", done="0 protected, 11 were there")
    assert again == text
    bad.write_bytes(good)
    place.completes("protect", "source", "out", done="1 protected, 11 were there, 0 f")
    place.check("out", 12)


def resaved(data: bytes) -> bytes:
    return saved(Image.open(io.BytesIO(data)), "PNG")


def edited_pixel(data: bytes) -> bytes:
    loaded = load(data)
    samples = loaded.raster.samples.copy()
    samples[5, 5, 0] ^= 1
    return encode(loaded.raster.with_samples(samples), "PNG", loaded.record)


def edited_record(data: bytes) -> bytes:
    loaded = load(data)
    record = bytearray(loaded.record)
    record[-3] ^= 1
    return encode(loaded.raster, "PNG", bytes(record))


def flipped_bit_in_the_file(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[data.index(b"reUE") + 30] ^= 1
    return bytes(changed)


PROTECTED = [
    (truncated, "cut short|truncated|ends"),
    (lambda data: b"", "empty"),
    (lambda data: b"no image", "not an image file"),
    (edited_pixel, "edited or re-saved.*file as it was delivered"),
    (edited_record, "edited or damaged.*file as it was delivered"),
    (flipped_bit_in_the_file, "damaged|edited"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tier", "change", "said"),
    [(tier, *case) for tier in ("licensed", "original") for case in PROTECTED]
    + [("licensed", resaved, "holds no record.*ask the owner")],
)
def test_one_bad_copy_is_named_and_the_rest_restored(place, tier, change, said):
    assert place.run("protect", "source", "out").exit_code == 0
    bad = place.root / "out" / BAD
    good = bad.read_bytes()
    bad.write_bytes(change(good))
    text = place.fails(tier, "out", "back", done="Restored 11 ")
    assert text.startswith(f"Failed: {BAD}: ")
    assert re.search(said, text), text
    place.check("back", 11)
    bad.write_bytes(good)
    place.completes(tier, "out", "back", done="Restored 1 ")
    place.check("back", 12)


@pytest.mark.slow
def test_the_owner_restores_a_losslessly_resaved_file_all_the_same(place):
    place.run("protect", "source", "out")
    bad = place.root / "out" / BAD
    bad.write_bytes(resaved(bad.read_bytes()))
    place.completes("original", "out", "back", done="Restored 12 ")
    for path in (place.root / "source").rglob("*.png"):
        name = path.relative_to(place.root / "source")
        restored = load(place.root / "back" / name).raster.samples
        assert np.array_equal(restored, load(path).raster.samples)


@pytest.mark.slow
def test_another_datasets_record_restores_nothing(
    place, tmp_path_factory, write_folder
):
    """The same files of another vault: neither its record nor its file is taken."""
    other = build(tmp_path_factory.mktemp("other"), write_folder)
    for one in (place, other):
        assert one.run("protect", "source", "out").exit_code == 0
    bad, foreign = (one.root / "out" / BAD for one in (place, other))
    ours, theirs = load(bad), load(foreign)
    bad.write_bytes(encode(ours.raster, "PNG", theirs.record))
    for tier in ("licensed", "original"):
        text = place.fails(tier, "out", f"{tier}-1", done="Restored 11 ")
        assert BAD in text
        assert theirs.record is not None
    shutil.copy(foreign, bad)
    assert "belongs to vault" in place.fails("licensed", "out", "licensed-2")
    assert "Use the vault that it was protected" in place.fails("original", "out", "o2")


@pytest.mark.slow
def test_two_images_of_one_name_are_both_kept(place):
    image = Image.open(place.root / "source" / BAD)
    image.rotate(90).save(place.root / "source/brick/1.bmp")
    image.rotate(180).save(place.root / "source/brick/1.webp", lossless=True)
    place.completes("protect", "source", "out", done="14 protected")
    assert len({p.stem for p in (place.root / "out/brick").glob("1*")}) == 3
    place.completes("protect", "source", "out", done="0 protected, 14 were there")
    place.completes("original", "out", "back", done="Restored 14 ")
    pixels = {
        load(p).raster.samples.tobytes() for p in (place.root / "back/brick").glob("1*")
    }
    assert pixels == {
        load(p).raster.samples.tobytes()
        for p in (place.root / "source/brick").glob("1*")
    }


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lsp", "rue", "rue_published"])
def test_a_class_with_one_image_is_enough(place, monkeypatch, method):
    quick = RueConfig(rounds=1, surrogate_steps=1, table_steps=1, width=8)
    monkeypatch.setattr(RueConfig, "published", lambda: quick)
    recipe = partial(Recipe, epochs=1, least_steps=2, batch=16)
    monkeypatch.setattr(scoring, "Recipe", recipe)
    for number in range(1, 4):
        (place.root / f"source/brick/{number}.png").unlink()
    words = place.words("protect", "source", "out")
    words[words.index("lsp")] = method
    result = CliRunner().invoke(cli.main, [*words])
    assert result.exit_code == 0, result.stderr
    place.completes("original", "out", "back", done="Restored 9 ")
    place.completes("score", "out", done="Trained on originals")


def test_one_class_alone_misleads_nobody(place):
    for name in ("astronaut", "cat"):
        shutil.rmtree(place.root / "source" / name)
    words = place.words("protect", "source", "out")
    words[words.index("lsp")] = "rue"
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == 1
    assert "Only one class, 'brick'" in result.stderr
    place.check("out", 0)


def test_images_without_a_class_are_named(place):
    shutil.copy(place.root / "source" / BAD, place.root / "source/loose.png")
    text = place.fails("protect", "source", "out")
    assert "loose.png" in text
    assert "class/name.png" in text
    assert not (place.root / "out").exists()


def test_a_folder_of_nothing_but_bad_files(place):
    for path in (place.root / "source").rglob("*.png"):
        path.write_bytes(b"text")
    text = place.fails(
        "protect", "source", "out", done="0 protected, 0 were there, 12 f"
    )
    assert text.count("not an image file") == 1
    assert "and 2 more" in text
    place.check("out", 0)


@pytest.mark.slow
def test_sources_deleted_halfway_are_named_and_the_rest_kept(
    place, monkeypatch, tmp_path_factory, write_folder
):
    place = build(tmp_path_factory.mktemp("many"), write_folder, each=20)
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)
    real = protecting.outputs.write_below
    moved = place.root / "moved"

    def write_and_lose_the_source(*arguments):
        refused = real(*arguments)
        if not moved.exists():
            (place.root / "source").rename(moved)
        return refused

    monkeypatch.setattr(protecting.outputs, "write_below", write_and_lose_the_source)
    text = place.fails("protect", "source", "out")
    assert "no such file" in text
    written = len(list((place.root / "out").rglob("*.png")))
    assert 4 <= written < 60
    place.check("out", written)
    assert f"{60 - written} images failed" in text
    moved.rename(place.root / "source")
    moved.mkdir()
    place.completes("protect", "source", "out", done=f"{60 - written} protected")


@pytest.mark.slow
def test_an_output_deleted_halfway_is_made_again(place, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)
    real = protecting.outputs.write_below
    calls = []

    def write_and_lose_it(output, files, **how):
        refused = real(output, files, **how)
        calls.append(files)
        if len(calls) == 2:
            shutil.rmtree(output)
        return refused

    monkeypatch.setattr(protecting.outputs, "write_below", write_and_lose_it)
    place.run("protect", "source", "out")
    place.completes("protect", "source", "out", done="0 failed")
    place.check("out", 12)
    place.completes("original", "out", "back", done="Restored 12 ")


@pytest.mark.slow
def test_a_ledger_stopped_halfway_ends_the_run_and_loses_nothing(place, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 4)
    real = SqliteLedger.put_records
    calls = []

    def put_until_it_is_gone(ledger, batch):
        calls.append(batch)
        if len(calls) == 2:
            raise LedgerUnavailableError("The ledger can't be reached; start it")
        return real(ledger, batch)

    monkeypatch.setattr(SqliteLedger, "put_records", put_until_it_is_gone)
    assert "ledger can't be reached" in place.fails("protect", "source", "out")
    monkeypatch.setattr(SqliteLedger, "put_records", real)
    place.completes("protect", "source", "out", done="8 protected, 4 were there")
    place.check("out", 12)


# Names and things that are no files


def add_odd(folder: Path, image: bytes) -> list[str]:
    """Put what can't be read as an image into a folder; how each is called."""
    folder.mkdir(exist_ok=True)
    (folder / "self.png").symlink_to("self.png")
    (folder / "gone.png").symlink_to("nothing.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    with open(os.fsencode(folder) + b"/\xff\xfe.png", "wb") as file:
        file.write(image)
    return ["self.png", "gone.png", "zero.png", "pipe.png", r"\xff\xfe.png"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["protect", "licensed", "original", "extract"])
def test_what_is_no_file_is_one_failure_each(place, verb):
    if verb != "protect":
        assert place.run("protect", "source", "out").exit_code == 0
    source = "source" if verb == "protect" else "out"
    folder = place.root / source / "brick"
    odd = add_odd(folder, (place.root / "source" / BAD).read_bytes())
    words = place.words(verb, source, "" if verb == "extract" else "made")
    for more in ([], ["--approximate", "--records", str(place.root / "out")]):
        if more and verb != "licensed":
            continue
        result = CliRunner().invoke(cli.main, [*words, *more, "--json"])
        assert result.exit_code == 1, result.output
        report = json.loads(result.stdout)
        assert report.get("failed", report.get("images_failed")) == len(odd)
        for name in odd:
            assert f"brick/{name}" in result.stderr
        assert f"{len(odd)} images failed; the rest is done." in result.stderr
    if verb != "extract":
        place.check("made", 12)


@pytest.mark.slow
def test_what_is_no_file_stops_no_score(place, monkeypatch):
    recipe = partial(Recipe, epochs=1, least_steps=2, batch=16)
    monkeypatch.setattr(scoring, "Recipe", recipe)
    assert place.run("protect", "source", "out").exit_code == 0
    odd = add_odd(place.root / "out/brick", (place.root / "out" / BAD).read_bytes())
    said = place.fails("score", "out", done="Trained on originals")
    assert all(f"brick/{name}" in said for name in odd)


def test_info_of_what_is_no_file_says_what_it_is(place):
    odd = add_odd(place.root / "odd", (place.root / "source" / BAD).read_bytes())
    paths = [place.root / "odd" / name for name in odd[:-1]]
    paths.append(Path(os.fsdecode(os.fsencode(place.root / "odd") + b"/\xff\xfe.png")))
    words = ["leads to itself", "isn't there", "a device", "named pipe", "UTF-8"]
    for path, said in zip(paths, words, strict=True):
        for more in ([], ["--json"]):
            result = CliRunner().invoke(cli.main, ["info", str(path), *more])
            assert isinstance(result.exception, SystemExit), result.exception
            assert result.exit_code == 1
            assert said in result.stderr
            assert "\udcff" not in result.output
    os.mkfifo(place.root / "odd/manifest.json")
    result = CliRunner().invoke(cli.main, ["info", str(place.root / "odd")])
    assert "no release is here" in result.stderr


@pytest.mark.slow
def test_names_of_any_length_and_any_letters_are_protected_and_restored(place):
    image = Image.open(place.root / "source" / BAD)
    folder = place.root / "source/brick"
    long = "n" * 251
    names = [
        *(f"{long}.png", f"{long}.bmp", "con.png", "x:y.png", "dot..png", "a%3Ab.png"),
        *("caf\u00e9.png", "cafe\u0301.png", "猫.png", "nl\n.png", "UP.png", "up.png"),
    ]
    for turn, name in enumerate(names):
        image.rotate(turn).save(folder / name)
    done = f"{12 + len(names)} protected, 0 were there, 0 failed"
    place.completes("protect", "source", "out", done=done)
    place.completes("protect", "source", "out", done="0 protected, 24 were there")
    made = [p.name for p in (place.root / "out/brick").iterdir()]
    assert len({fold(name) for name in made}) == 4 + len(names)
    assert all(portable(p.rsplit(".", 1)[0]) == p.rsplit(".", 1)[0] for p in made)
    own = [p.name for p in folder.iterdir()]  # originals get their own names back
    for tier, expected in (("licensed", made), ("original", own)):
        place.completes(tier, "out", tier, done=f"Restored {12 + len(names)} ")
        restored = [p.name for p in (place.root / tier / "brick").iterdir()]
        assert sorted(restored) == sorted(expected)


def test_a_path_that_is_too_long_is_one_failure(place):
    """Within what a disk takes below its own folder, and beyond that below another."""
    deep = Path(*["d" * 200] * 15, "e" * 100)
    target = place.root / "source/brick"
    for name in deep.parts:
        target = target / name
        target.mkdir()
    shutil.copy(place.root / "source" / BAD, target)
    out = Path(*["o" * 200] * 6)
    text = place.fails("protect", "source", str(out), done="12 protected")
    assert "too long" in text
    assert "1 image failed; the rest is done" in text
    place.check(str(out), 12)


# A full disk


def failing_writes(monkeypatch: pytest.MonkeyPatch, number: int, room: int) -> None:
    """From now on the disk has room for so many bytes."""
    real = os.write

    def write(descriptor: int, data) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(number, os.strerror(number))
        written = real(descriptor, memoryview(data)[:room])
        room -= written
        return written

    monkeypatch.setattr("os.write", write)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disk is full; free some space and run it again"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("room", [0, 1, 5_000, 20_000])
def test_a_write_that_fails_leaves_no_half_file(place, monkeypatch, number, said, room):
    monkeypatch.setattr(pipeline, "CHUNK_ITEMS", 1)
    monkeypatch.setattr(pipeline, "COMMIT_ITEMS", 2)
    with monkeypatch.context() as full:
        failing_writes(full, number, room)
        text = place.fails("protect", "source", "out")
    assert said in text
    assert str(place.root / "out") in text
    written = len(list((place.root / "out").rglob("*.png")))
    assert written < 12
    place.check("out", written)
    place.completes("protect", "source", "out", done=f"{12 - written} protected")
    with monkeypatch.context() as full:
        failing_writes(full, number, room)
        assert said in place.fails("original", "out", "back")
    place.check("back", len(list((place.root / "back").rglob("*.png"))))
    place.completes("original", "out", "back", done="originals exactly")
    place.check("back", 12)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)],
            capture_output=True,
            check=False,
        ).returncode
    ):
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.integration
@pytest.mark.parametrize("full", ["output", "vault and output"])
def test_a_disk_that_is_really_full(small_disk, tmp_path_factory, write_folder, full):
    place = build(tmp_path_factory.mktemp("place"), write_folder, each=40)
    (small_disk / "out").mkdir()
    (place.root / "out").symlink_to(small_disk / "out")
    if full == "vault and output":
        shutil.move(place.root / "vault", small_disk / "vault")
        (place.root / "vault").symlink_to(small_disk / "vault")
    text = place.fails("protect", "source", "out")
    assert "full" in text
    assert text.count("\n") == 1
    images = list((small_disk / "out").rglob("*.png"))
    for path in images:
        load(path)
    remount = ["mount", "-o", "remount,size=20m", str(small_disk)]
    subprocess.run(remount, check=True)
    place.completes("protect", "source", "out", done="0 failed")
    assert not list((small_disk / "out").rglob(".*"))
    assert len(list((small_disk / "out").rglob("*.png"))) == 120
    place.completes("original", "out", "back", done="Restored 120 ")


# Permissions


def without_override() -> list[str]:
    """What to put before a command so that permission bits hold for root too."""
    if os.geteuid() != 0:
        return []
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if (
        shutil.which("setpriv") is None
        or subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("running without root's override needs setpriv (util-linux)")
    return words


def as_plain_user(words: list[str]) -> subprocess.CompletedProcess[str]:
    program = "from fiftyone_reue.cli import main; main()"
    return subprocess.run(
        [*without_override(), sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def locked() -> Iterator[Callable[[Path], None]]:
    """Take every permission away; given back at the end."""
    taken: list[tuple[Path, int]] = []

    def lock(path: Path) -> None:
        taken.append((path, path.stat().st_mode))
        path.chmod(0)

    yield lock
    for path, mode in taken:
        path.chmod(mode)


@pytest.mark.integration
def test_a_folder_that_can_not_be_read_is_named_and_the_rest_done(place, locked):
    folder = place.root / "source/brick"
    locked(folder)
    locked(place.root / "source/cat/2.png")
    done = as_plain_user(place.words("protect", "source", "out"))
    assert done.returncode == 1
    assert "7 protected, 0 were there, 2 failed" in done.stdout
    assert "brick/, cat/2.png" in done.stderr or "cat/2.png, brick/" in done.stderr
    assert "no permission to read it; change its mode or owner" in done.stderr
    assert "Traceback" not in done.stderr
    place.check("out", 7)
    folder.chmod(0o755)
    (place.root / "source/cat/2.png").chmod(0o644)
    place.completes("protect", "source", "out", done="5 protected, 7 were there")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("protect", "source"),
        ("protect", "."),
        ("protect", "vault"),
        ("licensed", "alice.key"),
        ("extract", "out"),
    ],
)
def test_what_can_not_be_reached_at_all_is_a_message(place, locked, verb, what):
    assert place.run("protect", "source", "out").exit_code == 0
    locked(place.root / what)
    words = {
        "protect": ("protect", "source", "new"),
        "licensed": ("licensed", "out", "back"),
        "extract": ("extract", "out"),
    }[verb]
    done = as_plain_user(place.words(*words))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert str(place.root if what == "." else place.root / what) in done.stderr


@pytest.mark.integration
def test_an_output_that_can_not_be_written_is_named(place):
    parent = place.root / "mine"
    parent.mkdir()
    parent.chmod(0o555)
    words = place.words("protect", "source", "mine/out")
    done = as_plain_user(words)
    assert done.returncode == 1
    assert "mine/out" in done.stderr
    assert "permission" in done.stderr.lower()
    parent.chmod(0o755)
    (parent / "out").mkdir()
    (parent / "out").chmod(0o555)
    done = as_plain_user(words)
    assert done.returncode == 1
    assert "ermission" in done.stderr
    (parent / "out").chmod(0o755)
    place.completes("protect", "source", "mine/out", done="12 protected")
