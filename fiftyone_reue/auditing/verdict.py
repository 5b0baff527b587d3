"""What an audit says, in plain language.

Every countermeasure gets a level from the share of what the originals teach that a
victim still learns (:func:`fiftyone_reue.auditing.results.retained`): the mean over the
seeds, of that victim which is worst for the owner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fiftyone_reue.auditing.budgets import INVITED
from fiftyone_reue.auditing.countermeasures.base import CountermeasureInfo
from fiftyone_reue.auditing.countermeasures.registry import (
    create_countermeasure,
    list_countermeasures,
)
from fiftyone_reue.auditing.results import ORIGINALS, Audit, Subject, Summary, retained
from fiftyone_reue.errors import InputError
from fiftyone_reue.networks.recipe import PHOTOGRAPH_SIDE
from fiftyone_reue.networks.registry import network_info

HOLDS = "holds"
WEAKENED = "weakened"
BROKEN = "broken"
NOT_TELLABLE = "not tellable"
LEVELS = (HOLDS, WEAKENED, BROKEN, NOT_TELLABLE)

HOLDS_UP_TO = 0.25
WEAKENED_UP_TO = 0.6

MOST_MARGIN = 0.25
"""A share known less closely than this tells nothing."""

NONE = "none"
"""The countermeasure that is none: training on the release as it is."""

NAMED = 3
"""How many of the most effective countermeasures the text names."""

FEW_IMAGES = 10_000
"""Below so many training images, larger data may give another picture."""

LEARNABLE = 0.05
"""How much over chance the originals must teach for anything to be told."""

NOISE_RETAINS = 0.7
"""What random noise of the same size must leave, or the measurement is too fragile."""


@dataclass(frozen=True)
class Finding:
    """What one countermeasure does to one subject.

    Attributes:
        countermeasure: its registry name.
        title: a few words.
        needs: what a thief needs for it besides the release; "" for nothing.
        level: one of :data:`LEVELS`.
        retained: share still learned, 0 to 1; None where nothing can be told.
        margin: two standard errors of it, from the number of test images and, with
            several seeds, from their spread; None where unknown.
        victim: the registry name of the network that the figures are of, the worst
            one for the owner; "" where none was measured.
        accuracy: of that network, trained on the subject.
        originals: of that network, trained on the originals in the same way.
        gaps: what is missing, in words, a sentence each without the full stop.
    """

    countermeasure: str
    title: str
    needs: str
    level: str
    retained: float | None
    margin: float | None
    victim: str
    accuracy: Summary | None
    originals: Summary | None
    gaps: tuple[str, ...]

    @property
    def close(self) -> bool:
        """Whether the margin reaches into another level."""
        if self.retained is None or self.margin is None:
            return False
        low, high = self.retained - self.margin, self.retained + self.margin
        return level_of(low) != level_of(high)


@dataclass(frozen=True)
class Verdict:
    """What an audit says on one subject.

    Attributes:
        subject: its name.
        title: its title.
        headline: one sentence.
        paragraph: a few more, for an owner who is no expert; without the cautions.
        findings: one for each countermeasure, "none" included, in the audit's order.
        controls: victims that see nothing of the subject, only a thief's clean images.
        unmeasured: titles of countermeasures that exist but weren't measured.
        cautions: why the picture may differ elsewhere, a sentence each.
        doubts: checks of the measurement itself that failed, a sentence each; with any
            of them, nothing can be told.
    """

    subject: str
    title: str
    headline: str
    paragraph: str
    findings: tuple[Finding, ...]
    controls: tuple[Finding, ...]
    unmeasured: tuple[str, ...]
    cautions: tuple[str, ...]
    doubts: tuple[str, ...] = ()

    @property
    def base(self) -> Finding | None:
        """Without a countermeasure."""
        found = (f for f in self.findings if f.countermeasure == NONE)
        return next(found, None)

    @property
    def level(self) -> str:
        """Of all in one: that without a countermeasure, if that is bad; "weakened"
        if any countermeasure takes effect."""
        if self.doubts:
            return NOT_TELLABLE
        if self.base is None or self.base.level != HOLDS:
            return self.base.level if self.base else NOT_TELLABLE
        return WEAKENED if self.count(WEAKENED) + self.count(BROKEN) else HOLDS

    @property
    def text(self) -> str:
        """Headline, paragraph and cautions, each from a new line."""
        return "\n".join([self.headline, self.paragraph, *self.cautions])

    @property
    def tried(self) -> tuple[Finding, ...]:
        """The countermeasures, without "none"."""
        return tuple(f for f in self.findings if f.countermeasure != NONE)

    def count(self, level: str) -> int:
        """How many countermeasures, "none" aside, have a level."""
        return sum(finding.level == level for finding in self.tried)

    @property
    def most_effective(self) -> tuple[Finding, ...]:
        """The countermeasures that anything can be told of, the worst first."""
        conclusive = [f for f in self.tried if f.level != NOT_TELLABLE]
        return tuple(sorted(conclusive, key=lambda f: f.retained or 0.0, reverse=True))


@dataclass(frozen=True)
class Check:
    """Whether the instrument itself can be trusted in one point.

    Attributes:
        name: a few words.
        passed: whether it can.
        text: what was found, in words.
    """

    name: str
    passed: bool
    text: str


def countermeasure_info(name: str) -> CountermeasureInfo:
    """A countermeasure's description; of one that this version lacks, its name."""
    try:
        return create_countermeasure(name).info
    except InputError:
        return CountermeasureInfo(name, name, "", "")


