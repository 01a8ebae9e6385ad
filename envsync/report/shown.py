"""``envsync show`` for people: what is in a snapshot, readable at 80 columns and without colour."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from envsync.model import (
    CondaEnvironment,
    ImageSource,
    Interpreter,
    ListSource,
    LocalSource,
    NeededLibrary,
    OperatingSystem,
    OsPackage,
    Snapshot,
)
from envsync.redaction import printable
from envsync.report.layers import Brought, brought_counts, instruction, layers_of, megabytes
from envsync.report.provenance import Reasons, find_reasons, marks

FOLD = 12
"""So many entries of a section are shown unless all are asked for."""

_LIMIT = 160
"""Characters of one value."""
_NAMES = 4
_COLUMN = 26
_METHODS: Mapping[Literal["run", "read", "both"], str] = {
    "run": "by running it",
    "read": "by reading its layers",
    "both": "by running and reading it",
}
_T = TypeVar("_T")


def render_shown(
    snapshot: Snapshot, *, lock: str | None = None, width: int = 80, colour: bool = False, fold: bool = True
) -> str:
    """What is in a snapshot.

    Args:
        snapshot: of an image, a published list or an environment.
        lock: the lock directory that it was read from.
        width: columns.
        colour: make titles bold.
        fold: show only the first :data:`FOLD` entries of a section.
    """
    page = _Page(snapshot, width, colour, fold)
    sections = (
        page.interpreters(),
        page.distributions(),
        *map(page.conda, snapshot.conda),
        page.layers(),
        page.os_packages(),
        page.needs(),
        page.variables(),
        page.skipped(),
    )
    lines = list(page.identity(lock))
    for section in sections:
        found = list(section)
        lines += ["", *found] if found else []
    return "\n".join(lines) + "\n"


class _Page:
    """What all sections look at."""

    def __init__(self, snapshot: Snapshot, width: int, colour: bool, fold: bool) -> None:
        self._snapshot = snapshot
        self._width = width
        self._colour = colour
        self._fold = fold

    def identity(self, lock: str | None) -> Iterator[str]:
        snapshot, source = self._snapshot, self._snapshot.source
        match source:
            case ImageSource(reference=reference):
                digest = source.digest or source.config_digest
                yield from self._wrapped(f"{reference}  {digest.short}  {snapshot.platform}", "")
            case ListSource():
                yield from self._wrapped(f"{source.reference}, from a published list, not from the image", "")
                yield from self._wrapped(f"{source.url} ({source.date}); {source.completeness}")
            case _:
                yield from self._wrapped(f"{source.path}  {snapshot.platform}", "")
        if snapshot.os is not None or not isinstance(source, ListSource):
            yield from self._wrapped(f"{_system(snapshot.os)}")
        if isinstance(source, ImageSource):
            config = snapshot.config
            if config is not None:
                yield from self._wrapped(f"user {config.user or 'root'}, workdir {config.workdir or '/'}")
            made = f", made {source.created[:10]}" if source.created else ""
            yield from self._wrapped(f"pulled {source.pulled_at[:10]} {_METHODS[source.method]}{made}")
        if lock is not None:
            yield from self._wrapped(f"lock {lock}")

    def interpreters(self) -> Iterator[str]:
        found = self._snapshot.interpreters
        yield self._title(f"interpreters ({len(found)})")
        for interpreter in self._few(found):
            yield from self._wrapped(_interpreter(interpreter))
            if interpreter.aliases:
                yield from self._wrapped(f"also {_names(interpreter.aliases)}", "    ")
        yield from self._rest(found)

    def distributions(self) -> Iterator[str]:
        reasons = find_reasons(self._snapshot)
        found = reasons.graph.distributions
        top = f"; {len(reasons.roots)} that no other one needs" if reasons.known else ""
        yield self._title(f"distributions ({len(found)}{top})")
        first = frozenset(reasons.roots)
        order = sorted(found, key=lambda name: (name not in first, name))
        shown = self._few(order)
        names = _column(found[name].name for name in shown)
        versions = _column(found[name].version for name in shown)
        for name in shown:
            distribution = found[name]
            told = "; ".join(filter(None, (reasons.why(name), ", ".join(marks(distribution)))))
            row = f"{printable(distribution.name):<{names}}  {printable(distribution.version):<{versions}}  {told}"
            yield from self._hanging(row, names + versions + 6)
        yield from self._rest(order)
        yield from self._missing(reasons)

    def _missing(self, reasons: Reasons) -> Iterator[str]:
        """Where the set contradicts itself, in the image already."""
        conflicts = reasons.graph.conflicts
        if conflicts:
            yield from self._wrapped(f"what does not fit together ({len(conflicts)}):")
            for conflict in self._few(conflicts):
                yield from self._wrapped(str(conflict), "    ")
            yield from self._rest(conflicts, "    ")

    def conda(self, environment: CondaEnvironment) -> Iterator[str]:
        packages = environment.packages
        yield self._title(f"conda environment {environment.prefix or ''}".rstrip() + f" ({len(packages)} packages)")
        if environment.channels:
            yield from self._wrapped(f"channels: {', '.join(environment.channels)}")
        if environment.requested:
            yield from self._wrapped(f"asked for: {', '.join(self._few(environment.requested))}")
            yield from self._rest(environment.requested, "    ")
        shown = self._few(packages)
        names, versions = _column(one.name for one in shown), _column(one.version for one in shown)
        for one in shown:
            row = f"{printable(one.name):<{names}}  {printable(one.version):<{versions}}  {printable(one.build)}"
            yield from self._hanging(row, names + versions + 6)
        yield from self._rest(packages)

    def layers(self) -> Iterator[str]:
        layers = layers_of(self._snapshot)
        if not layers:
            return
        size = sum(layer.size or 0 for layer in layers)
        yield self._title(f"layers ({len(layers)}{f', {megabytes(size)}' if size else ''})")
        for layer in self._few(layers):
            yield from self._layer(layer)
        yield from self._rest(layers)
        if not size:
            yield from self._wrapped(f"sizes, and what each brought: {self._again()}")

    def _layer(self, layer: Brought) -> Iterator[str]:
        size = "" if layer.size is None else megabytes(layer.size)
        command = f"  {instruction(layer.command)}" if layer.command else ""
        line = f"  {layer.number:>2}  {layer.diff_id.short}{f'  {size:>10}' if size else ''}{command}"
        yield line if len(line) <= self._width else f"{line[: self._width - 1]}…"
        if layer.distributions or layer.conda_packages:
            examples = layer.distributions or layer.conda_packages
            told = ", ".join(examples if not self._fold else examples[:_NAMES])
            more = ", ..." if self._fold and len(examples) > _NAMES else ""
            yield from self._wrapped(f"{', '.join(brought_counts(layer))}: {told}{more}", "      ")

    def os_packages(self) -> Iterator[str]:
        packages = self._snapshot.os_packages
        if packages is None:
            return
        managers = Counter(package.manager for package in packages)
        counts = ", ".join(f"{count} of {manager}" for manager, count in sorted(managers.items())) or "none"
        yield self._title(f"OS packages ({counts})")
        asked = [package for package in packages if package.explicit]
        if not asked and packages:
            silent = all(package.explicit is None for package in packages)
            yield from self._wrapped(
                "which of them were asked for, the system does not say" if silent else "none was asked for by name"
            )
        shown: Sequence[OsPackage] = self._few(asked if self._fold else packages)
        names = _column(one.name for one in shown)
        if asked and self._fold:
            yield from self._wrapped(f"asked for by name ({len(asked)}):")
        for one in shown:
            mark = "" if self._fold or not one.explicit else "  asked for"
            yield from self._hanging(f"{printable(one.name):<{names}}  {printable(one.version)}{mark}", names + 4)
        if self._fold:
            yield from self._rest(asked)
            if rest := len(packages) - len(asked):
                yield f"  … and {rest} others (--all)" if asked else f"  … {rest} packages (--all)"

    def needs(self) -> Iterator[str]:
        needs, source = self._snapshot.needs, self._snapshot.source
        if needs is None:
            if isinstance(source, ImageSource):
                yield self._title("native needs (not known)")
                yield from self._wrapped(self._again())
            elif isinstance(source, LocalSource):
                yield self._title("native needs (not looked at)")
                yield from self._wrapped("the lock it was made from has them: envsync show LOCK; envsync diff compares")
            return
        yield self._title(f"native needs (of {needs.objects} ELF files)")
        # What is wrong in the image already comes first: it is not to be folded away.
        libraries = sorted(needs.libraries, key=lambda one: one.path is not None and not (one.lacking or one.broken))
        loaded = [one for one in needs.resources if one.kind == "dynamic-library"]
        data = [one for one in needs.resources if one.kind != "dynamic-library"]
        rows = [
            *((one.soname, _provider(one), [by.name for by in one.needed_by]) for one in libraries),
            *((one.name or "", one.package or str(one.path or "not found"), list(one.needed_by)) for one in loaded),
            *(
                (f"command {one.name}", one.package or str(one.path or "not found"), list(one.needed_by))
                for one in needs.commands
            ),
            *((one.kind.replace("-", " "), one.value or "none", list(one.needed_by)) for one in data),
        ]
        shown = self._few(rows)
        names, providers = _column(name for name, _, _ in shown), _column(provider for _, provider, _ in shown)
        for name, provider, users in shown:
            needed = f"needed by {_names(users)}" if users else ""
            row = f"{printable(name):<{names}}  {printable(provider):<{providers}}  {needed}"
            yield from self._hanging(row, names + providers + 6)
        yield from self._rest(rows)

    def variables(self) -> Iterator[str]:
        variables = self._snapshot.config.env if self._snapshot.config is not None else ()
        if not variables:
            return
        yield self._title(f"variables ({len(variables)})")
        for one in self._few(variables):
            value = "(withheld)" if one.value is None else _cut(one.value)
            yield from self._wrapped(f"{one.name}={value}", "  ", "      ")
        yield from self._rest(variables)

    def skipped(self) -> Iterator[str]:
        skipped = self._snapshot.skipped
        if not skipped:
            return
        yield self._title(f"not understood ({len(skipped)})")
        for one in self._few(skipped):
            yield from self._wrapped(f"{_cut(one.subject)}: {_cut(one.reason)}")
            yield from self._wrapped(f"at {_cut(one.place)}", "    ")
        yield from self._rest(skipped)

    def _again(self) -> str:
        source = self._snapshot.source
        reference = source.reference if isinstance(source, ImageSource) else "IMAGE"
        return f"envsync pull {reference} --method read"

    def _title(self, text: str) -> str:
        return f"\x1b[1m{printable(text)}\x1b[0m" if self._colour else printable(text)

    def _few(self, several: Sequence[_T]) -> Sequence[_T]:
        return several[:FOLD] if self._fold else several

    def _rest(self, several: Sequence[object], indent: str = "  ") -> Iterator[str]:
        if self._fold and len(several) > FOLD:
            yield f"{indent}… and {len(several) - FOLD} more (--all)"

    def _wrapped(self, text: str, indent: str = "  ", hanging: str | None = None) -> list[str]:
        return textwrap.wrap(
            printable(text),
            self._width,
            initial_indent=indent,
            subsequent_indent=f"{indent}  " if hanging is None else hanging,
            break_on_hyphens=False,
        )

    def _hanging(self, row: str, column: int) -> list[str]:
        """A row of a table, printable already; what does not fit goes on under its last column."""
        line = f"  {row}".rstrip()
        if len(line) <= self._width:
            return [line]
        hanging = " " * (column if column < self._width // 2 else 6)
        return textwrap.wrap(line, self._width, subsequent_indent=hanging, break_on_hyphens=False)


def _system(system: OperatingSystem | None) -> str:
    system = system or OperatingSystem()
    return f"{system.label}, {system.libc.family} {system.libc.version}" if system.libc else system.label


def _interpreter(interpreter: Interpreter) -> str:
    kind = f", a venv on {interpreter.venv.home}" if interpreter.venv else ""
    count = len(interpreter.distributions)
    place = f" at {interpreter.executable}" if interpreter.executable else ""
    told = f"{count} distribution{'' if count == 1 else 's'}"
    name = "Python" if interpreter.implementation == "cpython" else interpreter.implementation
    return f"{name} {interpreter.version}{place}{kind}, {told}"


def _provider(library: NeededLibrary) -> str:
    """What gives a library, and what is wrong with it."""
    if library.path is None:
        return "not found"
    place = library.package or str(library.path)
    lacking = f", without {', '.join(library.lacking)}" if library.lacking else ""
    broken = f", needs {', '.join(library.broken)}: not found" if library.broken else ""
    return f"{place}{lacking}{broken}"


def _names(several: Sequence[object]) -> str:
    more = f" and {len(several) - _NAMES} more" if len(several) > _NAMES else ""
    return printable(", ".join(map(str, several[:_NAMES]))) + more


def _column(texts: Iterable[str]) -> int:
    return min(max((len(printable(text)) for text in texts), default=0), _COLUMN)


def _cut(text: str) -> str:
    return text if len(text) <= _LIMIT else f"{text[:_LIMIT]}…"
