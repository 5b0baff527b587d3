"""Objects: listed, read, written whole, and what is said where that fails."""

import contextlib
import errno

import pytest

from fiftyone_reue.errors import InputError, MissingPackageError
from fiftyone_reue.stores import connections, objects

pytestmark = pytest.mark.unit


@pytest.fixture
def other_kinds(memory):
    """Stores that aren't known to write whole: one can rename, one can't."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem
    from fsspec.spec import AbstractFileSystem

    class Named(MemoryFileSystem):
        @classmethod
        def _strip_protocol(cls, path):
            return "/" + path.partition("://")[2] if "://" in path else path

    class Renaming(Named):
        protocol = ("renaming",)
        moved: list = []  # noqa: RUF012

        def mv(self, path1, path2, **options):
            self.moved.append((path1, path2))
            self.store[path2] = self.store.pop(path1)

    class Copying(Named):
        protocol = ("copying",)
        mv = AbstractFileSystem.mv

    class Cutting(Renaming):
        protocol = ("cutting",)

        @classmethod
        def _strip_protocol(cls, path):
            if "://" not in path:
                return path
            return super()._strip_protocol(path).partition("?")[0].replace("\n", "")

        def cat_file(self, path, start=None, end=None, **options):
            return super().cat_file(path)

    class Losing(Cutting):
        protocol = ("losing",)

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path).partition("?")[0]

    for one in (Renaming, Copying, Cutting, Losing):
        fsspec.register_implementation(one.protocol[0], one, clobber=True)
    return Renaming


def test_what_is_written_is_read(memory):
    objects.write("memory://b/a/x.png", b"12345")
    assert objects.read("memory://b/a/x.png") == b"12345"
    assert objects.read("memory://b/a/x.png", 3) == b"123"
    assert objects.read("memory://b/a/x.png", 300) == b"12345"
    objects.write("memory://b/a/x.png", b"")
    assert objects.read("memory://b/a/x.png", 3) == b""
    assert objects.remove("memory://b/a/x.png")
    assert not objects.remove("memory://b/a/x.png")
    with pytest.raises(FileNotFoundError) as error:
        objects.read("memory://b/a/x.png", 3)
    assert "nothing of this name" in objects.reason(error.value)


def test_a_folder_is_listed_in_order(memory):
    for name in ("b.png", "a.png", "deep/c.png", "deep/er/d.png"):
        memory.pipe_file(f"/b/{name}", b"12")
    found = [(o.name, o.is_folder, o.size) for o in objects.listing("memory://b")]
    assert found == [("a.png", False, 2), ("b.png", False, 2), ("deep", True, 0)]
    with pytest.raises(FileNotFoundError):
        objects.listing("memory://none")
    with pytest.raises(NotADirectoryError):
        objects.listing("memory://b/a.png")
    kinds = {
        name: (
            objects.exists(f"memory://b/{name}"),
            objects.is_folder(f"memory://b/{name}"),
            objects.is_object(f"memory://b/{name}"),
        )
        for name in ("deep", "a.png", "none")
    }
    assert kinds == {
        "deep": (True, True, False),
        "a.png": (True, False, True),
        "none": (False, False, False),
    }


class Listed:
    """A store that lists what S3 does of markers and of names without a name."""

    def invalidate_cache(self):
        pass

    def ls(self, path, detail):
        return [
            {"name": "b/a/", "type": "file", "size": 0},  # it stands for the folder
            {"name": "b/a/", "type": "directory", "size": 0},  # of a//x.png
            {"name": "b/a/..", "type": "directory", "size": 0},
            {"name": "b/a/x.png", "type": "file", "size": 1},
            {"name": "b/a/x.png", "type": "directory", "size": 0},
        ]


def test_markers_of_folders_are_passed_over(monkeypatch):
    given = contextlib.nullcontext((Listed(), "b/a"))
    monkeypatch.setattr(connections, "connected", lambda url: given)
    found = [(one.name, one.is_folder) for one in objects.listing("s3://b/a")]
    assert found == [("", True), ("..", True), ("x.png", False), ("x.png", True)]


def test_a_place_is_tried_without_a_list_and_without_a_trace(memory, monkeypatch):
    written = []
    real = type(memory).pipe_file

    def noting(self, path, value, **options):
        written.append((path, value))
        real(self, path, value, **options)

    monkeypatch.setattr(type(memory), "pipe_file", noting)
    monkeypatch.setattr(type(memory), "ls", None)
    objects.try_writing("memory://b/a")
    ((path, data),) = written
    assert path.startswith("/b/a/.")
    assert path.endswith(objects.TEMPORARY_SUFFIX)
    assert data == b""
    assert not memory.store


def test_a_place_that_cant_be_written_is_told(memory, monkeypatch, other_kinds):
    def refusing(self, path, value, **options):
        raise PermissionError(13, "AccessDenied")

    with pytest.raises(InputError, match="can only be read"):
        objects.try_writing("copying://h/a")
    monkeypatch.setattr(type(memory), "pipe_file", refusing)
    with pytest.raises(PermissionError):
        objects.try_writing("memory://b/a")


def test_some_that_fail_are_told_and_the_others_are_there(memory, monkeypatch):
    real = type(memory).pipe_file

    def failing(self, path, value, **options):
        if path.endswith("2"):
            raise RuntimeError("the network   is\ngone, ask http://me:word@x/y?Sig=1")
        real(self, path, value, **options)

    monkeypatch.setattr(type(memory), "pipe_file", failing)
    files = [(f"memory://b/{number}", b"x") for number in range(20)]
    errors = objects.write_all(files)
    assert list(errors) == ["memory://b/2", "memory://b/12"]
    (said, _) = map(objects.reason, errors.values())
    assert said == "the network is gone, ask http://x/y"
    assert len(memory.ls("/b")) == 18
    assert objects.write_all([]) == {}


def test_elsewhere_a_file_gets_its_name_when_it_is_whole(memory, other_kinds):
    objects.write("renaming://h/a/x.png", b"1")
    ((temporary, final),) = other_kinds.moved
    assert final == "/h/a/x.png"
    assert temporary.startswith("/h/a/.")
    assert memory.find("/h") == ["/h/a/x.png"]
    memory.pipe_file("/h/a/.left.reue-tmp", b"")
    memory.pipe_file("/h/a/deep/.left.reue-tmp", b"")
    objects.remove_stale("renaming://h")
    assert memory.find("/h") == ["/h/a/x.png"]
    objects.remove_stale("renaming://none")


def test_what_can_only_be_written_in_parts_is_refused(memory, other_kinds):
    with pytest.raises(InputError, match="only be read"):
        objects.write("copying://h/a/x.png", b"1")
    assert memory.find("/h") == []


def test_a_name_is_never_cut_where_a_browser_would_cut_it(memory, other_kinds):
    names = ("q?.png", "q?x=1.png", "#1.png", "n\nl.png")
    for name in names:
        objects.write(f"cutting://h/a/{name}", name.encode())
    assert [objects.read(f"cutting://h/a/{name}") for name in names] == [
        name.encode() for name in names
    ]
    with pytest.raises(OSError, match="can't reach such a name; rename it"):
        objects.write("losing://h/a/q?.png", b"1")
    assert sorted(memory.find("/h")) == sorted(f"/h/a/{name}" for name in names)


def test_no_more_is_read_than_was_asked_for(memory, other_kinds):
    memory.pipe_file("/h/a", b"12345")
    assert objects.read("cutting://h/a", 2) == b"12"  # which reads all, if asked


def test_what_was_cut_off_is_asked_once_more(memory, monkeypatch):
    real, asked = type(memory).cat_file, []

    def losing(self, path, **options):
        asked.append(path)
        if len(asked) % 2:
            raise EOFError
        return real(self, path, **options)

    memory.pipe_file("/b/x", b"1")
    monkeypatch.setattr(type(memory), "cat_file", losing)
    assert objects.read("memory://b/x") == b"1"
    assert len(asked) == 2
    monkeypatch.setattr(type(memory), "cat_file", _cut_off)
    with pytest.raises(OSError, match="can't be reached"):
        objects.read("memory://b/x")


def _cut_off(*_, **__):
    raise EOFError


def test_libraries_that_rename_in_their_own_way_are_known():
    from fsspec.asyn import AsyncFileSystem

    class Awaited(AsyncFileSystem):
        async def _mv(self, one, other):
            """As sshfs's, of which the class has no other."""

    assert objects._renames(Awaited)
    assert not objects._renames(AsyncFileSystem)


def test_what_no_package_knows_is_said():
    with pytest.raises(InputError, match="knows no such stores"):
        objects.read("nosuch://b/x")


def test_a_missing_package_is_named(monkeypatch):
    from fsspec.registry import known_implementations

    monkeypatch.setitem(
        known_implementations,
        "absent",
        {"class": "absent_package.System", "err": "Install absentfs for it"},
    )
    with pytest.raises(MissingPackageError, match=r"Install absentfs for it.*storage"):
        objects.read("absent://b/x")


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (PermissionError("AccessDenied"), PermissionError, "credentials"),
        (ValueError("odd"), OSError, "odd"),
        (TimeoutError(), OSError, "TimeoutError"),
        (OSError(errno.EBUSY, "Slow Down"), OSError, "Slow Down"),
    ],
)
def test_any_error_is_one_of_files(memory, monkeypatch, raised, kind, said):
    def fail(*_, **__):
        raise raised

    monkeypatch.setattr(type(memory), "cat_file", fail)
    with pytest.raises(kind) as error:
        objects.read("memory://b/x", 3)
    assert said in objects.reason(error.value)
