"""The command line: the same verbs for folders, without FiftyOne.

A module for each command, or group of commands, of its name. What they share is in
``options``, ``errors``, ``printing``, ``progress``, ``vaults`` and ``passphrases``.
Whatever is slow to import is imported in the functions that use it, so that the help
is there at once.
"""

from __future__ import annotations

import click

from fiftyone_reue import __version__
from fiftyone_reue.cli import (
    app,
    audit,
    demo,
    extract,
    generate,
    info,
    init,
    keys,
    license_,
    link,
    list_,
    package,
    preview,
    protect,
    recipient,
    release,
    report,
    restore,
    reveal,
    score,
    train,
    unpack,
    vault,
    verify,
)
from fiftyone_reue.cli.errors import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reue")
def main() -> None:
    """Hand out copies of an image dataset that can't be trained on, can be given
    back exactly, and can be traced to whose copy leaked."""


main.add_command(init.init)
main.add_command(recipient.recipient)
main.add_command(preview.preview)
main.add_command(protect.protect)
main.add_command(protect.publish)
main.add_command(license_.license_)
main.add_command(package.package)
main.add_command(unpack.unpack)
main.add_command(restore.restore)
main.add_command(extract.extract)
main.add_command(report.report)
main.add_command(verify.verify)
main.add_command(reveal.reveal)
main.add_command(score.score)
main.add_command(audit.audit)
main.add_command(list_.list_)
main.add_command(info.info)
main.add_command(release.release)
main.add_command(keys.keys)
main.add_command(vault.vault)
main.add_command(link.link)
main.add_command(app.app)
main.add_command(demo.demo)
main.add_command(train.train)
main.add_command(generate.generate)
