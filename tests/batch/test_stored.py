"""Images below an address are found as those in a folder are."""

import io

import pytest
from PIL import Image

from fiftyone_reue.batch import outputs, pipeline, stored
from fiftyone_reue.batch.folders import (
    all_suspects,
    check_apart,
    image_items,
    read_source,
    read_tree,
    suspect_items,
)
from fiftyone_reue.batch.items import with_distinct_folders, with_distinct_outputs
from fiftyone_reue.errors import (
    InputError,
    OutputError,
    UnreadableImageError,
    UnsafePathError,
    UnsupportedImageError,
)
from fiftyone_reue.media.codec import load, read_file
from fiftyone_reue.stores import objects
from fiftyone_reue.stores.address import place
from fiftyone_reue.stores.objects import Found
from tests.memory_store import memory_store

pytest.importorskip("fsspec", reason="fsspec isn't installed")

pytestmark = pytest.mark.unit

NAMES = (
    *("cat/b.png", "cat/a.JPG", "cat/deep/er/c.webp", "cat/.hidden/x.png"),
    *("dog/a.b.tif", "dog/notes.txt", "dog/.hidden.png", "dog/.DS_Store", "dog/README"),
    *(".trash/x.png", "__MACOSX/y.png", "manifest.json", "cat/.x.reue-tmp"),
)


@pytest.fixture(autouse=True)
def memory():
    with memory_store() as system:
        yield system


def png():
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    return data.getvalue()


def test_a_bucket_is_taken_as_a_folder_is(memory, tmp_path):
    for name in NAMES:
        data = b"text" if name.endswith("README") else b""
        memory.pipe_file(f"/b/tree/{name}", data)
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    there, here = read_tree(place("memory://b/tree")), read_tree(tmp_path / "tree")
    assert [(i.sample_id, i.label, i.output) for i in there.items] == [
        (i.sample_id, i.label, i.output) for i in here.items
    ]
    assert (there.others, there.layout) == (here.others, here.layout)
    assert there.hidden == here.hidden == ("cat/.hidden/x.png", "dog/.hidden.png")
    assert there.items[0].path == "memory://b/tree/cat/a.JPG"


def test_a_file_without_a_suffix_is_known_by_its_bytes(memory):
    memory.pipe_file("/b/cat/plain", png())
    memory.pipe_file("/b/cat/other", b"text")
    memory.pipe_file("/b/cat/empty", b"")
    (item,) = image_items(place("memory://b"))
    assert item.sample_id == "cat/plain"
    assert load(item.path).raster.width == 8
    assert load(place(item.path)).raster.width == 8


def test_what_is_nowhere_is_said(memory):
    memory.pipe_file("/b/cat/notes.txt", b"")
    with pytest.raises(InputError, match="nothing below this address"):
        read_tree(place("memory://b/none"))
    with pytest.raises(InputError, match="there is no image in it"):
        read_tree(place("memory://b"))
    with pytest.raises(InputError, match="nothing at this address"):
        suspect_items(place("memory://b/none"))
    with pytest.raises(InputError, match="this is a file"):
        read_tree(place("memory://b/cat/notes.txt"))


def test_suspects_are_objects_folders_or_both(memory, tmp_path):
    memory.pipe_file("/b/one/x.png", png())
    memory.pipe_file("/b/two/x.png", png())
    (tmp_path / "x.png").write_bytes(png())
    given = [place("memory://b/one"), place("memory://b/two/x.png"), tmp_path / "x.png"]
    found = all_suspects([*given, given[0]], apart_from=tmp_path / "results")
    assert [one.sample_id for one in found] == [
        "memory://b/one/x.png",
        "memory://b/two/x.png",
        str(tmp_path / "x.png"),
    ]
    assert [one.output for one in found] == ["x", "x", "x"]
    with pytest.raises(InputError, match="lie within one another"):
        all_suspects(given, apart_from=place("memory://b/one/results"))


@pytest.mark.parametrize("output", ["memory://b", "memory://b/a", "memory://b/a/out"])
def test_neither_may_lie_within_the_other(output):
    with pytest.raises(InputError, match="lie within one another"):
        read_source(place("memory://b/a"), place(output))


