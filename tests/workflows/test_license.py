"""One published set, and licences that make each recipient's own copies of it."""

import pickle
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items, read_source
from fiftyone_reue.errors import (
    DamagedRecordError,
    ExpiredLicenceError,
    InputError,
    OutputError,
    RevokedKeyError,
    WrongKeyError,
)
from fiftyone_reue.media.codec import encode, load
from fiftyone_reue.media.digest import carried_digest
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.releases.lookup import delete_release
from fiftyone_reue.vault import check
from fiftyone_reue.vault.licence_files import LicenceReader, LicenceWriter
from fiftyone_reue.vault.vault import PUBLISHED, Vault, create_folder
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.license import license_release
from fiftyone_reue.workflows.protect import protect, protect_folder
from fiftyone_reue.workflows.restore import (
    restore_by_licence,
    restore_licensed,
    restore_original,
)
from tests.media.jpeg_coefficients.encoded import picture, pillow

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class House:
    """A vault, originals of many kinds, what was published, and licences."""

    vault: Vault
    root: Path

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def release(self):
        (found,) = self.vault.ledger.releases(self.vault.published().id)
        return found

    def key(self, who: str):
        return self.vault.recipient_key(self.vault.recipient(who))

    def publish(self, **options):
        source = self.root / "source"
        items = read_source(source, self.published).items
        steps = protect_folder(
            self.vault,
            self.vault.published().name,
            items,
            source,
            self.published,
            config=ProtectConfig("lsp"),
            **options,
        )
        summary = finish(steps)
        assert summary.outcome.failures == []
        return summary

    def license(self, who: str, **options):
        path = self.root / f"{who}.license"
        return finish(license_release(self.vault, who, self.release, path, **options))

    def restore(self, who: str, output: Path, copies: Path | None = None, **options):
        licence = options.pop("licence", self.root / f"{who}.license")
        steps = restore_by_licence(
            image_items(copies or self.published),
            output,
            self.key(options.pop("key", who)),
            licence,
        )
        return finish(steps)

    def originals(self, copies: Path, output: Path):
        return finish(restore_original(self.vault, image_items(copies), output))


