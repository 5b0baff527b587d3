"""Moved: ``reue train``."""

import warnings

from fiftyone_reue.cli.train import train as main

__all__ = ["main"]

warnings.warn(
    "fiftyone_reue.train is reue train now, and goes with version 0.3",
    DeprecationWarning,
    stacklevel=2,
)

if __name__ == "__main__":
    main()