def test_others_lie_apart(tmp_path):
    one = place("memory://b/a")
    for other in ("memory://b/a2", "memory://c/a", "s3://b/a", str(tmp_path)):
        check_apart(one, place(other))
        check_apart(place(other), one)


def test_names_that_no_folder_could_hold_do_no_harm(monkeypatch, tmp_path):
    listings = {
        "s3://b": [
            Found("", True, 0),  # of b//x.png
            Found(".", True, 0),
            Found("..", True, 0),
            Found("..", False, 9),
            Found("Cat", True, 0),
            Found("cat", True, 0),
            Found("closed", True, 0),
        ],
        "s3://b/Cat": [Found("a.png", False, 1), Found("A.PNG", False, 1)],
        "s3://b/cat": [
            Found("a.png", False, 1),
            Found("con\n\x1b[31m.png", False, 1),
            Found("x.png", False, 1),
            Found("x.png", True, 0),
        ],
        "s3://b/cat/x.png": [Found("y.png", False, 1)],
    }

    def listing(url):
        if url not in listings:
            raise PermissionError(13, "no permission (AccessDenied)", url)
        return listings[url]

    monkeypatch.setattr(objects, "listing", listing)
    found = image_items(place("s3://b"))
    items = with_distinct_outputs(with_distinct_folders(found, ()), {})
    outputs_of = {item.path: item.output for item in items}
    assert len({output.casefold() for output in outputs_of.values()}) == len(items)
    for output in outputs_of.values():
        assert not {"", ".", ".."} & set(output.split("/"))
        assert output.isprintable()
    # No file of the copies has a name that is a folder's as well.
    names = {f"{output}.png".casefold() for output in outputs_of.values()}
    folders = {output.rpartition("/")[0].casefold() for output in outputs_of.values()}
    assert not names & folders
    assert all(item.sample_id.isprintable() or "\n" in item.sample_id for item in items)
    reasons = {}
    for item in items:
        if item.path.endswith("/"):
            with pytest.raises(UnreadableImageError) as error:
                read_file(item.path)
            reasons[item.sample_id] = str(error.value)
    assert set(reasons) == {"/", "./", "../", "closed/"}
    assert "AccessDenied" in reasons.pop("closed/")
    assert all("rename the object" in reason for reason in reasons.values())


def test_an_object_is_read_as_a_file_is(memory):
    memory.pipe_file("/b/x.png", png())
    assert read_file("memory://b/x.png") == png()
    with pytest.raises(UnreadableImageError, match=r"memory://b/y.png: no such object"):
        read_file("memory://b/y.png")
    with pytest.raises(UnreadableImageError, match=r"mine: .*a folder"):
        read_file("memory://b/", name="mine")
    with pytest.raises(UnsupportedImageError, match="more than the 0 MB"):
        read_file("memory://b/x.png", most=10)


def test_results_are_written_below_an_address(memory):
    output = place("memory://b/out")
    outputs.prepare(output, private=True)
    assert outputs.write_below(output, [("cat/a.png", b"1"), ("b.png", b"2")]) == {}
    assert memory.cat_file("/b/out/cat/a.png") == b"1"
    assert list(stored.objects_below(output)) == ["b.png", "cat/a.png"]
    outputs.remove_empty(output)
    with pytest.raises(UnsafePathError):
        outputs.write_below(output, [("../x.png", b"1")])


def test_one_that_a_store_refuses_is_that_images_matter(memory):
    output = place("memory://b/out")
    memory.pipe_file("/b/out/cat", b"")
    files = [("cat/a.png", b"1"), ("dog/b.png", b"2")]
    refused = outputs.write_below(output, files)
    assert list(refused) == ["cat/a.png"]
    assert "memory://b/out/cat/a.png: can't be written" in refused["cat/a.png"]
    assert memory.cat_file("/b/out/dog/b.png") == b"2"
    with pytest.raises(OutputError, match=r"out/cat/a\.png: can't be written"):
        outputs.write_below(output, files[:1])


def test_objects_are_handed_out_to_threads_a_few_at_a_time(monkeypatch):
    chunks = pipeline._chunks(
        (pipeline_item(f"s3://b/{number}.png") for number in range(10)), 32
    )
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]


def pipeline_item(path):
    from fiftyone_reue.batch.items import Item

    return Item(path, path, None, path)
