"""A ledger in MongoDB, beside FiftyOne's own collections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fiftyone_reue.errors import (
    InputError,
    LedgerUnavailableError,
    TamperedLedgerError,
    VaultError,
)
from fiftyone_reue.vault.entities import (
    Fit,
    Image,
    Paper,
    Recipient,
    Record,
    Release,
)
from fiftyone_reue.vault.ledger.mongo_lock import MongoLock
from fiftyone_reue.vault.ledger.rows import (
    BOXES,
    E,
    Each,
    Entity,
    Key,
    Table,
    TooLong,
    Unusable,
    age,
    as_bytes,
    as_description,
    as_read,
    columns,
    from_row,
    longest,
    pages,
    storable_text,
    to_json,
    to_row,
)

if TYPE_CHECKING:
    from bson import ObjectId
    from pymongo.collection import Collection
    from pymongo.database import Database

META = "reue_meta"
RECIPIENTS = "reue_recipients"
FITS = "reue_fits"
PAPERS = "reue_papers"
RELEASES = "reue_releases"
IMAGES = "reue_images"
RECORDS = "reue_records"
WITHDRAWN = "reue_withdrawn"
BLOBS = "reue_blobs"

# MongoDB's documents end at 16 MB; larger blobs go to GridFS.
INLINE_BYTES = 8 * 2**20

BACKUP_SUFFIX = "_before_authentication"

_META_ID = "vault"
_INVENTORY_ID = "inventory"
_LOCK_ID = "lock"
_WRITE_TIMEOUT_MS = 30_000
# A cursor that a caller consumes slowly dies on the server after ten minutes, so no
# cursor covers more than a short page.
_PAGE = 64
_IMAGE_PAGE = 256
_CHUNK = 1000
# What stands for bytes that are no text.
_REPLACED = "\ufffd"
# What a document holds instead of its blob, if that went to GridFS.
_BLOB_FILE = "blob_file"
_COLLECTIONS: dict[Table, str] = {
    "recipients": RECIPIENTS,
    "fits": FITS,
    "papers": PAPERS,
    "releases": RELEASES,
    "images": IMAGES,
    "records": RECORDS,
    "withdrawn": WITHDRAWN,
}
_BLOB_FIELDS = {
    FITS: "sealed",
    PAPERS: "sealed",
    RECORDS: "blob",
    WITHDRAWN: "blob",
}
_INDEXES: list[tuple[str, tuple[str, ...], bool]] = [
    (RECIPIENTS, ("name",), True),
    (PAPERS, ("kind",), False),
    (RELEASES, ("recipient_id",), False),
    (IMAGES, ("digest",), True),
    (RECORDS, ("release_id", "sample_id"), True),
    (RECORDS, ("id",), True),
    (WITHDRAWN, ("release_id",), False),
    *(
        (collection, (name,), False)
        for collection in (RECORDS, WITHDRAWN)
        for name in ("digest_p", "digest_w", "image_id")
    ),
]
# The server's codes of what somebody else did to a collection: none of it keeps good
# rows from being read, and `reue vault check` names it.
_INDEX_PROBLEMS = {
    85: "was replaced by another one",
    86: "was replaced by another one",
    11000: "can't be made: rows are there twice",
}
_NO_COLLECTION = 166  # but a view


class MongoLedger:
    """A :class:`~fiftyone_reue.vault.ledger.base.Ledger` in eight collections.

    Writes are acknowledged by a majority and its journal. There are no transactions
    on a single server, so a batch that is interrupted may be there in part; putting
    it again completes it. Who writes exclusively holds a lock in the database.

    Args:
        database: a pymongo database; its client stays the caller's to close

    Raises:
        LedgerUnavailableError: if the server can't be reached
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        with _plain_errors():
            from bson.codec_options import CodecOptions, DatetimeConversion
            from pymongo import ReadPreference, WriteConcern

            self._database = database.with_options(
                # What somebody damaged must not keep the other rows from being read:
                # replaced text and a plain number fail their row's MAC.
                codec_options=CodecOptions(
                    unicode_decode_error_handler="replace",
                    datetime_conversion=DatetimeConversion.DATETIME_MS,
                ),
                read_preference=ReadPreference.PRIMARY,
                write_concern=WriteConcern(
                    w="majority", j=True, wtimeout=_WRITE_TIMEOUT_MS
                ),
            )
            self._create_indexes()
        self._lock = MongoLock(self._database[META], _LOCK_ID)

    def __repr__(self) -> str:
        return f"MongoLedger({self._database.name!r})"

    def _create_indexes(self) -> list[str]:
        """Make the indexes; what stands in their way, in words."""
        from pymongo.errors import OperationFailure

        found = []
        for name, keys, unique in _INDEXES:
            try:
                self._database[name].create_index(
                    [(key, 1) for key in keys], unique=unique
                )
            except OperationFailure as error:
                if error.code not in _INDEX_PROBLEMS:
                    raise
                why = _INDEX_PROBLEMS[error.code]
                found.append(f"the index of {name!a} by {', '.join(keys)} {why}")
        return found

    # -- meta

    def get_meta(self) -> dict[str, Any] | None:
        """See :class:`~fiftyone_reue.vault.ledger.base.Ledger`, also for the rest."""
        with _plain_errors():
            found = self._database[META].find_one({"_id": _META_ID})
        return None if found is None else as_description(found.get("document"))

    def create_meta(self, meta: dict[str, Any]) -> None:
        from pymongo.errors import DuplicateKeyError

        document = {"_id": _META_ID, "document": to_json(meta)}
        try:
            with _plain_errors():
                self._database[META].insert_one(document)
        except DuplicateKeyError:
            raise VaultError(
                f"There is a vault already in the database {self._database.name!r}; "
                "open it instead"
            ) from None

    def put_meta(self, meta: dict[str, Any]) -> None:
        document = {"document": to_json(meta)}
        with self._writing():
            self._database[META].replace_one({"_id": _META_ID}, document, upsert=True)

    # -- recipients

    def put_recipient(self, recipient: Recipient) -> None:
        try:
            self._put(RECIPIENTS, [recipient])
        except _TakenError:
            raise InputError(
                f"There is a recipient named {recipient.name!r} already; choose "
                "another name"
            ) from None

    def recipient(self, recipient_id: str) -> Recipient | None:
        return self._one(Recipient, RECIPIENTS, {"_id": recipient_id})

    def recipient_by_name(self, name: str) -> Recipient | None:
        return self._one(Recipient, RECIPIENTS, {"name": name})

    def recipients(self) -> list[Recipient]:
        return self._all(Recipient, RECIPIENTS, {})

    # -- fits

    def put_fit(self, fit: Fit) -> None:
        self._put(FITS, [fit])

    def fit(self, fit_id: str) -> Fit | None:
        return self._one(Fit, FITS, {"_id": fit_id})

    def fits(self, each: Each[Fit] = as_read) -> list[Fit]:
        return sorted((each(one) for one in self._page(Fit, FITS, {}, None)), key=age)

    # -- papers

    def put_paper(self, paper: Paper) -> None:
        self._put(PAPERS, [paper])

    def papers(self, kind: str, each: Each[Paper] = as_read) -> list[Paper]:
        found = self._page(Paper, PAPERS, {"kind": kind}, None)
        return sorted((each(one) for one in found), key=age)

    # -- releases

    def put_release(self, release: Release) -> None:
        self._require(RECIPIENTS, [release.recipient_id])
        if release.fit_id is not None:
            self._require(FITS, [release.fit_id])
        self._put(RELEASES, [release])

    def release(self, release_id: str) -> Release | None:
        return self._one(Release, RELEASES, {"_id": release_id})

    def releases(self, recipient_id: str | None = None) -> list[Release]:
        wanted = {} if recipient_id is None else {"recipient_id": recipient_id}
        return self._all(Release, RELEASES, wanted)

    def delete_release(self, release_id: str) -> None:
        # In pieces, and the release last, so that an interrupted deletion can be
        # repeated.
        for name in (RECORDS, WITHDRAWN):
            while self._delete_some_records(name, release_id):
                pass
        with self._writing():
            self._database[RELEASES].delete_one({"_id": release_id})

    def _delete_some_records(self, name: str, release_id: str) -> bool:
        records, images = self._database[name], self._database[IMAGES]
        with self._writing():
            some = list(
                records.find(
                    {"release_id": release_id}, {"image_id": 1, _BLOB_FILE: 1}
                ).limit(_CHUNK)
            )
            image_ids = _texts(some, "image_id")
            others = {
                "image_id": {"$in": list(image_ids)},
                "release_id": {"$ne": release_id},
            }
            for table in (RECORDS, WITHDRAWN):
                kept = self._database[table].distinct("image_id", others)
                image_ids.difference_update(kept)
            images.delete_many({"_id": {"$in": list(image_ids)}})
            records.delete_many({"_id": {"$in": [record["_id"] for record in some]}})
            self._delete_files(_files(some))
        return bool(some)

    # -- images

    def put_images(self, images: Sequence[Image]) -> None:
        self._put(IMAGES, images)

    def image(self, image_id: str) -> Image | None:
        return self._one(Image, IMAGES, {"_id": image_id})

    def image_by_digest(self, digest: bytes) -> Image | None:
        return self._one(Image, IMAGES, {"digest": digest})

    def find_images(self, image_ids: Iterable[str]) -> list[Image]:
        found: list[Image] = []
        for chunk in pages(image_ids, _CHUNK):
            some = self._all(Image, IMAGES, {"_id": {"$in": chunk}})
            by_id = {image.id: image for image in some}
            found += [by_id[image_id] for image_id in chunk if image_id in by_id]
        return found

    def images(self) -> Iterator[Image]:
        return self._walk(Image, IMAGES, "_id", _IMAGE_PAGE, {})

    def image_macs(self) -> Iterator[tuple[str, bytes]]:
        with _plain_errors():
            for one in self._database[IMAGES].find({}, {"mac": 1}):
                name = one["_id"]
                yield name if isinstance(name, str) else "", as_bytes(one.get("mac"))

    # -- records

    def put_records(self, records: Sequence[Record]) -> None:
        self._require(RELEASES, {record.release_id for record in records})
        self._require(IMAGES, {record.image_id for record in records})
        self._put(RECORDS, records)

    def record(self, record_id: str) -> Record | None:
        return self._one(Record, RECORDS, {"id": record_id})

    def records(
        self, release_id: str, sample_ids: Iterable[str] | None = None
    ) -> Iterator[Record]:
        if sample_ids is not None:
            for chunk in pages(sorted(set(sample_ids)), _PAGE):
                wanted = {"release_id": release_id, "sample_id": {"$in": chunk}}
                yield from self._page(Record, RECORDS, wanted, "sample_id")
            return
        wanted = {"release_id": release_id}
        yield from self._walk(Record, RECORDS, "sample_id", _PAGE, wanted)

    def record_sample_ids(self, release_id: str) -> set[str]:
        with _plain_errors():
            found = self._database[RECORDS].find(
                {"release_id": release_id}, {"_id": 0, "sample_id": 1}
            )
            return _texts(found, "sample_id")

    def records_by_digest(self, digest: bytes) -> Iterator[Record]:
        return self._of_both({"$or": [{"digest_p": digest}, {"digest_w": digest}]})

    def records_by_image(self, image_id: str) -> Iterator[Record]:
        return self._of_both({"image_id": image_id})

    def _of_both(self, wanted: dict[str, Any]) -> Iterator[Record]:
        # One at a time: anybody may have put many there, each as large as an image.
        for name in (RECORDS, WITHDRAWN):
            yield from self._page(Record, name, wanted, "_id")

    def count_records(self, release_id: str) -> int:
        with _plain_errors():
            return self._database[RECORDS].count_documents({"release_id": release_id})

    def delete_records(self, release_id: str, sample_ids: Sequence[str]) -> None:
        records = self._database[RECORDS]
        for chunk in pages(sample_ids, _CHUNK):
            wanted = {"release_id": release_id, "sample_id": {"$in": chunk}}
            with self._writing():
                files = _files(records.find(wanted, {_BLOB_FILE: 1}))
                records.delete_many(wanted)
                self._delete_files(files)

    def put_withdrawn(self, records: Sequence[Record]) -> None:
        self._require(RELEASES, {record.release_id for record in records})
        self._require(IMAGES, {record.image_id for record in records})
        self._put(WITHDRAWN, records)

    def withdrawn(self, release_id: str) -> Iterator[Record]:
        wanted = {"release_id": release_id}
        return self._walk(Record, WITHDRAWN, "_id", _PAGE, wanted)

    # -- authentication

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        with _plain_errors():
            self._lock.acquire()
        try:
            yield False
        finally:
            with _plain_errors():
                self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _plain_errors():
            self._lock.renew()
            yield

    def get_inventory(self) -> bytes | None:
        with _plain_errors():
            found = self._database[META].find_one({"_id": _INVENTORY_ID})
        return None if found is None else as_bytes(found.get("sealed"))

    def put_inventory(self, sealed: bytes) -> None:
        with self._writing():
            self._database[META].replace_one(
                {"_id": _INVENTORY_ID}, {"sealed": sealed}, upsert=True
            )

    def macs(self, table: Table, keys: Sequence[Key]) -> dict[Key, bytes]:
        if table != "records":
            return self._macs(table, {}, "_id", [str(key) for key in keys])
        found: dict[Key, bytes] = {}
        by_release: dict[str, list[str]] = {}
        for key in keys:
            by_release.setdefault(key[0], []).append(key[1])
        for release_id, sample_ids in by_release.items():
            wanted = {"release_id": release_id}
            some = self._macs(table, wanted, "sample_id", sample_ids)
            found.update({(release_id, str(s)): mac for s, mac in some.items()})
        return found

    def _macs(
        self, table: Table, wanted: dict[str, Any], name: str, ids: list[str]
    ) -> dict[Key, bytes]:
        found: dict[Key, bytes] = {}
        for chunk in pages(ids, _CHUNK):
            with _plain_errors():
                some = self._database[_COLLECTIONS[table]].find(
                    {**wanted, name: {"$in": chunk}}, {name: 1, "mac": 1}
                )
                found.update(
                    {
                        one[name]: as_bytes(one.get("mac"))
                        for one in some
                        if isinstance(one[name], str)  # and no list that has it
                    }
                )
        return found

    def set_macs(self, table: Table, macs: Mapping[str, bytes]) -> None:
        from pymongo import UpdateOne

        name = "id" if table == "records" else "_id"
        for chunk in pages(macs.items(), _CHUNK):
            updates = [
                UpdateOne({name: one}, {"$set": {"mac": mac}}) for one, mac in chunk
            ]
            with self._writing():
                self._database[_COLLECTIONS[table]].bulk_write(updates, ordered=False)

    def images_of_only(self, release_id: str) -> Iterator[bytes]:
        seen: set[str] = set()
        for name in (RECORDS, WITHDRAWN):
            with _plain_errors():
                some = self._database[name].find(
                    {"release_id": release_id}, {"_id": 0, "image_id": 1}
                )
                seen.update(_texts(some, "image_id"))
        for chunk in pages(seen, _CHUNK):
            alone = set(chunk)
            others = {"image_id": {"$in": chunk}, "release_id": {"$ne": release_id}}
            with _plain_errors():
                for name in (RECORDS, WITHDRAWN):
                    kept = self._database[name].distinct("image_id", others)
                    alone.difference_update(kept)
            yield from self.macs("images", list(alone)).values()

    def damage(self) -> list[str]:
        with _plain_errors():
            ours = {META, *_COLLECTIONS.values()}
            found = [
                f"the collection {one['name']!a} {what}"
                for one in self._database.list_collections()
                if one["name"] in ours
                for what in [_unlike_ours(one)]
                if what
            ]
            if found:
                return found
            found = self._create_indexes()
            known = {"_id": {"$nin": [_META_ID, _INVENTORY_ID, _LOCK_ID]}}
            if self._database[META].find_one(known, {"_id": 1}) is not None:
                found.append(f"the collection {META!a} has documents that aren't ours")
        return found

    def strays(self, table: Table, release_ids: set[str]) -> Iterator[Record]:
        name = _COLLECTIONS[table]
        # Without their boxes, which nobody needs.
        names = [one for one in columns(Record) if one not in BOXES]
        with _plain_errors():
            for document in self._database[name].find({}, ["_id", *names]):
                release_id = document.get("release_id")
                if not (isinstance(release_id, str) and release_id in release_ids):
                    yield self._entity(Record, name, document)

    def has_rows(self) -> bool:
        with _plain_errors():
            return any(
                self._database[name].find_one({}, {"_id": 1}) is not None
                for name in _COLLECTIONS.values()
            )

    def back_up(self) -> str:
        with _plain_errors():
            there = set(self._database.list_collection_names())
            for name in (*_COLLECTIONS.values(), META):
                copy = name + BACKUP_SUFFIX
                if name in there and copy not in there:
                    self._database[name].aggregate([{"$out": copy}])
        return f"the collections reue_...{BACKUP_SUFFIX}"

    # -- life

    def close(self) -> None:
        """Does nothing: the client belongs to whoever made it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- helpers

    def _require(self, name: str, ids: Iterable[str]) -> None:
        for chunk in pages(ids, _CHUNK):
            with _plain_errors():
                found = self._database[name].count_documents({"_id": {"$in": chunk}})
            if found < len(chunk):
                raise VaultError(
                    f"The ledger can't take this: it refers to {len(chunk) - found} "
                    f"that are not in {name}"
                )

    def _put(self, name: str, entities: Sequence[Entity]) -> None:
        for chunk in pages(entities, _CHUNK):
            with self._writing(), storable_text():
                documents = [self._document(name, entity) for entity in chunk]
                replaced = self._large_files(name, documents)
                self._upsert(self._database[name], documents)
                self._delete_files(replaced)

    def _document(self, name: str, entity: Entity) -> dict[str, Any]:
        row = to_row(entity)
        field = _BLOB_FIELDS.get(name)
        if field is not None and len(row[field]) > INLINE_BYTES:
            row[_BLOB_FILE] = self._bucket().upload_from_stream(
                f"{name}/{row['id']}", row[field]
            )
            row[field] = b""
        if name != RECORDS:
            row["_id"] = row.pop("id")
        return row

    def _upsert(
        self,
        collection: Collection[dict[str, Any]],
        documents: Sequence[dict[str, Any]],
    ) -> None:
        from pymongo import ReplaceOne
        from pymongo.errors import BulkWriteError

        operations = [
            ReplaceOne(_key(document), document, upsert=True) for document in documents
        ]
        # Two upserts of the same new document at the same moment may collide on its
        # unique indexes; the second time it is there, and is replaced.
        try:
            collection.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            if not _only_duplicates(error):
                raise
            try:
                collection.bulk_write(operations, ordered=False)
            except BulkWriteError as second:
                if not _only_duplicates(second):
                    raise
                raise _TakenError(
                    f"The ledger can't take this: in {collection.name}, something "
                    "that must be unique is taken"
                ) from second

    def _large_files(
        self, name: str, documents: Sequence[dict[str, Any]]
    ) -> list[ObjectId]:
        if name not in _BLOB_FIELDS:
            return []
        wanted = (
            {
                "release_id": {"$in": list({d["release_id"] for d in documents})},
                "sample_id": {"$in": [d["sample_id"] for d in documents]},
            }
            if name == RECORDS
            else {"_id": {"$in": [d["_id"] for d in documents]}}
        )
        return _files(
            self._database[name].find(
                {**wanted, _BLOB_FILE: {"$exists": True}},
                {_BLOB_FILE: 1},
            )
        )

    def _bucket(self) -> Any:
        import gridfs

        return gridfs.GridFSBucket(self._database, bucket_name=BLOBS)

    def _delete_files(self, files: Iterable[ObjectId]) -> None:
        from gridfs.errors import NoFile

        for file in files:
            try:
                self._bucket().delete(file)
            except NoFile:
                continue

    def _entity(self, kind: type[E], name: str, document: Mapping[str, Any]) -> E:
        row = dict(document)
        if name != RECORDS:
            # Whatever else a document says: no two have the same one.
            row["id"] = document["_id"]
        if row.get(_BLOB_FILE) is not None:
            field = _BLOB_FIELDS[name]
            row[field] = self._read_file(row[_BLOB_FILE], longest(field))
        return from_row(kind, row)

    def _read_file(self, file: Any, most: int) -> Any:
        """What is in a file, if it may be so large."""
        from bson import ObjectId
        from gridfs.errors import CorruptGridFile, NoFile

        known = isinstance(file, ObjectId)
        found = self._database[BLOBS].files.find_one({"_id": file}) if known else None
        sizes = [(found or {}).get(name) for name in ("length", "chunkSize")]
        if found is not None and not all(isinstance(n, int) and n > 0 for n in sizes):
            return Unusable("<no file>")
        if found is not None and found["length"] > most:
            return TooLong()
        try:
            if found is None:
                raise NoFile
            return self._bucket().open_download_stream(file).read(most)
        except (NoFile, CorruptGridFile):
            raise LedgerUnavailableError(
                "A part of the ledger changed while it was read, or is missing; try "
                "again, or put the database back from a backup"
            ) from None
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ):  # pieces of other shape
            return Unusable("<no file>")

    def _one(self, kind: type[E], name: str, wanted: dict[str, Any]) -> E | None:
        with _plain_errors():
            found = self._database[name].find_one(wanted, _fields(kind))
            return None if found is None else self._entity(kind, name, found)

    def _some(self, kind: type[E], name: str, document: Mapping[str, Any]) -> E:
        """One of several: what is damaged must not keep the others from being read."""
        for _ in range(2):
            try:
                return self._entity(kind, name, document)
            except LedgerUnavailableError:
                # Its blob is missing, or was replaced since the document was read.
                again = self._database[name].find_one(
                    {"_id": document["_id"]}, _fields(kind)
                )
                document = again or document
        return self._entity(kind, name, {**document, _BLOB_FILE: None})

    def _all(self, kind: type[E], name: str, wanted: dict[str, Any]) -> list[E]:
        # Sorted here, since the server refuses to sort more than 100 MB.
        return sorted(self._page(kind, name, wanted, None), key=age)

    def _page(
        self,
        kind: type[E],
        name: str,
        wanted: dict[str, Any],
        order: str | None,
        size: int = 0,
    ) -> Iterator[E]:
        for document in self._documents(kind, name, wanted, order, size):
            with _plain_errors():
                entity = self._some(kind, name, document)
            yield entity

    def _documents(
        self,
        kind: type[E],
        name: str,
        wanted: dict[str, Any],
        order: str | None,
        size: int = 0,
        skip: int = 0,
    ) -> Iterator[dict[str, Any]]:
        with _plain_errors():
            cursor = self._database[name].find(wanted, _fields(kind)).limit(size)
            cursor = cursor.skip(skip)
            yield from cursor if order is None else cursor.sort(order)

    def _walk(
        self, kind: type[E], name: str, key: str, size: int, wanted: dict[str, Any]
    ) -> Iterator[E]:
        """A collection by a text field, so many at a time, and then what has none.

        A query for what comes after a text finds texts only, and none can be as long
        as a document; so the others are looked for by themselves.
        """
        most = longest("id" if key == "_id" else key)
        # Of other types it is more than any text that is ours.
        is_text = {"$eq": [{"$type": f"${key}"}, "string"]}
        length = {"$cond": [is_text, {"$strLenBytes": f"${key}"}, most + 1]}
        ours = {**wanted, "$expr": {"$lte": [length, most]}}
        others = {**wanted, "$expr": {"$gt": [length, most]}}
        last: dict[str, Any] = {"$gte": ""}
        # Bytes that are no text can't be asked for; from the last text that is one,
        # documents are counted, or the same would come again for ever.
        beyond, there = 0, True
        while there:
            seen: list[Any] = []
            end, there = None, False
            page = {**ours, key: last}
            for document in self._documents(kind, name, page, key, size, beyond):
                there = True
                text = document[key]
                if _REPLACED in text:
                    beyond += 1
                else:
                    if text != end:
                        seen, end = [], text
                    seen.append(document["_id"])
                    beyond = 0
                with _plain_errors():
                    entity = self._some(kind, name, document)
                yield entity
            if end is None:
                continue
            last = {"$gt": end}
            if key != "_id":
                # Where somebody dropped a unique index, the next page may begin with
                # the same.
                twice = {**ours, key: end, "_id": {"$nin": seen}}
                yield from self._page(kind, name, twice, None)
        yield from self._page(kind, name, others, None)


class _TakenError(VaultError):
    """Something that must be unique is taken by another document."""


def _key(document: Mapping[str, Any]) -> dict[str, Any]:
    if "_id" in document:
        return {"_id": document["_id"]}
    return {name: document[name] for name in ("release_id", "sample_id")}


def _only_duplicates(error: Any) -> bool:
    failures = error.details.get("writeErrors", [])
    return bool(failures) and all(failure["code"] == 11000 for failure in failures)


def _codes(error: Any) -> set[int | None]:
    """Of an error, and of what it says of single writes."""
    details = error.details or {}
    single = [one.get("code") for one in details.get("writeErrors", [])]
    return {error.code, *single}


def _files(documents: Iterable[Mapping[str, Any]]) -> list[ObjectId]:
    return [document[_BLOB_FILE] for document in documents if _BLOB_FILE in document]


def _fields(kind: type[Entity]) -> list[str]:
    """What to read of a document: whatever else is in it isn't ours."""
    return ["_id", _BLOB_FILE, *columns(kind)]


