"""What was loaded last is kept, as much of it as fits."""

import pytest

from fiftyone_reue.releases.recent import Recent


def test_as_much_is_kept_as_fits():
    asked: list[int] = []

    def load(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    recent = Recent(load, len, most_bytes=10, most=3)
    for size in (4, 5, 4, 6, 5, 4, 11, 11):
        assert recent(size) == bytes(size)
    # 6 pushed 5 out, 5 then 4 and 6; 11 is never kept.
    assert asked == [4, 5, 6, 5, 4, 11, 11]


def test_no_more_things_are_kept_than_that():
    asked: list[str] = []
    recent = Recent(lambda one: asked.append(one) or one, len, most_bytes=99, most=2)
    for one in "abcab":
        recent(one)
    assert "".join(asked) == "abcab"
    assert recent("b") == "b"
    assert "".join(asked) == "abcab"


def test_what_is_raised_is_raised_again():
    def load(key: str) -> bytes:
        raise KeyError(key)

    recent = Recent(load, len, most_bytes=9, most=9)
    for _ in range(2):
        with pytest.raises(KeyError):
            recent("a")
