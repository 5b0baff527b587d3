"""Passphrases of owner keys and key files: from the environment, or asked for."""

from __future__ import annotations

import os
import sys

import click

from fiftyone_reue.errors import InputError, VaultError

IDENTITY_PASSPHRASE = "REUE_IDENTITY_PASSPHRASE"


def ask_existing(*_: object) -> str:
    """The owner's passphrase that opens a vault."""
    if not can_ask():
        raise VaultError(
            "The vault opens with a passphrase; set REUE_OWNER_PASSPHRASE or run this "
            "in a terminal"
        )
    return click.prompt("Owner passphrase", hide_input=True, err=True)


def ask_new(*_: object) -> str:
    """A new passphrase, typed twice."""
    return click.prompt(
        "New passphrase", hide_input=True, confirmation_prompt=True, err=True
    )


def can_ask() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def new_of_key_file(wanted: bool) -> str | None:
    """What to seal a key file with; None to leave it open."""
    if not wanted:
        return None
    return _visible(os.environ.get("REUE_KEY_PASSPHRASE") or ask_new())


def new_of_identity(wanted: bool) -> str | None:
    """What to seal an identity with; None to leave it open."""
    if not wanted:
        return None
    return _visible(os.environ.get(IDENTITY_PASSPHRASE) or ask_new())


def existing_of_identity(*_: object) -> str:
    """What an identity is sealed with."""
    given = os.environ.get(IDENTITY_PASSPHRASE)
    if given:
        return given
    if not can_ask():
        raise InputError(
            f"The identity needs a passphrase; set {IDENTITY_PASSPHRASE} or run this "
            "in a terminal"
        )
    return click.prompt("Passphrase of the identity", hide_input=True, err=True)


def existing_of_key_file(*_: object) -> str:
    """What a key file is sealed with."""
    given = os.environ.get("REUE_KEY_PASSPHRASE")
    if given:
        return given
    if not can_ask():
        raise InputError(
            "The key file needs a passphrase; set REUE_KEY_PASSPHRASE or run this in a "
            "terminal"
        )
    return click.prompt("Passphrase of the key file", hide_input=True, err=True)


def _visible(words: str) -> str:
    from fiftyone_reue.vault.passphrases import chosen

    return chosen(words, "")
