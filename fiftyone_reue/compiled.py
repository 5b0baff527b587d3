"""Compiled parts: a C file's library, found or compiled once.

A C file is compiled when it is first needed: beside it in the package, where that
can't be written into the user's cache, and where there is none into a folder for
temporary files. The library's name holds the source's digest, so that no other version
loads it. Whoever can write a library can run what they like as whoever loads it: out of
the package it is taken only from a folder that nobody else can write to.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fiftyone_reue.errors import MissingPackageError

FLAGS = ("-std=c99", "-O3", "-shared", "-fPIC", "-fvisibility=hidden")

_NAME = "fiftyone-reue"
_MOST_SECONDS = 300
_NOBODY_ELSES = 0o700


@dataclass(frozen=True)
class Part:
    """One C file.

    Attributes:
        source: where it is.
        what: what it does, to begin a sentence with.
        instead: what can be done without it, to end one with.
    """

    source: Path
    what: str
    instead: str

    def load(self) -> ctypes.CDLL:
        """Its library, compiled if need be.

        Raises:
            MissingPackageError: it isn't there and can't be compiled.
        """
        for folder in folders(self.beside):
            if self._is_safe(folder):
                try:
                    return ctypes.CDLL(str(folder / self.name))
                except OSError:
                    continue  # it isn't there, or is another machine's
        return self._compiled()

    @property
    def beside(self) -> Path:
        """The package's own folder for it."""
        return self.source.parent / "built"

    @property
    def name(self) -> str:
        """The library's, which holds the source's digest."""
        digest = hashlib.sha256(self.source.read_bytes() + " ".join(FLAGS).encode())
        machine = f"{sys.platform}-{platform.machine()}".lower()
        return f"{self.source.stem}-{machine}-{digest.hexdigest()[:16]}.so"

    def _is_safe(self, folder: Path) -> bool:
        """Whether nobody else can have put a library there, but who could change us."""
        if folder == self.beside or os.name != "posix":
            return True
        try:
            found = os.stat(folder)
        except OSError:
            return False
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        mine = found.st_uid in (0, _user())
        return stat.S_ISDIR(found.st_mode) and mine and not others

    def _compiled(self) -> ctypes.CDLL:
        """Compile it where that can be done, and load it.

        Raises:
            MissingPackageError: it can't be.
        """
        command = compiler()
        if command is None:
            raise MissingPackageError(
                f"{self.what} needs a C compiler, once, and there is none: install one "
                "(apt install gcc libc6-dev, xcode-select --install, or pip install "
                f"ziglang), or {self.instead}"
            )
        why = "no folder can be written"
        for folder in folders(self.beside):
            try:
                return ctypes.CDLL(str(self.compiled_into(folder, command)))
            except (OSError, subprocess.SubprocessError) as error:
                text = getattr(error, "stderr", None) or str(error)
                lines = text.strip().splitlines()
                why = lines[-1] if lines else str(error)
        raise MissingPackageError(
            f"{self.what} can't be compiled ({why}); install gcc and libc6-dev, or "
            f"{self.instead}"
        )

    def compiled_into(self, folder: Path, command: list[str]) -> Path:
        """The compiled library's path; in a moment, or not at all.

        Args:
            folder: where it goes.
            command: the compiler's.

        Raises:
            OSError: the folder can't be written, or others can write to it.
            SubprocessError: the compiler fails.
        """
        if folder == self.beside:
            folder.mkdir(exist_ok=True)  # for all who can read the package
        else:
            folder.mkdir(parents=True, exist_ok=True, mode=_NOBODY_ELSES)
        if not self._is_safe(folder):
            raise PermissionError(f"others can write to {folder}")
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".so")
        os.close(handle)
        try:
            subprocess.run(
                [*command, *FLAGS, str(self.source), "-o", temporary],
                check=True,
                capture_output=True,
                text=True,
                timeout=_MOST_SECONDS,
            )
            shutil.copymode(self.source, temporary)
            target = folder / self.name
            os.replace(temporary, target)
            return target
        finally:
            Path(temporary).unlink(missing_ok=True)


def compiler() -> list[str] | None:
    """The C compiler's command: ``CC``, the system's, or the one of ``ziglang``."""
    chosen = os.environ.get("CC")
    if chosen:
        return shlex.split(chosen)
    for name in ("cc", "gcc", "clang", sysconfig.get_config_var("CC") or ""):
        words = shlex.split(name)
        if words and shutil.which(words[0]):
            return words
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def folders(beside: Path) -> Iterator[Path]:
    """Where a library may lie, the best place first."""
    yield beside
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    if os.path.isabs(cache):  # "~" stays where nobody knows the user
        yield Path(cache) / _NAME
    yield Path(tempfile.gettempdir()) / f"{_NAME}-{_user()}"


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
