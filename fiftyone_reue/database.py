"""Moved: :mod:`fiftyone_reue.install.database`."""

import sys
import warnings

from fiftyone_reue.install.database import main

__all__ = ["main"]

warnings.warn(
    "fiftyone_reue.database is fiftyone_reue.install.database now, and goes with "
    "version 0.3",
    DeprecationWarning,
    stacklevel=2,
)

if __name__ == "__main__":
    sys.exit(main())
