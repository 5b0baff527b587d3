import math
from dataclasses import replace

import pytest

from fiftyone_reue.auditing.budgets import INVITED
from fiftyone_reue.auditing.results import Audit, Cell, Subject
from fiftyone_reue.auditing.verdict import (
    BROKEN,
    HOLDS,
    NOT_TELLABLE,
    WEAKENED,
    instrument_checks,
    judge,
    level_of,
)
from fiftyone_reue.errors import InputError

pytestmark = pytest.mark.unit

CHANCE = 0.1
CLEAN = 0.9  # so a retained share r is an accuracy of 0.1 + 0.8 r


def cell(subject, countermeasure, accuracy, victim="small_resnet", seed=0, failure=""):
    curve = () if failure else (0.2, accuracy)
    return Cell(
        subject, countermeasure, victim, seed, accuracy, accuracy, curve, 1, failure
    )


def audit(
    shares: dict[str, float], *more: Cell, victims=("small_resnet",), seeds=(0,), **kept
) -> Audit:
    """Originals at 0.9, and the release at given shares of what they teach."""
    cells = [
        made
        for name, share in shares.items()
        for victim in victims
        for seed in seeds
        for made in (
            cell("originals", name, CLEAN, victim, seed),
            cell("copy", name, CHANCE + (CLEAN - CHANCE) * share, victim, seed),
        )
    ]
    usual = Audit(
        name="copy",
        subjects=[
            Subject("originals", "Originals", "reference"),
            Subject("copy", "The copy", "release", 33.0, 8, 2.0),
        ],
        countermeasures=list(shares),
        victims=list(victims),
        seeds=list(seeds),
        cells=[*cells, *more],
        classes=[str(number) for number in range(10)],
        size=32,
        counts={"train": 2000, "clean": 500, "test": 10_000},
        chance=CHANCE,
        settings={},
        environment={},
    )
    return replace(usual, **kept)


def levels(verdict) -> dict[str, str]:
    return {f.countermeasure: f.level for f in verdict.findings}


@pytest.mark.parametrize(
    ("share", "level"),
    [(0, HOLDS), (0.25, HOLDS), (0.26, WEAKENED), (0.6, WEAKENED), (0.61, BROKEN)],
)
def test_levels_at_their_limits(share, level):
    assert level_of(share) == level
    verdict = judge(audit({"none": share}), "copy")
    assert verdict.findings[0].level == level
    assert verdict.findings[0].retained == pytest.approx(share)


def test_the_worst_victim_counts_and_the_mean_of_its_seeds():
    cells = [
        cell("originals", "none", CLEAN, victim, seed)
        for victim in ("small_resnet", "mlp")
        for seed in (0, 1)
    ]
    cells += [
        cell("copy", "none", 0.1, "small_resnet", 0),
        cell("copy", "none", 0.1, "small_resnet", 1),
        cell("copy", "none", 0.49, "mlp", 0),
        cell("copy", "none", 0.51, "mlp", 1),
    ]
    both = ("small_resnet", "mlp")
    made = audit({}, *cells, victims=both, seeds=(0, 1), countermeasures=["none"])
    (finding,) = judge(made, "copy").findings
    assert finding.victim == "mlp"
    assert finding.retained == pytest.approx(0.5)
    assert finding.accuracy.count == 2
    assert finding.level == WEAKENED


def test_a_failure_is_not_tellable_and_its_reason_is_said():
    failed = cell("copy", "jpeg_10", math.nan, failure="Give 500 clean images.")
    made = audit(
        {"none": 0.1},
        failed,
        cell("originals", "jpeg_10", 0.8),
        countermeasures=["none", "jpeg_10", "grayscale"],
    )
    verdict = judge(made, "copy")
    assert levels(verdict) == {
        "none": HOLDS,
        "jpeg_10": NOT_TELLABLE,
        "grayscale": NOT_TELLABLE,
    }
    assert any("Give 500 clean images" in gap for gap in verdict.findings[1].gaps)
    assert any("not measured" in gap for gap in verdict.findings[2].gaps)
    assert "Nothing can be told about" in verdict.paragraph
    assert verdict.headline.endswith("be told about the countermeasures.")


def test_originals_that_teach_nothing_tell_nothing():
    made = audit(
        {"none": 0.1},
        cell("originals", "grayscale", 0.12),
        cell("copy", "grayscale", 0.1),
        countermeasures=["none", "grayscale"],
    )
    finding = judge(made, "copy").findings[1]
    assert finding.level == NOT_TELLABLE
    assert finding.accuracy.mean == 0.1
    assert "less than 5 points" in finding.gaps[0]


