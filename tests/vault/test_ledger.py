"""The contract of every ledger."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue.errors import InputError, VaultError
from fiftyone_reue.vault.entities import Fit, Image, Paper, Recipient, Record, Release
from fiftyone_reue.vault.ledger import Ledger, MongoLedger, SqliteLedger
from fiftyone_reue.vault.ledger.rows import parsed

RECIPIENT = Recipient("r1", "ann", "k1", b"\0key", b"seed\xff", 1.5, None)
FIT = Fit("f1", b"\0sealed", "rue", {"loss": [1.5, -2], "nested": {"a.b": "$x"}}, 2.0)
RELEASE = Release(
    id="p1",
    name="für Ann",
    recipient_id="r1",
    method="rue",
    source="in/ü",
    output="out",
    parameters={"epsilon": 8, "big": 2**70, "none": None, "$key.dot": True},
    state="running",
    fit_id="f1",
    commitment="00ff",
    created=3.0,
    updated=3.0,
    finished=None,
    counts={"done": 1},
    scores={},
    sealed_seed=b"\0s",
)


PAPER = Paper("c1", "commitment", "p1", b"\0p", 2.0)


def image(number: int) -> Image:
    digest = number.to_bytes(32, "big")
    return Image(f"i{number:05}", digest, "a.png", None, 32, 48, b"\0d")


def record(number: int, release: str = "p1", of: int | None = None) -> Record:
    return Record(
        id=f"{release}-{number}",
        release_id=release,
        sample_id=f"s{number:05}",
        image_id=f"i{number if of is None else of:05}",
        label="cat" if number % 2 else None,
        source=f"in/{number}.png",
        output=f"out/{number}.png",
        digest_p=b"p%d" % number,
        digest_w=b"w%d" % number,
        blob=b"\0blob%d" % number,
        psnr=31.25 if number else float("inf"),
        created=4.0 + number,
        file_digest=b"f%d" % number,
        copy_digest=b"c%d" % number,
    )


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.unit),
        pytest.param("mongo", marks=pytest.mark.integration),
    ]
)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "mongo":
        yield MongoLedger(request.getfixturevalue("mongo_database"))
    else:
        with SqliteLedger(tmp_path / "ledger.sqlite") as sqlite:
            yield sqlite


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """One recipient, one fit, one release and five originals."""
    ledger.put_recipient(RECIPIENT)
    ledger.put_fit(FIT)
    ledger.put_paper(PAPER)
    ledger.put_release(RELEASE)
    ledger.put_images([image(number) for number in range(5)])
    return ledger


def test_an_empty_ledger_has_nothing(ledger: Ledger) -> None:
    assert ledger.get_meta() is None
    assert ledger.recipients() == ledger.fits() == ledger.releases() == []
    assert ledger.recipient("x") is ledger.recipient_by_name("x") is None
    assert ledger.fit("x") is ledger.release("x") is None
    assert ledger.image("x") is ledger.image_by_digest(b"x") is None
    assert ledger.record("x") is None
    assert list(ledger.images()) == list(ledger.records("x")) == []
    assert list(ledger.records_by_digest(b"x")) == []
    assert list(ledger.records_by_image("x")) == []
    assert ledger.count_records("x") == 0
    assert ledger.record_sample_ids("x") == set()
    assert ledger.papers("look") == []
    ledger.put_images([])
    ledger.put_records([])
    ledger.delete_release("x")


def test_meta_is_created_once_and_replaced(ledger: Ledger) -> None:
    meta = {"format": 1, "wraps": [{"key_id": "a"}], "odd.$name": None, "t": 0.1}
    ledger.create_meta(meta)
    assert ledger.get_meta() == meta
    with pytest.raises(VaultError, match="vault already"):
        ledger.create_meta({"format": 2})
    assert ledger.get_meta() == meta
    ledger.put_meta({"format": 1})
    assert ledger.get_meta() == {"format": 1}


def test_each_entity_comes_back_as_it_was(filled: Ledger) -> None:
    filled.put_records([record(0), record(1)])
    assert filled.recipient("r1") == filled.recipient_by_name("ann") == RECIPIENT
    assert parsed(filled.fit("f1")) == FIT
    assert parsed(filled.release("p1")) == RELEASE
    assert filled.papers("commitment") == [PAPER]
    assert filled.papers("look") == []
    assert filled.image("i00003") == image(3)
    assert filled.image_by_digest(image(3).digest) == image(3)
    assert filled.record("p1-0") == record(0)
    assert list(filled.records("p1")) == [record(0), record(1)]


def test_putting_twice_replaces(filled: Ledger) -> None:
    changed: list[Any] = [
        replace(RECIPIENT, revoked_at=9.0),
        replace(FIT, summary={}),
        replace(RELEASE, state="done", finished=9.0, counts={"done": 2}),
    ]
    for _ in range(2):
        filled.put_recipient(changed[0])
        filled.put_fit(changed[1])
        filled.put_release(changed[2])
        filled.put_images([replace(image(1), label="cat")])
        filled.put_records([record(1)])
        filled.put_records([replace(record(1), id="new", blob=b"new")])
    assert filled.recipients() == [changed[0]]
    assert [parsed(one) for one in filled.fits()] == [changed[1]]
    assert [parsed(one) for one in filled.releases()] == [changed[2]]
    assert [each.label for each in filled.images()] == [None, "cat", None, None, None]
    assert list(filled.records("p1")) == [replace(record(1), id="new", blob=b"new")]
    assert filled.record("p1-1") is None


def test_listings_are_oldest_first(filled: Ledger) -> None:
    filled.put_recipient(replace(RECIPIENT, id="r0", name="bob", created=0.5))
    filled.put_fit(replace(FIT, id="f0", created=0.5))
    filled.put_release(replace(RELEASE, id="p0", recipient_id="r0", created=0.5))
    assert [each.id for each in filled.recipients()] == ["r0", "r1"]
    assert [each.id for each in filled.fits()] == ["f0", "f1"]
    assert [each.id for each in filled.releases()] == ["p0", "p1"]
    assert [each.id for each in filled.releases("r0")] == ["p0"]
    assert filled.releases("nobody") == []


def test_a_name_is_taken_once(filled: Ledger) -> None:
    with pytest.raises(InputError, match="named 'ann' already"):
        filled.put_recipient(replace(RECIPIENT, id="r2"))
    assert filled.recipients() == [RECIPIENT]


def test_a_digest_and_a_record_id_are_taken_once(filled: Ledger) -> None:
    with pytest.raises(VaultError):
        filled.put_images([replace(image(1), id="another")])
    filled.put_records([record(1)])
    with pytest.raises(VaultError):
        filled.put_records([replace(record(2), id=record(1).id)])
    assert list(filled.records("p1")) == [record(1)]


def test_what_is_referred_to_must_exist(filled: Ledger) -> None:
    with pytest.raises(VaultError):
        filled.put_release(replace(RELEASE, id="p2", recipient_id="nobody"))
    with pytest.raises(VaultError):
        filled.put_release(replace(RELEASE, id="p2", fit_id="none"))
    with pytest.raises(VaultError):
        filled.put_records([record(1, release="none")])
    with pytest.raises(VaultError):
        filled.put_records([record(1), record(99)])
    assert filled.count_records("p1") == 0
    filled.put_release(replace(RELEASE, id="p2", fit_id=None))
    assert [each.id for each in filled.releases()] == ["p1", "p2"]


@pytest.mark.slow
def test_records_are_paged_in_order(filled: Ledger) -> None:
    total = 700
    filled.put_images([image(number) for number in range(total)])
    filled.put_records([record(number) for number in reversed(range(total))])
    assert list(filled.records("p1")) == [record(number) for number in range(total)]
    assert list(filled.images()) == [image(number) for number in range(total)]
    assert filled.count_records("p1") == total
    assert filled.record_sample_ids("p1") == {f"s{n:05}" for n in range(total)}
    some = [f"s{number:05}" for number in range(total - 1, 0, -2)]
    found = filled.records("p1", [*some, some[0], "none"])
    assert [each.sample_id for each in found] == sorted(some)
    assert list(filled.records("p1", [])) == []
    wanted = [image(number).id for number in range(total - 1, -1, -1)]
    assert [each.id for each in filled.find_images([*wanted, "none"])] == wanted


def test_records_may_be_put_while_they_are_read(filled: Ledger) -> None:
    filled.put_records([record(0), record(1), record(2)])
    seen = []
    for each in filled.records("p1"):
        filled.put_records([replace(each, blob=b"changed")])
        seen.append(each.sample_id)
    assert seen == ["s00000", "s00001", "s00002"]
    assert {each.blob for each in filled.records("p1")} == {b"changed"}


def test_records_are_found_by_either_digest_and_by_image(filled: Ledger) -> None:
    filled.put_release(replace(RELEASE, id="p2"))
    first, second = record(1), record(2, release="p2", of=1)
    filled.put_records([first, replace(second, digest_p=first.digest_w)])
    found = [each.id for each in filled.records_by_digest(first.digest_w)]
    assert found == [first.id, second.id]
    assert list(filled.records_by_digest(first.digest_p)) == [first]
    assert [e.id for e in filled.records_by_image("i00001")] == [first.id, second.id]


def test_deleting_a_release_keeps_what_others_use(filled: Ledger) -> None:
    filled.put_release(replace(RELEASE, id="p2"))
    filled.put_records([record(0), record(1), record(2, release="p2", of=1)])
    for _ in range(2):
        filled.delete_release("p1")
    assert [each.id for each in filled.releases()] == ["p2"]
    assert filled.count_records("p1") == 0
    assert filled.count_records("p2") == 1
    # The first was only this release's; the others belong to p2, or to one that has
    # put its images but not its records yet.
    kept = ["i00001", "i00002", "i00003", "i00004"]
    assert [each.id for each in filled.images()] == kept
    filled.delete_release("p2")
    assert [each.id for each in filled.images()] == kept[1:]
    assert [parsed(one) for one in filled.fits()] == [FIT]
    assert filled.recipients() == [RECIPIENT]


def test_withdrawn_records_are_found_by_digest_and_image_alone(filled: Ledger) -> None:
    gone = replace(record(1), id="w1", digest_p=b"old", file_digest=b"f")
    filled.put_records([record(1), record(2)])
    filled.put_withdrawn([])
    for _ in range(2):
        filled.put_withdrawn([gone, replace(record(3), id="w3")])
    assert list(filled.withdrawn("p1")) == [gone, replace(record(3), id="w3")]
    assert list(filled.withdrawn("p2")) == []
    assert list(filled.records_by_digest(b"old")) == [gone]
    assert list(filled.records_by_digest(gone.digest_w)) == [record(1), gone]
    assert list(filled.records_by_image("i00001")) == [record(1), gone]
    assert list(filled.records("p1")) == [record(1), record(2)]
    assert filled.count_records("p1") == 2
    assert filled.record("w1") is None
    with pytest.raises(VaultError):
        filled.put_withdrawn([record(1, release="none")])


@pytest.mark.slow
def test_deleted_records_leave_the_rest(filled: Ledger) -> None:
    large = bytes(range(256)) * (17 * 2**12)
    filled.put_records([record(0), replace(record(1), blob=large), record(2)])
    filled.put_withdrawn([replace(record(1), id="w1", blob=large)])
    for _ in range(2):
        filled.delete_records("p1", [record(1).sample_id, "none"])
    filled.delete_records("p1", [])
    filled.delete_records("p2", [record(0).sample_id])
    assert list(filled.records("p1")) == [record(0), record(2)]
    (gone,) = filled.withdrawn("p1")
    assert gone.blob == large


def test_an_original_is_kept_while_anything_of_it_is_known(filled: Ledger) -> None:
    filled.put_release(replace(RELEASE, id="p2"))
    filled.put_records([record(0)])
    filled.put_withdrawn(
        [
            replace(record(1), id="w1"),
            replace(record(0, release="p2"), id="w2"),
            replace(record(2), id="w3"),
        ]
    )
    filled.delete_release("p1")
    assert [each.id for each in filled.images()] == ["i00000", "i00003", "i00004"]
    assert list(filled.withdrawn("p1")) == []
    filled.delete_release("p2")
    assert [each.id for each in filled.images()] == ["i00003", "i00004"]


@pytest.mark.slow
def test_large_blobs_are_kept_and_replaced(filled: Ledger) -> None:
    large = bytes(range(256)) * (17 * 2**12)
    fit, kept = replace(FIT, sealed=large), replace(record(1), blob=large)
    for _ in range(2):
        filled.put_fit(fit)
        filled.put_records([kept, record(2)])
    assert parsed(filled.fit("f1")) == fit
    assert list(filled.records("p1")) == [kept, record(2)]
    filled.put_fit(FIT)
    filled.put_records([record(1)])
    assert parsed(filled.fit("f1")) == FIT
    assert filled.record("p1-1") == record(1)


def test_a_name_that_is_not_unicode_is_refused(filled: Ledger) -> None:
    with pytest.raises(InputError, match="isn't valid Unicode"):
        filled.put_images([replace(image(9), source="a\udcff.png")])
    assert filled.image(image(9).id) is None


@pytest.mark.slow
def test_two_threads_may_put_the_same(filled: Ledger) -> None:
    threads, errors = 4, []

    def work() -> None:
        try:
            for start in range(0, 200, 20):
                numbers = range(start, start + 20)
                filled.put_images([image(number) for number in numbers])
                filled.put_records([record(number) for number in numbers])
                assert filled.count_records("p1") >= start
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert errors == []
    assert list(filled.records("p1")) == [record(number) for number in range(200)]


def test_the_macs_of_images_are_listed_by_id(ledger):
    macs = [bytes([number]) * 32 for number in range(5)]
    images = [replace(image(n), mac=mac) for n, mac in enumerate(macs)]
    assert list(ledger.image_macs()) == []
    ledger.put_images(images)
    assert sorted(ledger.image_macs()) == [(f"i{n:05}", macs[n]) for n in range(5)]
