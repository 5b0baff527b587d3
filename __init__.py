"""The FiftyOne plugin's entry."""

import importlib.util
import os
import sys
from typing import Any

if importlib.util.find_spec("fiftyone_reue") is None:
    # Appended, so that an installed library wins; kept, since worker processes that
    # are started later need it too.
    sys.path.append(os.path.dirname(os.path.realpath(__file__)))

# What requirements.txt lists, by the names that it is imported by.
_NEEDED = (
    "fiftyone_reue",
    "click",
    "cryptography",
    "faiss",
    "fpdf",
    "imagecodecs",
    "jinja2",
    "keyring",
    "matplotlib",
    "numpy",
    "cv2",
    "PIL",
    "pyrage",
    "rfc3161_client",
    "rich",
    "sklearn",
    "simplejpeg",
    "ssimulacra2",
    "threadpoolctl",
    "torch",
    "torchvision",
    "uharfbuzz",
    "zstandard",
)


def register(plugin: Any) -> None:
    """Register the plugin's operators and panels with FiftyOne.

    Raises:
        ImportError: a package that they need is missing, or FiftyOne's version is one
            that they don't work with; says what to install.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"fiftyone-reue needs {', '.join(missing)}: run `fiftyone plugins "
            "requirements @reue/fiftyone-reue --install`, or pip install fiftyone-reue"
        )
    import fiftyone

    from fiftyone_reue.install.fiftyone_version import require

    require(fiftyone.__version__)
    from . import operators, panels

    operators.register(plugin)
    panels.register(plugin)
