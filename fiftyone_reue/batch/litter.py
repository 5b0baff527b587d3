"""What lies among images and is none: systems' and tools' own, and other files."""

from __future__ import annotations

from enum import Enum

from fiftyone_reue.stores.objects import NOWHERE, is_left_behind

LITTER = frozenset(
    {".ds_store", ".localized", "desktop.ini", "ehthumbs.db", "thumbs.db"}
)
"""What desktops leave in folders that people look into, in lower case."""

LITTER_FOLDERS = frozenset(
    (
        *("__macosx", "@eadir", "#recycle", "$recycle.bin", "__pycache__"),
        *("system volume information", "lost+found"),
        *(".git", ".svn", ".hg", ".ipynb_checkpoints", ".thumbnails", ".cache"),
        *(".trashes", ".spotlight-v100", ".fseventsd", ".appledouble", ".venv"),
    )
)
"""Folders that systems and tools make; what looks like an image there is theirs."""

_OTHERS = """
    .csv .tsv .txt .json .jsonl .xml .yaml .yml .toml .ini .cfg .md .rst .html .htm
    .log .tex .pdf .doc .docx .odt .xls .xlsx .ods .ppt .pptx .py .ipynb .sh .c .h .cpp
    .js .css .mat .npy .npz .h5 .hdf5 .parquet .arrow .pkl .pt .pth .onnx .db .sqlite
    .zip .tar .gz .tgz .bz2 .xz .7z .rar .mp4 .mov .avi .mkv .webm .m4v .mp3 .wav .flac
    .lnk .url .part .tmp .bak .lock
"""
OTHER_SUFFIXES = frozenset(_OTHERS.split())
"""Suffixes of what nobody takes for an image."""


class Judged(Enum):
    """What a walk does with a name."""

    TAKEN = "taken"
    """It is looked at: an image is taken, another file counted, a folder walked."""
    HIDDEN = "hidden"
    """Its images are passed over, and somebody is told of them."""
    LITTER = "litter"
    """It is passed over, with all that is in it, and nobody need be told."""


def judged(name: str, *, is_folder: bool) -> Judged:
    """What a walk does with a name, be it in a folder or in a store.

    Args:
        name: of a file or object, or of a folder; without any ``/``.
        is_folder: which of both it is.
    """
    hidden = name.startswith(".") and name not in NOWHERE
    lower = name.lower()
    if hidden and (is_left_behind(name) or lower.startswith("._")):
        return Judged.LITTER  # "._": what macOS puts beside files on foreign disks
    litter = lower in LITTER and (hidden or not is_folder)
    if is_folder:
        litter |= lower in LITTER_FOLDERS or lower.startswith(".trash")
    if litter:
        return Judged.LITTER
    return Judged.HIDDEN if hidden else Judged.TAKEN
