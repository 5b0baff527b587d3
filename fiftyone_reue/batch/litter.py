"""What lies among images and is none: systems' and tools' own, and other files."""

from __future__ import annotations

from fiftyone_reue.stores.objects import TEMPORARY_SUFFIX

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


def is_litter(name: str) -> bool:
    """Whether nobody need be told of a hidden file: it was put there by a program."""
    name = name.lower()
    # Copies that are being written, and what macOS puts beside files on foreign disks.
    return name in LITTER or name.endswith(TEMPORARY_SUFFIX) or name.startswith("._")


def is_litter_folder(name: str) -> bool:
    """The same of a hidden folder, with all that is in it."""
    name = name.lower()
    return name in LITTER_FOLDERS or name.startswith(".trash")
