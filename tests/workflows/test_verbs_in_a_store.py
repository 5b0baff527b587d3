"""What looks at a release, packs, unpacks or checks takes URLs as it takes folders."""

import json

import pytest

from fiftyone_reue import api
from fiftyone_reue.batch.folders import read_tree
from fiftyone_reue.errors import InputError, OutputError
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import pairs
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import place
from fiftyone_reue.workflows import package_stored
from fiftyone_reue.workflows import unpack as unpacking
from fiftyone_reue.workflows.info import describe
from fiftyone_reue.workflows.preview import preview
from fiftyone_reue.workflows.unpack import unpack
from fiftyone_reue.workflows.what_it_is import find_suspects
from tests.memory_store import files_below, memory_store, put_folder

pytest.importorskip("fsspec", reason="fsspec isn't installed (make venv does it)")

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SOURCE, OUT = "memory://bucket/photos", "memory://bucket/for_alice"


@pytest.fixture
def memory():
    with memory_store() as system:
        yield system


@pytest.fixture
def originals(memory, write_folder, tmp_path):
    folder = write_folder(tmp_path / "photos", each=4, side=48)
    return put_folder(memory, folder, "/bucket/photos")


@pytest.fixture
def released(originals, vault):
    """A release in the store, of originals there."""
    return api.protect(SOURCE, OUT, vault=vault, recipient="alice", method="lsp")


def figures(found):
    return [
        (one.sample_id, one.label, one.size_before, one.size_after, one.psnr)
        for one in found.images
    ]


def test_preview_tells_sizes_without_asking_for_them(originals, tmp_path, monkeypatch):
    settings = {"method": "lsp", "count": 3}
    here = api.preview(tmp_path / "photos", **settings)
    monkeypatch.setattr(objects, "_kind", None)  # nobody asks for one object
    there = api.preview(SOURCE, **settings)
    assert there.size_before == here.size_before == sum(map(len, originals.values()))
    assert [one[:3] for one in figures(there)] == [one[:3] for one in figures(here)]
    items = read_tree(place(SOURCE)).items
    assert {one.sample_id: one.size for one in items} == {
        name: len(data) for name, data in originals.items()
    }
    found = finish(preview(items, config=ProtectConfig(method="lsp"), count=2))
    assert found.total == 12


@pytest.mark.parametrize("verb", [api.score_steps, api.audit_steps])
def test_score_and_audit_read_from_the_store(
    memory, write_folder, vault, tmp_path, monkeypatch, verb
):
    """Until the first network is trained; what comes then has no files."""
    folder = write_folder(tmp_path / "many", classes=2, each=30, side=32)
    put_folder(memory, folder, "/bucket/many")
    api.protect(
        *("memory://bucket/many", OUT), vault=vault, recipient="alice", method="lsp"
    )
    read = []
    real = pairs.load

    def load(path, **options):
        read.append(path)
        return real(path, **options)

    monkeypatch.setattr(pairs, "load", load)
    given = (OUT,) if verb is api.score_steps else (OUT, tmp_path / "report")
    steps = verb(*given, vault=vault)
    for step in steps:
        if not step.label.startswith("Reading images"):
            break
    steps.close()
    assert step.fraction >= 0.1
    assert len(read) == 60
    assert all(str(path).startswith(OUT) for path in read)


def test_an_audit_of_a_store_is_told_where_its_report_goes(
    released, vault, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"isn't put into a store.*--out FOLDER"):
        api.audit(OUT, vault=vault)
    assert sorted(tmp_path.iterdir()) == before


def test_info_of_objects_and_folders(memory, released, vault, tmp_path):
    told = describe(place(OUT))
    assert (told["folder"], told["images"]) == (OUT, 12)
    assert told["release"] == released.release.id
    copy = describe(place(f"{OUT}/cat/0.png"))
    assert (copy["file"], copy["state"]) == (f"{OUT}/cat/0.png", "protected")
    assert "no record" in describe(place(f"{SOURCE}/cat/0.png"))["state"]
    assert "a release's manifest" in describe(place(f"{OUT}/manifest.json"))["what"]
    with pytest.raises(InputError, match="no such file or folder"):
        describe(place(f"{OUT}/none"))
    with pytest.raises(InputError, match="no release is here"):
        describe(place(SOURCE))
    api.package(released.release.id, tmp_path / "p.zip", vault=vault)
    memory.pipe_file("/bucket/p.zip", (tmp_path / "p.zip").read_bytes())
    assert "reue unpack" in describe(place("memory://bucket/p.zip"))["what"]
    api.report(f"{OUT}/cat", tmp_path / "case", vault=vault)
    put_folder(memory, tmp_path / "case", "/bucket/case")
    assert describe(place("memory://bucket/case"))["what"].startswith("a case")
    memory.pipe_file("/bucket/just/evidence.json", b"{}")
    with pytest.raises(InputError, match=r"memory://bucket/just: this is a case"):
        find_suspects(place("memory://bucket/just"))


