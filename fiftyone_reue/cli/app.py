"""``reue app``: confirm."""

from __future__ import annotations

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.passphrases import ask_existing, ask_new, can_ask
from fiftyone_reue.cli.printing import err, out, plain


@click.group()
def app() -> None:
    """What the plugin in the FiftyOne App needs from a terminal."""


@app.command()
@click.argument("operator")
@guarded
def confirm(operator: str) -> None:
    """Print a code that lets OPERATOR, such as restore_dataset, act once in the App.

    Its form asks for the code. Type it nowhere else: whoever has it can have that
    done once, and it is good for ten to twenty minutes. The vault is the one in
    FiftyOne's database; the first use makes it.
    """
    from fiftyone_reue.samples.confirm import confirmation_code, require_action
    from fiftyone_reue.samples.vaults import open_vault

    require_action(operator)
    vault = open_vault(
        on_new_key=lambda text: err.print(plain(text, lines=True)),
        ask=ask_existing,
        ask_new=ask_new if can_ask() else None,
    )
    code = confirmation_code(operator, vault=vault)
    err.print(f"For one {plain(operator)} in the App, within ten minutes:")
    out.print(code)


@app.command()
@guarded
def work() -> None:
    """Execute what the plugin's forms start in the FiftyOne App, until Ctrl-C.

    The App starts a worker by itself, which ends when there is nothing to do; this one
    stays. The owner key is taken from this terminal's environment. What each job says
    is in its log, which the panel shows.
    """
    from fiftyone_reue.samples import worker

    err.print("Waiting for jobs of the App; Ctrl-C ends it")
    worker.work(logs=True)