def victim_title(name: str) -> str:
    """A network's title; of one that this version lacks, its name."""
    try:
        return network_info(name).title
    except InputError:
        return name


def subject_title(subject: Subject) -> str:
    """A subject's title, or its name."""
    return subject.title or subject.name


def is_control(countermeasure: str) -> bool:
    """Whether its victim sees a thief's clean images alone, nothing of the subject."""
    return countermeasure.startswith("clean_") and countermeasure.endswith("_alone")


def count_attacks(countermeasures: Iterable[str]) -> int:
    """How many of these are countermeasures, not what they are compared with."""
    return sum(name != NONE and not is_control(name) for name in countermeasures)


def level_of(share: float) -> str:
    """The level of a retained share, 0 to 1."""
    share = round(share, 6)  # sums of floats must not fall just over a threshold
    if share <= HOLDS_UP_TO:
        return HOLDS
    return WEAKENED if share <= WEAKENED_UP_TO else BROKEN


def told(share: float | None, margin: float | None) -> str:
    """The level of a retained share as far as it can be told.

    Args:
        share: 0 to 1, or None where the originals teach too little.
        margin: two standard errors of it, or None where that isn't known.

    Returns:
        :data:`NOT_TELLABLE` where the margin is over :data:`MOST_MARGIN`, or reaches
        from "holds" to "broken".
    """
    if share is None:
        return NOT_TELLABLE
    if margin is not None:
        reached = {level_of(share - margin), level_of(share + margin)}
        if margin > MOST_MARGIN or reached == {HOLDS, BROKEN}:
            return NOT_TELLABLE
    return level_of(share)


def judge(audit: Audit, subject: str) -> Verdict:
    """The verdict on a subject.

    Args:
        audit: the measurements; cells may be missing.
        subject: the name of a method or release in it.

    Raises:
        InputError: the audit has no such subject, or it is a reference.
    """
    judged = {item.name: item for item in judged_subjects(audit)}
    if subject not in judged:
        known = ", ".join(judged) or "none is in it"
        raise InputError(f"Choose a subject that was audited ({known}), not {subject}")
    title = subject_title(judged[subject])
    found = [_finding(audit, subject, name) for name in audit.countermeasures]
    findings = tuple(f for f in found if not is_control(f.countermeasure))
    controls = tuple(f for f in found if is_control(f.countermeasure))
    verdict = Verdict(
        subject=subject,
        title=title,
        headline="",
        paragraph="",
        findings=findings,
        controls=controls,
        unmeasured=_unmeasured(audit),
        cautions=_cautions(audit, findings),
        doubts=tuple(c.text for c in instrument_checks(audit) if not c.passed),
    )
    return replace(
        verdict,
        headline=_headline(verdict),
        paragraph=_paragraph(verdict, audit.chance),
    )


def judged_subjects(audit: Audit) -> list[Subject]:
    """The methods and releases, without the references."""
    return [subject for subject in audit.subjects if subject.role != "reference"]


def instrument_checks(audit: Audit) -> list[Check]:
    """What the references say of the measurement itself.

    The originals must be learnable by every victim; where they were measured, random
    noise must leave at least 0.7 of that, and shuffled labels nothing (accuracy within
    three standard errors of chance).
    """
    names = {subject.name for subject in audit.subjects if subject.role == "reference"}
    checks = [_learnable(audit, victim) for victim in audit.victims]
    if "random_noise" in names:
        checks += [_noise_harmless(audit, victim) for victim in audit.victims]
    if "shuffled_labels" in names:
        checks += [_shuffled_at_chance(audit, victim) for victim in audit.victims]
    return checks


