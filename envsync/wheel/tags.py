"""``WHEEL``, the compatibility tags it holds or that the files tell, and the file name of a wheel.

Specs: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/ and
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from msgspec import Struct

from envsync.catalog.metadata import parse_headers
from envsync.elf import Elf
from envsync.model import Interpreter
from envsync.wheel.parts import RepackError
from envsync.wheel.platform import platform_of

_TAG = re.compile(r"(?P<python>[a-z_][a-z0-9_]{0,59})-(?P<abi>[a-z0-9_]{1,60})-(?P<platform>[A-Za-z0-9_]{1,80})")
_BUILD = re.compile(r"[0-9][A-Za-z0-9_]{0,40}")
_SPECIFIC = re.compile(r".*\.(?:cpython|pypy)[0-9]*-[^/]+\.so")
_STABLE = re.compile(r".*\.abi3\.so")
_PLAIN = re.compile(r"(?:.*/)?(?!lib)[A-Za-z_][A-Za-z0-9_]*\.so")
_PLATFORM = re.compile(r"(?P<libc>manylinux|musllinux)_(?P<version>[0-9]{1,3}_[0-9]{1,3})_(?P<machine>\w+)")
_MOST_TAGS = 500
_LONGEST_NAME = 255

Tag = tuple[str, str, str]


class WheelFacts(Struct, frozen=True, kw_only=True):
    """What ``WHEEL`` says."""

    tags: tuple[Tag, ...] = ()
    build: str | None = None
    versioned: bool = False
    """Whether there is a ``Wheel-Version``, without which installers refuse the wheel."""


def parse_wheel(data: bytes) -> WheelFacts:
    """Read ``WHEEL``; lines that are no tags are passed over."""
    fields = parse_headers(data, ("tag", "build", "wheel-version"))
    tags: dict[Tag, None] = {}
    for value in fields.get("tag", [])[:_MOST_TAGS]:
        for tag in _expanded(value.strip()):
            tags.setdefault(tag)
    build = fields["build"][0].strip() if fields.get("build") else ""
    return WheelFacts(
        tags=tuple(tags)[:_MOST_TAGS],
        build=build if _BUILD.fullmatch(build) else None,
        versioned=bool(re.match(r"1\.[0-9]+$", fields.get("wheel-version", [""])[0].strip())),
    )


def _expanded(value: str) -> list[Tag]:
    """``py2.py3-none-any`` is two; old versions of some tools wrote them together."""
    parts = value.split("-")
    if len(parts) != 3 or len(value) > 1000:
        return []
    pythons, abis, platforms = (part.split(".") for part in parts)
    tags = [(python, abi, platform) for python in pythons for abi in abis for platform in platforms]
    return [tag for tag in tags[:_MOST_TAGS] if _TAG.fullmatch("-".join(tag))]


def write_wheel(tags: Collection[Tag], *, pure: bool) -> bytes:
    """A ``WHEEL`` for files that came without one."""
    lines = ["Wheel-Version: 1.0", "Generator: envsync", f"Root-Is-Purelib: {'true' if pure else 'false'}"]
    return "\n".join([*lines, *(f"Tag: {'-'.join(tag)}" for tag in tags), ""]).encode()


def derived_tag(targets: Collection[str], platform: str | None, interpreter: Interpreter) -> Tag:
    """The tag that files tell.

    Args:
        targets: the paths of compiled files that are not beside the package (``.data``).
        platform: what the compiled files need; ``None`` where there are none.
        interpreter: the one they are installed for.
    """
    major, minor = [*interpreter.version.split("."), ""][:2]
    if platform is None:
        return f"py{major}", "none", "any"
    short = "pp" if interpreter.implementation == "pypy" else "cp"
    python = f"{short}{major}{minor}"
    if any(_SPECIFIC.fullmatch(target) or _PLAIN.fullmatch(target) for target in targets):
        return python, interpreter.abi or "none", platform
    if any(_STABLE.fullmatch(target) for target in targets):
        return python, "abi3", platform
    return f"py{major}", "none", platform


def platform_needed(files: Mapping[str, Elf], interpreter: Interpreter) -> tuple[str | None, tuple[str, ...]]:
    """The platform tag of compiled files, by where they are; ``None`` where none is for the interpreter's CPU."""
    match = _PLATFORM.fullmatch(interpreter.platform_tag or "")
    machines = [elf.machine for elf in files.values()]
    machine = match["machine"] if match else (interpreter.platform_tag or "").removeprefix("linux_")
    if not machine and machines:
        machine = max(sorted(set(machines)), key=machines.count)
    if machine not in machines:
        return None, ()
    inside = {target.rpartition("/")[2] for target in files} | {elf.soname for elf in files.values() if elf.soname}
    musl = match["version"] if match and match["libc"] == "musllinux" else None
    return platform_of(list(files.values()), machine, inside, musl)


def filename_of(stem: str, facts: WheelFacts) -> tuple[str, tuple[Tag, ...]]:
    """The name of the wheel, and the tags of ``WHEEL`` that it holds.

    A name can only hold all combinations of some Pythons, ABIs and platforms. Where ``WHEEL`` has others, it holds
    those with the first one's Python and ABI.

    Raises:
        RepackError: too long for a file.
    """
    tags = facts.tags
    sets = [tuple(dict.fromkeys(tag[part] for tag in tags)) for part in range(3)]
    if len(sets[0]) * len(sets[1]) * len(sets[2]) != len(tags):
        tags = tuple(tag for tag in tags if tag[:2] == tags[0][:2])
        sets = [tuple(dict.fromkeys(tag[part] for tag in tags)) for part in range(3)]
    compressed = "-".join(".".join(names) for names in sets)
    build = f"-{facts.build}" if facts.build else ""
    name = f"{stem}{build}-{compressed}.whl"
    if len(name) > _LONGEST_NAME:
        raise RepackError(f"{stem}: the name of its wheel would have {len(name)} characters (expected at most 255)")
    return name, tags
