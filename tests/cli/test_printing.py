import io
import os
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from fiftyone_reue import cli
from fiftyone_reue.cli import printing
from fiftyone_reue.cli.printing import plain
from fiftyone_reue.names.display import printable
from fiftyone_reue.vault.vault import open_folder

pytestmark = pytest.mark.unit


def test_failures_are_grouped_by_reason_and_named(house, tmp_path):
    said = house.fails("restore", "@pa", str(tmp_path / "x"), "--key", "@bob.key")
    assert said.count("Wrong key") == 1
    assert "astronaut/0.png" in said
    assert "and 2 more" in said
    assert "12 images failed" in said
    words = ("restore", "@pa", str(tmp_path / "x"), "--key", "@bob.key")
    found = house.json(*words, status=1)
    assert found["failed"] == len(found["failures"]) == 12
    assert found["restored"] == 0


def test_brackets_in_names_are_shown_as_they_are(house):
    said = house.fails("extract", "@[bold]none[/]", "--vault", "@vault")
    assert "[bold]none[/]" in said


HOSTILE = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\rb",
    "a\nError: all is well",
    "gpj.\u202egnp",
    "[link=http://x]y[/link]",
    "[bold",
    "\\[bold]x",
    "\\\\[red]",
    "<img src=x onerror=alert(1)>",
]


def commands(text: str) -> set[str]:
    return {one for one in text if not one.isprintable() and one != "\n"}


def printed(markup: str) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, soft_wrap=True, highlight=False)
    console.print(markup)
    return file.getvalue()


@pytest.mark.parametrize("name", [*HOSTILE, "[/]", "[red]\\[/]"])
def test_text_is_printed_as_it_is(name):
    shown = printed(f"{plain(name)}: {plain('a]')}")
    assert not commands(shown)
    assert shown == f"{printable(name)}: a]\n"


def test_a_backslash_at_an_end_leaves_markup_alone():
    text = "ends in \\"
    assert printed(f"[bold]{plain(text)}[/]") == printed(r"[bold]ends in \\[/]")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.parametrize("name", HOSTILE)
def test_folders_with_hostile_names_are_escaped_everywhere(house, name, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(house.root / "source", source)
    vault = str(tmp_path / "vault")
    shutil.copytree(house.root / "vault", vault)
    first = sorted(source.iterdir())[0]
    try:
        first.rename(source / name)
        (source / name / "broken.png").write_bytes(b"no image")
    except OSError:
        pytest.skip("this file system has no such names")
    runs = [
        (
            *("protect", str(source), str(tmp_path / f"out{name[:2]}")),
            *("--recipient", "bob", "--vault", vault),
            *("--method", "lsp"),
        ),
        ("extract", str(source), "--vault", vault),
        ("info", str(source / name / "broken.png")),
        ("info", str(source / name)),
        ("restore", str(source), str(tmp_path / "x"), "--vault", vault),
        ("release", "list", "--vault", vault),
    ]
    for words in runs:
        result = CliRunner().invoke(cli.main, list(words))
        assert not commands(result.stdout), words
        assert not commands(result.stderr), words
        assert "\nError: all is well" not in result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_people_and_releases_of_old_ledgers_are_escaped(house, name, tmp_path):
    place = tmp_path / "vault"
    shutil.copytree(house.root / "vault", place)
    vault = open_folder(place)
    with vault.ledger as ledger:
        person = vault.recipient("bob")
        ledger.put_recipient(replace(person, name=name))
        release = ledger.releases()[0]
        ledger.put_release(replace(release, name=name, source=name))
    for words in (("recipient", "list"), ("release", "list")):
        result = house.run(*words, "--vault", str(place))
        assert not commands(result.output), words
    result = house.run("release", "delete", "nothing", "--vault", str(place))
    assert not commands(result.output)
    assert result.exit_code == 1
    found = house.json("recipient", "list", "--vault", str(place))
    assert name in {one["name"] for one in found["recipients"]}


def test_what_a_manifest_says_is_escaped(tmp_path):
    (tmp_path / "manifest.json").write_text(
        '{"\\u001b[31mkey": "a\\rb", "name": "\\u202e[red]x", "created": 1e300}'
    )
    result = CliRunner().invoke(cli.main, ["info", str(tmp_path)])
    assert result.exit_code == 0
    assert not commands(result.stdout)
    assert r"\x1b[31mkey: a\rb" in result.stdout
    assert r"\u202e[red]x" in result.stdout


def test_progress_is_escaped(monkeypatch):
    from fiftyone_reue.cli import progress
    from fiftyone_reue.progress import Progress

    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200)
    monkeypatch.setattr(progress, "err", console)

    def steps():
        yield Progress(0.5, "Protecting for \x1b]0;x\x07\ra[link=http://x]b")

    progress.shown(steps())
    shown = file.getvalue()
    assert "\x1b]0;" not in shown
    assert "\x1b]8;" not in shown  # no link
    assert r"\x1b]0;x\x07\ra[link=http://x]b" in shown


@pytest.mark.parametrize("name", [":key:.png", "a:warning:b", ":sad-emoji:"])
def test_nothing_in_a_name_becomes_an_emoji(place, name):
    table = printing.table("Name")
    table.add_row(plain(name))
    for console in (printing.out, printing.err):
        with console.capture() as got:
            console.print(plain(name))
            console.print(table)
        assert got.get().count(name) == 2
    made = place.ok("recipient", "identity", "--out", f"@{name}")
    assert name in made.stdout


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "words", [("info", "x"), ("link",), ("release", "list"), ("list", "methods")]
)
def test_what_a_pattern_made_of_file_names_is_escaped_in_usage_errors(words, name):
    """As in ``reue info *``."""
    result = CliRunner().invoke(cli.main, [*words, name])
    assert result.exit_code == 2
    assert "Usage" in result.stderr
    assert not commands(result.output)
    assert "\nError: all is well" not in result.output
