"""The order to install packages in."""

from __future__ import annotations

import re
from collections.abc import Iterable

from envsync.model import CondaPackage

_NAME = re.compile(r"(?:[^\s:]+::)?([A-Za-z0-9_.-]+)")


def in_order(packages: Iterable[CondaPackage]) -> tuple[CondaPackage, ...]:
    """``packages``, each after what it depends on, otherwise by name; only within a cycle something must give.

    That Python needs pip counts for nothing, as in conda: pip needs Python more.
    """
    by_name: dict[str, list[CondaPackage]] = {}
    for package in sorted(packages, key=lambda p: (p.name, p.version, p.build, p.url)):
        by_name.setdefault(package.name, []).append(package)
    needs = {name: [n for n in _needs(name, group) if n in by_name] for name, group in by_name.items()}
    # Depth first, without recursion: a chain may be as long as an image likes.
    seen: set[str] = set()
    done: list[str] = []
    for start in by_name:
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(needs[start]))]
        while stack:
            name, rest = stack[-1]
            following = next((n for n in rest if n not in seen), None)
            if following is None:
                stack.pop()
                done.append(name)
            else:
                seen.add(following)
                stack.append((following, iter(needs[following])))
    return tuple(package for name in done for package in by_name[name])


def _needs(name: str, group: list[CondaPackage]) -> list[str]:
    matches = (_NAME.match(spec.strip()) for package in group for spec in package.depends)
    names = {match[1] for match in matches if match}
    return sorted(names - ({"pip"} if name == "python" else set()))
