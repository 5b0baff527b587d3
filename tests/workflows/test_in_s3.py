"""The command line with images in a bucket, on a real S3 server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_reue import cli
from fiftyone_reue.batch import outputs
from fiftyone_reue.errors import OutputError
from fiftyone_reue.stores import connections
from fiftyone_reue.stores.address import place as address
from fiftyone_reue.vault.vault import create_folder, open_folder
from tests.ray_cluster import cluster
from tests.s3_server import s3_server

for package in ("fsspec", "s3fs", "moto", "flask", "flask_cors"):
    pytest.importorskip(package, reason=f"{package} isn't installed (make venv does)")

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(cli.__file__).parents[2]
IMAGES = 13

# It kills itself at the second batch, between the files and their records.
KILLED = """
import os, signal
from fiftyone_reue.batch import pipeline
from fiftyone_reue.cli import main
from fiftyone_reue.vault.ledger.sqlite import SqliteLedger

pipeline.CHUNK_ITEMS, pipeline.COMMIT_ITEMS, batches = 2, 4, []
pipeline.COMMIT_SECONDS = 3600.0  # however slow the machine is

def put(self, records, real=SqliteLedger.put_records):
    batches.append(len(records))
    if len(batches) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, records)

SqliteLedger.put_records = put
main()
"""


@pytest.fixture(scope="module")
def client():
    with s3_server("bucket") as made:
        yield made


@pytest.fixture
def root(client, request, write_folder, photos, tmp_path):
    """A folder of the bucket with twelve PNG files and a JPEG in ``photos``."""
    folder = write_folder(tmp_path / "photos", each=4, side=48)
    Image.fromarray(photos["cat"]).save(folder / "cat" / "photo.jpg", quality=90)
    name = request.node.name.partition("[")[0]
    for path in folder.rglob("*.*"):
        key = f"{name}/photos/{path.relative_to(folder).as_posix()}"
        client.put_object(Bucket="bucket", Key=key, Body=path.read_bytes())
    client.put_object(Bucket="bucket", Key=f"{name}/photos/cat/", Body=b"")
    client.put_object(Bucket="bucket", Key=f"{name}/photos/notes.txt", Body=b"hi")
    return f"s3://bucket/{name}"


@pytest.fixture
def place(tmp_path):
    """A folder with a vault and alice's key."""
    here = tmp_path / "here"
    here.mkdir()
    with create_folder(here / "vault", plain_key_file=True) as vault:
        vault.add_recipient("alice")
    run(here, "recipient", "key", "alice", "--vault", "vault", "--key-out", "alice.key")
    return here


def run(here, *words, program=("-m", "fiftyone_reue"), status=0, **environment):
    """Run a command in a process of its own; what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    done = subprocess.run(
        [sys.executable, *program, *words],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "what-nobody-may-see" not in done.stdout + done.stderr
    return done.stdout + (done.stderr if status else "")


def objects(client, url):
    """The objects below a URL, by their names below it, in pages of S3's size."""
    prefix = url.removeprefix("s3://bucket/") + "/"
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="bucket", Prefix=prefix
    )
    keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    return {
        key.removeprefix(prefix): client.get_object(Bucket="bucket", Key=key)[
            "Body"
        ].read()
        for key in keys
        if not key.endswith(("/", "manifest.json", "notes.txt"))
    }


def protect(here, root, *more, **how):
    return run(
        here,
        *("protect", f"{root}/photos", f"{root}/for_alice", "--vault", "vault"),
        *("--recipient", "alice", "--method", "lsp", *more),
        **how,
    )


