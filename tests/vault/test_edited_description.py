"""A vault's description that somebody without the owner key removes or edits."""

import json
from typing import Any

import pytest

from fiftyone_reue.errors import TamperedLedgerError, VaultError
from fiftyone_reue.vault import Vault
from fiftyone_reue.vault.owner_keys import EnvironmentKey
from tests.vault.attacks import SECRETS, Held


def test_a_ledger_can_not_be_passed_off_as_one_that_never_had_macs(
    unauthenticated: Held,
) -> None:
    """The owner's memo is what tells."""
    unauthenticated.connect().close()
    backup = unauthenticated.attacker.everything()
    unauthenticated.open().ledger.close()
    unauthenticated.attacker.put("meta", backup["tables"]["meta"])
    with pytest.raises(TamperedLedgerError, match="authenticated before"):
        unauthenticated.open()
    unauthenticated.attacker.put_back(backup)
    with pytest.raises(TamperedLedgerError, match="authenticated before"):
        unauthenticated.open()


def edit_meta(held: Held, **values: Any) -> None:
    (row,) = held.attacker.rows("meta").values()
    content = {**json.loads(row["document"]), **values}
    held.attacker.put("meta", {"1": {**row, "document": json.dumps(content)}})


def test_the_format_of_a_sealed_key_can_not_be_changed(held: Held) -> None:
    held.memo().unlink()
    edit_meta(held, format=1)
    with pytest.raises(VaultError, match="description was changed"):
        held.open()


@pytest.mark.parametrize(
    "values",
    [
        {"created": 0.0},
        {"provider": {"kind": "passphrase", "salt": "00" * 16, "n": 2, "r": 1, "p": 1}},
        {"provider": 7},
        {"wraps": 7},
        {"wraps": [7]},
        {"vault_id": None},
        {"format": "1"},
    ],
)
def test_an_edited_description_is_refused(held: Held, values: dict[str, Any]) -> None:
    edit_meta(held, **values)
    with pytest.raises(VaultError, match="description was changed"):
        held.open()


def test_a_lost_description_never_leads_to_a_new_vault(held: Held) -> None:
    before = held.attacker.everything()["tables"]["meta"]
    held.attacker.put("meta", {})
    with held.connect() as ledger:
        with pytest.raises(VaultError, match=r"lost the vault's description.*repair"):
            Vault.create(ledger, EnvironmentKey(SECRETS))
        with pytest.raises(VaultError, match="lost the vault's description"):
            held.open()
        assert ledger.get_meta() is None
    held.attacker.put("meta", before)
    assert held.problems() == []
