"""How much of an image's facts is taken. An image is untrusted input, and a few kilobytes of it can unpack to millions.

Each number is several times what the largest images that people use have. What goes beyond is left out, and a
:class:`~envsync.model.Skipped` record says so: never an error, since a part that nobody needs may be the cause.
"""

from __future__ import annotations

import re

from envsync.model import Skipped

NAMES = 5_000
"""Names of interpreters that are looked at; an image with hundreds of conda environments has 1,000."""

INTERPRETERS = 100
"""Interpreters that are described."""

PATH_FOLDERS = 200
"""Folders of PATH that commands are looked for in."""

OS_PACKAGES = 100_000
"""Debian has 65,000 in all."""

LONGEST_PATH = 4096
"""Characters: PATH_MAX of Linux. No system call can name a longer path."""

LONGEST_REQUIREMENT = 10_000
"""Characters of one PEP 508 string. The longest in use name a hundred extras: some 2,000."""

MOST_CLAUSES = 64
"""Version clauses of one PEP 508 string. Each costs a parser as much as a whole usual requirement."""

_EXTRAS = re.compile(r"[\w. -]*\[[^\]]*\]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def is_path(text: str) -> bool:
    """Whether a system call could take ``text`` for a path: no NUL, no surrogates, not too long."""
    return "\0" not in text and len(text) <= LONGEST_PATH and not _SURROGATES.search(text)


class Allowance:
    """What the distributions of all interpreters of one image may cost together."""

    def __init__(
        self,
        *,
        distributions: int = 20_000,
        metadata: int = 32 << 20,
        facts: int = 100_000,
        text: int = 4 << 20,
    ) -> None:
        """Set the limits.

        Args:
            distributions: their number; a full Anaconda has 500.
            metadata: bytes of their files, without the descriptions; usual are 3,000 for each.
            facts: requirements, entry points and tags; usual are 20 for each.
            text: characters of these.
        """
        self._distributions = distributions
        self._metadata = metadata
        self._facts = facts
        self._text = text

    def take_distribution(self) -> bool:
        """Whether one more may be taken; if so, it is."""
        self._distributions -= 1
        return self._distributions >= 0

    def take_metadata(self, size: int) -> bool:
        """Whether so many bytes more may be taken; if so, they are."""
        if size > self._metadata:
            return False
        self._metadata -= size
        return True

    def take_facts(self, count: int, text: int) -> bool:
        """Whether so many facts more, with so many characters, may be taken; if so, they are."""
        if count > self._facts or text > self._text:
            return False
        self._facts -= count
        self._text -= text
        return True


class Notes:
    """What was skipped in one place: the first records, and how many there were beyond them."""

    def __init__(self, subject: str, place: str, limit: int = 500) -> None:
        """``subject`` and ``place`` are those of the record that counts what there is beyond ``limit``."""
        self._limit = limit
        self._subject = subject
        self._place = place
        self._records: dict[Skipped, None] = {}
        self._more = 0
        self._ends: list[Skipped] = []

    def add(self, record: Skipped) -> None:
        """Keep a record, or count it; one that is known already is neither."""
        if len(self._records) < self._limit:
            self._records.setdefault(record)
        elif record not in self._records:
            self._more += 1

    def left_out(self, reason: str) -> None:
        """Say that not everything in this place was looked at."""
        self._ends.append(Skipped(subject=self._subject, place=self._place, reason=reason))

    def all(self) -> tuple[Skipped, ...]:
        """The records, and the one that counts the others where there are others."""
        if self._more:
            self.left_out(f"{self._more} more that were not understood either")
            self._more = 0
        return (*self._records, *self._ends)


def clauses(requirement: str) -> int:
    """How many version clauses a PEP 508 string has at most; neither its extras nor its marker count."""
    extras = _EXTRAS.match(requirement)
    return requirement.partition(";")[0].count(",", extras.end() if extras else 0) + 1
