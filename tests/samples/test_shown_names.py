"""What the App calls recipients."""

from typing import Any

import pytest

from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError
from fiftyone_reue.samples import shown_names
from fiftyone_reue.samples.shown_names import ShownNames

NAMES = ShownNames(
    {"bob": "Robert (bob)", "bob smith": "bob smith", "for": "Forrest (for)"}
)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("Protect for bob", "Protect for Robert (bob)"),
        (
            "Protected 3 images for bob (release bob_1)",
            "Protected 3 images for Robert (bob) (release bob_1)",
        ),
        ("Protect for bob smith", "Protect for bob smith"),
        ("Protect for bobby, for bob.x", "Protect for bobby, for bob.x"),
        (
            "derived from the copy of bob: so",
            "derived from the copy of Robert (bob): so",
        ),
        ("of al (60 %), bob (40 %)", "of al (60 %), Robert (bob) (40 %)"),
        ("Protect for for", "Protect for Forrest (for)"),
        ("to /tmp/bob", "to /tmp/bob"),
    ],
)
def test_sentences_call_their_recipients_so(kept: str, said: str) -> None:
    assert NAMES.told(kept) == said
    assert ShownNames().told(kept) == kept


@pytest.mark.unit
def test_who_is_named_as_shown_has_their_own_name() -> None:
    for name in ("bob", "Robert", "robert", "Robert (bob)"):
        assert NAMES.own(name) == "bob"
    assert NAMES.own("bob smith") == "bob smith"
    assert NAMES.own("Bert") == "Bert"
    with pytest.raises(InputError, match="say which of al, bob"):
        ShownNames({"al": "Robert (al)", "bob": "Robert (bob)"}).own("Robert")


@pytest.mark.integration
def test_names_are_read_when_they_change_and_with_the_key_alone(
    vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"REUE_OWNER_KEY": "5a" * 32}
    opened = []

    def counted(*args: Any, **options: Any) -> Any:
        opened.append(1)
        return reue.open_vault(*args, **options)

    monkeypatch.setattr(shown_names, "open_vault", counted)
    assert shown_names.shown_names(key.get).of("bob") == "bob"
    assert not opened, "nobody is shown by another name"
    reue.rename_recipient("bob", "Robert", vault=vault)
    for _ in range(3):
        assert shown_names.shown_names(key.get).of("bob") == "Robert (bob)"
    assert len(opened) == 1
    reue.rename_recipient("bob", "Bert", vault=vault)
    assert shown_names.shown_names(key.get).of("bob") == "Bert (bob)"
    # Older versions added somebody who is called so: no list may seem to speak of them.
    vault._add("bert")
    assert shown_names.shown_names(key.get).of("bob") == "bob"
    assert shown_names.shown_names(lambda name: None).of("bob") == "bob"