def write_source(folder: Path) -> None:
    generator = np.random.default_rng(0)
    photo = picture(40, 56, seed=1)
    railed = np.where(generator.random((33, 40, 3)) < 0.5, photo[:33, :40], 255)
    alpha = np.dstack([photo, np.where(photo[..., 0] > 90, 255, 0)])
    deep = photo[..., 0].astype(np.uint16) * 257
    pictures = {
        "plain.png": photo,
        "railed.png": railed,
        "gray.png": photo[..., 0],
        "alpha.png": alpha,
        "black.png": np.zeros((32, 32, 3)),
        "deep.png": deep,
    }
    for number, (name, samples) in enumerate(pictures.items()):
        path = folder / ("cat", "dog")[number % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = np.uint16 if name == "deep.png" else np.uint8
        Image.fromarray(samples.astype(kind)).save(path)
    files = {
        "colour.jpg": pillow(picture(seed=2), quality=85),
        "gray.jpg": pillow(picture(seed=3), "L", quality=80),
        "cmyk.jpg": pillow(picture(seed=4), "CMYK", quality=85),
        "progressive.jpg": pillow(picture(seed=5), quality=92, progressive=True),
        "odd.jpg": pillow(picture(33, 17), quality=75),
    }
    for number, (name, data) in enumerate(files.items()):
        (folder / ("cat", "dog")[number % 2] / name).write_bytes(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("licences")
    write_source(root / "source")
    with create_folder(root / "vault", plain_key_file=True) as vault:
        house = House(vault, root)
        for who in ("alice", "bob"):
            vault.add_recipient(who)
        house.publish()
        for who in ("alice", "bob"):
            summary = house.license(who)
            assert summary.outcome.failures == []
            assert summary.header.images == summary.outcome.done == 11
            restored = house.restore(who, root / f"w-{who}")
            assert restored.outcome.failures == []
            assert restored.outcome.done == 11
        yield house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A small one that a test may change."""
    source = tmp_path / "source"
    for number, name in enumerate(("cat/a.png", "dog/b.png")):
        path = source / name
        path.parent.mkdir(parents=True)
        Image.fromarray(picture(32, 40, seed=number)).save(path)
    with create_folder(tmp_path / "vault", plain_key_file=True) as vault:
        made = House(vault, tmp_path)
        for who in ("alice", "bob"):
            vault.add_recipient(who)
        made.publish()
        made.license("alice")
        yield made


def files(folder: Path) -> dict[str, bytes]:
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.*g"))
    }
    assert found
    return found


def samples(folder: Path) -> dict[str, np.ndarray]:
    return {name: load(data).raster.samples for name, data in files(folder).items()}


def test_everybody_has_one_set_and_each_licensee_an_own_copy(made: House) -> None:
    published, alice, bob = (
        samples(made.root / name) for name in ("published", "w-alice", "w-bob")
    )
    assert set(published) == set(alice) == set(bob)
    for name in published:
        assert not np.array_equal(alice[name], published[name])
        if name != "cat/cmyk.jpg":  # shown as RGB, of which a small change may not be
            assert not np.array_equal(alice[name], bob[name])


def test_it_is_the_copy_that_a_release_of_their_own_leads_to(
    made: House, tmp_path: Path
) -> None:
    source = made.root / "source"
    steps = protect(
        made.vault,
        "alice",
        labelled_items(source),
        tmp_path / "own",
        name="own",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    release = finish(steps).release
    key = made.key("alice")
    own = restore_licensed(image_items(tmp_path / "own"), None, tmp_path / "w", key)
    assert finish(own).outcome.failures == []
    delete_release(made.vault, release, files=True)
    wanted, found = samples(tmp_path / "w"), samples(made.root / "w-alice")
    assert set(wanted) == set(found)
    for name, image in wanted.items():
        assert np.array_equal(image, found[name]), name


def test_the_owner_gets_the_original_files_from_a_licensed_copy(
    made: House, tmp_path: Path
) -> None:
    summary = made.originals(made.root / "w-alice", tmp_path)
    assert summary.outcome.failures == []
    assert summary.differing == {}
    assert files(tmp_path) == files(made.root / "source")


def test_the_owner_finds_a_licensed_copy_without_its_record(
    made: House, tmp_path: Path
) -> None:
    loaded = load(made.root / "w-bob" / "cat" / "plain.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").write_bytes(encode(loaded.raster, "PNG"))
    summary = made.originals(tmp_path / "in", tmp_path / "out")
    assert summary.outcome.failures == []
    wanted = load(made.root / "source" / "cat" / "plain.png").raster.samples
    assert np.array_equal(load(tmp_path / "out" / "x.png").raster.samples, wanted)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_leak_names_the_licensee(made: House, who: str) -> None:
    found = finish(extract(made.vault, image_items(made.root / f"w-{who}")))
    assert found.named == who
    assert all(suspect.exact for suspect in found.suspects)
    assert {suspect.state for suspect in found.suspects} == {"licensed"}
    assert found.ledger_problems == []


def test_an_edited_leak_names_the_licensee(made: House, tmp_path: Path) -> None:
    for path in sorted((made.root / "w-alice").rglob("*.*g")):
        with Image.open(path) as image:
            if image.mode in ("RGB", "L"):
                image.save(tmp_path / f"{path.stem}-{path.suffix[1:]}.png")
    found = finish(extract(made.vault, image_items(tmp_path)))
    assert found.named == "alice"


def test_a_leak_of_the_published_set_says_so(made: House) -> None:
    found = finish(extract(made.vault, image_items(made.published)))
    assert found.named == PUBLISHED
    assert "published set" in found.verdict()
    assert "not from anybody's licensed copy" in found.verdict()


def test_the_ledger_is_in_order(made: House) -> None:
    report = finish(check.check(made.vault))
    assert report.problems == []


def test_a_licence_holds_no_way_to_another_copy(made: House) -> None:
    """What it adds leads to the licensee's copy alone, not first to the published
    set's licensed copy, whose mark names nobody."""
    record = next(made.vault.ledger.records(made.release.id, ["cat/plain.png"]))
    with LicenceReader(made.root / "alice.license", made.key("alice")) as reader:
        entry = reader.entry(record.digest_p)
    assert entry is not None
    assert entry.digest != record.digest_w
    assert made.key(PUBLISHED).key not in (made.root / "alice.license").read_bytes()


def test_without_the_licence_the_key_opens_nothing(made: House, tmp_path: Path) -> None:
    steps = restore_licensed(
        image_items(made.published), None, tmp_path, made.key("alice")
    )
    outcome = finish(steps).outcome
    assert len(outcome.failures) == 11
    assert "--license" in outcome.failures[0].reason


def test_a_copy_that_lost_its_record_will_do(made: House, tmp_path: Path) -> None:
    raster = load(made.published / "cat" / "plain.png").raster
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.png").write_bytes(encode(raster, "PNG"))
    summary = made.restore("alice", tmp_path / "out", tmp_path / "in")
    assert summary.outcome.failures == []
    wanted = made.root / "w-alice" / "cat" / "plain.png"
    assert (tmp_path / "out" / "x.png").read_bytes() == wanted.read_bytes()


def test_an_edited_copy_is_refused(made: House, tmp_path: Path) -> None:
    loaded = load(made.published / "cat" / "plain.png")
    loaded.raster.samples[0, 0, 0] ^= 1
    (tmp_path / "in").mkdir()
    for name, record in (("with.png", loaded.record), ("without.png", None)):
        (tmp_path / "in" / name).write_bytes(encode(loaded.raster, "PNG", record))
    failures = made.restore("alice", tmp_path / "out", tmp_path / "in").outcome.failures
    assert "edited or re-saved" in failures[0].reason
    assert "doesn't know its pixels" in failures[1].reason


def test_a_licensed_copy_needs_no_licence(made: House, tmp_path: Path) -> None:
    failures = made.restore("alice", tmp_path, made.root / "w-alice").outcome.failures
    assert len(failures) == 11
    assert "restored already" in failures[0].reason


def test_again_nothing_is_done(made: House) -> None:
    summary = made.restore("alice", made.root / "w-alice")
    assert summary.outcome.skipped == 11
    assert summary.outcome.done == 0


def test_a_licence_is_only_for_whom_it_was_made(made: House, tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError, match="sealed for alice"):
        made.restore("alice", tmp_path, key="bob")
    stranger = replace(made.key("alice"), key=bytes(32))
    with pytest.raises(InputError, match="damaged"):
        LicenceReader(made.root / "alice.license", stranger)
    other = replace(made.key("alice"), vault_id="0" * 16)
    with pytest.raises(WrongKeyError, match="vault"):
        LicenceReader(made.root / "alice.license", other)


def test_what_isnt_a_licence_is_refused(made: House, tmp_path: Path) -> None:
    path = tmp_path / "x.license"
    with pytest.raises(InputError, match="can't be read"):
        LicenceReader(path, made.key("alice"))
    for data in (b"", b"no licence", b"SQLite format 3\0" + bytes(500)):
        path.write_bytes(data)
        with pytest.raises(InputError):
            LicenceReader(path, made.key("alice"))
    path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE x (y)")
    with pytest.raises(InputError, match="isn't a licence"):
        LicenceReader(path, made.key("alice"))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("PRAGMA user_version = 2", "update"),
        ("DELETE FROM licence", "damaged"),
        ("UPDATE licence SET header = '{}'", "damaged"),
        ("UPDATE licence SET header = replace(header, 'alice', 'bobby')", "damaged"),
        ("UPDATE licence SET seal = 7", "damaged"),
        ("DROP TABLE chunks", "damaged"),
        ("CREATE VIEW more AS SELECT * FROM chunks", "damaged"),
    ],
)
def test_an_edited_licence_is_refused(
    made: House, tmp_path: Path, statement: str, says: str
) -> None:
    path = tmp_path / "x.license"
    shutil.copy(made.root / "alice.license", path)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(InputError, match=says):
        LicenceReader(path, made.key("alice"))


