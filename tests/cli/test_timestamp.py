"""A commitment is stamped by an authority (openssl's), and the stamp is checked."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl"),
]

CONFIG = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
[ext]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = critical,timeStamping
"""


def openssl(*words: object) -> bytes:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Authority:
    """A root, and a signer of time stamps that it vouches for."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.folder, self.root = folder, folder / "root.pem"
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(CONFIG.format(folder=folder))
        new = ("-newkey", "rsa:2048", "-nodes", "-subj")
        keys = ("-keyout", folder / "root.key", "-out", self.root)
        openssl("req", "-x509", *new, f"/CN={name} root", *keys)
        keys = ("-keyout", folder / "tsa.key", "-out", folder / "tsa.csr")
        openssl("req", *new, f"/CN={name}", *keys)
        openssl(
            *("x509", "-req", "-in", folder / "tsa.csr", "-out", folder / "tsa.pem"),
            *("-CA", self.root, "-CAkey", folder / "root.key", "-CAcreateserial"),
            *("-extfile", folder / "config", "-extensions", "ext"),
        )

    def reply(self, request: Path, reply: Path) -> Path:
        openssl(
            *("ts", "-reply", "-config", self.folder / "config", "-section", "tsa"),
            *("-queryfile", request, "-out", reply, "-signer", self.folder / "tsa.pem"),
            *("-inkey", self.folder / "tsa.key"),
        )
        return reply


@pytest.fixture(scope="module")
def authorities(tmp_path_factory) -> tuple[Authority, Authority]:
    root = tmp_path_factory.mktemp("authorities")
    return Authority(root / "one", "one"), Authority(root / "other", "other")


def time_step(house, case: Path, *words: str, status: int = 0) -> dict[str, str]:
    told = house.json("verify", str(case), *words, status=status)
    (step,) = [one for one in told["steps"] if one["name"] == "time"]
    return step


def test_a_commitment_is_stamped_and_the_stamp_checked(
    house, tmp_path, leak, authorities
):
    one, other = authorities
    release = json.loads((Path(house.path("pb")) / "manifest.json").read_text())
    words = ("release", "timestamp", release["release"], "--vault", "@vault")
    request = tmp_path / "root.tsq"
    house.ok(*words, "--request", str(request))
    reply = one.reply(request, tmp_path / "root.tsr")
    said = house.ok(*words, "--reply", str(reply)).stdout
    assert release["commitment"] in said.replace("\n", "")
    house.ok(*words, "--reply", str(reply))  # again is no harm
    # Who doesn't use this program checks it as well.
    checked = openssl(
        *("ts", "-verify", "-digest", release["commitment"], "-in", reply),
        *("-CAfile", one.root),
    )
    assert b"OK" in checked

    suspects = leak(house.path("pb"), tmp_path / "leak", quality=80)
    case = tmp_path / "case"
    house.json("report", suspects, "--vault", "@vault", "--out", str(case))
    step = time_step(house, case)
    assert (step["state"], "wasn't checked" in step["text"]) == ("believed", True)
    step = time_step(house, case, "--authority", str(one.root))
    assert step["state"] == "checked"
    stamped = json.loads((case / "evidence.json").read_text())["commitments"]
    times = [row["timestamp"]["time"] for row in stamped if row["timestamp"]]
    assert times[0] in step["text"]
    assert times[0] in (case / "report.html").read_text()
    step = time_step(house, case, "--authority", str(other.root), status=1)
    assert (step["state"], "isn't signed" in step["text"]) == ("failed", True)
    none = house.run("verify", str(case), "--authority", str(request))
    assert none.exit_code == 1
    assert "BEGIN CERTIFICATE" in none.stderr
    assert house.json("vault", "check", "--vault", "@vault")["ok"]


def test_other_replies_are_refused(house, tmp_path, authorities):
    one, _ = authorities
    manifests = [
        json.loads((Path(house.path(name)) / "manifest.json").read_text())
        for name in ("pa", "pb")
    ]
    hers, his = (
        ("release", "timestamp", m["release"], "--vault", "@vault") for m in manifests
    )
    house.ok(*hers, "--request", str(tmp_path / "a.tsq"))
    reply = one.reply(tmp_path / "a.tsq", tmp_path / "a.tsr")
    assert "no commitment of release" in house.run(*his, "--reply", str(reply)).stderr
    for data in (b"", b"no reply", reply.read_bytes()[:-9], bytes(2 << 20)):
        (tmp_path / "b.tsr").write_bytes(data)
        result = house.run(*hers, "--reply", str(tmp_path / "b.tsr"))
        assert result.exit_code == 1
        assert "Traceback" not in result.stderr
    (tmp_path / "c.tsq").write_bytes(b"no request")
    (tmp_path / "c.tsr").write_bytes(
        openssl(
            *("ts", "-reply", "-config", one.folder / "config", "-section", "tsa"),
            *("-queryfile", tmp_path / "c.tsq", "-signer", one.folder / "tsa.pem"),
            *("-inkey", one.folder / "tsa.key"),
        )
    )
    said = house.run(*hers, "--reply", str(tmp_path / "c.tsr")).stderr
    assert "refused to sign" in said
    assert house.run(*hers).exit_code == 2
