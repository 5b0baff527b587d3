"""What the forms offer and refuse."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fiftyone_reue import cli
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.integration


def choices(prop: dict) -> list[str]:
    return [choice["value"] for choice in prop["view"]["choices"]]


def described(prop: dict) -> str:
    return prop["view"]["description"]


OPERATORS_WITH_A_VAULT = (
    "protect_dataset",
    "restore_dataset",
    "extract_watermark",
    "reveal_hidden",
    "audit_release",
    "score_unlearnability",
    "delete_release",
    "show_release",
    "manage_recipients",
    "publish_dataset",
    "license_recipient",
    "package_release",
    "mark_samples",
    "check_files",
    "confirm_owner_key",
)


@pytest.mark.parametrize("keyring", [False, True])
@pytest.mark.parametrize("name", OPERATORS_WITH_A_VAULT)
def test_without_a_vault_every_form_says_how_one_is_made(
    name: str,
    keyring: bool,
    dataset: Any,
    form: Any,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.delenv("REUE_OWNER_KEY")
    if keyring:
        request.getfixturevalue("memory_keyring")
    properties = form(name, dataset)
    (said,) = [prop["error_message"] for prop in properties.values() if prop["invalid"]]
    assert list(properties) == ["problem"]
    assert "There is no vault in FiftyOne's database yet" in said
    assert "Make it in a terminal with `reue app confirm manage_recipients`" in said
    assert "needs an owner key" not in said


def test_the_command_that_a_form_names_makes_the_vault(
    dataset: Any, form: Any, tmp_path: Path
) -> None:
    said = form("manage_recipients", dataset)["problem"]["error_message"]
    command = said.split("`")[1].split()
    made = CliRunner().invoke(cli.main, command[1:])
    assert made.exit_code == 0, made.stderr
    properties = form(
        "manage_recipients",
        dataset,
        name="alice",
        key_out=str(tmp_path / "alice.key"),
        confirmation=made.stdout.strip(),
    )
    assert not any(prop["invalid"] for prop in properties.values())


@pytest.mark.usefixtures("empty_vault")
def test_protect_needs_a_recipient_first(dataset: Any, form: Any) -> None:
    properties = form("protect_dataset", dataset)
    assert properties["problem"]["invalid"]
    assert "nobody to make a copy for" in properties["problem"]["error_message"]
    assert properties["add_recipient"]["view"]["operator"].endswith("manage_recipients")
    assert "method" not in properties


@pytest.mark.usefixtures("bob")
def test_protect_offers_what_there_is(dataset: Any, form: Any) -> None:
    properties = form("protect_dataset", dataset)
    assert choices(properties["recipient"]) == ["alice", "bob"]
    assert properties["add_recipient"]["view"]["operator"].endswith("manage_recipients")
    assert choices(properties["label_field"]) == ["ground_truth"]
    assert properties["label_field"]["default"] == "ground_truth"
    assert choices(properties["method"])[0] == "rue"
    assert all(
        choice["description"] for choice in properties["method"]["view"]["choices"]
    )
    assert (properties["epsilon"]["type"]["min"], properties["epsilon"]["default"]) == (
        3,
        8,
    )
    assert "view_target" in properties
    assert not any(prop["invalid"] for prop in properties.values())
    assert "seed" not in properties
    assert {"seed", "name", "device"} <= form(
        "protect_dataset", dataset, advanced=True
    ).keys()


@pytest.mark.usefixtures("alice")
def test_protect_says_where_the_copy_goes(dataset: Any, form: Any) -> None:
    folder = form("protect_dataset", dataset, recipient="alice")["output_dir"]
    assert folder["view"]["description"].endswith("-releases/alice")


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("params", "name", "message"),
    [
        ({"output_dir": "somewhere"}, "output_dir", "whole path"),
        ({"output_dir": __file__}, "output_dir", "is a file"),
        ({"advanced": True, "name": "a b"}, "name", "letters, digits and _"),
    ],
)
def test_protect_refuses_in_plain_words(
    dataset: Any, form: Any, params: dict, name: str, message: str
) -> None:
    prop = form("protect_dataset", dataset, **params)[name]
    assert prop["invalid"]
    assert message in prop["error_message"]


@pytest.mark.usefixtures("alice")
def test_protect_offers_clusters_where_there_are_no_labels(
    dataset: Any, form: Any
) -> None:
    assert "clusters" not in form("protect_dataset", dataset)
    assert "clusters" in form("protect_dataset", dataset, advanced=True)
    dataset.delete_sample_field("ground_truth")
    for more in (False, True):
        properties = form("protect_dataset", dataset, advanced=more)
        assert "no class labels" in properties["unlabelled"]["view"]["label"]
        assert "label_field" not in properties
        clusters = properties["clusters"]
        assert (clusters["type"]["min"], clusters["default"]) == (2, 10)
        assert not any(prop["invalid"] for prop in properties.values())


def test_revoked_recipients_are_not_offered(
    dataset: Any, form: Any, operator: Any, bob: Path
) -> None:
    operator("manage_recipients")(action="revoke", recipient="alice")
    assert choices(form("protect_dataset", dataset)["recipient"]) == ["bob"]


def test_recipients_are_called_by_the_names_shown(
    dataset: Any, form: Any, operator: Any, tmp_path: Path, bob: Path
) -> None:
    manage = operator("manage_recipients")
    manage(action="rename", recipient="bob", shown_as="Robert Smith")
    robert = "Robert Smith (bob)"
    properties = form("protect_dataset", dataset, recipient="alice")
    for name in ("recipient", "also_for"):
        offered = properties[name]["view"]["choices"]
        assert {"bob": robert}.items() <= {
            one["value"]: one["label"] for one in offered
        }.items()
    operator("protect_dataset")(
        dataset, recipient="bob", output_dir=str(tmp_path / "bob"), method="lsp"
    )
    for name in ("show_release", "package_release", "delete_release", "audit_release"):
        (release,) = form(name, dataset)["release"]["view"]["choices"]
        assert (release["label"], release["description"]) == ("bob_1", f"For {robert}")
    taken = form(
        "protect_dataset", dataset, recipient="alice", output_dir=str(tmp_path / "bob")
    )["expected_release"]
    assert f"which is for {robert}" in taken["error_message"]
    revoked = manage(action="revoke", recipient="bob").result
    assert revoked["text"].startswith(f"Revoked {robert}; 1 release folder marked.")
    again = form("protect_dataset", dataset, recipient="bob")["recipient"]
    assert again["error_message"].startswith(f"{robert} was revoked")


def test_recipients_are_taken_by_the_names_shown(
    dataset: Any, form: Any, operator: Any, tmp_path: Path, bob: Path
) -> None:
    import fiftyone.operators as foo

    manage = operator("manage_recipients")
    manage(action="rename", recipient="bob", shown_as="Robert Smith")
    for shown in ("Robert Smith", "Robert Smith (bob)"):
        filled = form("protect_dataset", dataset, recipient=shown, method="lsp")
        assert not any(prop["invalid"] for prop in filled.values())
    operator("protect_dataset")(
        dataset, "alice", also_for=["Robert Smith"], method="lsp"
    )
    assert sorted(dataset.list_runs()) == ["alice_1", "bob_1"]
    params = {"action": "revoke", "recipient": "Robert Smith"}
    with pytest.raises(foo.executor.ExecutionError, match="Type the 16 letters"):
        foo.execute_operator(manage.uri, params=params)
    assert manage(**params).result["text"].startswith("Revoked Robert Smith (bob)")


def test_what_is_so_already_is_said(form: Any, operator: Any, bob: Path) -> None:
    from fiftyone.operators.executor import ExecutionError

    manage = operator("manage_recipients")
    with pytest.raises(
        ExecutionError, match=r"^bob isn't revoked; there is nothing to"
    ):
        manage(action="reinstate", recipient="bob")
    for name in ("bob", "alice"):  # then nobody is left to choose
        manage(action="revoke", recipient=name)
        with pytest.raises(ExecutionError, match=f"^{name} is revoked already"):
            manage(action="revoke", recipient=name)
    manage(action="reinstate", recipient="bob")
    with pytest.raises(ExecutionError, match=r"^bob isn't revoked"):
        manage(action="reinstate", recipient="bob")
    with pytest.raises(ExecutionError, match="There is no recipient 'zoe'"):
        manage(action="reinstate", recipient="zoe")


def test_names_that_nobody_can_have_are_said_before_the_code(
    form: Any, bob: Path
) -> None:
    properties = form("manage_recipients", name="Ann's")
    assert "use 1 to 64 letters" in properties["name"]["error_message"]
    renaming = {"action": "rename", "recipient": "bob"}
    for shown, right in (("Bob's Agency", False), ("Bobs Agency", True), ("", True)):
        prop = form("manage_recipients", **renaming, shown_as=shown)["shown_as"]
        assert prop["invalid"] is not right


@pytest.mark.usefixtures("empty_vault")
@pytest.mark.parametrize(
    "name",
    [
        "score_unlearnability",
        "audit_release",
        "delete_release",
        "show_release",
        "mark_samples",
        "check_files",
    ],
)
def test_releases_must_exist(dataset: Any, form: Any, name: str) -> None:
    problem = form(name, dataset)["problem"]
    assert problem["invalid"]
    assert "no release" in problem["error_message"]


@pytest.mark.parametrize(
    "name",
    [
        "preview_protection",
        "protect_dataset",
        "restore_dataset",
        "extract_watermark",
        "reveal_hidden",
        "score_unlearnability",
        "audit_release",
        "delete_release",
        "show_release",
        "publish_dataset",
        "license_recipient",
        "package_release",
        "mark_samples",
        "check_files",
    ],
)
def test_without_a_dataset(form: Any, database: Any, name: str) -> None:
    problem = form(name)["problem"]
    assert problem["error_message"] == "Open a dataset first"


@pytest.mark.usefixtures("empty_vault")
def test_reveal_asks_where_pictures_go(dataset: Any, form: Any) -> None:
    folder = form("reveal_hidden", dataset)["output_dir"]
    assert (folder["invalid"], folder["required"]) == (False, False)
    assert folder["view"]["description"].startswith("Leave it empty for none")
    relative = form("reveal_hidden", dataset, output_dir="shown")["output_dir"]
    assert relative["invalid"]
    assert "whole path" in relative["error_message"]


def test_restore_asks_for_a_recipient_of_licensed_copies(
    dataset: Any, form: Any, alice: Path
) -> None:
    assert "recipient" not in form("restore_dataset", dataset)
    licensed = form("restore_dataset", dataset, tier="licensed")
    assert choices(licensed["recipient"]) == ["alice"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("alice.key", "whole path"),
        ("/", "is a folder"),
        (__file__, "there already"),
        ("/nowhere/alice.key", "no folder /nowhere"),
    ],
)
def test_key_files_that_can_not_be_written(
    form: Any, empty_vault: Any, place: str, message: str
) -> None:
    prop = form("manage_recipients", key_out=place)["key_out"]
    assert prop["invalid"]
    assert message in prop["error_message"]


def test_audit_offers_what_can_be_measured_and_says_what_it_costs(
    dataset: Any, form: Any, operator: Any, alice: Path, tmp_path: Path
) -> None:
    from fiftyone_reue.auditing.countermeasures.registry import list_countermeasures

    operator("protect_dataset")(
        dataset, recipient="alice", method="lsp", output_dir=str(tmp_path / "out")
    )
    properties = form("audit_release", dataset)
    assert choices(properties["release"]) == ["alice_1"]
    assert choices(properties["budget"]) == ["quick", "full"]
    costs = [one["description"] for one in properties["budget"]["view"]["choices"]]
    assert "on two CPU cores half an hour" in costs[0]
    assert "not for a CPU" in costs[1]
    offered = properties["countermeasures"]["view"]["choices"]
    assert [(one["value"], one["label"]) for one in offered] == [
        (info.name, info.title) for info in list_countermeasures()
    ]
    assert "small_resnet" in choices(properties["victims"])
    assert "JPEG, quality 10" in described(properties["countermeasures"])
    assert described(properties["output_dir"]).endswith("out.audit")
    assert not any(prop["invalid"] for prop in properties.values())

    full = form("audit_release", dataset, budget="full")
    assert described(full["countermeasures"]) == "Leave it empty for all"
    assert described(full["victims"]) == "Leave it empty for: ResNet-18"
    assert described(full["seeds"]).endswith("leave it empty for 3")


def test_a_form_shows_what_is_wrong_with_the_vault(
    dataset: Any, form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_reue.errors import LedgerUnavailableError
    from fiftyone_reue.samples import vaults

    def gone() -> None:
        raise LedgerUnavailableError("MongoDB can't be reached")

    monkeypatch.setattr(vaults, "open_ledger", gone)
    problem = form("protect_dataset", dataset)["problem"]
    assert problem["error_message"] == "MongoDB can't be reached"


def test_the_form_warns_of_a_key_in_a_file(
    empty_vault: Any, form: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "owner_key" not in form("manage_recipients")
    monkeypatch.delenv("REUE_OWNER_KEY")
    monkeypatch.setenv("REUE_OWNER_KEY_FILE", str(tmp_path / "owner.key"))
    properties = form("manage_recipients")
    label = properties["owner_key"]["view"]["label"]
    assert "FiftyOne's server sends every file" in label
    wrong = {name for name, prop in properties.items() if prop["invalid"]}
    assert wrong <= {"confirmation"}  # which has to be typed yet


@pytest.mark.usefixtures("bob")
def test_a_key_file_is_written_again_for_whom_there_is(form: Any) -> None:
    properties = form("manage_recipients", action="key")
    assert choices(properties["recipient"]) == ["alice", "bob"]
    assert {"key_out", "public_key", "confirmation"} <= set(properties)
    assert "add_recipient" not in properties


def test_the_form_looks_at_a_public_key(empty_vault: Any, form: Any) -> None:
    good = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"
    assert not form("manage_recipients")["public_key"]["required"]
    assert not form("manage_recipients", public_key=good)["public_key"]["invalid"]
    prop = form("manage_recipients", public_key=good[:-1])["public_key"]
    assert prop["invalid"]
    assert "isn't a public key" in prop["error_message"]


@pytest.mark.usefixtures("alice")
def test_protect_says_what_jpeg_files_become_and_how_large(
    dataset: Any, form: Any
) -> None:
    import fiftyone as fo

    def said(**params: Any) -> str:
        return form("protect_dataset", dataset, **params)["expected"]["view"]["label"]

    assert "No sample is a JPEG" in said()
    sample = dataset.first()
    path = sample.filepath
    sample.filepath = path.replace(".png", ".JPG")
    sample.metadata = fo.ImageMetadata(size_bytes=2_000_000)
    sample.save()
    assert f"1 of {len(dataset)} is a JPEG file and stays one" in said()
    assert "2.0 MB become 2.2 MB" in said()
    assert "The others are written without any loss" in said()
    pixels = said(advanced=True, carrier="pixels")
    assert "becomes a PNG file" in pixels
    assert "become 20.0 MB" in pixels
    assert choices(form("protect_dataset", dataset, advanced=True)["carrier"]) == [
        "auto",
        "pixels",
    ]


def test_sizes_that_no_metadata_tells_are_looked_at_in_some_files(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fiftyone as fo

    from fiftyone_reue.samples import expected

    monkeypatch.setattr(expected, "LOOKED_AT", 4)
    paths = [tmp_path / f"{number:02}.jpg" for number in range(20)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(1000 if number < 10 else 3000))
    dataset = fo.Dataset.from_images([str(path) for path in paths], progress=False)
    try:
        # Two of each end, so 2 kB in the mean.
        assert "40.0 kB become" in expected.expected_files(dataset, "auto")
        one = dataset.match({"filepath": str(paths[0])})
        assert "1.0 kB become" in expected.expected_files(one, "auto")
        paths[0].unlink()
        assert expected.expected_files(one, "auto").endswith("1.1 times as large.")
    finally:
        dataset.delete()


def test_protect_says_what_it_will_do(form: Any, dataset: Any, alice: Path) -> None:
    shown = form("protect_dataset", dataset, recipient="alice")
    label = shown["expected_classes"]["view"]["label"]
    assert label == "2 classes, 40 images: astronaut 20, coffee 20."
    assert "expected_release" not in shown
    assert not shown["recipient"]["invalid"]


def test_protect_says_how_many_images_have_each_class_of_boxes(
    form: Any, dataset: Any, alice: Path
) -> None:
    import fiftyone as fo

    small, large = [0.0, 0.0, 0.1, 0.1], [0.2, 0.2, 0.5, 0.5]
    for number, sample in enumerate(dataset.iter_samples(autosave=True)):
        names = ("cat", "dog") if number < 30 else ("dog", "cat")
        boxes = [
            fo.Detection(label=name, bounding_box=box)
            for name, box in zip(names, (small, large), strict=True)
        ]
        sample["boxes"] = fo.Detections(detections=boxes if number else [])
    words = {"recipient": "alice", "label_field": "boxes"}
    shown = form("protect_dataset", dataset, **words)
    assert shown["expected_classes"]["view"]["label"] == (
        "78 boxes of 2 classes: each gets its own class's texture, and what is beside "
        "them keeps the image's own texture."
    )
    shown = form("protect_dataset", dataset, **words, whole_images=True)
    assert shown["expected_classes"]["view"]["label"] == (
        "2 classes, 39 images: cat 10, dog 29. 1 without a class can't be protected."
    )
    refused = form("protect_dataset", dataset, **words, method="lsp")
    assert "for a whole image" in refused["expected_classes"]["error_message"]


def test_protect_says_what_can_not_be(
    form: Any, dataset: Any, alice: Path, tmp_path: Path
) -> None:
    def problem(name: str, **params: Any) -> str:
        shown = form("protect_dataset", dataset, recipient="alice", **params)[name]
        assert shown["invalid"]
        return str(shown["error_message"])

    source = tmp_path / "originals"
    assert "holds the originals" in problem("expected_release", output_dir=str(source))
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").touch()
    assert "isn't empty" in problem("expected_release", output_dir=str(full))
    assert "40 images can't be in 41 clusters" in problem(
        "expected_clusters", clusters=41
    )
    dataset.set_values("ground_truth.label", ["astronaut"] * 40)
    assert "of one class, 'astronaut'" in problem("expected_classes")


def test_a_release_that_is_gone_on_with_is_told(
    form: Any, operator: Any, dataset: Any, alice: Path
) -> None:
    operator("protect_dataset")(dataset, "alice", method="lsp")
    shown = form("protect_dataset", dataset, recipient="alice", method="lsp")
    told = shown["expected_release"]["view"]["label"]
    assert "goes on with release alice_1, which has 40 copies" in told
    assert "show release alice_1 now" in shown["shown_instead"]["view"]["label"]
    other = form("protect_dataset", dataset, recipient="alice", method="ops")
    assert other["expected_release"]["invalid"]
    assert "with method lsp" in other["expected_release"]["error_message"]


def test_unknown_and_revoked_recipients_are_called_that_from_python_too(
    operator: Any, dataset: Any, bob: Path
) -> None:
    from fiftyone.operators.executor import ExecutionError

    protect = operator("protect_dataset")
    with pytest.raises(ExecutionError, match="no recipient 'carol'; choose alice, bob"):
        protect(dataset, "carol")
    operator("manage_recipients")(action="revoke", recipient="bob")
    with pytest.raises(ExecutionError, match="bob was revoked"):
        protect(dataset, "bob")
    with pytest.raises(ExecutionError, match="recipient is 5; give one text"):
        protect(dataset, 5)


def test_what_can_be_chosen_is_said_from_python_too(
    operator: Any, dataset: Any, bob: Path, tmp_path: Path
) -> None:
    from fiftyone.operators.executor import ExecutionError

    protect = operator("protect_dataset")
    with pytest.raises(InputError, match=r"no method 'x'; choose one of .*lsp"):
        protect(dataset, "alice", method="x")
    protect(dataset, "alice", output_dir=str(tmp_path / "alice"), method="lsp")
    with pytest.raises(ExecutionError, match="no release 'x'; choose alice_1"):
        operator("show_release")(dataset, release="x")
    with pytest.raises(ExecutionError, match=r"no action 'x'; choose add, key"):
        operator("manage_recipients")(action="x")


def test_a_missing_or_wrong_key_is_said_before_the_run(
    form: Any, dataset: Any, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "problem" not in form("protect_dataset", dataset)
    monkeypatch.setenv("REUE_OWNER_KEY", "99" * 32)
    assert "key" in form("protect_dataset", dataset)["problem"]["error_message"]
    monkeypatch.delenv("REUE_OWNER_KEY")
    said = form("protect_dataset", dataset)["problem"]["error_message"]
    assert "REUE_OWNER_KEY" in said


def test_restoring_among_originals_is_asked_for(
    form: Any, dataset: Any, alice: Path, tmp_path: Path
) -> None:
    folder = str(tmp_path / "originals")
    asked = form("restore_dataset", dataset, output_dir=folder)["among_originals"]
    assert asked["invalid"]
    given = {"output_dir": folder, "among_originals": True}
    assert not form("restore_dataset", dataset, **given)["among_originals"]["invalid"]
    elsewhere = str(tmp_path / "elsewhere")
    assert "among_originals" not in form(
        "restore_dataset", dataset, output_dir=elsewhere
    )


@pytest.mark.usefixtures("alice")
def test_protect_estimates_sizes_that_the_metadata_lacks(
    dataset: Any, form: Any, tmp_path: Path
) -> None:
    import fiftyone as fo

    def said() -> str:
        return form("protect_dataset", dataset)["expected"]["view"]["label"]

    for number, sample in enumerate(dataset.iter_samples(autosave=True)):
        file = tmp_path / f"{number}.jpeg"
        if number:
            file.write_bytes(bytes(1_000_000))
        sample.filepath = str(file)
        if number == 1:  # of one file alone it would be far too little
            sample.metadata = fo.ImageMetadata(size_bytes=1_000_000)
    count = len(dataset)
    assert f"{count}.0 MB become {1.1 * count:.1f} MB" in said()
    for file in tmp_path.glob("*.jpeg"):
        file.unlink()
    assert said().endswith("about 1.1 times as large.")


@pytest.mark.parametrize(
    ("operator_name", "name", "file"),
    [
        ("package_release", "terms", True),
        ("extract_watermark", "folder", False),
        ("extract_watermark", "originals", False),
        ("reveal_hidden", "originals", False),
    ],
)
def test_what_is_to_be_read_has_to_be_there(
    operator_name: str,
    name: str,
    file: bool,
    operator: Any,
    dataset: Any,
    form: Any,
    alice: Path,
    tmp_path: Path,
) -> None:
    if file:  # only a release can be packed
        operator("protect_dataset")(dataset, "alice", method="lsp")
    right, wrong = (alice, tmp_path) if file else (tmp_path, tmp_path / "none")
    for path, problem in (
        (str(wrong), "There is no such "),
        (str(right), None),
        ("s3://bucket/photos", None),
    ):
        prop = form(operator_name, dataset, **{name: path})[name]
        assert prop["invalid"] is (problem is not None)
        assert (prop["error_message"] or "").startswith(problem or "")


def test_how_a_package_is_written_is_chosen_from_the_start(
    operator: Any, dataset: Any, form: Any, alice: Path, tmp_path: Path
) -> None:
    """Of an empty value the App shows nothing, as if something were missing."""
    operator("protect_dataset")(dataset, "alice", method="lsp")
    written = form("package_release", dataset)["format"]
    assert written["default"] == choices(written)[0] == "as named"
    path = tmp_path / "out.zip"
    operator("package_release")(dataset, "alice_1", str(path), format="as named")
    assert path.is_file()


@pytest.mark.parametrize("name", ["score_unlearnability", "audit_release"])
def test_a_size_that_nothing_trains_at_is_said(
    name: str, operator: Any, dataset: Any, form: Any, alice: Path
) -> None:
    operator("protect_dataset")(dataset, "alice", method="lsp")
    for size, wrong in ((17, True), (40, True), (32, False), (224, False)):
        prop = form(name, dataset, size=size)["size"]
        assert prop["invalid"] is wrong
        assert not wrong or prop["error_message"].startswith("Give one of 32, 64, ")
