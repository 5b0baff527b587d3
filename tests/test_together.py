"""Questions of several images that are answered by one call."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiftyone_reue import together
from fiftyone_reue.together import asked, each

pytestmark = pytest.mark.unit


class Doubling:
    """Answers, and keeps what it was asked."""

    def __init__(self, most: int = 100, wrong: tuple[int, ...] = ()) -> None:
        self.calls: list[list[int]] = []
        self.most = most
        self.wrong = wrong

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.calls.append(list(questions))
        if len(questions) > self.most:
            raise OutOfMemoryError("too many")
        if any(one in self.wrong for one in questions):
            raise ValueError(f"one of {questions} is wrong")
        return [2 * one for one in questions]

    def ask(self, number: int, alike: object = "", most: int = 100, held: int = 1):
        return asked(self, number, alike, most=most, held=held)


class OutOfMemoryError(RuntimeError):
    """As torch's is called."""


def threads() -> int:
    return threading.active_count()


def test_a_question_outside_of_a_group_is_answered_at_once():
    answer = Doubling()
    assert answer.ask(3) == 6
    assert answer.calls == [[3]]


def test_questions_of_a_group_are_answered_together():
    answer, before = Doubling(), threads()
    assert each(lambda n: answer.ask(answer.ask(n)), range(5)) == [0, 4, 8, 12, 16]
    assert answer.calls == [[0, 1, 2, 3, 4], [0, 2, 4, 6, 8]]
    assert threads() == before


def test_who_never_asks_is_done_by_one_thread():
    seen = []

    def work(number: int) -> int:
        seen.append(threading.get_ident())
        return number

    assert each(work, range(50)) == list(range(50))
    assert len(set(seen)) == 1


def test_nothing_is_nothing():
    assert each(lambda n: n, []) == []


def test_only_those_alike_share_a_call_and_no_more_than_asked_for():
    answer = Doubling()
    each(lambda n: answer.ask(n, alike=n % 2, most=2), range(6))
    assert answer.calls == [[0, 2], [4], [1, 3], [5]]


def test_only_one_goes_on_at_a_time():
    running = most = 0
    answer = Doubling()

    def work(number: int) -> None:
        nonlocal running, most
        for _ in range(3):
            running += 1
            most = max(most, running)
            for _ in range(1000):
                pass
            running -= 1
            answer.ask(number)

    each(work, range(20))
    assert most == 1


def test_no_more_are_begun_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(together, "MOST_HELD", 10)
    answer = Doubling()
    each(lambda n: answer.ask(n, held=4), range(8))
    assert answer.calls == [[0, 1, 2], [3, 4, 5], [6, 7]]
    monkeypatch.setattr(together, "MOST_BEGUN", 5)
    answer = Doubling()
    each(lambda n: answer.ask(n), range(8))
    assert answer.calls == [[0, 1, 2, 3, 4], [5, 6, 7]]


def test_a_process_that_can_have_no_more_threads_does_with_those_it_has(monkeypatch):
    real, started = threading.Thread.start, []

    def start(self) -> None:
        if len(started) >= 2:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    answer = Doubling()
    assert each(answer.ask, range(5)) == [0, 2, 4, 6, 8]
    assert answer.calls == [[0, 1], [2, 3], [4]]


def test_what_is_too_much_for_the_device_is_tried_by_halves():
    answer = Doubling(most=2)
    assert each(answer.ask, range(5)) == [0, 2, 4, 6, 8]
    assert answer.calls == [[0, 1, 2, 3, 4], [0, 1], [2, 3, 4], [2], [3, 4]]


def test_what_is_too_much_alone_is_a_lack_of_memory():
    def work(number: int) -> str:
        try:
            return Doubling(most=0).ask(number)
        except MemoryError as error:
            return str(error)

    assert each(work, range(3)) == ["too many"] * 3


def test_one_that_cant_be_answered_costs_the_others_nothing():
    answer = Doubling(wrong=(3,))

    def work(number: int) -> int | str:
        try:
            return answer.ask(number)
        except ValueError as error:
            return str(error)

    assert each(work, range(5)) == [0, 2, 4, "one of [3] is wrong", 8]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("before", [True, False])
def test_what_work_raises_ends_everything_that_was_begun(kind, place, before):
    answer, ended, were = Doubling(), [], threads()

    def work(number: int) -> int:
        try:
            if number == place and before:
                raise kind("so it ends")
            answer.ask(number)
            if number == place:
                raise kind("so it ends")
            return answer.ask(number)
        finally:
            ended.append(number)

    with pytest.raises(kind, match="so it ends"):
        each(work, range(5))
    assert threads() == were
    begun = place + 1 if before else 5
    assert sorted(ended) == list(range(begun))


def test_an_interrupt_while_a_call_is_answered_ends_everything():
    were, ended = threads(), []

    def interrupted(questions: Sequence[int]) -> list[int]:
        raise KeyboardInterrupt

    def work(number: int) -> int:
        try:
            return asked(interrupted, number, "", most=9, held=1)
        finally:
            ended.append(number)

    with pytest.raises(KeyboardInterrupt):
        each(work, range(4))
    assert sorted(ended) == [0, 1, 2, 3]
    assert threads() == were


def test_an_interrupt_while_work_goes_on_ends_it_when_it_asks(monkeypatch):
    were, answer, ended = threads(), Doubling(), []
    real = together._Member.go_on

    def go_on(self) -> None:
        if len(ended) == 0 and len(answer.calls) == 1:
            self._back.clear()
            self._on.set()
            raise KeyboardInterrupt  # while it goes on
        real(self)

    def work(number: int) -> int:
        try:
            return answer.ask(answer.ask(number))
        finally:
            ended.append(number)

    monkeypatch.setattr(together._Member, "go_on", go_on)
    with pytest.raises(KeyboardInterrupt):
        each(work, range(4))
    assert sorted(ended) == [0, 1, 2, 3]
    assert threads() == were


def test_groups_of_several_threads_know_nothing_of_one_another():
    answers = [Doubling() for _ in range(4)]
    results: dict[int, list[int]] = {}

    def run(place: int) -> None:
        ask = answers[place].ask
        results[place] = each(lambda n: ask(ask(n)), range(10))

    running = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    assert results == {n: [4 * k for k in range(10)] for n in range(4)}
    assert [len(one.calls) for one in answers] == [2] * 4


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=12),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_results_are_those_of_one_by_one_and_groups_follow_from_the_items(
    tasks: list[list[int]], most: int, memory: int
) -> None:
    def done(at_once: bool) -> tuple[list[list[int]], list[list[int]]]:
        answer = Doubling(memory)

        def work(kinds: list[int]) -> list[int]:
            return [
                answer.ask(kind + n, alike=kind, most=most)
                for n, kind in enumerate(kinds)
            ]

        results = each(work, tasks) if at_once else list(map(work, tasks))
        return results, answer.calls

    together_, calls = done(True)
    assert together_ == done(False)[0]
    assert calls == done(True)[1]