def test_an_edited_or_exchanged_box_is_refused(made: House, tmp_path: Path) -> None:
    path = tmp_path / "x.license"
    shutil.copy(made.root / "alice.license", path)
    with sqlite3.connect(path) as connection:
        (one, _, _, _), (_, chunk, start, length) = connection.execute(
            "SELECT * FROM places ORDER BY length LIMIT 2"
        )
        connection.execute(
            "UPDATE places SET chunk = ?, start = ?, length = ? WHERE digest = ?",
            (chunk, start, length, one),
        )
        (boxes,) = connection.execute("SELECT boxes FROM chunks").fetchone()
        end = start + length
        edited = boxes[: end - 1] + bytes([boxes[end - 1] ^ 1]) + boxes[end:]
        connection.execute("UPDATE chunks SET boxes = ?", (edited,))
    connection.close()
    outcome = made.restore("alice", tmp_path / "w", licence=path).outcome
    assert outcome.done == 9
    assert all("licence is damaged" in one.reason for one in outcome.failures)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
def test_a_licence_cut_short_is_refused(
    made: House, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "x.license"
    whole = (made.root / "alice.license").read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert any("damaged" in reason for reason in _reasons(made, tmp_path / "w", path))


def _reasons(made: House, output: Path, licence: Path) -> list[str]:
    """Why it can't be restored by a licence, as a whole or of which images."""
    try:
        outcome = made.restore("alice", output, licence=licence).outcome
    except InputError as error:
        return [str(error)]
    return [one.reason for one in outcome.failures]


def test_an_expired_licence_is_refused_until_it_is_replaced(
    house: House, tmp_path: Path
) -> None:
    path = house.root / "alice.license"
    with LicenceReader(path, house.key("alice")) as reader:
        header = reader.header
    assert header.expires == pytest.approx(time.time() + 365 * 86400, abs=600)
    with LicenceWriter(path, house.key("alice"), header.release) as writer:
        writer.finish(replace(header, expires=header.issued - 1))
    with pytest.raises(ExpiredLicenceError, match="ask the owner for a new one"):
        house.restore("alice", tmp_path / "w")
    again = house.license("alice", days=0)
    assert (again.header.issue, again.header.expires) == (2, None)
    assert again.header.licence == header.licence
    assert house.restore("alice", tmp_path / "w").outcome.done == 2


def test_more_images_take_an_updated_licence(house: House, tmp_path: Path) -> None:
    Image.fromarray(picture(24, 24, seed=7)).save(house.root / "source/cat/new.png")
    house.publish()
    failures = house.restore("alice", tmp_path / "w").outcome.failures
    assert [one.sample_id for one in failures] == ["cat/new.png"]
    assert "up-to-date licence" in failures[0].reason
    summary = house.license("alice")
    assert (summary.outcome.done, summary.outcome.skipped) == (1, 2)
    assert house.restore("alice", tmp_path / "w").outcome.done == 1
    assert finish(check.check(house.vault)).problems == []


def test_an_image_that_changed_takes_an_updated_licence(
    house: House, tmp_path: Path
) -> None:
    house.restore("alice", tmp_path / "before")
    Image.fromarray(picture(32, 40, seed=8)).save(house.root / "source/cat/a.png")
    house.publish()
    summary = house.license("alice")
    assert (summary.outcome.done, summary.outcome.skipped) == (1, 1)
    assert house.restore("alice", tmp_path / "after").outcome.done == 2
    for folder in ("before", "after"):
        found = finish(extract(house.vault, image_items(tmp_path / folder)))
        assert all(suspect.exact for suspect in found.suspects)
    assert finish(check.check(house.vault)).problems == []


def test_a_revoked_recipient_gets_nothing_that_is_published_later(
    house: House, tmp_path: Path
) -> None:
    house.vault.revoke("alice")
    Image.fromarray(picture(24, 24, seed=7)).save(house.root / "source/cat/new.png")
    house.publish()
    with pytest.raises(RevokedKeyError):
        house.license("alice")
    record = next(house.vault.ledger.records(house.release.id, ["cat/new.png"]))
    with LicenceReader(house.root / "alice.license", house.key("alice")) as reader:
        assert reader.entry(record.digest_p) is None
    outcome = house.restore("alice", tmp_path / "w").outcome
    assert [one.sample_id for one in outcome.failures] == ["cat/new.png"]


def test_only_a_licence_is_replaced(house: House) -> None:
    path = house.root / "alice.license"
    with pytest.raises(OutputError, match="choose another name"):
        finish(license_release(house.vault, "bob", house.release, path))
    path.write_text("my thesis")
    with pytest.raises(OutputError, match="choose another name"):
        house.license("alice")
    assert path.read_text() == "my thesis"


def test_no_licence_lies_among_what_everybody_gets(house: House) -> None:
    folder = Path(house.release.output)
    for path in (folder / "bob.license", folder / "cat" / ".." / "bob.license"):
        with pytest.raises(InputError, match="which anybody may get"):
            finish(license_release(house.vault, "bob", house.release, path))
        assert not path.exists()


def test_a_cancelled_run_leaves_the_licence_as_it_was(house: House) -> None:
    before = (house.root / "alice.license").read_bytes()
    Image.fromarray(picture(24, 24, seed=7)).save(house.root / "source/cat/new.png")
    house.publish()
    path = house.root / "alice.license"
    steps = license_release(house.vault, "alice", house.release, path)
    next(steps)
    steps.close()
    assert path.read_bytes() == before
    assert sorted(house.root.glob(".*")) == []


def test_a_file_that_isnt_as_published_gets_no_licence(house: House) -> None:
    (house.root / "alice.license").unlink()
    path = house.published / "cat" / "a.png"
    loaded = load(path)
    loaded.raster.samples[0, 0] ^= 1
    path.write_bytes(encode(loaded.raster, "PNG", loaded.record))
    summary = house.license("alice")
    assert summary.header.images == 1
    assert "edited" in summary.outcome.failures[0].reason
    shutil.rmtree(house.published)
    (house.root / "alice.license").unlink()
    with pytest.raises(InputError, match="None of the images"):
        house.license("alice")


def test_only_a_published_set_is_licensed(house: House) -> None:
    source = house.root / "source"
    steps = protect(
        house.vault,
        "bob",
        labelled_items(source),
        house.root / "own",
        name="own",
        source=str(source),
        config=ProtectConfig("lsp"),
    )
    own = finish(steps).release
    with pytest.raises(InputError, match="isn't published"):
        finish(license_release(house.vault, "bob", own, house.root / "b.license"))


def test_nobody_is_given_the_published_key(house: House) -> None:
    with pytest.raises(InputError, match="for nobody"):
        house.vault.key_to_send(house.vault.recipient(PUBLISHED))
    with pytest.raises(InputError, match="for nobody"):
        house.license(PUBLISHED)
    with pytest.raises(InputError, match="can't be used"):
        house.vault.add_recipient(PUBLISHED)


def test_a_box_is_bound_to_its_image(house: House) -> None:
    path = house.root / "alice.license"
    digests = [
        carried_digest(load(one).raster) for one in house.published.rglob("*.png")
    ]
    with LicenceReader(path, house.key("alice")) as reader:
        box = reader.box(digests[0])
        assert box is not None
        assert digests[0] in reader
        assert bytes(32) not in reader
        header = reader.header
    other = house.root / "other.license"
    with LicenceWriter(other, house.key("alice"), header.release) as writer:
        writer.put_box(digests[1], box)
        writer.finish(header)
    with (
        LicenceReader(other, house.key("alice")) as reader,
        pytest.raises(DamagedRecordError),
    ):
        reader.entry(digests[1])


def test_another_process_opens_a_licence_anew(house, tmp_path):
    items = image_items(house.published)
    with LicenceReader(house.root / "alice.license", house.key("alice")) as reader:
        again = pickle.loads(pickle.dumps(reader))
    with again:
        copy = load(items[0].path).raster
        assert again.entry(carried_digest(copy)) is not None