@pytest.mark.parametrize("format", ["zip", "parquet", "webdataset"])
def test_a_package_is_unpacked_from_a_store_and_into_one(
    memory, released, vault, tmp_path, format
):
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow isn't installed")
    name = "p.zip" if format == "zip" else "p"
    api.package(released.release.id, tmp_path / name, vault=vault, format=format)
    if format == "zip":
        memory.pipe_file("/bucket/p.zip", (tmp_path / name).read_bytes())
    else:
        put_folder(memory, tmp_path / name, "/bucket/p")
    url = f"memory://bucket/{name}"
    here = api.unpack(url, tmp_path / "copies")
    there = api.unpack(url, "memory://bucket/copies")
    assert (here.images, here.bytes) == (there.images, there.bytes) == (12, here.bytes)
    files = files_below(memory, "/bucket/copies")
    assert files == files_below(memory, "/bucket/for_alice")
    assert files == {name: (tmp_path / "copies" / name).read_bytes() for name in files}
    assert memory.exists("/bucket/copies/manifest.json")
    key = vault.recipient_key(vault.recipient("alice"))
    restored = api.restore("memory://bucket/copies", tmp_path / "w", key=key)
    assert (restored.outcome.done, restored.differing) == (12, {})
    with pytest.raises(InputError, match="is there already"):
        api.unpack(url, "memory://bucket/copies")


@pytest.fixture
def packed(memory, released, vault, tmp_path):
    api.package(released.release.id, tmp_path / "p.zip", vault=vault)
    memory.pipe_file("/bucket/p.zip", (tmp_path / "p.zip").read_bytes())
    return "memory://bucket/p.zip"


def test_what_was_killed_while_unpacking_is_gone_on_with(memory, packed, monkeypatch):
    monkeypatch.setattr(unpacking, "_BATCH", 4)
    steps = unpack(place(packed), place("memory://bucket/copies"))
    next(steps)
    monkeypatch.setattr(objects, "remove", lambda url: None)
    steps.close()  # a kill leaves all that, and the mark
    monkeypatch.undo()
    left = set(files_below(memory, "/bucket/copies"))
    assert package_stored.MARK in left
    memory.pipe_file("/bucket/other.zip", memory.cat_file("/bucket/p.zip"))
    with pytest.raises(InputError, match="is there already"):
        api.unpack("memory://bucket/other.zip", "memory://bucket/copies")
    assert api.unpack(packed, "memory://bucket/copies").images == 12
    done = files_below(memory, "/bucket/copies")
    assert done == files_below(memory, "/bucket/for_alice")


def test_what_was_stopped_or_refused_while_unpacking_leaves_nothing(
    memory, packed, monkeypatch
):
    monkeypatch.setattr(unpacking, "_BATCH", 4)
    steps = unpack(place(packed), place("memory://bucket/copies"))
    next(steps)
    assert len(files_below(memory, "/bucket/copies")) >= 4
    steps.close()
    assert not memory.exists("/bucket/copies")
    real = type(memory).pipe_file

    def failing(self, path, value, **options):
        if path.endswith("cat/3.png"):
            raise PermissionError(13, "AccessDenied")
        real(self, path, value, **options)

    monkeypatch.setattr(type(memory), "pipe_file", failing)
    with pytest.raises(OutputError, match=r"cat/3\.png: can't be written"):
        api.unpack(packed, "memory://bucket/copies")
    assert not memory.exists("/bucket/copies")
    with pytest.raises(InputError, match="there is nothing at this address"):
        api.unpack("memory://bucket/none.zip", "memory://bucket/copies")
    assert not memory.exists("/bucket/copies")


