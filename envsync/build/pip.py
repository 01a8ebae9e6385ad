"""The pip backend, for interpreters that uv does not support: ``venv``, ``pip-sync`` and pip itself.

pip-sync (https://pip-tools.readthedocs.io/) wants pip >= 22.2 in the environment, so one is put there first; the
pip of the lock goes in last. Local origins are installed one by one: a hash on one line of a requirements file
would make pip ask for hashes on all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from envsync.build.backend import (
    ABSENT_FROM_INDEX,
    OTHER_FILES,
    Request,
    check_is_environment,
    not_reproducible,
    wheel_folders,
)
from envsync.build.environ import tool_environment
from envsync.build.events import Installing, Line, Note, Resolving
from envsync.build.failure import build_error
from envsync.build.in_place import Dated, Failed, install_all
from envsync.build.installed import read_installed
from envsync.build.interpreter import LocalPython
from envsync.build.pip_output import explain
from envsync.build.plan import FromImage, FromIndex, FromUrl, Installable, NotReproducible
from envsync.errors import BuildError, CommandError
from envsync.names import normalized, pep440
from envsync.process import Completed, run

_REQUIREMENTS = ".envsync-requirements.txt"
_VENV_SECONDS = 300
_OLDEST_PIP = "22.2"
_FLAGS = ("--no-deps", "--no-compile", "--no-warn-script-location")


class Pip:
    """Makes environments with ``python -m venv`` and ``pip-sync``."""

    def make(self, env: Path, python: LocalPython, *, prompt: str) -> None:
        """See :meth:`envsync.build.backend.Backend.make`."""
        command: list[str | Path] = [python.path, "-I", "-m", "venv", "--prompt", prompt, env]
        try:
            run(command, timeout=_VENV_SECONDS, env=tool_environment())
        except CommandError as error:
            raise BuildError(
                f"{python.path}: its venv module cannot make an environment with pip: {error.message}",
                output=error.output,
                hint="On Debian and Ubuntu install pythonX.Y-venv; or use the default backend, uv.",
            ) from error

    def install(self, request: Request) -> tuple[NotReproducible, ...]:
        """See :meth:`envsync.build.backend.Backend.install`."""
        pip = next((part for part in request.wanted if normalized(part.name) == "pip"), None)
        others = [part for part in request.wanted if part is not pip]
        soft = [part for part in others if isinstance(part, FromIndex) and part.local_origin and part.filename is None]
        repacked = [part for part in others if isinstance(part, FromImage)]
        request.on_event(Resolving(count=len(request.wanted)))
        _put_suitable_pip(request)
        _uninstall(request, sorted((request.stale | request.extra) - {"pip"}))
        if request.as_of is not None and any(map(_may_be_built, others)):
            request.on_event(Note(text="sdists are built with today's build requirements: only uv has those of a date"))
        left_out = install_all(
            request, [part for part in others if part not in soft and part not in repacked], _PipSteps(request)
        )
        _install_repacked(request, repacked)
        lacking = [reason for part in soft if (reason := _install_soft(request, part)) is not None]
        request.on_event(Installing(count=len(request.wanted)))
        absent = {normalized(part.name) for part in left_out}
        kept = ({normalized(part.name) for part in others} - absent) | {"pip"}
        _uninstall(request, sorted({one.name for one in read_installed(request.env)} - kept))
        _put_pip_of_lock(request, pip)
        return (*lacking, *left_out)


def _may_be_built(part: Installable) -> bool:
    """Whether it is an sdist, as far as is known."""
    return not isinstance(part, FromImage) and not (isinstance(part, FromIndex) and part.filename and not part.is_sdist)


def _put_suitable_pip(request: Request) -> None:
    """Make the pip in the environment one that pip-sync works with, if it is not."""
    if _has_suitable_pip(request):
        return
    # The one that comes with the interpreter: an old or absent pip cannot be trusted to choose a new one.
    done = _run(request, [_python(request), "-m", "ensurepip", "--upgrade", "--default-pip"])
    _require(request, _failed(done, "python -m ensurepip"))
    if not _has_suitable_pip(request):
        _require(request, _failed(_try_pip_install(request, [f"pip>={_OLDEST_PIP}"], "--upgrade"), "pip install"))


def _has_suitable_pip(request: Request) -> bool:
    from packaging.version import Version

    have = [pep440(one.version) for one in read_installed(request.env) if one.name == "pip"]
    return len(have) == 1 and Version(have[0] or "0") >= Version(_OLDEST_PIP)


def _put_pip_of_lock(request: Request, pip: Installable | None) -> None:
    if pip is None:
        _uninstall(request, ["pip"])
        return
    have = [one.version for one in read_installed(request.env) if one.name == "pip"]
    if isinstance(pip, FromImage):
        _install_repacked(request, [pip])
    elif have != [pip.version] or isinstance(pip, FromUrl):
        _require(request, _failed(_try_pip_install(request, [pip.requirement]), "pip install"))


class _PipSteps:
    """See :class:`envsync.build.in_place.Steps`."""

    dates = False

    def __init__(self, request: Request) -> None:
        self._request = request

    def together(self, parts: Sequence[Installable], dated: Dated) -> Failed | None:
        """Run pip-sync. What is not in its list it removes, so local origins come after it, not before."""
        path = _write(self._request, _lines(parts))
        command: list[str | Path] = [sys.executable, "-m", "piptools", "sync"]
        options: list[str | Path] = ["--python-executable", _python(self._request), "--pip-args", " ".join(_FLAGS)]
        try:
            done = _run(self._request, [*command, *options, path])
        finally:
            path.unlink(missing_ok=True)
        return _failed(done, "pip-sync")

    def alone(self, part: Installable, dated: Dated, tools: Path | None) -> Failed | None:
        flags = [] if tools is None else ["--no-build-isolation"]
        return _failed(_try_pip_install(self._request, [part.requirement], *flags, modules=tools), "pip install")

    def fill(self, folder: Path, requirements: Sequence[str], limits: Path, dated: Dated) -> Failed | None:
        """Put distributions for this interpreter into a folder."""
        options: list[str | Path] = ["--target", folder, "--constraint", limits, *requirements]
        return _failed(_run(self._request, [_python(self._request), "-m", "pip", "install", *options]), "pip install")


def _lines(parts: Sequence[Installable]) -> list[str]:
    """With hashes where all have some: pip takes a hash on one line for the wish to have them on all."""
    if all(isinstance(part, FromIndex) and part.hashes for part in parts):
        return [part.requirement for part in parts]
    return [f"{part.name}=={part.version}" if isinstance(part, FromIndex) else part.requirement for part in parts]


def _failed(done: Completed, command: str) -> Failed | None:
    if not done.returncode:
        return None
    output = done.stderr
    last = output.rfind("Traceback (most recent call last):")
    if last > 0 and "subprocess.CalledProcessError" in output[last:]:
        output = output[:last]  # pip-sync's own, on the failure of pip that stands above it
    return Failed(failure=explain(done.stdout, output), output=output, command=command)


def _install_soft(request: Request, part: FromIndex) -> NotReproducible | None:
    failed = _failed(_try_pip_install(request, [part.requirement]), "pip install")
    if failed is None:
        return None
    if failed.failure.kind not in ("not-on-index", "no-wheel", "hash"):
        raise build_error(failed.failure, request.wanted, failed.output, failed.command)
    return not_reproducible(part, OTHER_FILES if failed.failure.kind == "hash" else ABSENT_FROM_INDEX)


def _install_repacked(request: Request, parts: Sequence[FromImage]) -> None:
    """Install wheels of the image; by name, since pip notes the path of a wheel that it is given itself."""
    if parts:
        links = [word for folder in wheel_folders(parts) for word in ("--find-links", folder)]
        lines = [part.requirement for part in parts]
        _require(request, _failed(_try_pip_install(request, lines, "--no-index", *links), "pip install"))


def _require(request: Request, failed: Failed | None) -> None:
    if failed is not None:
        raise build_error(failed.failure, request.wanted, failed.output, failed.command)


def _try_pip_install(request: Request, lines: Sequence[str], *flags: str, modules: Path | None = None) -> Completed:
    path = _write(request, lines)
    try:
        command: list[str | Path] = [_python(request), "-m", "pip", "install", *_FLAGS, *flags, "-r", path]
        return _run(request, command, modules=modules)
    finally:
        path.unlink(missing_ok=True)


def _uninstall(request: Request, names: Sequence[str]) -> None:
    if names:
        command: list[str | Path] = [_python(request), "-m", "pip", "uninstall", "-y", *names]
        _require(request, _failed(_run(request, command), "pip uninstall"))


def _write(request: Request, lines: Sequence[str]) -> Path:
    path = request.env / _REQUIREMENTS
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _python(request: Request) -> Path:
    return request.env / "bin" / "python"


def _run(request: Request, command: Sequence[str | Path], *, modules: Path | None = None) -> Completed:
    environment = tool_environment()
    if modules is not None:
        environment["PYTHONPATH"] = str(modules)
    if request.offline:
        environment["PIP_NO_INDEX"] = "1"
    check_is_environment(request.env)
    try:
        return run(
            command,
            cwd=request.env,  # `python -m` runs modules of its folder first: not those of the user's project
            timeout=request.timeout,
            env=environment,
            check=False,
            on_line=lambda text: request.on_event(Line(text=text)),
            tied=True,
        )
    except CommandError as error:
        raise BuildError(f"pip: {error.message}", output=error.output, hint=error.hint) from error
