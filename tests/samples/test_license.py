"""One published set of a dataset, and the licences that make recipients' own of it."""

from pathlib import Path
from typing import Any

import pytest

import fiftyone_reue
from fiftyone_reue import samples as reue
from fiftyone_reue.errors import InputError, RevokedKeyError
from tests.samples.datasets import COUNT

pytestmark = pytest.mark.integration


@pytest.fixture
def published(dataset: Any, vault: Any, tmp_path: Path) -> reue.ProtectedSamples:
    return reue.publish_samples(
        dataset,
        output_dir=tmp_path / "public",
        label_field="ground_truth",
        method="lsp",
        vault=vault,
        progress=False,
    )


def test_a_licence_makes_the_recipients_own_copies_which_are_traced_to_them(
    dataset: Any, vault: Any, published: Any, tmp_path: Path
) -> None:
    assert published.release == "published_1"
    assert published.text().startswith(f"Protected {COUNT} images for everybody")
    assert reue.list_published(dataset) == ["published_1"]
    assert [one.name for one in reue.list_recipients()] == ["alice", "bob"]
    path = tmp_path / "alice.license"
    made = reue.license_samples(dataset, "alice", path, vault=vault, progress=False)
    assert (made.header.images, made.header.recipient) == (COUNT, "alice")

    restored = fiftyone_reue.restore(
        tmp_path / "public",
        tmp_path / "mine",
        key=tmp_path / "alice.key",
        license=path,
        progress=False,
    )
    assert (restored.outcome.done, restored.outcome.failures) == (COUNT, [])
    check = reue.extract_folder(tmp_path / "mine", vault=vault, progress=False)
    assert check.recipients == ["alice"]
    check = reue.extract_folder(tmp_path / "public", vault=vault, progress=False)
    assert "derived from a published set" in check.text()
    # A licence is no release of the dataset's, whose copies could be shown.
    assert reue.list_releases(dataset) == ["published_1"]


def test_a_licence_needs_something_published_and_somebody_active(
    dataset: Any, vault: Any, protect: Any, tmp_path: Path
) -> None:
    path = tmp_path / "alice.license"
    protect(dataset)
    with pytest.raises(InputError, match="Nothing of this dataset is published yet"):
        reue.license_samples(dataset, "alice", path, vault=vault, progress=False)
    with pytest.raises(InputError, match="isn't published, but one recipient's own"):
        reue.license_samples(
            dataset, "alice", path, release="alice_1", vault=vault, progress=False
        )
    reue.revoke_recipient("alice", vault=vault)
    reue.publish_samples(
        dataset[:4],
        output_dir=tmp_path / "public",
        label_field="ground_truth",
        method="lsp",
        vault=vault,
        progress=False,
    )
    with pytest.raises(RevokedKeyError, match="alice"):
        reue.license_samples(dataset, "alice", path, vault=vault, progress=False)
    assert not path.exists()
