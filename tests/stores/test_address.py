"""What people write for a place: paths, URLs, and what is refused of them."""

import pickle
from pathlib import Path

import pytest

from fiftyone_reue.errors import InputError, UnsafePathError
from fiftyone_reue.stores.address import (
    NO_VAULT,
    WRITTEN_HERE,
    Address,
    is_url,
    local,
    place,
)

pytestmark = pytest.mark.unit


def test_paths_stay_paths():
    for text in ("photos", "/a/b", "C:/photos", "C:\\photos", "a:b", "./s3:/x"):
        assert place(text) == Path(text)
        assert local(text) == Path(text)
        assert not is_url(text)
    assert place(Path("a/b")) == Path("a/b")
    assert place("file:///a/b c") == Path("/a/b c")
    assert local("FILE:///a") == Path("/a")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket/photos/", "s3://bucket/photos"),
        ("S3A://bucket/photos", "s3://bucket/photos"),
        ("gcs://bucket/a/b", "gs://bucket/a/b"),
        ("s3://bucket", "s3://bucket"),
        ("memory:///a/b", "memory://a/b"),
        ("sftp://me@host/photos", "sftp://me@host/photos"),
        ("abfs://box@account.dfs.core.windows.net/a", None),
    ],
)
def test_urls_have_one_form(text, url):
    found = place(text)
    assert isinstance(found, Address)
    assert str(found) == (url or text)
    assert is_url(str(found))
    assert Address.of(str(found)) == found == place(found) == found.resolve()
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://key:secret@bucket/photos", "password"),
        ("sftp://me:secret@host/photos", "password"),
        ("https://host/photos?X-Amz-Signature=secret", "signature"),
        ("s3://bucket/photos#secret", "signature"),
        ("s3://bucket/../secret", r"'\.\.'"),
        ("s3://bucket//photos", "empty"),
        ("s3:///photos", "which bucket"),
        ("zip://a.zip::s3://bucket/b", "chained"),
        ("file://photos", "three slashes"),
        ("s3:/bucket/photos", "two slashes"),
    ],
)
def test_what_is_no_address_is_refused(text, said):
    with pytest.raises(InputError, match=said) as error:
        place(text)
    if said in ("password", "signature"):
        assert "secret" not in str(error.value)


def test_a_path_that_a_url_was_made_into_is_refused():
    with pytest.raises(InputError, match="two slashes"):
        place(Path("s3://bucket/photos"))


def test_where_a_path_is_needed_a_url_is_refused():
    with pytest.raises(InputError, match=r"s3://b/x: .*it is written to this machine"):
        local("s3://b/x", WRITTEN_HERE)
    with pytest.raises(InputError, match=r"s3://b/x: .*can't be a URL: it is read"):
        local("s3://b/x")
    with pytest.raises(InputError, match="lock its ledger"):
        local("s3://b/x", NO_VAULT)


def test_addresses_lead_up_and_down():
    found = place("s3://bucket/a/b.tar.gz")
    assert isinstance(found, Address)
    assert (found.name, found.stem) == ("b.tar.gz", "b.tar")
    assert str(found.parent) == "s3://bucket/a"
    assert [str(one) for one in found.parents] == ["s3://bucket/a", "s3://bucket"]
    assert str(found.parent / "c/d.png") == "s3://bucket/a/c/d.png"
    root = found.parents[-1]
    assert (root.name, root.parents, root.parent) == ("bucket", (), root)


@pytest.mark.parametrize("url", ["s3://b/../x", "s3://b/a//x", "s3://b/./x", "s3://b/"])
def test_names_that_no_folder_can_hold_are_no_addresses(url):
    with pytest.raises(UnsafePathError, match="rename"):
        Address.of(url)
