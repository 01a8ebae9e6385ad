"""Asking for many things at once, so that Ctrl-C ends it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

THREADS = 16

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def concurrently(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """What ``work`` returns for each item, in their order; an exception ends it.

    Not by ``concurrent.futures``, whose threads keep the process until the last connection is made or refused: those of
    this pool do not, whoever is interrupted.
    """
    listed = list(items)
    if len(listed) < 2:
        return [work(item) for item in listed]
    from multiprocessing.pool import ThreadPool

    pool = ThreadPool(min(THREADS, len(listed)))
    try:
        return list(pool.imap(work, listed))
    finally:
        pool.terminate()
