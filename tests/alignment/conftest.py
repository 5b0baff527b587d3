import numpy as np
import pytest
from PIL import Image

from fiftyone_reue.demo import tiles
from fiftyone_reue.watermark import read


@pytest.fixture(scope="session")
def lumas() -> dict[str, np.ndarray]:
    """Four photographs of 256 x 192 pixels, as luma."""
    found = {}
    for name in ("cat", "coffee", "rocket", "flower"):
        image = tiles.load_photo(name).resize((256, 192), Image.Resampling.LANCZOS)
        found[name] = read.luma(np.asarray(image), 3)
    return found
