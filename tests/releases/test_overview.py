"""What is kept of all originals is as good as the ledger's rows, or isn't used."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from fiftyone_reue.releases import overview
from fiftyone_reue.releases.overview import FILE, Overview
from fiftyone_reue.vault.entities import Image
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.watermark import match
from fiftyone_reue.workflows.protect_image import image_id

pytestmark = pytest.mark.unit

KEY = bytes(range(32))


@pytest.fixture
def vault(tmp_path):
    with create_folder(tmp_path / "vault", plain_key_file=True) as vault:
        yield vault


def original(number: int, *, alpha: bool = False, side: int = 200) -> Image:
    draw = np.random.default_rng(number)
    digest = hashlib.sha256(str(number).encode()).digest()
    size = match.SIDE**2 * (3 if alpha else 1)
    look = draw.integers(0, 256, size, np.uint8).tobytes()
    return Image(image_id(KEY, digest), digest, f"{number}.png", None, side, side, look)


def luma_of(image: Image) -> np.ndarray:
    cells = np.frombuffer(image.descriptor[: match.SIDE**2], np.uint8)
    return np.kron(cells.reshape(match.SIDE, -1), np.ones((4, 4))).astype(np.float32)


def opened(vault: Vault, folder) -> Overview:
    return Overview(vault.ledger, folder, KEY)


def finds(held: Overview, images: list[Image]) -> bool:
    assert held.ids() == sorted(one.id for one in images)
    return all(
        held.index.nearest(luma_of(one), 1)[0].image_id == one.id for one in images
    )


@pytest.fixture
def reads(vault, monkeypatch):
    """Which images were read from the ledger, row by row."""
    seen: list[str] = []
    ledger = type(vault.ledger)
    every, some = ledger.images, ledger.find_images

    def images(self):
        for one in every(self):
            seen.append(one.id)
            yield one

    def find_images(self, ids):
        found = some(self, ids)
        seen.extend(one.id for one in found)
        return found

    monkeypatch.setattr(ledger, "images", images)
    monkeypatch.setattr(ledger, "find_images", find_images)
    return seen


def test_what_is_kept_is_read_instead_of_the_rows(vault, tmp_path, reads):
    images = [original(n, alpha=n % 3 == 0, side=40 + 10 * n) for n in range(9)]
    vault.ledger.put_images(images)
    first = opened(vault, tmp_path)
    assert finds(first, images)
    assert sorted(reads) == first.ids()
    reads.clear()
    again = opened(vault, tmp_path)
    assert finds(again, images)
    assert reads == []
    found = again.index.nearest(luma_of(images[0]), 9)
    small = {one.id: one.descriptor[:256] for one in images if one.height < 96}
    assert again.small(found) == small
    assert again.has_small


def test_only_what_is_new_is_read_and_what_is_gone_is_left_out(vault, tmp_path, reads):
    images = [original(n, alpha=n % 3 == 0) for n in range(20)]
    vault.ledger.put_images(images[:14])
    assert finds(opened(vault, tmp_path), images[:14])
    vault.ledger.put_images(images[14:])
    changed = replace(images[0], source="elsewhere.png")
    vault.ledger.put_images([changed])
    reads.clear()
    assert finds(opened(vault, tmp_path), images)
    assert sorted(reads) == sorted(one.id for one in [changed, *images[14:]])
    reads.clear()
    assert finds(opened(vault, tmp_path), images)
    assert reads == []


def test_images_with_alpha_are_found_on_a_background_after_an_update(vault, tmp_path):
    images = [original(n, alpha=True) for n in range(12)]
    vault.ledger.put_images(images[::2])
    opened(vault, tmp_path).ids()
    vault.ledger.put_images(images[1::2])
    held = opened(vault, tmp_path)
    for one in images:
        cells = np.frombuffer(one.descriptor[match.SIDE**2 :], np.uint8)
        black, white = cells.reshape(2, match.SIDE, match.SIDE).astype(np.float32)
        gray = np.kron((black + white) / 2, np.ones((4, 4))).astype(np.float32)
        assert held.index.nearest(gray, 1)[0].image_id == one.id


@pytest.mark.parametrize("place", [0, 20, 60, 110, 300, -1])
def test_an_edited_file_is_made_again(vault, tmp_path, reads, place):
    images = [original(n) for n in range(5)]
    vault.ledger.put_images(images)
    opened(vault, tmp_path).ids()
    path = tmp_path / FILE
    whole = bytearray(path.read_bytes())
    edited = whole.copy()
    edited[place] ^= 1
    for content in (edited, whole[:-1], whole[:50], b"", whole + b"\0"):
        path.write_bytes(content)
        reads.clear()
        assert finds(opened(vault, tmp_path), images)
        assert len(reads) == 5
        assert path.read_bytes() == whole


def test_another_keys_file_is_not_believed(vault, tmp_path, reads):
    vault.ledger.put_images([original(0)])
    Overview(vault.ledger, tmp_path, bytes(32)).ids()
    reads.clear()
    opened(vault, tmp_path).ids()
    assert len(reads) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE images SET descriptor = zeroblob(256) WHERE rowid = 2",
        "UPDATE images SET mac = zeroblob(32) WHERE rowid = 2",
        "UPDATE images SET mac = 'no' WHERE rowid = 2",
        "UPDATE images SET id = 'short' WHERE rowid = 2",
        "DELETE FROM images WHERE rowid = 2",
    ],
)
def test_rows_that_were_changed_are_noticed_when_others_came(
    vault, tmp_path, statement
):
    images = [original(n) for n in range(4)]
    vault.ledger.put_images(images[:3])
    opened(vault, tmp_path).ids()
    vault.ledger.put_images(images[3:])
    with vault.ledger.raw._writing() as connection:
        connection.execute(statement)
    held = opened(vault, tmp_path)
    assert set(held.ids()) <= {one.id for one in images}
    if "descriptor" in statement:
        # The file knows what the row was, and isn't led by what it has become.
        assert finds(held, images)
        return
    assert len(held.ids()) == 3
    assert vault.ledger.problems


def test_where_nothing_can_be_kept_it_goes_without(vault, tmp_path):
    (tmp_path / "file").write_text("no folder")
    vault.ledger.put_images([original(0)])
    assert finds(opened(vault, tmp_path / "file"), [original(0)])


def test_an_empty_ledger_has_none(vault, tmp_path):
    assert not opened(vault, tmp_path)
    vault.ledger.put_images([original(0)])
    assert opened(vault, tmp_path)


def test_many_rows_are_asked_part_by_part(vault, tmp_path, monkeypatch):
    images = [original(n) for n in range(30)]
    vault.ledger.put_images(images)
    monkeypatch.setattr(match, "_AT_ONCE", 7)
    monkeypatch.setattr(overview, "_PAGE", 3)
    assert finds(opened(vault, tmp_path), images)
