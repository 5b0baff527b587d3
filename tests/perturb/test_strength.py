"""What is said of a method's strength is what the tables say."""

import re
from pathlib import Path

import pytest

from fiftyone_reue.perturb.registry import list_methods
from fiftyone_reue.perturb.strength import (
    IN_JPEG,
    PHOTOGRAPHS,
    SMALL,
    measured_in_jpeg,
    measured_strength,
    strength_text,
)

pytestmark = pytest.mark.unit

REPO = Path(__file__).resolve().parents[2]
TITLES = {info.name: info.title for info in list_methods()}
ON_PHOTOGRAPHS = ("rue", "rue_gratings", "rue_published", "deep_hiding")
ON_SMALL = ("raeg", "em_class", "em", "mi_ue", "tap", "pil", "lsp", "ops")
FILTERS = ("Grayscale", "JPEG, quality 10", "Bit depth 2", "Gaussian blur")


def rows(table: str, first: str) -> dict[str, list[str]]:
    """A table's rows by their first cell, the header under "".

    Args:
        table: the file.
        first: how the header's first cell begins.
    """
    lines = (REPO / table).read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    start = next(n for n, row in enumerate(cells) if row and row[0] == first)
    found = {"": cells[start][1:]}
    for row in cells[start + 2 :]:
        if not row:
            break
        found[re.sub(r"\*|:.*", "", row[0])] = row[1:]
    return found


def number(cell: str) -> float:
    return float(re.findall(r"[\d.]+", cell)[0])


def test_each_figure_is_compared_with_a_table() -> None:
    measured = {name for name in TITLES if measured_strength(name) is not None}
    assert measured == {*ON_PHOTOGRAPHS, *ON_SMALL}


@pytest.mark.parametrize("name", ON_PHOTOGRAPHS)
def test_photographs_have_the_figures_of_the_page(name: str) -> None:
    found = measured_strength(name)
    assert found is not None
    assert found.table == PHOTOGRAPHS
    table = rows(PHOTOGRAPHS, "thief")
    column = table[""].index(f"`{name}`")
    filters = next(row for first, row in table.items() if "filters" in first)
    usual = next(row for first, row in table.items() if "nothing special" in first)
    assert found.usual == number(usual[column])
    worst = re.search(r"\(([\d.]+)\)", filters[column])
    assert worst is not None
    assert found.filtered == float(worst[1])


def test_the_thief_with_the_package_has_the_figures_of_the_page() -> None:
    lines = (REPO / PHOTOGRAPHS).read_text("utf-8").splitlines()
    matched = next(line for line in lines if "matched filter |" in line)
    trained = next(line for line in lines if "T1: adversarial training" in line)
    found = measured_strength("rue")
    assert found is not None
    assert (found.matched, found.adversarial) == (
        number(matched.split("|")[2]),
        number(trained.split("|")[2]),
    )


@pytest.mark.parametrize("name", ON_SMALL)
def test_small_images_have_the_figures_of_the_table(name: str) -> None:
    found = measured_strength(name)
    assert found is not None
    assert found.table == SMALL
    table = rows(SMALL, "Countermeasure")
    column = table[""].index(TITLES[name])
    assert found.usual == number(table["None"][column])
    assert found.filtered == max(number(table[one][column]) for one in FILTERS)
    trained = table["Adversarial training, 4/255"][column]
    assert found.adversarial == number(trained)


def test_jpeg_files_have_the_figures_of_their_table() -> None:
    table = rows(IN_JPEG, "")
    found = measured_in_jpeg("rue")
    assert found is not None
    for figures, title in (
        (found.usual, "reduced"),
        (found.crops, "reduced, random resized crop"),
        (found.jpeg_50, "reduced, JPEG-50"),
        (found.jpeg_10, "reduced, JPEG-10"),
    ):
        column = table[""].index(title)
        assert figures == tuple(
            number(table[name][column]) for name in ("`rue`", "`originals`")
        )
    assert found.text() in strength_text("rue", jpeg=True)
    assert found.text() not in strength_text("rue")


def test_a_method_that_was_never_measured_says_so() -> None:
    assert "is in no table" in strength_text("somebody_elses")
    assert "audit" in strength_text("rue")
    assert "16.5 % after usual training" in strength_text("rue")