def test_a_victim_that_failed_leaves_the_others_level_and_a_gap():
    made = audit(
        {"none": 0.9},
        cell("copy", "none", math.nan, "mlp", failure="Out of memory"),
        cell("originals", "none", CLEAN, "mlp"),
    )
    (finding,) = judge(replace(made, victims=["small_resnet", "mlp"]), "copy").findings
    assert (finding.level, finding.victim) == (BROKEN, "small_resnet")
    assert any("Out of memory" in gap for gap in finding.gaps)


def test_the_headline_counts_without_none_and_leads_with_what_is_bad():
    shares = {"none": 0.1, "a": 0.1, "b": 0.5, "c": 0.9, "d": 0.8}
    verdict = judge(audit(shares), "copy")
    assert verdict.headline == (
        "The copy holds as it is, but 2 of 4 countermeasures break it and 1 weakens it;"
        " it holds against 1."
    )
    assert verdict.level == WEAKENED
    good = judge(audit({"none": 0.1, "a": 0.2}), "copy")
    assert (
        good.headline == "The copy holds as it is, and against 1 of 1 countermeasures."
    )
    assert good.level == HOLDS
    bad = judge(audit({"none": 0.9, "a": 0.2}), "copy")
    assert bad.headline == "The copy does not hold, even without a countermeasure."
    assert bad.level == BROKEN


def test_the_three_most_effective_are_named_with_what_they_reach():
    shares = {"none": 0.1, "a": 0.1, "b": 0.5, "c": 0.9, "d": 0.8}
    verdict = judge(audit(shares), "copy")
    names = [f.countermeasure for f in verdict.most_effective]
    assert names == ["c", "d", "b", "a"]
    assert "c (82.0 %, originals 90.0 %; needs only the release)" in verdict.paragraph
    assert "a (" not in verdict.paragraph
    assert "18.0 % of unseen test images rightly" in verdict.paragraph


def test_what_a_thief_needs_is_said(monkeypatch):
    from fiftyone_reue.auditing import verdict as module
    from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo

    info = CountermeasureInfo("a", "Leak", "", "leak", uses="500 leaked pairs")
    monkeypatch.setattr(module, "countermeasure_info", lambda name: info)
    assert "needs 500 leaked pairs" in judge(audit({"a": 0.9}), "copy").paragraph


def test_clean_images_alone_are_no_countermeasure():
    verdict = judge(audit({"none": 0.1, "clean_7_alone": 1.0}), "copy")
    assert list(levels(verdict)) == ["none"]
    assert verdict.level == HOLDS
    assert verdict.controls[0].accuracy.mean == pytest.approx(0.9)
    assert "Without the release, clean_7_alone gives 90.0 %" in verdict.paragraph


def test_cautions_say_what_limits_the_audit():
    one = judge(audit({"none": 0.1}), "copy")
    assert "single seed" in one.text
    assert "2,000 training images" in one.text
    assert "small networks" in one.text
    assert "Only one kind of network" in one.text
    large = audit(
        {"none": 0.1},
        victims=("resnet18", "vit_small"),
        seeds=(0, 1),
        counts={"train": 50_000, "test": 10_000},
        settings={"effort": 1.0},
    )
    assert judge(large, "copy").cautions == ()
    weak = judge(replace(large, settings={"effort": 0.02}), "copy")
    assert "2 % of their usual training" in weak.text


def test_a_close_call_depends_on_how_many_test_images_there_are():
    made = audit({"none": 0.24})
    few = judge(replace(made, counts={"test": 200}), "copy")
    many = judge(replace(made, counts={"test": 1_000_000}), "copy")
    assert few.findings[0].close
    assert not many.findings[0].close
    assert "Close calls" in few.text
    # sqrt(p (1 - p) / n) of both, over what the originals teach
    expected = 2 * math.sqrt((0.292 * 0.708 + 0.24**2 * 0.09) / 200) / 0.8
    assert few.findings[0].margin == pytest.approx(expected)
    unknown = judge(replace(made, counts={}), "copy").findings[0]
    assert unknown.margin is None
    assert not unknown.close


def test_what_exists_but_was_not_measured_is_named():
    assert "None" in judge(audit({"jpeg_10": 0.1}), "copy").unmeasured
    assert "None" not in judge(audit({"none": 0.1}), "copy").unmeasured


