"""How long is waited, how often is tried again, and when it is enough."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Protocol, TypeVar

from msgspec import Struct

from envsync.image.registry.problems import OutOfTimeError, UnreachableError

TRIES = 5
"""Of one request, where no other place can be asked instead."""
MIRROR_TRIES = 3
"""Where another place can be asked."""
FIRST_TRIES = 2
"""To connect to a place that did not answer before."""
LONGEST_PAUSE = 60.0
"""Seconds that a registry may ask to wait."""

_FIRST_PAUSE = 0.5
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Clock(Struct, frozen=True, kw_only=True):
    """Time, which tests make pass as they like."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], object] | None = None
    """``None``: truly, until :meth:`Patience.stop` is called."""
    jitter: Callable[[], float] = random.random
    """Between 0 and 1."""


class Answered(Protocol):
    """What is looked at in an answer."""

    status: int

    def header(self, name: str) -> str | None:
        """The value of a header."""


_Answer = TypeVar("_Answer", bound=Answered)


class Patience:
    """The time that one image may take, and the pauses between tries."""

    def __init__(self, total: float, clock: Clock, *, where: str) -> None:
        """Begin now; ``total`` in seconds, ``where`` names the image in messages."""
        self._total = total
        self._end = clock.monotonic() + total
        self._clock = clock
        self._where = where
        self._stopped = Event()

    def stop(self) -> None:
        """Let the time be over now."""
        self._end = -math.inf
        self._stopped.set()

    def left(self) -> float:
        """Seconds until the end.

        Raises:
            OutOfTimeError: there are none.
        """
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise OutOfTimeError(
                f"{self._where}: not done after {self._total:g} s (expected to be done by then)",
                hint="Allow it more time, or where the network is better: docker save, and docker-archive:FILE here.",
            )
        return left

    def pause(self, number: int, wanted: float | None = None) -> None:
        """Sleep before the try that follows try ``number``, which counts from 1; at least the seconds ``wanted``.

        Raises:
            OutOfTimeError: the end is nearer.
        """
        seconds = _FIRST_PAUSE * 2.0 ** (number - 1) * (0.75 + self._clock.jitter() / 2)
        (self._clock.sleep or self._stopped.wait)(min(max(seconds, wanted or 0), self.left()))
        self.left()

    def answer(self, once: Callable[[], _Answer], *, tries: int, connecting: int = TRIES) -> _Answer:
        """What ``once`` returns in the end: faults that pass are tried again.

        Args:
            once: makes the request.
            tries: how often it is made at most.
            connecting: how often where there never was a connection.

        Raises:
            PlaceError: what the last try raised.
            OutOfTimeError: the time is over.
        """
        number = 1
        while True:
            self.left()
            wanted = None
            try:
                answer = once()
            except UnreachableError as error:
                self.left()  # what broke off at the end of time was cut by us
                if not error.transient or number >= (connecting if error.connecting else tries):
                    raise
            else:
                wanted = self.asked_to_wait(answer)
                if answer.status not in _PASSING or number == tries or (wanted or 0) > LONGEST_PAUSE:
                    return answer
            self.pause(number, wanted)
            number += 1

    def asked_to_wait(self, answer: Answered) -> float | None:
        """Seconds of ``Retry-After``: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3."""
        text = (answer.header("Retry-After") or "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.wall())
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
