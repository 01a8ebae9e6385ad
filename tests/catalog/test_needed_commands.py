"""Commands that distributions run: which file it is, and for whom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.needed_commands import ask_for_commands, find_commands
from envsync.files import HostTree
from envsync.model import Distribution, NeededCommand
from tests.catalog.trees import root_tree, write


def found(root: Path, *names: str, env: Mapping[str, str] | None = None) -> dict[str, tuple[str | None, str]]:
    distributions = [Distribution(name=name, version="1.0") for name in names]
    return {
        one.name: (str(one.path) if one.path else None, " ".join(one.needed_by))
        for one in find_commands(root_tree(root), distributions, env or {})
    }


def program(root: Path, path: str) -> None:
    write(root, path, b"\x7fELF", 0o755)


def test_a_command_is_the_file_behind_its_links(tmp_path: Path) -> None:
    program(tmp_path, "usr/lib/jvm/java-17-openjdk-amd64/bin/java")
    (tmp_path / "etc/alternatives").mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/java").symlink_to("../../etc/alternatives/java")
    (tmp_path / "etc/alternatives/java").symlink_to("../../usr/lib/jvm/java-17-openjdk-amd64/bin/java")
    assert found(tmp_path, "tabula-py") == {"java": ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "tabula-py")}


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    program(tmp_path, "usr/bin/java")
    program(tmp_path, "opt/jdk/bin/java")
    for home, path in (("/opt/jdk", "/opt/jdk/bin/java"), ("/opt/none", "/usr/bin/java"), ("opt/jdk", "/usr/bin/java")):
        assert found(tmp_path, "tika", env={"JAVA_HOME": home}) == {"java": (path, "tika")}
    program(tmp_path, "opt/jdk/bin/dot")
    assert found(tmp_path, "pydot", env={"JAVA_HOME": "/opt/jdk"}) == {"dot": (None, "pydot")}
    assert found(tmp_path, "tika", env={"JAVA_HOME": "/\0"}) == {"java": ("/usr/bin/java", "tika")}


def test_what_is_not_there_is_said_once_for_all_who_need_it(tmp_path: Path) -> None:
    write(tmp_path, "usr/bin/dot", b"", 0o644)
    assert found(tmp_path, "pydot", "six", "graphviz", "GitPython") == {
        "dot": (None, "graphviz pydot"),
        "git": (None, "GitPython"),
    }


def test_the_first_of_several_that_is_there_counts(tmp_path: Path) -> None:
    assert found(tmp_path, "cmdstanpy") == {"g++": (None, "cmdstanpy"), "make": (None, "cmdstanpy")}
    program(tmp_path, "usr/bin/clang++")
    assert found(tmp_path, "cmdstanpy")["clang++"] == ("/usr/bin/clang++", "cmdstanpy")
    assert "g++" not in found(tmp_path, "cmdstanpy")


def test_a_command_of_some_functions_only_counts_where_it_is_there(tmp_path: Path) -> None:
    assert found(tmp_path, "matplotlib", "pydub") == {}
    program(tmp_path, "usr/bin/avconv")
    program(tmp_path, "usr/bin/dvipng")
    assert found(tmp_path, "matplotlib", "pydub") == {
        "avconv": ("/usr/bin/avconv", "pydub"),
        "dvipng": ("/usr/bin/dvipng", "matplotlib"),
    }


def test_another_tree_is_asked_for_the_same_commands(tmp_path: Path) -> None:
    needed = (
        NeededCommand(
            name="clang++", path=PurePosixPath("/usr/bin/clang++"), package="clang", needed_by=("cmdstanpy",)
        ),
        NeededCommand(name="dvipng", path=PurePosixPath("/usr/bin/dvipng"), needed_by=("matplotlib",)),
        NeededCommand(name="ffmpeg", path=PurePosixPath("/usr/bin/ffmpeg"), needed_by=("openai-whisper", "pydub")),
        NeededCommand(name="unheard-of", needed_by=("nobody",)),
    )
    program(tmp_path, "usr/bin/g++")
    program(tmp_path, "usr/bin/avconv")
    answers = ask_for_commands(root_tree(tmp_path), needed, {})
    # Any C++ compiler does for the one; avconv does for pydub, and not for the other.
    assert [(one.name, one.package) for one in answers] == [(one.name, None) for one in needed]
    assert [one.needed_by for one in answers] == [one.needed_by for one in needed]
    assert [str(one.path) if one.path else None for one in answers] == ["/usr/bin/g++", None, None, None]
    program(tmp_path, "usr/bin/ffmpeg")
    assert str(ask_for_commands(root_tree(tmp_path), needed, {})[2].path) == "/usr/bin/ffmpeg"


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/git").symlink_to("git2")
    (tmp_path / "usr/bin/git2").symlink_to("git")
    assert found(tmp_path, "GitPython") == {"git": (None, "GitPython")}


def test_what_macos_offers_to_install_is_not_there(tmp_path: Path) -> None:
    for name in ("java", "git", "make"):
        program(tmp_path, f"usr/bin/{name}")
    assert found(tmp_path, "GitPython") == {"git": ("/usr/bin/git", "GitPython")}
    write(tmp_path, "System/Library/CoreServices/SystemVersion.plist")
    assert found(tmp_path, "GitPython", "tika") == {"git": (None, "GitPython"), "java": (None, "tika")}
    program(tmp_path, "Library/Developer/CommandLineTools/usr/bin/git")
    write(tmp_path, "Library/Java/JavaVirtualMachines/temurin-17.jdk/Contents/Info.plist")
    assert found(tmp_path, "GitPython", "tika") == {
        "git": ("/usr/bin/git", "GitPython"),
        "java": ("/usr/bin/java", "tika"),
    }
    program(tmp_path, "opt/homebrew/bin/git")
    path = {"PATH": "/opt/homebrew/bin:/usr/bin"}
    assert found(tmp_path, "GitPython", env=path) == {"git": ("/opt/homebrew/bin/git", "GitPython")}


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_this_machine_is_asked_in_the_same_way() -> None:
    git = shutil.which("git")
    assert git is not None
    distributions = [Distribution(name="GitPython", version="3.1")]
    assert find_commands(HostTree(), distributions, os.environ) == (
        NeededCommand(name="git", path=PurePosixPath(os.path.realpath(git)), needed_by=("GitPython",)),
    )
