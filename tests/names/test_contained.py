import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiftyone_reue.errors import OutputError, UnsafePathError
from fiftyone_reue.names import contained

pytestmark = pytest.mark.unit

OUTSIDE = [
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "//host/share/a.png",
    "../a.png",
    "cat/../../a.png",
    "cat/..",
    "cat/./a.png",
    "cat//a.png",
    "cat/",
    "cat/a\0.png",
    "..\\a.png",
    "cat\\..\\..\\a.png",
    "\\a.png",
    "\\\\host\\share\\a.png",
    "C:a.png",
    "C:\\a.png",
    "c:/a.png",
]


@pytest.fixture(params=[True, False], ids=["by descriptor", "by path"])
def way(request, monkeypatch):
    if request.param and not contained._BY_DESCRIPTOR:
        pytest.skip("this system has no descriptors of folders")
    monkeypatch.setattr(contained, "_BY_DESCRIPTOR", request.param)


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    for call in (contained.inside, contained.unlinked, contained.remove):
        with pytest.raises(UnsafePathError, match="isn't the name of a file below"):
            call(tmp_path, name)
    with (
        pytest.raises(UnsafePathError),
        contained.opened(tmp_path, ["a.png", name], make=0o777),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [None, 3, b"a.png"])
def test_what_is_no_text_is_refused(tmp_path, name):
    with pytest.raises(UnsafePathError):
        contained.inside(tmp_path, name)


@pytest.mark.parametrize(
    "name", ["a.png", "cat/a.png", "a..b/.c", "12:30.png", "a\\b.png", "…/名.png"]
)
def test_other_names_are_kept_as_they_are(tmp_path, name):
    assert contained.inside(tmp_path, name) == tmp_path / name
    assert contained.unlinked(tmp_path, name) == tmp_path / name


@pytest.mark.slow
@given(st.text(st.sampled_from("a./\\:C\0"), max_size=12))
def test_no_name_leads_out(name):
    folder = Path("/some/folder")
    try:
        path = contained.inside(folder, name)
    except UnsafePathError:
        return
    whole = os.path.normpath(path)
    assert whole == str(path)
    assert whole.startswith("/some/folder/")


@pytest.mark.parametrize("name", ["a/b", "a\\b", "../a", "/a", "", "..", "C:a"])
def test_bare_names_have_no_folder(name):
    with pytest.raises(UnsafePathError):
        contained.bare(name)
    assert contained.bare("raeg") == "raeg"


def test_places_are_written_and_made(tmp_path, way):
    names = ["a.png", "cat/a.png", "cat/deep/b.png"]
    with contained.opened(tmp_path, names, make=0o700) as places:
        for place in places:
            os.close(place.open(os.O_WRONLY | os.O_CREAT))
        assert [place.path for place in places] == [tmp_path / name for name in names]
    assert all((tmp_path / name).is_file() for name in names)
    assert stat.S_IMODE((tmp_path / "cat/deep").stat().st_mode) == 0o700


def test_no_folder_is_made_unasked(tmp_path, way):
    assert contained.remove(tmp_path, "cat/a.png") is False
    assert not list(tmp_path.iterdir())


def test_links_below_the_folder_are_not_followed(tmp_path, way):
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "a.png").touch()
    output.mkdir()
    (output / "cat").symlink_to(elsewhere, target_is_directory=True)
    for name in ("cat/a.png", "cat/deep/b.png"):
        for call in (contained.unlinked, contained.remove):
            with pytest.raises(UnsafePathError, match=r"output/cat: this is a link"):
                call(output, name)
        with (
            pytest.raises(UnsafePathError, match=r"output/cat: this is a link"),
            contained.opened(output, [name], make=0o777),
        ):
            pass
    assert (elsewhere / "a.png").exists()


def test_the_folder_itself_may_be_a_link(tmp_path, way):
    (tmp_path / "real/cat").mkdir(parents=True)
    (tmp_path / "real/cat/a.png").touch()
    (tmp_path / "output").symlink_to(tmp_path / "real", target_is_directory=True)
    assert contained.unlinked(tmp_path / "output", "cat/a.png")
    assert contained.remove(tmp_path / "output", "cat/a.png")
    assert not list((tmp_path / "real").iterdir())


def test_a_link_that_is_put_there_in_between_is_not_followed(tmp_path):
    if not contained._BY_DESCRIPTOR:
        pytest.skip("this system has no descriptors of folders")
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    (output / "cat").mkdir(parents=True)
    elsewhere.mkdir()
    with contained.opened(output, ["cat/a.png"]) as (place,):
        (output / "cat").rename(output / "before")
        (output / "cat").symlink_to(elsewhere, target_is_directory=True)
        os.close(place.open(os.O_WRONLY | os.O_CREAT))
    assert not list(elsewhere.iterdir())
    assert (output / "before/a.png").exists()


def test_removing_takes_folders_that_are_empty_then(tmp_path, way):
    for name in ("cat/deep/a.png", "cat/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert contained.remove(tmp_path, "cat/deep/a.png") is True
    assert [p.name for p in (tmp_path / "cat").iterdir()] == ["b.png"]
    assert contained.remove(tmp_path, "cat/b.png") is True
    assert tmp_path.is_dir()
    assert not list(tmp_path.iterdir())


def test_a_link_at_the_end_is_removed_and_what_it_leads_to_stays(tmp_path, way):
    (tmp_path / "mine").touch()
    (tmp_path / "output").mkdir()
    (tmp_path / "output/a.png").symlink_to(tmp_path / "mine")
    assert contained.remove(tmp_path / "output", "a.png")
    assert (tmp_path / "mine").exists()


def test_a_file_in_a_folders_place_is_named(tmp_path, way):
    (tmp_path / "cat").touch()
    with (
        pytest.raises(OutputError, match="cat: a file is in the way"),
        contained.opened(tmp_path, ["cat/a.png"], make=0o777),
    ):
        pass
