import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("@none.key", "no key file"),
        ("@vault/owner.key", "owner key where a recipient's key is expected"),
        ("@pa/brick/0.png", "isn't a key file"),
        ("@pa", "can't be read"),
    ],
)
def test_what_is_no_key_file_is_named(house, key, said):
    assert said in house.fails("restore", "@pa", "@x", "--key", key)
