"""Pauses, tries and the end of time, with a clock that tests wind."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from envsync.image.registry.problems import OutOfTimeError, UnreachableError
from envsync.image.registry.retry import TRIES, Clock, Patience

WALL = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


class Time:
    def __init__(self, total: float = 100) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        clock = Clock(monotonic=lambda: self.now, wall=lambda: WALL, sleep=self.sleep, jitter=lambda: 0.5)
        self.patience = Patience(total, clock, where="app:1")

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("\u0661", None),
        ("9" * 400, None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert Time().patience.asked_to_wait(Answer(headers={"Retry-After": value})) == seconds


def test_pauses_double_with_jitter() -> None:
    slept: list[float] = []
    for jitter, expected in ((0.0, [0.375, 0.75, 1.5]), (1.0, [0.625, 1.25, 2.5])):
        patience = Patience(100, Clock(sleep=slept.append, jitter=lambda value=jitter: value), where="x")
        for number in (1, 2, 3):
            patience.pause(number)
        assert slept == expected
        slept.clear()


def test_what_passes_is_tried_again() -> None:
    time = Time()
    answers = [Answer(503), Answer(429, {"Retry-After": "3"}), Answer(503, {"Retry-After": "0"}), Answer(200)]
    assert time.patience.answer(lambda: answers.pop(0), tries=TRIES).status == 200
    assert time.slept == [0.5, 3, 2]


@pytest.mark.parametrize("status", [200, 206, 304, 400, 401, 403, 404, 416, 501, 505])
def test_what_does_not_pass_is_not(status: int) -> None:
    answers = [Answer(status)]
    assert Time().patience.answer(lambda: answers.pop(0), tries=TRIES).status == status


def test_the_last_answer_counts() -> None:
    time = Time()
    answers = [Answer(503)] * 5
    assert time.patience.answer(lambda: answers.pop(0), tries=5).status == 503
    assert time.slept == [0.5, 1, 2, 4]


def test_a_registry_that_wants_too_long_is_not_waited_for() -> None:
    time = Time()
    answers = [Answer(429, {"Retry-After": "60"}), Answer(429, {"Retry-After": "61"})]
    assert time.patience.answer(lambda: answers.pop(0), tries=TRIES).header("Retry-After") == "61"
    assert time.slept == [60]


@pytest.mark.parametrize(
    ("transient", "connecting", "tries", "limit", "made"),
    [
        (True, True, 5, 5, 5),
        (True, True, 5, 2, 2),
        (True, True, 3, 1, 1),
        (True, False, 5, 2, 5),
        (True, False, 3, 1, 3),
        (False, False, 5, 5, 1),
    ],
)
def test_faults(transient: bool, connecting: bool, tries: int, limit: int, made: int) -> None:
    calls = []

    def once() -> Answer:
        calls.append(1)
        raise UnreachableError("app:1", "no way", transient=transient, connecting=connecting)

    with pytest.raises(UnreachableError, match=r"^app:1: no way$"):
        Time().patience.answer(once, tries=tries, connecting=limit)
    assert len(calls) == made


def test_the_end_of_time() -> None:
    time = Time(total=5)
    with pytest.raises(OutOfTimeError) as caught:
        time.patience.answer(lambda: Answer(503, {"Retry-After": "4"}), tries=TRIES)
    assert time.slept == [4, 1]
    assert caught.value.message == "app:1: not done after 5 s (expected to be done by then)"
    assert caught.value.hint == (
        "Allow it more time, or where the network is better: docker save, and docker-archive:FILE here."
    )
    with pytest.raises(OutOfTimeError):
        time.patience.answer(Answer, tries=TRIES)