def test_the_whole_way(client, root, place):
    made = protect(place, root)
    assert f"{IMAGES} protected, 0 were there, 0 failed" in made
    assert "1 other file was passed over: .txt 1" in made
    assert len(objects(client, f"{root}/for_alice")) == IMAGES
    again = json.loads(protect(place, root, "--json"))
    assert (again["protected"], again["skipped"], again["strangers"]) == (0, IMAGES, [])
    restore = ("restore", f"{root}/for_alice")
    told = run(place, *restore, "licensed", "--key", "alice.key")
    assert f"Restored {IMAGES} licensed copies exactly" in told
    told = run(place, *restore, f"{root}/back", "--vault", "vault")
    assert f"All {IMAGES} are the original files, byte for byte" in told
    assert objects(client, f"{root}/back") == objects(client, f"{root}/photos")
    told = run(place, "extract", f"{root}/for_alice/", "--vault", "vault")
    assert "derived from the copy of alice" in told
    with open_folder(place / "vault") as vault:
        (release,) = vault.ledger.releases()
        sources = {one.source for one in vault.ledger.records(release.id)}
        images = {one.source for one in vault.ledger.images()}
    assert release.source == f"{root}/photos"
    assert sources == images
    assert f"{root}/photos/cat/photo.jpg" in sources
    assert sorted(path.name for path in place.iterdir()) == [
        *("alice.key", "licensed", "vault")
    ]
    for path in place.rglob("*"):
        assert path.is_dir() or b"what-nobody-may-see" not in path.read_bytes()
    key = f"{root.removeprefix('s3://bucket/')}/for_alice/manifest.json"
    manifest = client.get_object(Bucket="bucket", Key=key)["Body"].read()
    assert b"s3://" not in manifest


def test_processes_read_from_the_bucket_themselves(client, root, place):
    made = protect(place, root, "--json", "--engine", "processes", "--workers", "2")
    assert json.loads(made)["protected"] == IMAGES
    told = run(
        place,
        *("restore", f"{root}/for_alice", f"{root}/licensed", "--key", "alice.key"),
        *("--engine", "processes", "--workers", "2"),
    )
    assert f"Restored {IMAGES} licensed copies exactly" in told
    assert len(objects(client, f"{root}/licensed")) == IMAGES


def test_a_run_that_was_killed_is_gone_on_with(client, root, place):
    protect(place, root, program=("-c", KILLED), status=-signal.SIGKILL)
    there = objects(client, f"{root}/for_alice")
    assert len(there) == 8  # of which four aren't noted
    again = json.loads(protect(place, root, "--json"))
    assert (again["skipped"], again["protected"]) == (4, IMAGES - 4)
    assert again["strangers"] == []
    with open_folder(place / "vault") as vault:
        (release,) = vault.ledger.releases()
        noted = [one.output for one in vault.ledger.records(release.id)]
    assert sorted(noted) == sorted(objects(client, f"{root}/for_alice"))
    assert len(noted) == IMAGES


def test_a_bucket_with_more_than_a_page_and_an_empty_object(client, root, place):
    name = root.removeprefix("s3://bucket/")
    client.put_object(Bucket="bucket", Key=f"{name}/photos/cat/empty.png", Body=b"")
    for number in range(1100):
        key = f"{name}/photos/cat/{number}.txt"
        client.put_object(Bucket="bucket", Key=key, Body=b"")
    made = protect(place, root, status=1)
    assert f"{IMAGES} protected, 0 were there, 1 failed" in made
    assert "1101 other files were passed over: .txt 1101" in made
    assert "cat/empty.png: the file is empty" in made


def test_what_is_wrong_with_the_store_is_said(client, root, place):
    source = f"{root}/photos"
    words = ("--vault", "vault", "--recipient", "alice", "--method", "lsp")
    said = run(place, "protect", "s3://nobucket/x", "out", *words, status=1)
    assert "nothing below this address" in said
    said = run(place, "protect", source, "s3://nobucket/x", *words, status=1)
    assert "Error: s3://nobucket/x: there is no bucket called nobucket;" in said
    assert json.loads(run(place, "release", "list", "--vault", "vault", "--json")) == {
        "releases": []
    }
    said = run(
        place,
        *("protect", source, "out", *words),
        status=1,
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_MAX_ATTEMPTS="1",
    )
    assert "can't be read: the store can't be reached" in said.replace("\n", " ")
    said = run(
        place, *("protect", source, "out", *words), status=1, AWS_PROFILE="nobody"
    )
    assert "set credentials where its own tools" in said.replace("\n", " ")
    secret = "s3://who:what-nobody-may-see@bucket/photos"
    assert "password" in run(place, "protect", secret, "out", *words, status=2)
    assert sorted(path.name for path in place.iterdir()) == ["alice.key", "vault"]


