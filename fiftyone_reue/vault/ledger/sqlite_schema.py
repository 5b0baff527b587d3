"""The tables of a ledger in SQLite, and whether a file has just these.

A file says itself what its tables are. Whoever writes it can put a view, a trigger or
another collation there, which then decide what a query gives; so a schema that isn't
the one of its version is refused before anything is read, and again whenever it was
changed since.
"""

from __future__ import annotations

import functools
import sqlite3

SCHEMA_VERSION = 4

SCHEMA = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    document TEXT NOT NULL
);
CREATE TABLE recipients (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    wrapped_code_seed BLOB NOT NULL,
    created REAL NOT NULL,
    revoked_at REAL
);
CREATE TABLE fits (
    id TEXT PRIMARY KEY,
    sealed BLOB NOT NULL,
    method TEXT NOT NULL,
    summary TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE releases (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    recipient_id TEXT NOT NULL REFERENCES recipients(id),
    method TEXT NOT NULL,
    source TEXT NOT NULL,
    output TEXT NOT NULL,
    parameters TEXT NOT NULL,
    state TEXT NOT NULL,
    fit_id TEXT REFERENCES fits(id),
    "commitment" TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    finished REAL,
    counts TEXT NOT NULL,
    scores TEXT NOT NULL,
    sealed_seed BLOB NOT NULL
);
CREATE INDEX releases_by_recipient ON releases(recipient_id);
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    source TEXT NOT NULL,
    label TEXT,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    descriptor BLOB NOT NULL
);
CREATE TABLE records (
    id TEXT PRIMARY KEY,
    release_id TEXT NOT NULL REFERENCES releases(id),
    sample_id TEXT NOT NULL,
    image_id TEXT NOT NULL REFERENCES images(id),
    label TEXT,
    source TEXT NOT NULL,
    output TEXT NOT NULL,
    digest_p BLOB NOT NULL,
    digest_w BLOB NOT NULL,
    blob BLOB NOT NULL,
    psnr REAL NOT NULL,
    created REAL NOT NULL,
    UNIQUE (release_id, sample_id)
);
CREATE INDEX records_by_digest_p ON records(digest_p);
CREATE INDEX records_by_digest_w ON records(digest_w);
CREATE INDEX records_by_image ON records(image_id);
"""
# What each version added to the one before.
ADDED = {
    2: """
ALTER TABLE records ADD COLUMN file_digest BLOB NOT NULL DEFAULT x'';
ALTER TABLE records ADD COLUMN copy_digest BLOB NOT NULL DEFAULT x'';
CREATE TABLE withdrawn (
    id TEXT PRIMARY KEY,
    release_id TEXT NOT NULL REFERENCES releases(id),
    sample_id TEXT NOT NULL,
    image_id TEXT NOT NULL REFERENCES images(id),
    label TEXT,
    source TEXT NOT NULL,
    output TEXT NOT NULL,
    digest_p BLOB NOT NULL,
    digest_w BLOB NOT NULL,
    blob BLOB NOT NULL,
    psnr REAL NOT NULL,
    created REAL NOT NULL,
    file_digest BLOB NOT NULL,
    copy_digest BLOB NOT NULL
);
CREATE INDEX withdrawn_by_release ON withdrawn(release_id);
CREATE INDEX withdrawn_by_digest_p ON withdrawn(digest_p);
CREATE INDEX withdrawn_by_digest_w ON withdrawn(digest_w);
CREATE INDEX withdrawn_by_image ON withdrawn(image_id);
""",
    3: """
ALTER TABLE recipients ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE fits ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE releases ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE images ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE records ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
ALTER TABLE withdrawn ADD COLUMN mac BLOB NOT NULL DEFAULT x'';
CREATE TABLE inventory (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
);
""",
    4: """
CREATE TABLE papers (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created REAL NOT NULL,
    mac BLOB NOT NULL
);
CREATE INDEX papers_by_kind ON papers(kind);
""",
}

_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master"

Objects = dict[tuple[str, str], tuple[str, str]]
"""By type and name: the table that they belong to, and their statement."""


def execute(connection: sqlite3.Connection, statements: str) -> None:
    """Run several statements; ``executescript()`` would end the transaction."""
    for statement in statements.split(";"):
        connection.execute(statement)


def differences(connection: sqlite3.Connection, version: int) -> list[str]:
    """What of a file's schema isn't as a version of ours makes it, in words.

    What is ours comes first, and indexes last: where a table is another one, so are
    they.
    """
    # In another encoding, ids don't compare as the bytes that pages are read by.
    encoding = connection.execute("PRAGMA encoding").fetchone()[0]
    if encoding != "UTF-8":
        return [f"its text is in {encoding!a}"]
    there, expected = _objects(connection), _expected(version)
    both = sorted(
        there.keys() | expected.keys(),
        key=lambda one: (one[0] == "index", one not in expected, one),
    )
    return [
        f"the {kind} {name!a} {what}"
        for kind, name in sorted(
            both, key=lambda one: (one[0] == "index", one not in expected)
        )
        for what in [_difference(there.get((kind, name)), expected.get((kind, name)))]
        if what
    ]


def _difference(
    there: tuple[str, str] | None, expected: tuple[str, str] | None
) -> str | None:
    if there is None:
        return "is missing"
    if expected is None:
        return "doesn't belong there"
    return None if there == expected else "was changed"


@functools.cache
def _expected(version: int) -> Objects:
    connection = sqlite3.connect(":memory:")
    try:
        execute(connection, SCHEMA)
        for added in range(2, version + 1):
            execute(connection, ADDED[added])
        return _objects(connection)
    finally:
        connection.close()


def _objects(connection: sqlite3.Connection) -> Objects:
    return {
        (str(kind), str(name)): (str(table), " ".join(str(sql).split()))
        for kind, name, table, sql in connection.execute(_OBJECTS)
    }
