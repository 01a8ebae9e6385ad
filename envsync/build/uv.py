"""The uv backend: https://docs.astral.sh/uv/pip/."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from envsync.build.backend import (
    ABSENT_FROM_INDEX,
    OTHER_FILES,
    Request,
    check_is_environment,
    not_reproducible,
    wheel_folders,
)
from envsync.build.environ import tool_environment
from envsync.build.events import Event, Installing, Line, Resolving
from envsync.build.failure import Failure, build_error
from envsync.build.in_place import Dated, Failed, install_all
from envsync.build.interpreter import LocalPython
from envsync.build.plan import FromImage, FromIndex, Installable, NotReproducible
from envsync.build.uv_output import explain
from envsync.errors import BuildError, CommandError
from envsync.instants import rfc3339
from envsync.names import normalized
from envsync.process import Completed, run

_REQUIREMENTS = ".envsync-requirements.txt"
_VENV_SECONDS = 120
_NOTED = re.compile(r"Prepared \d+ packages?\b")


class Uv:
    """Makes environments with ``uv venv`` and ``uv pip sync``."""

    def make(self, env: Path, python: LocalPython, *, prompt: str) -> None:
        """See :meth:`envsync.build.backend.Backend.make`."""
        command: list[str | Path] = ["venv", "--no-project", "--prompt", prompt, "--python", python.path, env]
        done = _uv(command, timeout=_VENV_SECONDS)
        if done.returncode:
            raise build_error(explain(done.stderr), (), done.stderr, f"uv venv with {python.path}")

    def install(self, request: Request) -> tuple[NotReproducible, ...]:
        """See :meth:`envsync.build.backend.Backend.install`.

        ``uv pip sync`` is used rather than ``uv pip install --no-deps``: it does the same with one list of exact
        versions, removes what is not in it, and leaves the constraints and overrides of a project out of it.
        """
        lacking = _lacking(request)
        absent = {normalized(part.name) for part in lacking}
        wanted = [part for part in request.wanted if normalized(part.name) not in absent]
        request.on_event(Resolving(count=len(wanted)))
        left_out = install_all(request, wanted, _UvSteps(request))
        absent = {normalized(part.name) for part in left_out}
        damaged = [part for part in wanted if normalized(part.name) in request.damaged - absent]
        if damaged:
            others = [part for part in wanted if part not in damaged and normalized(part.name) not in absent]
            strict = msgspec.structs.replace(request, strict=True)
            install_all(strict, damaged, _UvSteps(strict, around_the_cache=True), others=others)
        return lacking + left_out


class _UvSteps:
    """See :class:`envsync.build.in_place.Steps`.

    ``around_the_cache``: what is there already is installed anew, and not from the cache: uv links its files into
    environments, so that an edit reaches it.
    """

    dates = True

    def __init__(self, request: Request, *, around_the_cache: bool = False) -> None:
        self._request = request
        self._anew = ["--reinstall", "--no-cache"] if around_the_cache else []

    @property
    def _among_others(self) -> list[str]:
        return ["--break-system-packages"] if self._request.among_others else []

    def together(self, parts: Sequence[Installable], dated: Dated) -> Failed | None:
        """Install what comes from elsewhere, then the image's own, of which no index is asked."""
        own = [part for part in parts if isinstance(part, FromImage)]
        others = [part for part in parts if not isinstance(part, FromImage)]
        if others or not own:
            failed = self._exactly(others, _until(dated))
            if failed is not None or not own:
                return failed
            again = {normalized(part.name) for part in own} & self._request.stale
            anew = [word for name in sorted(again) for word in ("--reinstall-package", name)]
            links = ["--no-deps", "--no-index", *anew, *self._anew, *self._among_others, *_find_links(own)]
            lines = [part.requirement for part in own]
            return _failed(_with_requirements(self._request, "install", links, lines), "uv pip install")
        return self._exactly(own, ["--no-index", *_find_links(own)])

    def _exactly(self, parts: Sequence[Installable], options: list[str]) -> Failed | None:
        options = [*options, *(word for name in sorted(self._request.stale) for word in ("--reinstall-package", name))]
        lines = [part.requirement for part in parts]
        if self._request.among_others or self._anew:
            options += ["--no-deps", *self._among_others, *self._anew]
            return _failed(_with_requirements(self._request, "install", options, lines), "uv pip install")
        done = _with_requirements(self._request, "sync", ["--allow-empty-requirements", *options], lines)
        return _failed(done, "uv pip sync")

    def alone(self, part: Installable, dated: Dated, tools: Path | None) -> Failed | None:
        options = ["--no-deps", *self._among_others, *self._anew, *_find_links([part])]
        if isinstance(part, FromImage):
            options.append("--no-index")
        lines = [part.requirement]
        if tools is None:
            options += _until(dated)
            return _failed(_with_requirements(self._request, "install", options, lines), "uv pip install")
        options.append("--no-build-isolation")
        done = _with_requirements(self._request, "install", options, lines, modules=tools)
        return _failed(done, "uv pip install")

    def fill(self, folder: Path, requirements: Sequence[str], limits: Path, dated: Dated) -> Failed | None:
        """Put distributions for this interpreter into a folder."""
        options = ["--target", str(folder), "--constraints", str(limits), *_until(dated)]
        return _failed(_with_requirements(self._request, "install", options, requirements), "uv pip install")


