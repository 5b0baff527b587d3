import subprocess
import sys
from itertools import pairwise

import pytest

from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.auditing.countermeasures.registry import (
    create_countermeasure,
    list_countermeasures,
)
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit

FAMILIES = {
    "none",
    "filter",
    "augmentation",
    "training",
    "purification",
    "leak",
    "dilution",
}


def test_countermeasures_are_listed_and_made_by_name():
    names = [info.name for info in list_countermeasures()]
    assert names[0] == "none"
    assert len(set(names)) == len(names) > 30
    for info in list_countermeasures():
        assert create_countermeasure(info.name).info is info
        assert info.title
        assert info.family in FAMILIES
    with pytest.raises(InputError, match=r"no countermeasure 'jpeg'.*jpeg_10"):
        create_countermeasure("jpeg")


def test_families_stand_together():
    families = [info.family for info in list_countermeasures()]
    changes = sum(a != b for a, b in pairwise(families))
    assert changes == len(set(families)) - 1


@pytest.mark.parametrize("budget", BUDGETS.values(), ids=lambda budget: budget.name)
def test_budgets_name_what_there_is(budget):
    for name in budget.countermeasures:
        create_countermeasure(name)


@pytest.mark.slow
def test_listing_imports_no_torch():
    code = (
        "import sys; from fiftyone_reue.auditing.countermeasures import registry; "
        "registry.list_countermeasures(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
