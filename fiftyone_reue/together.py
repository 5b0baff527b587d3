"""Images that are done one by one, while what they ask of a network is done at once.

The work on an image reads, asks a network, goes on by the answer, and asks again. Here
several images are begun: one goes on until it asks, then the next one is begun, and
once all of them wait, those whose questions are alike are answered by one call. Only
one of them goes on at a time, so that who is answered with whom follows from the items
and their order alone, and never from how fast a thread was.

Each image that waits has a thread to wait in. Whoever doesn't ask costs none: one
thread does all items until the first question. What is asked must not hold a lock that
another image's work may wait for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")
S = TypeVar("S")

MOST_BEGUN = 32
"""Images that are begun at a time, at most."""

MOST_HELD = 1 << 21
"""Pixels that they have together, about; no other is begun beyond that."""

_here = threading.local()


def asked(
    answer: Callable[[Sequence[A]], Sequence[R]],
    question: A,
    alike: Hashable,
    *,
    most: int,
    held: int,
) -> R:
    """The answer to one question, which is perhaps given together with others'.

    Args:
        answer: answers any number of questions that are alike, in order; each answer
            must not depend on the other questions.
        question: the one.
        alike: equal for questions that one call may answer, whoever's ``answer`` it is.
        most: how many to answer by one call, at most.
        held: how many pixels the image has that this is about.

    Raises:
        MemoryError: there isn't enough for this question alone.
        Exception: what ``answer`` raises for this question alone.
    """
    member: _Member | None = getattr(_here, "member", None)
    wanted = _Asked(answer, question, alike, most, held)
    if member is None:
        _answer([wanted])
    else:
        member.wait_for(wanted)
    return wanted.result()


def each(work: Callable[[S], R], items: Sequence[S]) -> list[R]:
    """``[work(item) for item in items]``, with :func:`asked` done together.

    Raises:
        BaseException: what ``work`` raised first, or what interrupted this; all that
            was begun has ended by then.
    """
    group = _Group(work, items)
    try:
        group.run()
    finally:
        group.end()
    return [group.results[place] for place in range(len(items))]


class _GivenUpError(BaseException):
    """Ends the work on an image that nobody waits for any more.

    Not an Exception, so that no work takes it for its own.
    """


@dataclass(eq=False)
class _Asked:
    answer: Callable[[Sequence[Any]], Sequence[Any]]
    question: Any
    alike: Hashable
    most: int
    held: int
    answers: list[Any] = field(default_factory=list)
    error: BaseException | None = None

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answers[0]


class _Member:
    """A thread that goes on only while whoever told it to is waiting for it.

    Args:
        do: what it does; asks by way of :meth:`wait_for`.
    """

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._on, self._back = threading.Event(), threading.Event()
        self._gives_up = False
        self.asks: _Asked | None = None
        self.ended = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let it go on until it asks or ends.

        Raises:
            KeyboardInterrupt: while waiting; call :meth:`give_up` then.
        """
        self._back.clear()
        self._on.set()
        self._back.wait()

    def give_up(self) -> None:
        """End it, from wherever it is; returns when it has ended."""
        self._gives_up = True
        while not self.ended:
            self._on.set()
            self._back.wait()  # of what it does now, if it was left at that
            self._back.clear()
        self._thread.join()

    def wait_for(self, wanted: _Asked) -> None:
        """Called in the thread itself: until it is to go on."""
        self.asks = wanted
        self._pause()
        self.asks = None

    def _pause(self) -> None:
        self._back.set()
        self._on.wait()
        self._on.clear()
        if self._gives_up:
            raise _GivenUpError

    def _run(self) -> None:
        self._on.wait()
        self._on.clear()
        _here.member = self
        try:
            if not self._gives_up:
                self._do()
        except _GivenUpError:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._back.set()


class _Group(Generic[S, R]):
    """Everything that is begun of some items."""

    def __init__(self, work: Callable[[S], R], items: Sequence[S]) -> None:
        self._work = work
        self._left: Iterator[tuple[int, S]] = iter(enumerate(items))
        self._more = len(items)
        self._most_begun = MOST_BEGUN
        self._members: list[_Member] = []
        self._ready: deque[_Member] = deque()
        self.results: dict[int, R] = {}

    def run(self) -> None:
        """Do all items."""
        while True:
            if self._ready:
                self._let_go_on(self._ready.popleft())
            elif self._has_room():
                self._begin()
            elif self._members:
                _answer([one.asks for one in self._members if one.asks is not None])
                self._ready.extend(self._members)
            else:
                return

    def end(self) -> None:
        """Whatever happened, leave nobody waiting."""
        while self._members:
            try:
                self._members[-1].give_up()
            except KeyboardInterrupt:
                continue  # a further one; the first is what is raised
            self._members.pop()

    def _has_room(self) -> bool:
        held = sum(one.asks.held for one in self._members if one.asks)
        begun = len(self._members)
        return self._more > 0 and begun < self._most_begun and held < MOST_HELD

    def _begin(self) -> None:
        try:
            member = _Member(self._do_items)
        except RuntimeError:  # this process can have no further thread
            if not self._members:
                raise
            self._most_begun = len(self._members)
            return
        self._members.append(member)
        self._ready.append(member)

    def _let_go_on(self, member: _Member) -> None:
        member.go_on()
        if not member.ended:
            return
        self._members.remove(member)
        if member.error is not None:
            raise member.error

    def _do_items(self) -> None:
        for place, item in self._left:
            self._more -= 1
            self.results[place] = self._work(item)


def _answer(wanted: Sequence[_Asked]) -> None:
    """Answer all of them, those that are alike by one call."""
    kinds: dict[Hashable, list[_Asked]] = {}
    for one in wanted:
        kinds.setdefault(one.alike, []).append(one)
    for kind in kinds.values():
        most = max(1, kind[0].most)
        for start in range(0, len(kind), most):
            _answer_alike(kind[start : start + most])


def _answer_alike(wanted: Sequence[_Asked]) -> None:
    """By one call, or, where that fails, by two of half as many.

    So one that can't be answered, or so many that memory isn't enough, costs the others
    nothing but time.
    """
    try:
        answers = wanted[0].answer([one.question for one in wanted])
    except Exception as error:
        if len(wanted) == 1:
            wanted[0].error = _named(error)
            return
    else:
        for one, its in zip(wanted, answers, strict=True):
            one.answers = [its]
        return
    half = len(wanted) // 2
    _answer_alike(wanted[:half])
    _answer_alike(wanted[half:])


def _named(error: Exception) -> Exception:
    """A device's lack of memory as Python's own: one image fails by it, and no run."""
    if type(error).__name__ != "OutOfMemoryError":  # torch's, which needn't be here
        return error
    found = MemoryError(str(error))
    found.__cause__ = error
    return found
