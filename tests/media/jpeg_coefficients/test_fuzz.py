"""Whatever the bytes: a clear error, or the very file; never a crash or a hang."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fiftyone_reue import compiled
from fiftyone_reue.media.jpeg_coefficients import library

pytestmark = [pytest.mark.integration, pytest.mark.slow]

REPO = Path(__file__).parents[3]
SANITIZERS = "-fsanitize=address,undefined"


def fuzzed(*arguments: str, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "tests.media.jpeg_coefficients.fuzzing", *arguments],
        cwd=REPO,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def test_ten_thousand_files_within_a_gigabyte():
    assert fuzzed("10000").startswith("10000 files: ")


def test_no_byte_is_touched_that_isn_t_there(tmp_path: Path):
    """The same with a library that ends the process if one is."""
    command = compiled.compiler()
    assert command is not None
    target = tmp_path / "checking.so"
    flags = (SANITIZERS, "-fno-sanitize-recover=all", "-g", *compiled.FLAGS)
    made = subprocess.run(
        [*command, *flags, str(library.CODEC.source), "-o", str(target)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"no sanitizers here: {made.stderr.strip()}")
    runtime = subprocess.run(
        [*command, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    if not Path(runtime).is_file():
        pytest.skip("no library of the address sanitizer here")
    options = "detect_leaks=0:allocator_may_return_null=1"
    found = fuzzed("3000", str(target), LD_PRELOAD=runtime, ASAN_OPTIONS=options)
    assert found.startswith("3000 files: ")
