import numpy as np
import pytest

from benchmarks.joining import WAYS, Seen, share
from fiftyone_reue.watermark.codes import code
from fiftyone_reue.watermark.evidence import FALSE_ACCUSATION
from fiftyone_reue.watermark.readings import Reading

pytestmark = pytest.mark.unit

SEEDS = {"alice": b"a" * 16, "bob": b"b" * 16}


def seen(who: str, distance: float, sign: int = 1) -> Seen:
    draw = np.random.default_rng(len(who))
    soft = sign * code(SEEDS[who], "i", 128) + 0.3 * draw.standard_normal(128)
    return Seen(Reading("i", 9 * soft), distance)


@pytest.mark.parametrize(
    ("suspects", "expected"),
    [
        ([seen("alice", 2.0)], {"nearest": "alice", "sum": "alice", "joined": "alice"}),
        (
            [seen("alice", 2.0), seen("bob", 1.0)],
            {"nearest": "bob", "joined": "alice bob"},
        ),
        (
            [seen("alice", 2.0), seen("alice", 1.0, -1)],
            {"nearest": "", "sum": "", "joined": "alice"},
        ),
    ],
)
def test_ways_to_weigh_several_suspects_differ(suspects, expected):
    for way, names in expected.items():
        found = WAYS[way](suspects, SEEDS)
        named = [who for who in SEEDS if found[who] <= FALSE_ACCUSATION]
        assert " ".join(named) == names, way


def test_nothing_names_nobody():
    for chances in (WAYS["nearest"], WAYS["joined"]):
        assert set(chances([], SEEDS).values()) == {1.0}


def test_shares_are_percent():
    assert share([True, True, False]) == 67
