"""Sdists that do not build the way uv and pip build them: in isolation, with the newest of what they ask for.

They are built with what there was as of the image's date. Many an old sdist also imports in its ``setup.py`` what it
never declared (numpy, pystan), or what setuptools no longer has (``pkg_resources``). The image built it inside its own
environment; so it is done here, once all others are there. What builds in no way is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from msgspec import Struct

from envsync.build.backend import NoLongerThereError, Request
from envsync.build.build_tools import build_tools, constraints, known_requirements, provider
from envsync.build.events import Line, Note
from envsync.build.failure import ABSENCES, Failure, Kind, build_error, left_out, missing_module
from envsync.build.known_builds import known_builds
from envsync.build.plan import FromIndex, Installable, NotReproducible
from envsync.instants import rfc3339
from envsync.names import normalized

Part = Installable

_MODULES = 8
"""How many modules that a build misses are supplied, one after the other."""
_OF_ONE: tuple[Kind, ...] = (*ABSENCES, "vcs")
"""What keeps one distribution from being had, and no other: an index, or a repository, that is there no more."""
_BUILD_TOOLS = frozenset(
    {"cffi", "cython", "numpy", "packaging", "pbr", "pip", "pybind11", "pypandoc", "scipy", "setuptools", "wheel"}
)
"""What the builds of others ask for: these stay as of the date as long as they can."""


class Failed(Struct, frozen=True, kw_only=True):
    """A run of uv or pip that failed."""

    failure: Failure
    output: str
    command: str

    @property
    def undated(self) -> bool:
        """Whether the index does not tell when a file was uploaded, which it was asked for."""
        return "is missing an upload date" in self.output


class Dated(Struct, frozen=True, kw_only=True):
    """Nothing that was uploaded after an instant counts; ``None``: everything does."""

    at: datetime | None = None
    exempt: frozenset[str] = frozenset()
    """Normalised names of what counts whenever it was uploaded."""


class Steps(Protocol):
    """What can be asked of uv and pip alike; each returns why it failed, or ``None``."""

    dates: bool
    """Whether build requirements can be had as of a date."""

    def together(self, parts: Sequence[Part], dated: Dated) -> Failed | None:
        """Make the environment hold exactly ``parts``."""

    def alone(self, part: Part, dated: Dated, tools: Path | None) -> Failed | None:
        """Add one; built, where it has to be, in isolation, or with ``tools`` and inside the environment."""

    def fill(self, folder: Path, requirements: Sequence[str], limits: Path, dated: Dated) -> Failed | None:
        """Put distributions, with what they depend on, into a folder of their own; ``limits`` are constraints."""


def install_all(
    request: Request, wanted: Sequence[Part], steps: Steps, *, others: Sequence[Part] = ()
) -> tuple[NotReproducible, ...]:
    """Install ``wanted``, beside ``others`` that are there; returns what cannot be had, or be built in any way.

    Raises:
        BuildError: see :meth:`envsync.build.backend.Backend.install`.
    """
    return _Installation(request, wanted, steps, others).run()


class _Installation:
    """One call of :func:`install_all`."""

    def __init__(self, request: Request, wanted: Sequence[Part], steps: Steps, others: Sequence[Part]) -> None:
        self._request, self._wanted, self._steps, self._others = request, wanted, steps, others
        self._dated = Dated(at=request.as_of if steps.dates else None)
        self._absent: dict[str, Failed] = {}
        self._unbuilt: dict[str, Failed] = {}

    def run(self) -> tuple[NotReproducible, ...]:
        while (failed := self._steps.together(self._remaining(), self._dated)) is not None:
            if not self._loosened(failed):
                self._set_aside(failed)
        if self._unbuilt:
            self._build()
        lacking = {**self._absent, **self._unbuilt}
        if lacking and self._request.strict:
            raise self._error(next(reversed(lacking.values())))
        parts = ((part, lacking.get(normalized(part.name))) for part in self._wanted)
        return tuple(self._left_out(part, failed) for part, failed in parts if failed is not None)

    def _remaining(self) -> list[Part]:
        aside = self._absent.keys() | self._unbuilt.keys()
        return [part for part in self._wanted if normalized(part.name) not in aside]

    def _loosened(self, failed: Failed) -> bool:
        """Whether the date was in the way, and no longer is."""
        if self._dated.at is None:
            return False
        name = normalized(failed.failure.name or "")
        if failed.failure.kind == "build-requires" and failed.undated:
            self._without_date()
            return True
        names = {normalized(part.name) for part in self._wanted}
        if failed.failure.kind not in ABSENCES or name not in names - self._dated.exempt:
            return False
        # What the lock has is wanted whenever it was uploaded, also where the index does not tell.
        self._dated = Dated(at=self._dated.at, exempt=self._dated.exempt | {name} | (names - _BUILD_TOOLS))
        return True

    def _without_date(self) -> None:
        assert self._dated.at is not None  # noqa: S101 - the callers looked
        text = f"built with today's build requirements, not as of {rfc3339(self._dated.at)}: the index gives no dates"
        self._request.on_event(Note(text=text))
        self._dated = Dated()

    def _set_aside(self, failed: Failed) -> None:
        """Leave the distribution that it failed for until later, or out.

        Raises:
            NoLongerThereError: the lock was believed about it.
            BuildError: it failed for something else.
        """
        name = normalized(failed.failure.name or "")
        known = name in {normalized(part.name) for part in self._remaining()}
        if self._request.believing and failed.failure.kind in (*ABSENCES, "hash"):
            self._check_belief(name, failed.failure)
        if known and failed.failure.kind in ("build", "build-requires"):
            self._unbuilt[name] = failed
        elif known and failed.failure.kind in _OF_ONE and not self._request.strict:
            self._absent[name] = failed
            # Where nothing at all can be had, something else is wrong than the user thinks.
            if len(self._absent) == len(self._wanted) and not self._request.among_others:
                raise self._error(failed)
        else:
            raise self._error(failed)

    def _check_belief(self, name: str, failure: Failure) -> None:
        for part in self._wanted:
            if normalized(part.name) == name and isinstance(part, FromIndex) and part.proof in ("proved", "inferred"):
                raise NoLongerThereError(f"{part.filename}: {failure.cause}")

    def _build(self) -> None:
        inside: Callable[[Part, Dated], Failed | None] = self._inside
        ways = [(inside, self._dated)]
        if self._dated.at is not None:
            # Tools of then may not run on an interpreter of today.
            ways += [(self._isolated, Dated()), (inside, Dated())]
        for way, dated in ways:
            waiting = [name for name, failed in self._unbuilt.items() if failed.failure.missing is None]
            # They may need each other, in an order that nothing tells: go round as long as one more succeeds.
            while waiting and (done := self._round(waiting, way, dated)):
                waiting = [name for name in waiting if name not in done]

    def _round(self, names: Sequence[str], way: Callable[[Part, Dated], Failed | None], dated: Dated) -> set[str]:
        """Those of ``names`` that could be built."""
        done: set[str] = set()
        for name in names:
            part = next(one for one in self._wanted if normalized(one.name) == name)
            failed = way(part, dated)
            if failed is None:
                done.add(name)
                del self._unbuilt[name]
                self._tell_of_today(part, dated)
            elif failed.failure.kind in ("build", "build-requires", *_OF_ONE):
                self._unbuilt[name] = failed
            else:
                raise self._error(failed)
        return done

    def _tell_of_today(self, part: Part, dated: Dated) -> None:
        if self._dated.at is not None and dated.at is None:
            then = rfc3339(self._dated.at)
            text = f"{part.name} {part.version}: built with today's build requirements; with those of {then} it fails"
            self._request.on_event(Note(text=text))

    def _isolated(self, part: Part, dated: Dated) -> Failed | None:
        text = f"{part.name} {part.version} does not build as of the image's date: trying today's build requirements"
        self._request.on_event(Line(text=text))
        return self._steps.alone(part, dated, None)

    def _inside(self, part: Part, dated: Dated) -> Failed | None:
        text = f"{part.name} {part.version} does not build in isolation: building it inside the environment"
        self._request.on_event(Line(text=text))
        present = [*self._remaining(), *self._others]
        requirements = [
            *build_tools(self._request.python, present, dated=dated.at is not None),
            *known_requirements(part, present, known_builds()),
        ]
        for _ in range(_MODULES):
            with TemporaryDirectory(prefix="envsync-build-") as folder:
                tools = Path(folder)
                filled = self._fill(tools, requirements, constraints(present, requirements), dated)
                failed = filled or self._steps.alone(part, dated, tools)
            more = None if failed is None or filled else provider(missing_module(failed.output))
            if more is None or more in requirements:
                break
            requirements.append(more)
        return _as_build(part, failed) if failed is not None and filled else failed

    def _fill(self, folder: Path, requirements: Sequence[str], limits: Sequence[str], dated: Dated) -> Failed | None:
        if not requirements:
            return None
        path = folder / "constraints.txt"
        path.write_text("".join(f"{line}\n" for line in limits), encoding="utf-8")
        return self._steps.fill(folder, requirements, path, dated)

    def _left_out(self, part: Part, failed: Failed) -> NotReproducible:
        # A repository may be there again at any time, and be asked without any index.
        tried = "" if failed.failure.kind == "vcs" else self._request.circumstances
        return left_out(failed.failure, part, failed.output, tried=tried)

    def _error(self, failed: Failed) -> Exception:
        return build_error(failed.failure, self._wanted, failed.output, failed.command)


def _as_build(part: Part, failed: Failed) -> Failed:
    """What kept the tools of a build from being had, told of what was to be built."""
    failure = failed.failure
    if failure.kind not in (*ABSENCES, "build", "build-requires") and "No solution found" not in failed.output:
        return failed
    what = f"{failure.name}: " if failure.name else ""
    cause = f"what it needs to be built cannot be had: {what}{failure.cause}"
    changed = Failure(kind="build-requires", name=part.name, cause=cause, missing=failure.missing)
    return Failed(failure=changed, output=failed.output, command=failed.command)
