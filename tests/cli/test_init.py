import pytest

pytestmark = pytest.mark.unit


def test_init_says_where_the_owner_key_is_and_refuses_a_second_time(empty, tmp_path):
    out = empty.ok("init", "--vault", "@v").stdout
    assert "owner.key" in out
    assert "keep a copy in a safe place" in out
    assert (tmp_path / "v/owner.key").stat().st_mode & 0o077 == 0
    before = (tmp_path / "v/owner.key").read_bytes()
    assert "a vault in" in empty.fails("init", "--vault", "@v")
    assert (tmp_path / "v/owner.key").read_bytes() == before
    made = empty.json("init", "--vault", "@w")
    assert len(made["vault"]) == 16


def test_the_owner_key_may_come_from_the_environment(empty, tmp_path, write_folder):
    write_folder(tmp_path / "source", classes=2, each=2)
    env = {"REUE_OWNER_KEY": "5a" * 32}
    assert empty.run("init", "--vault", "@vault", env=env).exit_code == 0
    assert not (tmp_path / "vault/owner.key").exists()
    words = ("recipient", "add", "a", "--vault", "@vault", "--key-out", "@a.key")
    assert "REUE_OWNER_KEY" in empty.fails(*words)
    assert empty.run(*words, env=env).exit_code == 0
    wrong = empty.run(*words, env={"REUE_OWNER_KEY": "00" * 32})
    assert wrong.exit_code == 1
    assert "00000000" not in wrong.output
