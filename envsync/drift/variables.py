"""Drift of the environment variables that an image sets for every process in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsync.drift import fixes
from envsync.drift.finding import Finding, Severity
from envsync.model import LocalSource, Snapshot
from envsync.redaction import printable

DESCRIBE_THE_CONTAINER = frozenset(
    {
        # where things are in the container, and who runs there
        "PATH",
        "HOME",
        "HOSTNAME",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "SHELL",
        "TERM",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "_",
        # where the environment is; a twin is somewhere else by nature
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "CONDA_DIR",
        "CONDA_PREFIX",
        "CONDA_DEFAULT_ENV",
        "CONDA_SHLVL",
        "CONDA_EXE",
        "CONDA_PYTHON_EXE",
        # left by the recipes of the official python images; the interpreter and pip are compared themselves
        "GPG_KEY",
        "PYTHON_VERSION",
        "PYTHON_SHA256",
        "PYTHON_PIP_VERSION",
        "PYTHON_SETUPTOOLS_VERSION",
        "PYTHON_WHEEL_VERSION",
        "PYTHON_GET_PIP_URL",
        "PYTHON_GET_PIP_SHA256",
    }
)
"""Variables that say what the container is, and do not configure the programs in it: never compared."""

_ENCODING = "It decides how text is encoded when files are opened and printed."
_LOOKS = "It changes only how output and caches are written."
_IMPACTS: dict[str, tuple[Severity, str]] = {
    "LANG": ("warning", _ENCODING),
    "LC_ALL": ("warning", _ENCODING),
    "LC_CTYPE": ("warning", _ENCODING),
    "PYTHONIOENCODING": ("warning", _ENCODING),
    "PYTHONUTF8": ("warning", _ENCODING),
    "TZ": ("warning", "Local times are of another zone."),
    "PYTHONPATH": ("warning", "It adds folders to sys.path: other modules may be imported, or none."),
    "PYTHONHASHSEED": ("warning", "It decides the order of sets, and with it of what is derived from them."),
    "PYTHONWARNINGS": ("warning", "It decides which warnings are shown or are errors."),
    "LD_LIBRARY_PATH": ("warning", "It decides which shared libraries compiled distributions load."),
    "LD_PRELOAD": ("warning", "It loads a shared library into every program."),
    "PYTHONUNBUFFERED": ("note", _LOOKS),
    "PYTHONDONTWRITEBYTECODE": ("note", _LOOKS),
    "PYTHONFAULTHANDLER": ("note", _LOOKS),
    "DEBIAN_FRONTEND": ("note", "Only apt and debconf read it."),
}
_INSTALLER_PREFIXES = ("PIP_", "UV_", "POETRY_", "PIPENV_")
_LONGEST_TYPED = 400
"""Characters of a value that somebody would still paste into a shell."""

_FOLDERS = frozenset({"PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONSTARTUP"})


def compared_names(snapshot: Snapshot) -> frozenset[str]:
    """The names of the variables of an image that count, so that only these are looked up in the shell."""
    return frozenset(_variables(snapshot))


def withheld_names(*snapshots: Snapshot) -> tuple[str, ...]:
    """Variables of which only the presence is compared, sorted."""
    return tuple(sorted({name for s in snapshots for name, value in _variables(s).items() if value is None}))


def compare_variables(expected: Snapshot, actual: Snapshot) -> Iterator[Finding]:
    """Variables that the other side lacks or sets otherwise; between two images also the other way round.

    A withheld value (``None``) equals any value: only whether the variable is there is compared.
    """
    if expected.config is None or actual.config is None:
        return
    ours, theirs = _variables(expected), _variables(actual)
    local = isinstance(actual.source, LocalSource)
    for name, value in ours.items():
        if name not in theirs:
            yield _finding(name, _shown(value), None, local=local, fix=_fix(name, value))
        elif value is not None and theirs[name] not in (None, value):
            yield _finding(name, _shown(value), _shown(theirs[name]), local=local, fix=_fix(name, value))
    for name, value in theirs.items():
        if name not in ours:
            yield _finding(name, None, _shown(value), local=local, fix=fixes.unset_variable(name))


def _variables(snapshot: Snapshot) -> Mapping[str, str | None]:
    config = snapshot.config
    return {v.name: v.value for v in config.env if v.name not in DESCRIBE_THE_CONTAINER} if config else {}


def _shown(value: str | None) -> str:
    return "(withheld)" if value is None else printable(value)


def _fix(name: str, value: str | None) -> str | None:
    if name in _FOLDERS:
        return f"Set {name} to the folders here that hold the same files, where there are any."
    if value is None:
        return f"Set {printable(name)}; its value in the image was withheld."
    if len(value) > _LONGEST_TYPED:
        return f"Set {printable(name)} to its value in the image, which has {len(value)} characters."
    return fixes.export_variable(name, value)


def _finding(name: str, expected: str | None, actual: str | None, *, local: bool, fix: str | None) -> Finding:
    severity, impact = _impact(name)
    return Finding(
        kind="environment-variable",
        scope="env",
        severity=severity,
        subject=name,
        expected=expected,
        actual=actual,
        impact=impact,
        verdict="may-differ",
        fix=fix if local else None,
    )


def _impact(name: str) -> tuple[Severity, str]:
    if name in _IMPACTS:
        return _IMPACTS[name]
    if name.startswith(_INSTALLER_PREFIXES):
        return "note", "Only installers of distributions read it."
    return "warning", "Programs that read it behave otherwise."
