"""Pack a release to be handed over."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_reue.names.display import count

from . import background, confirming, forms
from .parameters import call, from_python, read
from .running import notify, reported, risk, vault_of

if TYPE_CHECKING:
    from fiftyone_reue.progress import Progress
    from fiftyone_reue.workflows.package import PackageSummary

ACTION = "package_release"


@dataclass(frozen=True)
class Parameters:
    """See :func:`fiftyone_reue.samples.package_samples`.

    Attributes:
        release: its name.
        output: a new folder, or a new file that ends in ``.zip``.
        fields: what of the samples goes along.
        terms: a text file with what the recipient may do.
        format: what it is written as; None: what ``output`` says.
    """

    release: str
    output: str
    fields: list[str] | None = None
    terms: str | None = None
    format: str | None = None


class PackageRelease(foo.Operator):
    """A generator, so that the App has a progress bar."""

    @property
    def config(self) -> foo.OperatorConfig:
        return foo.OperatorConfig(
            name=ACTION,
            label="Pack a release to hand it over",
            description="One folder or ZIP file with copies, labels, terms, and what "
            "the recipient has to do",
            icon="inventory_2",
            dynamic=True,
            view_target=False,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            **risk("MEDIUM"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        return forms.asked(
            ctx, Parameters, _fill, "Pack a release to hand it over", "Pack"
        )

    def resolve_run_name(self, ctx: Any) -> str:
        confirming.exchange(ctx, ACTION, needed=True)
        return ACTION

    def execute(self, ctx: Any) -> Iterator[Any]:
        if background.wanted(ctx):
            label = f"Pack {ctx.params.get('release')}"
            yield from background.start(ctx, self.uri, label, needs_code=True)
            return
        made = yield from reported(ctx, _steps(ctx))
        yield from notify(ctx, _text(made), well=not made.left_out)

    @from_python(Parameters)
    def __call__(
        self,
        dataset: fo.Dataset,
        release: str,
        output: str,
        fields: list[str] | None = None,
        terms: str | None = None,
        format: str | None = None,
        delegate: bool = False,
        delegation_target: str | None = None,
    ) -> Any:
        """Pack a release; see :func:`fiftyone_reue.samples.package_samples`.

        Args:
            dataset: the release's.
            delegate: whether to schedule it for a delegated worker.
            delegation_target: an orchestrator, where there are several.
        """
        return call(
            self.uri,
            dataset,
            Parameters(release, output, fields, terms, format),
            delegate=delegate,
            delegation_target=delegation_target,
            confirms=ACTION,
        )


def _steps(ctx: Any) -> Generator[Progress, None, PackageSummary]:
    from fiftyone_reue.samples import package_steps

    parameters = read(Parameters, ctx.params)
    vault = vault_of(ctx)
    confirming.require(ctx, ACTION, vault)
    return (
        yield from package_steps(
            ctx.dataset,
            parameters.release,
            parameters.output,
            fields=parameters.fields or None,
            terms=parameters.terms or None,
            format=None if parameters.format == _AS_NAMED else parameters.format,
            vault=vault,
        )
    )


def _text(made: PackageSummary) -> str:
    text = (
        f"Packed {count(made.images, 'image')} for {made.recipient} into {made.path} "
        f"({made.bytes / 1e6:.1f} MB); send their key by another way"
    )
    if made.left_out:
        failed = count(made.left_out, "image")
        text += f"\nWithout {failed} that could not be protected"
    return text


def _fill(inputs: types.Object, ctx: Any) -> None:
    from fiftyone_reue.samples import packable_fields

    if not forms.release(inputs, ctx, required=True, description=""):
        forms.block(inputs, "There is no release yet", "Protect the dataset first.")
        return
    forms.file(
        inputs,
        ctx.params,
        "output",
        _taken,
        label="Folder or ZIP file to make",
        description="The whole path of a new folder, or of a new file that ends in "
        ".zip",
    )
    forms.choice(
        inputs,
        "format",
        _FORMATS,
        default=_AS_NAMED,
        label="Written as",
    )
    names = packable_fields(ctx.dataset)
    if names:
        forms.several(
            inputs,
            "fields",
            [(name, name, "") for name in names],
            label="Fields that go along",
            description="Boxes as COCO, masks as images, classes, tags and plain "
            "values as a table. Leave it empty for the classes alone",
        )
    forms.given(
        inputs,
        ctx,
        "terms",
        file=True,
        label="Text with their terms",
        description="The whole path of a text file with what they may do; it goes "
        "along",
    )
    confirming.ask(inputs, ctx, ACTION)


# Of an empty value the App shows nothing.
_AS_NAMED = "as named"

_FORMATS = [
    (_AS_NAMED, "What its name says", "A ZIP file if it ends in .zip, else a folder"),
    ("parquet", "Parquet", "As Hugging Face's datasets reads it, with a card"),
    ("webdataset", "WebDataset", "Tar files, with a card"),
]


def _taken(path: Path) -> str | None:
    if path.exists():
        return "This is there already; choose a new name"
    return None
