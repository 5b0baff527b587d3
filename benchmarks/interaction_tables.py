"""The results of the watermark interaction benchmark as tables."""

from __future__ import annotations

from collections.abc import Sequence

from interaction_images import EDITS
from interaction_ours import MARK
from interaction_published import SMALL_BITS
from interaction_words import percent, reading_words, training_words

from fiftyone_reue.auditing.grid import NONE
from fiftyone_reue.auditing.results import Audit
from fiftyone_reue.auditing.table import accuracy_text


def markdown(results: dict) -> str:
    """The results as tables, with what they say."""
    lines = [
        "# Do watermark and perturbation spoil each other?",
        "",
        "Made by:",
        "",
        "```",
        *(
            results[part]["command"]
            for part in ("reading", "training")
            if part in results
        ),
        "```",
        "",
    ]
    if "reading" in results:
        lines += _reading_lines(results["reading"])
    if "training" in results:
        lines += _training_lines(results["training"])
    return "\n".join(lines).rstrip() + "\n"


def _reading_lines(part: dict) -> list[str]:
    counts = ", ".join(f"{count} {name}" for name, count in part["counts"].items())
    lines = [
        "## Reading the mark",
        "",
        f"Images: {counts}. The perturbation lies over the mark unless it says "
        '"then marked". Photographs have a class in turn; em_class, which is fitted to '
        "images of one size, is added to CIFAR-10's alone.",
        "",
        "### Ours, informed",
        "",
        f"Mark ±{MARK}. Z: evidence of one image, mean ± standard deviation over the "
        "images; it can't exceed the root of the number of bits, 11.3 (128 bits), and "
        "5.7 at 32 px (32 bits). Margin: mean of the soft bits in their code's "
        "direction over their spread, which has no ceiling. Bits: code bits read right "
        "(50 % is chance). "
        '"Subtracted": O + δ is the extractor for protected suspects, O the one for '
        "restored suspects; O under a perturbation is the wrong one, as an ablation.",
        "",
    ]
    head = ["Images", "Suspect", "Subtracted", "PSNR, dB"]
    for edit in EDITS:
        head += [f"{edit}: Z", "margin", "bits, %"]
    rows = [[*_our_about(row), *_our_cells(row)] for row in part["ours"]]
    lines += [_table(head, rows, 3), *_published_lines(part["published"])]
    return [*lines, "### What it says", "", *reading_words(part), ""]


def _published_lines(published: list[dict]) -> list[str]:
    if not published:
        return []
    head = ["Mark", "Images", "Suspect", "PSNR, dB"]
    for edit in EDITS:
        head += [f"{edit}: bits, %", "all right, %"]
    rows = []
    for row in published:
        mark = f"{row['mark']}, {row['bits']} bits"
        about = [mark, f"{row['count']} {row['images']}", row["suspect"]]
        if "refused" in row:
            about[2] = row["refused"]
            rows.append([*about, *["–"] * (len(head) - 3)])
            continue
        cells = [f"{row['psnr']:.1f}"]
        for found in row["edits"].values():
            cells += [percent(found["bits"]), percent(found["all_right"])]
        rows.append([*about, *cells])
    return [
        "### Published, blind",
        "",
        "W' is the image with the published mark. Bits: read right (50 % is chance); "
        "all right: images whose whole payload is. They are read without the original, "
        "which ours needs: compare what a perturbation changes, not the marks.",
        "",
        _table(head, rows, 3),
    ]


def _our_about(row: dict) -> list[str]:
    return [row["images"], row["suspect"], row["subtracted"], f"{row['psnr']:.1f}"]


def _our_cells(row: dict) -> list[str]:
    cells = []
    for found in row["edits"].values():
        cells.append(f"{found['z']:.1f} ± {found['z_sd']:.1f}")
        cells += [f"{found['margin']:.1f}", percent(found["bits"])]
    return cells


def _training_lines(part: dict) -> list[str]:
    audit = Audit.from_dict({k: v for k, v in part.items() if k != "command"})
    seeds = len(audit.seeds)
    rows = []
    for subject in audit.subjects:
        change = str(subject.largest_change) if subject.psnr is not None else "–"
        loud = f"{subject.psnr:.1f}" if subject.psnr is not None else "–"
        accuracy = accuracy_text(audit.summary(subject.name, NONE))
        each = [percent(c.accuracy) for c in audit.cells if c.subject == subject.name]
        rows.append([subject.title, accuracy, ", ".join(each), loud, change])
    head = ["Trained on", "accuracy, %", "each seed", "PSNR, dB", "largest change"]
    return [
        "## Training on the images",
        "",
        f"CIFAR-10, {audit.counts['train']} training and {audit.counts['test']} clean "
        f"test images, {audit.victims[0]}, {audit.settings['epochs']} epochs (at least "
        f"{audit.settings['least_steps']} steps), no countermeasure, last epoch; mean "
        f"± standard deviation over {seeds} seeds. Chance: {100 * audit.chance:.0f} %. "
        f"blind_watermark carries {SMALL_BITS} bits here, which is what fits in 32 px; "
        "dwtDct and dwtDctSvd refuse images of this size.",
        "",
        _table(head, rows, 1),
        "### What it says",
        "",
        *training_words(audit),
        "",
        f"Measured on {audit.environment['device']} with torch "
        f"{audit.environment['torch']}.",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, rule, *rows])