def _find_links(parts: Sequence[Installable]) -> list[str]:
    return [word for folder in wheel_folders(parts) for word in ("--find-links", folder)]


def _until(dated: Dated) -> list[str]:
    """Options: https://docs.astral.sh/uv/concepts/resolution/#reproducible-resolutions."""
    if dated.at is None:
        return []
    exempt = [word for name in sorted(dated.exempt) for word in ("--exclude-newer-package", f"{name}=false")]
    return ["--exclude-newer", rfc3339(dated.at), *exempt]


def _failed(done: Completed, command: str) -> Failed | None:
    return Failed(failure=explain(done.stderr), output=done.stderr, command=command) if done.returncode else None


def _lacking(request: Request) -> tuple[NotReproducible, ...]:
    """Those of local origin that the index does not have, or only in other files."""
    local = [
        part for part in request.wanted if isinstance(part, FromIndex) and part.local_origin and part.filename is None
    ]
    hashes: dict[str, frozenset[str]] = {}
    _look_up(request, local, hashes)
    lacking: list[NotReproducible] = []
    for part in local:
        known = hashes.get(normalized(part.name))
        if known is None:
            lacking.append(not_reproducible(part, ABSENT_FROM_INDEX))
        elif part.hashes and not known & frozenset(part.hashes):
            lacking.append(not_reproducible(part, OTHER_FILES))
    return tuple(lacking)


def _look_up(request: Request, parts: Sequence[FromIndex], hashes: dict[str, frozenset[str]]) -> None:
    """Ask for the hashes of all; uv names only one that is missing, so the list is halved until it is found."""
    if not parts:
        return
    lines = [f"{part.name}=={part.version}" for part in parts]
    options = ["--no-deps", "--no-header", "--no-annotate", "--generate-hashes"]
    done = _with_requirements(request, "compile", options, lines)
    if not done.returncode:
        hashes.update(parse_hashes(done.stdout))
        return
    failure = explain(done.stderr)
    if not _is_absence(failure):
        raise build_error(failure, parts, done.stderr, "uv pip compile")
    if len(parts) > 1:
        middle = len(parts) // 2
        _look_up(request, parts[:middle], hashes)
        _look_up(request, parts[middle:], hashes)


def _is_absence(failure: Failure) -> bool:
    return failure.kind in ("not-on-index", "no-wheel")


def parse_hashes(output: str) -> dict[str, frozenset[str]]:
    """Parse what ``uv pip compile --generate-hashes`` prints: normalised name → ``sha256=<hex>`` of each file."""
    found: dict[str, frozenset[str]] = {}
    for requirement in output.replace("\\\n", " ").splitlines():
        name, equals, _ = requirement.partition("==")
        if equals:
            found[normalized(name.strip())] = frozenset(
                f"{algorithm}={value}" for algorithm, value in re.findall(r"--hash=(\w+):([0-9a-f]+)", requirement)
            )
    return found


def _with_requirements(
    request: Request, verb: str, options: Sequence[str], lines: Sequence[str], *, modules: Path | None = None
) -> Completed:
    """Run ``uv pip VERB`` on a requirements file, which lies inside the environment only as long.

    ``modules``: a folder where builds find modules before they look among those of the environment.
    """
    path = request.env / _REQUIREMENTS
    path.unlink(missing_ok=True)  # a conda package may have put a link there
    with path.open("x", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    common: list[str | Path] = ["--python", request.env / "bin" / "python", "--no-progress"]
    common += [option for option in _indexes()[1] if option not in options]
    if request.offline:
        common.append("--offline")
    if verb != "compile":
        common += ["--no-require-hashes", "--verify-hashes", "--no-compile-bytecode"]
    try:
        source = ["-r", path] if verb == "install" else [path]
        words = ["pip", verb, *common, *options, *source]
        return _uv(words, timeout=request.timeout, request=request, modules=modules)
    finally:
        path.unlink(missing_ok=True)


def _uv(
    words: Sequence[str | Path], *, timeout: float, request: Request | None = None, modules: Path | None = None
) -> Completed:
    from uv import find_uv_bin

    def tell(text: str) -> None:
        if request is not None:
            for event in _events(text, len(request.wanted)):
                request.on_event(event)

    if request is not None:
        check_is_environment(request.env)
    try:
        command = [find_uv_bin(), *words]
        environment = {**tool_environment(), **_indexes()[0]}
        if modules is not None:
            environment["PYTHONPATH"] = str(modules)
        return run(command, timeout=timeout, env=environment, check=False, on_line=tell, tied=True)
    except FileNotFoundError as error:
        raise BuildError("uv: its program is missing", hint="Reinstall envsync, or use --backend pip.") from error
    except CommandError as error:
        raise BuildError(f"uv: {error.message}", output=error.output, hint=error.hint) from error


@cache
def _indexes() -> tuple[dict[str, str], list[str]]:
    """Variables and options: where uv's own settings name no index, pip's do, which are those that were asked."""
    from envsync.index.settings import load_settings, uv_environment, uv_options

    settings = load_settings(os.environ, Path.home())
    return uv_environment(settings), uv_options(settings)


def _events(text: str, count: int) -> tuple[Event, ...]:
    line = Line(text=text)
    return (line, Installing(count=count)) if _NOTED.match(text) else (line,)
