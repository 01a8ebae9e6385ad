from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.os_versions import compare_versions

TABLES = Path(__file__).with_name("catalog") / "data/versions"
MANAGERS = {"dpkg": "dpkg", "rpm": "rpm", "pacman": "pacman", "apk": "apk", "homebrew": "brew"}


def sign(manager: str, one: str, other: str) -> str:
    found = compare_versions(manager, one, other)
    return "<" if found < 0 else ">" if found > 0 else "="


@pytest.mark.parametrize("table", MANAGERS)
def test_versions_are_ordered_as_each_system_orders_them(table: str) -> None:
    rows = [line.split() for line in (TABLES / f"{table}.txt").read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 200
    told = [f"{one} {sign(MANAGERS[table], one, other)} {other}" for one, _, other in rows]
    assert told == [" ".join(row) for row in rows]
    turned = {"<": ">", ">": "<", "=": "="}
    assert [sign(MANAGERS[table], other, one) for one, _, other in rows] == [turned[row[1]] for row in rows]


@pytest.mark.parametrize(
    ("manager", "earlier", "later"),
    [
        ("dpkg", "2:1", "10:0"),
        ("dpkg", "1-2-3", "1-2-10"),
        ("rpm", "1.0-1", "1:0.1-1"),
        ("rpm", "1.0-9.fc40", "1.0-10.fc40"),
        ("pacman", "1.0-9", "1.0-10"),
        ("apk", "1.2.5-r9", "1.2.5-r10"),
        ("brew", "3.5.0", "3.5.0_1"),
        ("brew", "9.9", "HEAD-abc"),
    ],
)
def test_epochs_and_releases(manager: str, earlier: str, later: str) -> None:
    assert sign(manager, earlier, later) == "<"


def test_of_an_unknown_manager_equal_texts_are_equal() -> None:
    assert sign("nix", "1", "1") == "="
    assert sign("nix", "1", "1.0") != "="


PIECES = [
    "0",
    "1",
    "9",
    "10",
    "007",
    ".",
    "..",
    "-",
    "~",
    "^",
    "+",
    "_",
    "a",
    "b",
    "rc",
    "rc1",
    "beta",
    "p1",
    "_p1",
    "_rc2",
]
VERSION = st.lists(st.sampled_from([*PIECES, "-r1", ":", "1:", "HEAD", "é", "٣"]), max_size=6).map("".join)
ANY = VERSION | st.text(max_size=8)


@pytest.mark.parametrize("manager", MANAGERS.values())
@given(one=ANY, other=ANY)
def test_turned_around_the_answer_is_the_opposite(manager: str, one: str, other: str) -> None:
    assert compare_versions(manager, one, other) == -compare_versions(manager, other, one)
    assert compare_versions(manager, one, one) == 0


@pytest.mark.parametrize("manager", ["dpkg", "rpm", "apk"])
@given(versions=st.tuples(ANY, ANY, ANY))
def test_what_is_before_something_is_before_all_that_comes_after_it(
    manager: str, versions: tuple[str, str, str]
) -> None:
    one, two, three = versions
    if compare_versions(manager, one, two) <= 0 and compare_versions(manager, two, three) <= 0:
        assert compare_versions(manager, one, three) <= 0


@given(digits=st.integers(5_000, 6_000))
def test_numbers_may_be_of_any_length(digits: int) -> None:
    for manager in MANAGERS.values():
        assert sign(manager, "1" * digits, "2" * digits) == "<"
        assert sign(manager, "9" * digits, "1" * (digits + 1)) == "<"


DEBIAN = st.from_regex(r"\A([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z.+~]{1,4})?\Z")
OTHERS = st.from_regex(r"\A[0-9a-c.~^+]{1,8}\Z")


@pytest.mark.parametrize(("manager", "versions"), [("dpkg", DEBIAN), ("rpm", OTHERS), ("pacman", OTHERS)])
def test_the_real_tools_say_the_same(manager: str, versions: st.SearchStrategy[str]) -> None:
    tool = {"dpkg": "dpkg", "rpm": "rpm", "pacman": "vercmp"}[manager]
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on this machine")

    @given(one=versions, other=versions)
    def compare(one: str, other: str) -> None:
        assert sign(manager, one, other) == _told(tool, one, other)

    compare()


def _told(tool: str, one: str, other: str) -> str:
    if tool == "dpkg":
        done = [subprocess.run(["dpkg", "--compare-versions", one, sign, other], check=False) for sign in ("lt", "gt")]
        return "<" if done[0].returncode == 0 else ">" if done[1].returncode == 0 else "="
    command = {
        "vercmp": ["vercmp", one, other],
        "rpm": ["rpm", "--eval", f'%{{lua:print(rpm.vercmp("{one}", "{other}"))}}'],
    }
    done = subprocess.run(command[tool], capture_output=True, text=True, check=True)
    return "<=>"[int(done.stdout) + 1]
