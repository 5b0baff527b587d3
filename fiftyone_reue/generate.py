"""Moved: ``reue generate``."""

import warnings

from fiftyone_reue.cli.generate import generate as main

__all__ = ["main"]

warnings.warn(
    "fiftyone_reue.generate is reue generate now, and goes with version 0.3",
    DeprecationWarning,
    stacklevel=2,
)

if __name__ == "__main__":
    main()
