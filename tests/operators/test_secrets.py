"""No secret is in the database, an output, a log or an export, in any spelling.

What a delegated run is given is stored in clear, a run's configuration leaves the
house with an exported dataset, and messages end in logs. So all of those are searched
for the bytes of every key there is.
"""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.vault import confirmations, read_key_file
from fiftyone_reue.vault.crypto import open_sealed

pytestmark = pytest.mark.integration

OWNER_KEY = bytes.fromhex("3c" * 16 + "a7" * 16)


def spellings(secret: bytes) -> list[bytes]:
    """How bytes may be written: as they are, as hex, as base64 from any offset."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for shift in range(3):
        padded = base64.b64encode(bytes(shift) + secret)
        # Only the characters that no neighbouring byte has a share in.
        inner = padded.rstrip(b"=")[4 * bool(shift) : -1]
        found += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return found


def contents(value: Any) -> Iterator[bytes]:
    """All text and bytes inside a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key).encode()
            yield from contents(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from contents(inner)
    elif isinstance(value, bytes):
        yield value
    else:
        yield str(value).encode()


def database_contents(database: Any) -> Iterator[tuple[str, bytes]]:
    for name in database.list_collection_names():
        for document in database[name].find():
            for content in contents(document):
                yield f"collection {name}", content


def folder_contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def secrets_of(vault: Any, key_file: Path) -> dict[str, bytes]:
    found = {"owner key": OWNER_KEY, "vault key": vault._key}
    found["key file"] = read_key_file(key_file).key
    for person in vault.recipients():
        found[f"key of {person.name}"] = vault.recipient_key(person).key
        found[f"code seed of {person.name}"] = vault.code_seed(person)
    for release in vault.ledger.releases():
        sealing_key = vault.derive("release-seed", release.id)
        found[f"seed of {release.name}"] = open_sealed(sealing_key, release.sealed_seed)
    for purpose in (
        "watermark",
        "owner-box",
        "image-id",
        "sample-id",
        "app-confirmation",
    ):
        found[f"derived key {purpose}"] = vault.derive(purpose)
    return found


def leaks(secrets: dict[str, bytes], places: Iterator[tuple[str, bytes]]) -> list[str]:
    wanted = {name: spellings(secret) for name, secret in secrets.items()}
    return [
        f"{name} in {place}"
        for place, content in places
        for name, forms in wanted.items()
        if any(form in content for form in forms)
    ]


@pytest.mark.parametrize("secret", [bytes(range(200, 232)), bytes(range(100, 116))])
@pytest.mark.parametrize("shift", range(3))
def test_the_search_finds_what_it_looks_for(secret: bytes, shift: int) -> None:
    around = bytes(range(7, 7 + shift))
    for hidden in (
        secret,
        secret.hex().encode(),
        base64.b64encode(around + secret + b"xyz"),
        base64.urlsafe_b64encode(around + secret),
    ):
        document = {"a": [{"b": b"-" + hidden + b"-"}]}
        assert leaks({"s": secret}, (("here", c) for c in contents(document)))
        assert not leaks({"s": secret[::-1]}, (("here", c) for c in contents(document)))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_audit")
def test_no_secret_is_left_anywhere(
    database: Any,
    dataset: Any,
    operator: Any,
    delegated: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REUE_OWNER_KEY", OWNER_KEY.hex())
    caplog.set_level(logging.DEBUG)
    output, key = tmp_path / "alice", tmp_path / "keys" / "alice.key"
    key.parent.mkdir()
    codes: list[str] = []
    new_code = confirmations.new_code

    def noted(*values: Any) -> str:
        codes.append(new_code(*values))
        return codes[-1]

    monkeypatch.setattr(confirmations, "new_code", noted)
    results = [
        operator("manage_recipients")(action="add", name="alice", key_out=str(key)),
        operator("protect_dataset")(
            dataset, recipient="alice", method="lsp", output_dir=str(output)
        ),
        operator("protect_dataset")(
            dataset,
            recipient="alice",
            method="lsp",
            output_dir=str(tmp_path / "second"),
            delegate=True,
        ),
        operator("extract_watermark")(dataset, str(output), delegate=True),
        operator("restore_dataset")(dataset, str(tmp_path / "o"), delegate=True),
        operator("audit_release")(dataset, "alice_1", device="cpu", delegate=True),
    ]
    for _ in range(4):
        assert delegated().run_state == "completed"
    dataset.reload()
    results.append(operator("extract_watermark")(dataset))
    results.append(operator("show_release")(dataset, "alice_1"))
    store = database.list_collection_names()
    assert {"delegated_ops", "reue_meta", "reue_releases", "runs"} <= set(store)
    assert any(name.endswith(".chunks") for name in store)

    import fiftyone as fo

    export = tmp_path / "export"
    dataset.export(str(export), dataset_type=fo.types.FiftyOneDataset, progress=False)
    vault = reue.open_vault()
    secrets = secrets_of(vault, key)
    assert len(secrets) >= 12
    # Also once they are used: a code has no business anywhere.
    assert len(codes) >= 4
    for number, code in enumerate(codes):
        secrets[f"code {number}"] = code.encode()
        secrets[f"letters of code {number}"] = code.replace("-", "").encode()

    assert leaks(secrets, database_contents(database)) == []
    report = tmp_path / "alice.audit"
    for folder in (output, report, tmp_path / "second", tmp_path / "o", export):
        assert any(folder.rglob("*")), folder
        assert leaks(secrets, folder_contents(folder)) == []
    printed = capfd.readouterr()
    logs = "\n".join([caplog.text, printed.out, printed.err]).encode()
    messages = [str(r.to_json()).encode() for r in results if not r.delegated]
    assert leaks(secrets, (("log", text) for text in [logs, *messages])) == []


def test_the_ledger_holds_wrapped_keys(database: Any, alice: Path) -> None:
    (person,) = database["reue_recipients"].find()
    key = read_key_file(alice).key
    assert len(person["wrapped_key"]) > len(key)
    assert key not in bytes(person["wrapped_key"])
    assert reue.open_vault().recipient_key(reue.open_vault().recipients()[0]).key == key
