import pytest

from fiftyone_reue.errors import InputError
from fiftyone_reue.vault import passphrases
from fiftyone_reue.vault.passphrases import (
    DEFAULT_N,
    ScryptParameters,
    WeakScryptError,
    chosen,
    least_n,
    spoken,
)

pytestmark = pytest.mark.unit

SALT = bytes(16)


def test_what_is_written_is_read() -> None:
    made = ScryptParameters.new()
    assert ScryptParameters.from_parameters(made.parameters()) == made
    assert made.n == DEFAULT_N
    assert made.salt != ScryptParameters.new().salt


def test_what_every_version_wrote_is_the_least() -> None:
    assert least_n() == 2**17
    ScryptParameters(SALT, 2**17)
    with pytest.raises(WeakScryptError, match="at least 131072 is accepted"):
        ScryptParameters(SALT, 2**16)


def test_a_variable_accepts_less_and_never_asks_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "16384")
    ScryptParameters(SALT, 2**14)
    with pytest.raises(WeakScryptError, match="at least 16384"):
        ScryptParameters(SALT, 2**13)
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", "999999999")
    ScryptParameters(SALT, 2**17)


@pytest.mark.parametrize("text", ["few", "-1", "1e5", "²", "9" * 5000])
def test_a_variable_that_is_no_number(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUE_SCRYPT_LEAST_N", text)
    with pytest.raises(InputError, match="REUE_SCRYPT_LEAST_N must be a number"):
        ScryptParameters.new()


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**parameters: object) -> None:
        raise MemoryError

    monkeypatch.setattr(passphrases, "Scrypt", fail)
    with pytest.raises(InputError, match="128 MiB of memory"):
        ScryptParameters.new().key("two words")


@pytest.mark.parametrize("words", ["", "ab\udcff"])
def test_a_passphrase_is_text(words: str) -> None:
    """Bytes of a variable that aren't UTF-8 come as lone surrogates."""
    for use in (ScryptParameters(SALT).key, lambda words: spoken(words, "")):
        with pytest.raises(InputError, match="The passphrase is"):
            use(words)


@pytest.mark.parametrize("words", [" ", "\u00a0\t", "\u200b\u2060", "\0"])
def test_a_new_passphrase_can_be_seen(words: str) -> None:
    with pytest.raises(InputError, match="invisible"):
        chosen(lambda prompt: words, "")
    assert spoken(words, "") == words  # of who chose that once
    assert chosen(f"{words}a", "") == f"{words}a"
