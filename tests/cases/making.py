"""All awkward files."""

import functools

from tests.cases import foreign, jpeg, odd_jpeg, png, simple, tiff, webp
from tests.cases.case import Case


@functools.cache
def every() -> tuple[Case, ...]:
    """Every case, the same bytes in every run, no two of one name."""
    modules = (jpeg, png, tiff, webp, simple, foreign, odd_jpeg)
    found = tuple(case for module in modules for case in module.cases())
    assert len({case.name for case in found}) == len(found)
    return found