def percent(share: float) -> str:
    """A share of 1 as text, one decimal."""
    return f"{100 * share:.1f} %"


@dataclass(frozen=True)
class _Measured:
    """One victim's means over the seeds."""

    victim: str
    ours: Summary | None
    clean: Summary | None
    share: float | None


def _finding(audit: Audit, subject: str, countermeasure: str) -> Finding:
    info = countermeasure_info(countermeasure)
    measured = [_measured(audit, subject, countermeasure, v) for v in audit.victims]
    conclusive = [found for found in measured if found.share is not None]
    if conclusive:
        shown = max(conclusive, key=lambda found: found.share or 0.0)
    else:
        shown = next((found for found in measured if found.ours), None) or measured[0]
    margin = _margin(audit, shown)
    level = told(shown.share, margin)
    gaps = [gap for found in measured for gap in _gaps(found)]
    if shown.share is not None and margin is not None and level == NOT_TELLABLE:
        gaps.append(f"{_learned(shown.share, margin)}, which is too vague for a level")
    gaps += [
        gap
        for victim in audit.victims
        for name in (subject, ORIGINALS)
        for gap in _missing(audit, name, countermeasure, victim)
    ]
    return Finding(
        countermeasure=countermeasure,
        title=info.title,
        needs=info.uses,
        level=level,
        retained=shown.share,
        margin=margin,
        victim=shown.victim if shown.ours else "",
        accuracy=shown.ours,
        originals=shown.clean,
        gaps=tuple(gaps),
    )


def _measured(
    audit: Audit, subject: str, countermeasure: str, victim: str
) -> _Measured:
    ours = audit.summary(subject, countermeasure, victim)
    clean = audit.summary(ORIGINALS, countermeasure, victim)
    share = retained(ours.mean, clean.mean, audit.chance) if ours and clean else None
    return _Measured(victim, ours, clean, share)


def _gaps(found: _Measured) -> list[str]:
    if not found.ours or not found.clean or found.share is not None:
        return []
    return [
        f"{victim_title(found.victim)}: even the originals teach less than 5 points "
        "over guessing"
    ]


def _missing(audit: Audit, subject: str, countermeasure: str, victim: str) -> list[str]:
    """Which seeds weren't measured, in words."""
    who = victim_title(victim) + (" on the originals" if subject == ORIGINALS else "")
    wanted = (subject, countermeasure, victim)
    cells = [
        c for c in audit.cells if (c.subject, c.countermeasure, c.victim) == wanted
    ]
    if not cells:
        return [f"{who}: not measured"]
    failures = {c.failure.rstrip(".") for c in cells if c.failure}
    words = [f"{who}: failed: {failure}" for failure in sorted(failures)]
    absent = [str(s) for s in audit.seeds if s not in {c.seed for c in cells}]
    if absent:
        words.append(f"{who}: not measured with seed {', '.join(absent)}")
    return words


def _margin(audit: Audit, found: _Measured) -> float | None:
    """Two standard errors of the retained share, to first order."""
    tested = audit.counts.get("test", 0)
    ours, clean = found.ours, found.clean
    if not tested or not ours or not clean or found.share is None:
        return None
    taught = clean.mean - audit.chance
    spread = found.share**2 * _variance(clean, tested)
    variance = _variance(ours, tested) + spread
    return 2 * math.sqrt(variance) / taught


def _variance(summary: Summary, tested: int) -> float:
    binomial = summary.mean * (1 - summary.mean) / tested
    if summary.spread is None:
        return binomial
    return binomial + summary.spread**2 / summary.count


def _headline(verdict: Verdict) -> str:
    base, title = verdict.base, verdict.title
    within = f"r{title[1:]}" if title.startswith("Release ") else title
    if verdict.doubts:
        why = "the measurement itself failed a check"
        return f"Nothing can be told of {within}: {why}."
    if base is not None and base.level == BROKEN:
        return f"{title} does not hold, even without a countermeasure."
    if base is None or base.level == NOT_TELLABLE:
        start = f"Whether {within} holds as it is can't be told"
    elif base.level == WEAKENED:
        start = f"{title} is weak even without a countermeasure"
    else:
        start = f"{title} holds as it is"
    return f"{start}{_against(verdict)}."