@pytest.mark.parametrize("name", ["originals", "nobody"])
def test_only_what_was_attacked_is_judged(name):
    with pytest.raises(InputError, match="Choose a subject"):
        judge(audit({"none": 0.1}), name)


def references(noise: float, shuffled: float, clean: float = CLEAN):
    made = audit(
        {},
        cell("originals", "none", clean),
        cell("random_noise", "none", noise),
        cell("shuffled_labels", "none", shuffled),
        countermeasures=["none"],
    )
    extra = [
        Subject("random_noise", "Noise", "reference"),
        Subject("shuffled_labels", "Shuffled", "reference"),
    ]
    made = replace(made, subjects=made.subjects + extra)
    return [check.passed for check in instrument_checks(made)]


def test_the_instrument_passes_its_checks_at_their_limits():
    # three standard errors of chance with 10,000 test images are 0.009
    assert references(noise=0.66, shuffled=0.109) == [True, True, True]
    assert references(noise=0.65, shuffled=0.0911) == [True, False, True]
    assert references(noise=0.9, shuffled=0.1095) == [True, True, False]
    assert references(noise=0.9, shuffled=0.09) == [True, True, False]
    assert references(noise=0.12, shuffled=0.1, clean=0.12)[:2] == [False, False]


def test_checks_of_what_was_not_measured_do_not_pass():
    made = audit({}, countermeasures=["none"])
    (check,) = instrument_checks(made)
    assert not check.passed
    assert "not measured" in check.text


def test_guessing_in_proportion_is_no_fault_where_classes_differ_in_size():
    made = audit(
        {"none": 0.1},
        cell("shuffled_labels", "none", 0.2),
        chance=0.5,
        classes=["a"] * 5,
    )
    extra = Subject("shuffled_labels", "Shuffled", "reference")
    made = replace(made, subjects=[*made.subjects, extra])
    assert instrument_checks(made)[-1].passed


def test_nothing_is_told_where_the_measurement_failed_a_check():
    noise = Subject("random_noise", "Noise", "reference", 33.0, 8)
    made = audit({"none": 0}, cell("random_noise", "none", CHANCE))
    made = replace(made, subjects=[*made.subjects, noise])
    verdict = judge(made, "copy")
    assert verdict.level == NOT_TELLABLE
    assert verdict.headline.startswith("Nothing can be told of The copy")
    failed = [c.text for c in instrument_checks(made) if not c.passed]
    assert list(verdict.doubts) == failed != []
    assert verdict.paragraph.startswith(failed[0])


def test_countermeasures_that_tell_nothing_do_not_count_as_held():
    made = audit(
        {"none": 0},
        cell("copy", "cutout", CHANCE),
        cell("originals", "cutout", CHANCE),
        countermeasures=["none", "cutout"],
    )
    headline = judge(made, "copy").headline
    assert headline.endswith("nothing can be told about the countermeasures.")


def test_a_share_that_is_known_too_vaguely_has_no_level():
    share = {"none": 0.35, "jpeg_10": 0.0}
    told = judge(audit(share), "copy")
    assert levels(told) == {"none": WEAKENED, "jpeg_10": HOLDS}
    assert "35 ± 1 % of what the originals teach is still learned" in told.paragraph
    vague = judge(audit(share, counts={"train": 40, "clean": 0, "test": 20}), "copy")
    assert levels(vague)["none"] == NOT_TELLABLE
    assert vague.findings[0].retained == pytest.approx(0.35)
    assert any("too vague for a level" in gap for gap in vague.findings[0].gaps)
    assert "can't be told" in vague.headline


def test_a_smaller_size_than_people_train_at_is_said():
    made = audit({"none": 0.1}, settings={"usual_size": 224}, size=128)
    (said,) = (c for c in judge(made, "copy").cautions if "pixels a side" in c)
    assert "taken at 128 pixels" in said
    assert "at 224" in said
    same = audit({"none": 0.1}, settings={"usual_size": 224}, size=224)
    assert not any("pixels a side" in c for c in judge(same, "copy").cautions)


def test_filters_that_a_pattern_invites_are_missed_in_photographs_alone():
    names = {"none": 0.1, "jpeg_10": 0.1, "blur_1": 0.2}
    said = " ".join(judge(audit(names, size=128), "copy").cautions)
    assert "Rows' and columns' medians removed" in said
    assert "JPEG, quality 10" not in said
    assert "invites" not in " ".join(judge(audit(names), "copy").cautions)
    every = dict.fromkeys(("none", *INVITED), 0.1)
    assert "invites" not in " ".join(judge(audit(every, size=128), "copy").cautions)
