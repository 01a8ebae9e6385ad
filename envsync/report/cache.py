"""``envsync cache info`` as text and as JSON, and what ``envsync cache clear`` did."""

from __future__ import annotations

from pathlib import Path

import msgspec

from envsync.cache import CacheInfo
from envsync.cache_folders import Cleared
from envsync.redaction import printable

_MOST_ENVIRONMENTS = 5
_COLUMNS = ("KIND", "ENTRIES", "SIZE")


def render_cache_json(info: CacheInfo) -> str:
    """A JSON object: ``schema`` (1) and the fields of :class:`~envsync.cache.CacheInfo`."""
    fields = {name: getattr(info, name) for name in info.__struct_fields__}
    encoded = msgspec.json.encode({"schema": 1, **fields}, enc_hook=str)
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def render_cache(info: CacheInfo) -> str:
    """Where it is, then aligned columns without colour, one line a kind."""
    lines = [printable(str(info.folder)), f"at most {size_text(info.limit)}"]
    if info.problem:
        return "\n".join([*lines, *map(printable, filter(None, (info.problem, info.hint)))]) + "\n"
    if not info.entries:
        return "\n".join([*lines, "empty"]) + "\n"
    rows = [(kind.kind, str(kind.entries), size_text(kind.bytes)) for kind in info.kinds]
    rows = [_COLUMNS, *rows, ("all", str(info.entries), size_text(info.bytes))]
    first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines += [f"  {kind:<{first}}  {count:>{second}}  {size:>{third}}" for kind, count, size in rows]
    return "\n".join(lines) + "\n"


def render_cleared(folder: Path, cleared: Cleared) -> str:
    """How much was freed, then what was kept and for which environments."""
    freed = f"{size_text(cleared.freed)} freed" if cleared.freed else "nothing to remove"
    lines = [f"{folder}: {freed}"]
    for one in cleared.kept:
        shown = [str(path) for path in one.environments[:_MOST_ENVIRONMENTS]]
        more = len(one.environments) - len(shown)
        users = ", ".join([*shown, *([f"{more} more"] if more else [])])
        lines.append(f"kept, {size_text(one.bytes)}: {one.path}, the interpreter of {users}")
    if cleared.kept:
        lines.append("envsync cache clear --all removes interpreters that are used, too")
    return "".join(f"{printable(line)}\n" for line in lines)


def size_text(size: int) -> str:
    """A number of bytes for people: ``812 B``, ``3.4 MiB``."""
    if size < 1024:
        return f"{size} B"
    value = size / 1024
    for unit in ("KiB", "MiB"):
        if value < 1000:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
