import pytest

pytestmark = pytest.mark.unit


def test_a_progress_bar_is_no_noise_in_a_log(house, tmp_path):
    result = house.ok("restore", "@pa", str(tmp_path / "o"), "--vault", "@vault")
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "Restored 12 originals exactly, 0 were there, 0 failed",
        "All 12 are the original files, byte for byte.",
    ]
