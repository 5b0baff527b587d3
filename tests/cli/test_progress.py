import io

import pytest
from rich.console import Console

from fiftyone_reue.cli import progress
from fiftyone_reue.progress import Progress

pytestmark = pytest.mark.unit


def test_a_progress_bar_is_no_noise_in_a_log(house, tmp_path):
    result = house.ok("restore", "@pa", str(tmp_path / "o"), "--vault", "@vault")
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "Restored 12 originals exactly, 0 were there, 0 failed",
        "All 12 are the original files, byte for byte.",
    ]


def test_a_label_is_shown_as_it_is(monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(progress, "err", console)

    def steps():
        yield Progress(0.5, "[bold]:key:[/] a\x1b]0;title\x07b")

    progress.shown(steps())
    assert r"[bold]:key:[/] a\x1b]0;title\x07b" in file.getvalue()
    assert "\x1b]0;" not in file.getvalue()
