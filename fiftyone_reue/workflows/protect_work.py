"""What a worker is given to protect images with: paths and derived keys, no vault.

It is pickled where workers are on other machines, so what it holds is what a worker can
know; docs/security.md says what that leads to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import named
from fiftyone_reue.names import contained
from fiftyone_reue.perturb.base import Method, State
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.stores.address import Place, place
from fiftyone_reue.vault.entities import Release
from fiftyone_reue.workflows.protect_image import Boxes, Own, Protected, protect_image


@dataclass(frozen=True)
class Task:
    """One image to protect.

    Attributes:
        item: which.
        own: what is its own in the release; None of one that couldn't be looked at.
        measure: whether to measure how visible the change is.
    """

    item: Item
    own: Own | None
    measure: bool

    @property
    def path(self) -> str:
        """The file to read."""
        return self.item.path

    @property
    def sample_id(self) -> str:
        """The item's."""
        return self.item.sample_id


@dataclass(frozen=True)
class Protecting:
    """Protects images of one release in memory; writes nothing.

    Attributes:
        output: the release's folder, of which only links are looked for.
        release: its id and what of its parameters images follow from; nothing sealed.
        boxes: what records are sealed with.
        method: what perturbs.
        state: what that was fitted to.
        max_pixels: see :class:`ProtectConfig`, as the others.
        depth: as there.
        whole_files: as there.
    """

    output: Place
    release: Release
    boxes: Boxes
    method: Method
    state: State = field(repr=False)
    max_pixels: int
    depth: int | None
    whole_files: bool

    @classmethod
    def of(
        cls, release: Release, boxes: Boxes, state: State, config: ProtectConfig
    ) -> Self:
        """For a release as it is stored."""
        return cls(
            place(release.output),
            replace(release, sealed_seed=b"", counts={}, scores={}),
            boxes,
            config.perturbation(),
            state,
            config.max_pixels,
            config.depth,
            config.whole_files,
        )

    def __call__(self, task: Task) -> Protected:
        """Protect one; see :func:`protect_image` for what is raised."""
        item = task.item
        with named(item.sample_id):
            contained.unlinked(self.output, item.output)
        return protect_image(
            item,
            task.own,
            self.boxes,
            self.release,
            self.method,
            self.state,
            max_pixels=self.max_pixels,
            depth=self.depth,
            whole_files=self.whole_files,
            carrier=self.release.parameters.get("carrier", "pixels"),
            measure=task.measure,
        )