def _texts(documents: Iterable[Mapping[str, Any]], name: str) -> set[str]:
    found = (document.get(name) for document in documents)
    return {one for one in found if isinstance(one, str)}


def _unlike_ours(collection: Mapping[str, Any]) -> str | None:
    """What of a collection isn't as we make it, in words."""
    kind = collection.get("type", "collection")
    if kind != "collection":
        return f"was replaced by a {kind}"
    options = sorted(collection.get("options") or {})
    return f"has options that aren't ours: {', '.join(options)}" if options else None


@contextmanager
def _plain_errors() -> Iterator[None]:
    from bson.errors import BSONError
    from pymongo.errors import (
        ConnectionFailure,
        DuplicateKeyError,
        ExecutionTimeout,
        NetworkTimeout,
        OperationFailure,
        PyMongoError,
    )

    try:
        yield
    except DuplicateKeyError:
        raise
    except (ConnectionFailure, NetworkTimeout, ExecutionTimeout) as error:
        raise LedgerUnavailableError(
            "MongoDB can't be reached; check that it runs and that "
            "FIFTYONE_DATABASE_URI is right, then try again"
        ) from error
    except OperationFailure as error:
        if _NO_COLLECTION in _codes(error):
            raise TamperedLedgerError(
                "The ledger isn't as the owner left it: one of its collections was "
                "replaced by a view, which `reue vault check` names; put the database "
                "back from a backup"
            ) from error
        raise LedgerUnavailableError(
            f"MongoDB refused (code {error.code}); check the database user's rights "
            "and the server's disk"
        ) from error
    except BSONError as error:
        raise LedgerUnavailableError(
            "A part of the ledger is damaged and can't be read; put the database back "
            "from a backup"
        ) from error
    except PyMongoError as error:
        raise LedgerUnavailableError(
            f"MongoDB can't be used ({type(error).__name__}); check the server, then "
            "try again"
        ) from error