def test_a_damaged_package_is_named_by_its_url(memory, packed):
    data = memory.cat_file("/bucket/p.zip")
    memory.pipe_file("/bucket/bad.tar", data[: len(data) // 2])
    with pytest.raises(
        InputError, match=r"^memory://bucket/bad\.tar: it can't be read"
    ):
        api.unpack("memory://bucket/bad.tar", "memory://bucket/copies")
    assert not memory.exists("/bucket/copies")


def test_a_case_and_what_a_recipient_holds_are_checked_in_a_store(
    memory, released, vault, tmp_path
):
    api.report(f"{OUT}/cat", tmp_path / "case", vault=vault)
    put_folder(memory, tmp_path / "case", "/bucket/case")
    api.package(released.release.id, tmp_path / "p", vault=vault)
    api.package(released.release.id, tmp_path / "p.zip", vault=vault)
    put_folder(memory, tmp_path / "p", "/bucket/p")
    memory.pipe_file("/bucket/p.zip", (tmp_path / "p.zip").read_bytes())
    here = api.verify(tmp_path / "case", manifest=tmp_path / "p")
    for held in (
        *("memory://bucket/p", "memory://bucket/p.zip", OUT),
        *(f"{OUT}/manifest.json", "memory://bucket/p/commitment.json"),
    ):
        there = api.verify("memory://bucket/case", manifest=held)
        assert (there.named, there.holds) == (["alice"], True)
        assert there.steps == here.steps
    memory.pipe_file("/bucket/p/README", b"hi")
    with pytest.raises(InputError, match=r"^memory://bucket/p/README.*no commitment"):
        api.verify("memory://bucket/case", manifest="memory://bucket/p/README")
    with pytest.raises(InputError, match=r"^memory://bucket/photos/evidence.json"):
        api.verify(SOURCE)
    differences = next(
        name for name in files_below(memory, "/bucket/case") if "differ" in name
    )
    memory.pipe_file(f"/bucket/case/{differences}", b"nothing")
    broken = api.verify("memory://bucket/case")
    assert not broken.holds
    assert f"memory://bucket/case/{differences}" in broken.verdict()


def annotations(prefix=""):
    names = ["brick/0.png", "cat/1.png"]
    return {
        "images": [
            {"id": n, "file_name": f"{prefix}{name}", "width": 48, "height": 48}
            for n, name in enumerate(names)
        ],
        "categories": [{"id": 1, "name": "thing"}, {"id": 2, "name": "other"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n + 1, "bbox": [0, 0, 24, 24]}
            for n in range(2)
        ],
    }


@pytest.mark.parametrize("prefix", ["", "./", f"{SOURCE}/"])
def test_annotations_and_their_images_in_a_store(memory, originals, vault, prefix):
    data = json.dumps(annotations(prefix)).encode()
    memory.pipe_file("/bucket/found.json", data)
    made = api.protect(
        *(SOURCE, OUT),
        vault=vault,
        recipient="alice",
        coco="memory://bucket/found.json",
    )
    assert (made.outcome.done, made.outcome.failures) == (2, [])
    files = files_below(memory, "/bucket/for_alice")
    assert set(files) == {"brick/0.png", "cat/1.png", "found.json"}
    told = json.loads(files["found.json"])
    assert [one["file_name"] for one in told["images"]] == ["brick/0.png", "cat/1.png"]


def test_annotations_that_lead_elsewhere_or_nowhere(memory, originals, vault):
    def refused(content, url="memory://bucket/found.json"):
        memory.pipe_file("/bucket/found.json", content)
        with pytest.raises(InputError) as error:
            api.protect(SOURCE, OUT, vault=vault, recipient="alice", coco=url)
        assert not memory.exists("/bucket/for_alice")
        return str(error.value)

    other = json.dumps(annotations("memory://bucket/elsewhere/")).encode()
    assert "which isn't in memory://bucket/photos" in refused(other)
    up = json.dumps(annotations("../photos/")).encode()
    assert "which isn't in memory://bucket/photos" in refused(up)
    gone = json.dumps(annotations("deep/")).encode()
    assert "memory://bucket/photos: of 2 images" in refused(gone)
    assert "memory://bucket/found.json: this isn't JSON" in refused(b"{")
    missing = refused(b"{}", "memory://bucket/none.json")
    assert missing.startswith("memory://bucket/none.json: there is no such annotation")


@pytest.mark.parametrize(
    "call",
    [
        lambda v, release: api.package(release, "s3://b/p", vault=v),
        lambda v, release: api.license("alice", "s3://b/l", vault=v, release=release),
        lambda v, release: api.report("x", "s3://b/c", vault=v),
        lambda v, release: api.reveal("x", "s3://b/c", vault=v),
        lambda v, release: api.audit(OUT, "s3://b/c", vault=v),
    ],
)
def test_what_stays_on_this_machine_says_so(call, released, vault):
    with pytest.raises(InputError, match="is written to this machine only; give a"):
        call(vault, released.release.id)