def _against(verdict: Verdict) -> str:
    """How the headline goes on: ", but 3 of 26 countermeasures break it and ..."."""
    every, holds = len(verdict.tried), verdict.count(HOLDS)
    broken, weakened = verdict.count(BROKEN), verdict.count(WEAKENED)
    of = f" of {every} countermeasures"
    if not every:
        return "; no countermeasure was tried"
    if verdict.count(NOT_TELLABLE) == every:
        return "; nothing can be told about the countermeasures"
    if not broken and not weakened:
        good = verdict.base is not None and verdict.base.level == HOLDS
        return (
            f", and against {holds}{of}" if good else f"; it holds against {holds}{of}"
        )
    parts = []
    if broken:
        parts.append(f"{broken}{of} {'break' if broken > 1 else 'breaks'} it")
    if weakened:
        which = "" if broken else of
        verb = "weaken" if weakened > 1 else "weakens"
        parts.append(f"{weakened}{which} {verb} it")
    return f", but {' and '.join(parts)}; it holds against {holds}"


def _paragraph(verdict: Verdict, chance: float) -> str:
    sentences = [*verdict.doubts, _base_sentence(verdict.base, chance)]
    worst = verdict.most_effective[:NAMED]
    if worst:
        listed = "; ".join(f"{f.title} ({_figures(f)})" for f in worst)
        word = "Most effective against it" if len(worst) > 1 else "Measured against it"
        sentences.append(f"{word}: {listed}.")
        sentences += _best_model(verdict)
    sentences += [_control_sentence(f) for f in verdict.controls if f.accuracy]
    untold = [f.title for f in verdict.tried if f.level == NOT_TELLABLE]
    if untold:
        sentences.append(f"Nothing can be told about {_some(untold)}.")
    if verdict.unmeasured:
        sentences.append(f"Not measured: {_some(verdict.unmeasured)}.")
    return " ".join(sentences)


def _base_sentence(base: Finding | None, chance: float) -> str:
    guess = f"guessing gives {percent(chance)}"
    if base is None or base.accuracy is None:
        return f"It was not measured how well a model learns from it as it is; {guess}."
    text = f"A model trained on it as it is names {percent(base.accuracy.mean)}"
    text += " of unseen test images rightly"
    if base.originals is not None:
        text += f", one trained on the originals {percent(base.originals.mean)}"
    if base.retained is not None:
        text += f", so {_learned(base.retained, base.margin)}"
    return f"{text}; {guess}."


def _learned(share: float, margin: float | None) -> str:
    within = "" if margin is None else f" ± {100 * margin:.0f}"
    return f"{100 * share:.0f}{within} % of what the originals teach is still learned"


def _figures(finding: Finding) -> str:
    ours, clean = finding.accuracy, finding.originals
    assert ours is not None
    assert clean is not None
    needs = f"needs {finding.needs}" if finding.needs else "needs only the release"
    return f"{percent(ours.mean)}, originals {percent(clean.mean)}; {needs}"


def _best_model(verdict: Verdict) -> list[str]:
    """What counts for a thief in the end: the accuracy, whatever the way to it.

    Nothing where the best model is by one of those named already.
    """
    reached_by = [(f.accuracy.mean, f) for f in verdict.most_effective if f.accuracy]
    reached, best = max(reached_by, key=lambda pair: pair[0])
    if best in verdict.most_effective[:NAMED]:
        return []
    return [f"The highest accuracy is that by {best.title}: {percent(reached)}."]


def _control_sentence(control: Finding) -> str:
    assert control.accuracy is not None
    return (
        f"Without the release, {control.title} gives {percent(control.accuracy.mean)}: "
        "what such a thief gains from the release is what lies above that."
    )


def _some(titles: Sequence[str], most: int = 6) -> str:
    """ "a; b and 4 more": titles have commas themselves."""
    if len(titles) > most + 1:
        return f"{'; '.join(titles[:most])} and {len(titles) - most} more"
    if len(titles) > 1:
        return f"{'; '.join(titles[:-1])} and {titles[-1]}"
    return "".join(titles)


def _unmeasured(audit: Audit) -> tuple[str, ...]:
    measured = set(audit.countermeasures)
    infos = [info for info in list_countermeasures() if not is_control(info.name)]
    return tuple(info.title for info in infos if info.name not in measured)


