"""What a keyring of the tests holds."""

from collections.abc import Iterable


def owner_keys_in(keyring: Iterable[tuple[str, str]]) -> list[str]:
    """The accounts of owner keys; the ledgers' counters stand beside them."""
    return [account for _, account in keyring if not account.endswith(".counter")]
