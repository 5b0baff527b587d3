"""Names that only a store can hold, and objects that change during the work."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_reue import api
from fiftyone_reue.batch.folders import read_tree
from fiftyone_reue.errors import InputError
from fiftyone_reue.progress import finish
from fiftyone_reue.releases import manifest
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.stores import connections, objects
from fiftyone_reue.stores.address import place
from fiftyone_reue.stores.objects import Found
from fiftyone_reue.workflows.protect import protect_folder
from tests.memory_store import files_below, memory_store

pytest.importorskip("fsspec", reason="fsspec isn't installed (make venv does it)")

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SOURCE, OUT = "memory://b/photos", "memory://b/for_alice"
LONG = "cat/" + "x" * (1024 - len("photos/cat/.png")) + ".png"
NAMES = (
    *("a b.png", "50%.png", "%20.png", "a%20b.png", "#1.png", "q?.png", "q?x=1&y.png"),
    *("\u00e9.png", "e\u0301.png", "+.png", "&amp;.png", "'\".png", "[x]*.png"),
    *("new\nline.png", "tab\t.png", "\U0001f408.png", " .png", "end .png ", "CON.png"),
    *("a:b.png", "{a}.png", "~.png", "$HOME.png", "back\\slash.png"),
)


@pytest.fixture
def memory():
    with memory_store() as system:
        yield system


def png(number):
    generator = np.random.default_rng(number)
    small = generator.integers(0, 255, (6, 6, 3)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(small).resize((48, 48)).save(data, "PNG")
    return data.getvalue()


def put(memory, names):
    made = {name: png(number) for number, name in enumerate(names)}
    for name, data in made.items():
        memory.pipe_file(f"/b/photos/{name}", data)
    return made


def protect(vault, source=SOURCE, output=OUT):
    return api.protect(source, output, vault=vault, recipient="alice", method="lsp")


def test_odd_names_come_back_byte_for_byte(memory, vault, tmp_path):
    made = put(memory, [*(f"cat/{name}" for name in NAMES), "50%/x.png", "q?/x.png"])
    done = protect(vault)
    assert (done.outcome.done, done.outcome.failures) == (len(made), [])
    again = protect(vault)
    assert (again.outcome.skipped, again.strangers) == (len(made), [])
    api.restore(OUT, "memory://b/back", vault=vault)
    back = files_below(memory, "/b/back")
    assert sorted(back.values()) == sorted(made.values())
    api.restore(OUT, tmp_path / "back", vault=vault)
    here = [path for path in (tmp_path / "back").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in here) == sorted(made.values())
    key = vault.recipient_key(vault.recipient("alice"))
    assert api.restore(OUT, tmp_path / "w", key=key).outcome.done == len(made)
    # On a disk that takes accents for one another, none is written over the other.
    copies = files_below(memory, "/b/for_alice")
    assert len({name.casefold() for name in copies}) == len(made)


def test_a_name_that_no_file_can_have_comes_back_by_its_copys(memory, vault, tmp_path):
    made = put(memory, [LONG, "cat/a.png"])
    assert len(f"photos/{LONG}") == 1024
    assert protect(vault).outcome.done == 2
    back = api.restore(OUT, tmp_path / "back", vault=vault)
    assert back.outcome.failures == []
    files = {path.name: path.read_bytes() for path in (tmp_path / "back/cat").iterdir()}
    assert files.pop("a.png") == made["cat/a.png"]
    ((name, data),) = files.items()
    assert name.startswith("xxxx")
    assert (len(name) <= 255, data) == (True, made[LONG])
    again = api.restore(OUT, tmp_path / "back", vault=vault)
    assert (again.outcome.done, again.outcome.skipped) == (0, 2)
    api.restore(OUT, "memory://b/back", vault=vault)
    assert files_below(memory, "/b/back") == made


def test_names_that_no_folder_could_hold_are_told(memory, vault, monkeypatch):
    put(memory, ["cat/a.png", "cat/empty.png"])
    memory.pipe_file("/b/photos/cat/empty.png", b"")
    real = objects.listing
    odd = [Found(name, True, 0) for name in ("", ".", "..")]

    def listing(url):
        return [*odd, *real(url)] if url in (SOURCE, f"{SOURCE}/cat") else real(url)

    monkeypatch.setattr(objects, "listing", listing)
    done = protect(vault)
    assert done.outcome.done == 1
    reasons = {one.sample_id: one.reason for one in done.outcome.failures}
    assert "the file is empty" in reasons.pop("cat/empty.png")
    assert len(reasons) == 6
    assert all("which no folder can hold" in reason for reason in reasons.values())


def test_an_object_that_is_replaced_or_gone_after_the_list(memory, vault):
    made = put(memory, [f"cat/{number}.png" for number in range(4)])
    tree = read_tree(place(SOURCE))
    memory.pipe_file("/b/photos/cat/1.png", png(77))
    memory.rm("/b/photos/cat/2.png")
    config = ProtectConfig(method="lsp")
    source, out = place(SOURCE), place(OUT)
    done = finish(
        protect_folder(vault, "alice", tree.items, source, out, config=config)
    )
    (failure,) = done.outcome.failures
    assert failure.path == f"{SOURCE}/cat/2.png"
    assert "no such object" in failure.reason
    api.restore(OUT, "memory://b/back", vault=vault)
    back = files_below(memory, "/b/back")
    assert back == {
        "cat/0.png": made["cat/0.png"],
        "cat/1.png": png(77),
        "cat/3.png": made["cat/3.png"],
    }


def test_an_original_that_is_replaced_between_two_looks_at_it(
    memory, vault, monkeypatch
):
    """Committed to as one, it would be protected as another."""
    put(memory, [f"cat/{number}.png" for number in range(4)])
    real, looks = objects.read, []

    def read(url, most=None):
        if url == f"{SOURCE}/cat/1.png":
            looks.append(url)
            if len(looks) == 2:
                memory.pipe_file("/b/photos/cat/1.png", png(77))
        return real(url, most)

    monkeypatch.setattr(objects, "read", read)
    done = protect(vault)
    assert len(looks) >= 2
    again = protect(vault)
    assert done.outcome.done + again.outcome.done >= 4
    monkeypatch.undo()
    assert not again.outcome.failures
    back = api.restore(OUT, "memory://b/back", vault=vault)
    assert back.outcome.failures == []
    assert files_below(memory, "/b/back")["cat/1.png"] == png(77)


def test_a_marker_of_a_folder_is_nothing(memory, vault, monkeypatch):
    put(memory, ["cat/a.png"])
    real = objects.listing

    class Marked:
        """As S3 lists a folder that somebody made in its console."""

        def __init__(self, system):
            self._system = system

        def __getattr__(self, name):
            return getattr(self._system, name)

        def ls(self, path, detail):
            marker = {"name": f"{path}/", "type": "file", "size": 0}
            return [marker, *self._system.ls(path, detail=detail)]

    connected = connections.connected

    @contextlib.contextmanager
    def marked(url):
        with connected(url) as (system, path):
            yield Marked(system), path

    monkeypatch.setattr(connections, "connected", marked)
    assert [one.name for one in real(SOURCE)] == ["cat"]
    tree = read_tree(place(SOURCE))
    assert [one.sample_id for one in tree.items] == ["cat/a.png"]
    assert (tree.others, tree.hidden) == ({}, ())


def test_a_place_where_only_what_was_being_written_is_left_is_free(memory, vault):
    put(memory, ["cat/a.png"])
    memory.pipe_file(f"/b/for_alice/.0123{objects.TEMPORARY_SUFFIX}", b"")
    assert protect(vault).outcome.done == 1
    memory.pipe_file("/b/other/x.png", b"")
    with pytest.raises(InputError, match="isn't empty"):
        protect(vault, output="memory://b/other")
    assert manifest.read(place("memory://b/other")) is None
