"""What is read from the files of images is what programs find in them."""

from __future__ import annotations

import codecs
import json
import shlex
from collections.abc import Callable

import pytest

from envsync.catalog import libc
from envsync.catalog.needed_commands import find_commands
from envsync.catalog.resources import PATTERNS, find_resources
from envsync.image.archive import open_archive
from envsync.image_tree import Wanted
from envsync.model import Distribution
from envsync.reference import ArchiveFile
from envsync.rootfs import read_rootfs
from tests.imagekit import engine

pytestmark = pytest.mark.engine

_SETTINGS: tuple[dict[str, str], ...] = (
    {},
    {"LANG": ""},
    {"LANG": "en_US.UTF-8"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", "PYTHONUTF8": "0"},
    {"TZ": "Asia/Tokyo"},
    {"TZ": "JST-9"},
    {"TZ": "nowhere"},
)
_QUESTION = """
import json, locale, sys, time
print(json.dumps([sys.version.split()[0], locale.getpreferredencoding(False), sys.stdout.encoding, time.timezone]))
"""
_DISTRIBUTIONS = [
    Distribution(name=name, version="2.0") for name in ("GitPython", "pydot", "pyspark", "pystan", "tika")
]


@pytest.mark.parametrize("name", ["slim", "old37", "debian_system"])
def test_programs_find_the_same(name: str, image: Callable[[str], str]) -> None:
    tag = image(name)
    ask = f"python3 -c {shlex.quote(_QUESTION)}"
    script = "\n".join(f"env {' '.join(f'{key}={value}' for key, value in env.items())} {ask}" for env in _SETTINGS)
    answers = map(json.loads, engine.run_in(tag, "sh", "-c", script).splitlines())

    opened = open_archive(ArchiveFile(format="docker-archive", path=engine.save(tag)), None)
    try:
        config = {each.name: each.value or "" for each in opened.config.config.env}
        tree = read_rootfs(opened, Wanted((*PATTERNS, *libc.PATTERNS)))
        found_libc = libc.find_libc(tree, opened.config.platform.machine)
        for env, (version, text, streams, offset) in zip(_SETTINGS, answers, strict=True):
            result = find_resources(
                tree, [], {**config, **env}, python=version, libc=found_libc, find_library=lambda _: None
            )
            told = {one.kind: one.value for one in result}
            assert told["encoding"] == codecs.lookup(text).name == codecs.lookup(streams).name, env
            assert (told["time-zone"] == "Etc/UTC") == (offset == 0), env
        commands = find_commands(tree, _DISTRIBUTIONS, config)
    finally:
        opened.close()
    names = " ".join(command.name for command in commands)
    script = f'for name in {names}; do echo "$name $(readlink -f "$(command -v $name)")"; done'
    assert [f"{command.name} {command.path or ''}" for command in commands] == engine.run_in(
        tag, "sh", "-c", script
    ).splitlines()
    assert next(command for command in commands if command.name == "bash").path is not None
