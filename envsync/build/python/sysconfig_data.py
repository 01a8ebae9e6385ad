"""What ``sysconfig`` knows of how an interpreter was built, once that lies elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable


def build_variables(source: str, old: frozenset[str], new: str) -> str | None:
    """A ``_sysconfigdata`` module whose variables name the prefix ``new``; ``None`` where it is not of the usual form.

    Follows what ``sysconfig`` writes: one assignment of a dictionary to ``build_time_vars``. ``old`` are prefixes that
    are replaced, beside the one that the module itself names. Of ``/usr`` only variables that are folders are changed:
    it is also where the compiler lies.
    """
    try:
        (statement,) = (node for node in ast.parse(source).body if isinstance(node, ast.Assign))
        (target,) = statement.targets
        if not isinstance(target, ast.Name) or target.id != "build_time_vars":
            return None
        variables = ast.literal_eval(statement.value)
        return _rendered(variables, old, new) if isinstance(variables, dict) else None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):  # numbers may be too long to be printed
        return None


def _rendered(variables: dict[object, object], old: frozenset[str], new: str) -> str:
    prefixes = {str(variables.get("prefix", "")), *old} - {"", "/"}
    changed = {str(key): _moved(str(key), value, prefixes, new) for key, value in variables.items()}
    body = ",\n ".join(f"{key!r}: {value!r}" for key, value in sorted(changed.items()))
    return f"# system configuration generated and used by the sysconfig module\nbuild_time_vars = {{{body}}}\n"


_FOLDERS = frozenset(
    """
    prefix exec_prefix host_prefix host_exec_prefix BINDIR LIBDIR INCLUDEDIR CONFINCLUDEDIR INCLUDEPY CONFINCLUDEPY
    LIBDEST BINLIBDEST DESTSHARED LIBPL LIBPC SCRIPTDIR MACHDESTLIB DESTLIB DESTDIRS datarootdir MANDIR
    """.split()  # noqa: SIM905
)


def _moved(key: str, value: object, prefixes: Iterable[str], new: str) -> object:
    if not isinstance(value, str):
        return value if isinstance(value, int) else str(value)
    for prefix in sorted(prefixes, key=len, reverse=True):
        if prefix != "/usr" or key in _FOLDERS:
            start = r"(?<![A-Za-z0-9_.\-/])"
            value = re.sub(f"{start}(?P<option>-[IL])?{re.escape(prefix)}(?=[/\\s:'\"]|$)", _put(new), value)
    return value


def _put(new: str) -> Callable[[re.Match[str]], str]:
    return lambda match: (match["option"] or "") + new