def test_what_looks_packs_and_checks_takes_urls_too(client, root, place):
    name = root.removeprefix("s3://bucket/")
    found = json.loads(
        run(place, "preview", f"{root}/photos", "--method", "lsp", "--json")
    )
    assert found["total"] == IMAGES
    assert found["size_before"] == sum(
        map(len, objects(client, f"{root}/photos").values())
    )
    protect(place, root)
    told = json.loads(run(place, "info", f"{root}/for_alice", "--json"))
    assert told["images"] == IMAGES
    told = json.loads(run(place, "info", f"{root}/for_alice/cat/0.png", "--json"))
    assert told["state"] == "protected"
    run(place, "package", "alice-for_alice", "alice.zip", "--vault", "vault")
    run(place, "report", f"{root}/for_alice", "--vault", "vault", "--out", "case")
    put(client, f"{name}/alice.zip", place / "alice.zip")
    for path in (place / "case").rglob("*.*"):
        put(client, f"{name}/case/{path.relative_to(place / 'case').as_posix()}", path)
    assert "a package" in run(place, "info", f"{root}/alice.zip")
    told = run(place, "unpack", f"{root}/alice.zip", f"{root}/unpacked")
    assert f"Unpacked {IMAGES} images into {root}/unpacked" in told.replace("\n", "")
    assert objects(client, f"{root}/unpacked") == objects(client, f"{root}/for_alice")
    told = run(place, "verify", f"{root}/case", "--manifest", f"{root}/alice.zip")
    assert "The case holds for alice" in told
    found = {
        "images": [{"id": 1, "file_name": "cat/0.png"}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}
        ],
    }
    body = json.dumps(found).encode()
    client.put_object(Bucket="bucket", Key=f"{name}/found.json", Body=body)
    told = run(
        place,
        *("protect", f"{root}/photos", f"{root}/regions", "--vault", "vault"),
        *("--recipient", "alice", "--coco", f"{root}/found.json"),
    )
    assert "1 protected, 0 were there, 0 failed" in told
    assert sorted(objects(client, f"{root}/regions")) == ["cat/0.png", "found.json"]


def put(client, key, path):
    client.put_object(Bucket="bucket", Key=key, Body=path.read_bytes())


def test_who_may_not_write_is_told_before_anything_is_done(
    client, root, tmp_path, monkeypatch
):
    """Writing alone is asked for: neither a list nor a look at the object."""
    outputs.require_writable(address(f"{root}/out"))
    uploads = client.list_multipart_uploads(Bucket="bucket").get("Uploads", [])
    assert uploads == []
    assert objects(client, f"{root}/out") == {}
    system = connections.library(f"{root}/out")
    real = system.call_s3
    called = []

    def refusing(self, method, *arguments, **options):
        called.append(method)
        if method == "create_multipart_upload":
            raise PermissionError("Access Denied")
        return real(self, method, *arguments, **options)

    monkeypatch.setattr(system, "call_s3", refusing)
    with pytest.raises(OutputError, match=r"out: can't be written: no permission"):
        outputs.require_writable(address(f"{root}/out"))
    assert called == ["create_multipart_upload"]


def test_workers_of_a_cluster_read_from_the_bucket_themselves(client, root, place):
    pytest.importorskip("ray", reason="ray isn't installed (make venv installs it)")
    with cluster(1) as made:
        told = protect(
            place, root, "--json", "--engine", "ray", RAY_ADDRESS=made.address
        )
    assert json.loads(told)["protected"] == IMAGES
    assert len(objects(client, f"{root}/for_alice")) == IMAGES
