"""The same switch in the toolbar of an open sample."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from .parameters import call, from_python
from .running import risk
from .switch_media import Parameters, SwitchMedia

ACTION = "switch_sample_media"


class SwitchSampleMedia(SwitchMedia):
    """Does what :class:`SwitchMedia` does, which can be in one toolbar alone."""

    place = types.Places.SAMPLES_VIEWER_ACTIONS
    switched_from = "sample"

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Switch the open sample and the grid",
            description="Between originals and copies, at once",
            icon="flip",
            unlisted=True,
            view_target=False,
            **risk("LOW"),
        )

    @from_python(Parameters)
    def __call__(self, dataset: fo.Dataset, show: str | None = None) -> Any:
        """Do what ``switch_media`` does.

        Args:
            dataset: with copies.
            show: "original", "protected", "restored" or "revealed".
        """
        return call(self.uri, dataset, Parameters(show))
