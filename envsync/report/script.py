"""``envsync diff --fix``: what to type, as a script for a POSIX shell. It is printed, never run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from envsync.drift.comparison import Comparison
from envsync.drift.finding import Finding
from envsync.drift.fixes import merged
from envsync.redaction import printable

_OF_THE_SYSTEM = re.compile(r"(?:apt-get|dnf|zypper) install |apk add |pacman -S ")
_OF_THE_SHELL = re.compile(r"(?:export|unset) ")
_WIDTH = 100


def render(findings: Sequence[Finding], comparison: Comparison) -> str:
    """The commands of all findings but the harmless ones: the system's packages first, since builds may need them.

    What only words can tell is a comment. Variables come last, for a shell that reads the script with ``.``, which is
    why nothing in it ends that shell: no ``set -e``, no ``exit``.
    """
    wanted = [finding for finding in findings if finding.fix is not None and not finding.is_harmless]
    commands = [finding.fix for finding in wanted if finding.fix is not None and _is_command(finding.fix)]
    system = [command for command in commands if _OF_THE_SYSTEM.match(command)]
    shell = [command for command in commands if _OF_THE_SHELL.match(command)]
    inside = [command for command in commands if command not in system and command not in shell]
    lines = ["#!/bin/sh", *_comment(f"What makes {comparison.actual.name} more like {comparison.expected.name}.")]
    lines += _comment("Read it before you run it: sh -e FILE; or . ./FILE, which sets variables in your shell.")
    lines += _part("Packages of this system, as root", system)
    lines += _part("The environment", inside)
    lines += _part("Variables of the image", shell)
    lines += _words(finding for finding in wanted if finding.fix is not None and not _is_command(finding.fix))
    if not wanted:
        lines += ["", *_comment("Nothing to do: no finding has a command.")]
    return "\n".join(lines) + "\n"


def _is_command(fix: str) -> bool:
    """Whether any shell takes it so: ``$'…'`` has another meaning in those that have not yet learnt it."""
    return not fix[0].isupper() and "$'" not in fix


def _part(title: str, commands: Sequence[str]) -> Iterator[str]:
    if commands:
        yield from ("", f"# {title}:", *map(printable, merged(commands)))


def _words(findings: Iterable[Finding]) -> Iterator[str]:
    told = [line for finding in findings for line in _comment(f"- {finding.subject}: {finding.fix}", "  ")]
    if told:
        yield from ("", "# Not by a command:", *told)


def _comment(text: str, more: str = "") -> list[str]:
    """Whatever the text holds, each of its lines begins with ``#``."""
    lines = textwrap.wrap(printable(text), _WIDTH, break_on_hyphens=False, subsequent_indent=more)
    return [f"# {line}" for line in lines]