def _cautions(audit: Audit, findings: Sequence[Finding]) -> tuple[str, ...]:
    cautions = []
    counts = [f.accuracy.count for f in findings if f.accuracy]
    if max(counts, default=1) < 2:
        cautions.append(
            "Each figure is a single seed: another training may come out a few "
            "points higher or lower."
        )
    elif min(counts) < 2:
        cautions.append("Some figures are a single seed.")
    close = [f.title for f in findings if f.close]
    if close:
        cautions.append(f"Close calls, given so few test images: {_some(close)}.")
    small = [name for name in audit.victims if _is_small(name)]
    images = audit.counts.get("train", 0)
    scale = []
    if 0 < images < FEW_IMAGES:
        scale.append(f"{images:,} training images")
    if small and len(small) == len(audit.victims):
        scale.append("small networks")
    if scale:
        cautions.append(
            f"This was measured at small scale ({' and '.join(scale)}): larger models "
            "and more data may learn more, or be fooled more."
        )
    usual = audit.settings.get("usual_size", audit.size)
    if isinstance(usual, int) and audit.size < usual:
        cautions.append(
            f"Images were taken at {audit.size} pixels a side, for lack of time; "
            f"people train on images like these at {usual}, where the picture may be "
            "another. Ask for that size to know."
        )
    missed = [countermeasure_info(name).title for name in _missed(audit)]
    if missed:
        cautions.append(
            f"Filters that a pattern in photographs invites were left out: "
            f"{_some(missed)}. What they bring back isn't known."
        )
    if len(audit.victims) == 1:
        title = victim_title(audit.victims[0])
        cautions.append(f"Only one kind of network was trained ({title}).")
    effort = audit.settings.get("effort")
    if isinstance(effort, int | float) and effort < 1:
        cautions.append(
            f"Countermeasures that train something of their own had {100 * effort:g} % "
            "of their usual training; with all of it they are stronger."
        )
    return tuple(cautions)


def _missed(audit: Audit) -> list[str]:
    """Filters that every thief of photographs would try, and the audit didn't."""
    if audit.size < PHOTOGRAPH_SIDE:
        return []
    return [name for name in INVITED if name not in audit.countermeasures]


def _is_small(victim: str) -> bool:
    try:
        return not network_info(victim).gpu
    except InputError:
        return False


def _learnable(audit: Audit, victim: str) -> Check:
    name = f"Originals can be learned ({victim_title(victim)})"
    found = audit.summary(ORIGINALS, NONE, victim)
    if found is None:
        return Check(name, False, "The originals were not measured.")
    needed = audit.chance + max(LEARNABLE, 3 * _chance_error(audit))
    text = (
        f"A model trained on the originals reaches {percent(found.mean)}; "
        f"at least {percent(needed)} are needed to tell anything."
    )
    return Check(name, found.mean >= needed, text)


def _noise_harmless(audit: Audit, victim: str) -> Check:
    name = f"Random noise does no harm ({victim_title(victim)})"
    noisy = audit.summary("random_noise", NONE, victim)
    clean = audit.summary(ORIGINALS, NONE, victim)
    share = retained(noisy.mean, clean.mean, audit.chance) if noisy and clean else None
    if share is None or noisy is None:
        return Check(name, False, "Nothing can be told: not measured, or no contrast.")
    text = (
        f"Random noise of the same size leaves {percent(noisy.mean)}, that is "
        f"{100 * share:.0f} % of what the originals teach "
        f"(at least {100 * NOISE_RETAINS:.0f} % expected)."
    )
    return Check(name, round(share, 6) >= NOISE_RETAINS, text)


def _shuffled_at_chance(audit: Audit, victim: str) -> Check:
    name = f"Shuffled labels teach nothing ({victim_title(victim)})"
    found = audit.summary("shuffled_labels", NONE, victim)
    if found is None:
        return Check(name, False, "Shuffled labels were not measured.")
    error = _chance_error(audit)
    # With classes of different sizes, chance is that of the largest one, and a model
    # that guesses in proportion does worse.
    low = min(audit.chance, 1 / max(1, len(audit.classes))) - 3 * error
    high = audit.chance + 3 * error
    text = (
        f"A model trained on shuffled labels reaches {percent(found.mean)}; "
        f"{percent(max(0.0, low))} to {percent(high)} are expected."
    )
    return Check(name, low <= found.mean <= high, text)


def _chance_error(audit: Audit) -> float:
    """Standard error of guessing on the test images; 0 if their count is unknown."""
    tested = audit.counts.get("test", 0)
    return math.sqrt(audit.chance * (1 - audit.chance) / tested) if tested else 0.0
