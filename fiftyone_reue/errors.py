"""Everything that can go wrong for a user, one class a cause.

The first line of each message says which file or key, why, and what to do: it is
what the App shows as a toast and what the command line prints.
"""

from fiftyone_reue import __version__

UPDATE = (
    f"update fiftyone-reue (this is {__version__}): get a newer checkout, and run `pip "
    "install .` in it"
)
"""What to do about what only a newer version can read."""


class ReueError(Exception):
    """Base of every error that a user's input or environment can cause."""


class InputError(ReueError):
    """A parameter, folder or dataset can't be used as it was given."""


class UnalignedImageError(InputError):
    """A suspect looks like part of an original, but doesn't lie on it anywhere."""


class UnreadableImageError(ReueError):
    """A file is not an image, is truncated or empty, or can't be opened."""


class UnsupportedImageError(ReueError):
    """A readable image that can't be carried exactly (animation, CMYK, too large)."""


class NoRecordError(ReueError):
    """An image holds no record, and no ledger knows it."""


class WrongKeyError(ReueError):
    """The key offered isn't the one that the file or vault was sealed for."""


class RevokedKeyError(ReueError):
    """The recipient's key was revoked."""


class ExpiredLicenceError(ReueError):
    """A licence's last day is over."""


class ForeignRecordError(ReueError):
    """A record belongs to another image, release or vault."""


class DamagedRecordError(ReueError):
    """A record was edited or cut short."""


class EditedImageError(ReueError):
    """The image's samples changed after it was protected."""


class VerificationError(ReueError):
    """A protected image would not restore exactly, so it was not written."""


class VaultError(ReueError):
    """A vault is missing, already there, damaged, or its owner key is missing."""


class LedgerUnavailableError(VaultError):
    """The ledger's database can't be reached or written."""


class TamperedLedgerError(VaultError):
    """The ledger, or a row of it, isn't as the owner of the vault left it."""


class OutputError(ReueError):
    """An output can't be written: disk full, no permission, name taken."""


class UnsafePathError(ReueError):
    """A name from a ledger, manifest or record leads out of its folder."""


class MissingPackageError(ReueError):
    """A package that only some installations have is missing or doesn't fit."""


class EngineError(ReueError):
    """The cluster that is to do the work can't be reached, or has no worker for it."""


class ModelError(ReueError):
    """A model of somebody else's can't be loaded, lacks memory, or fails to draw."""


class NotConfirmedError(ReueError):
    """The owner has not confirmed what the App was asked to do."""


class CancelledError(ReueError):
    """The user stopped the run; what was finished is kept."""


FATAL = (LedgerUnavailableError, OutputError)
"""What every further item would meet as well, and what nobody may take for an answer
about one of them."""


class named:
    """Puts a file's name in front of an error's text, where it isn't yet."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if not isinstance(error, ReueError):
            return
        if not str(error).startswith(f"{self._name}: "):
            raise type(error)(f"{self._name}: {error}") from error
