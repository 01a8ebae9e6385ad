from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec

from envsync.lock.store import Written
from envsync.model import ListSource, Skipped, VcsOrigin, Venv
from envsync.reference import Digest
from envsync.report.pulled import render_pulled
from tests.factory import distribution, snapshot, source

NEW = Written(path=Path("lockfiles/acme/app/1"), status="new")


def test_one_screen_on_what_was_learnt() -> None:
    git = VcsOrigin(url="https://example.com/a.git", vcs="git", commit="f" * 40)
    one = snapshot(distribution("six"), distribution("a", origin=git))
    other = msgspec.structs.replace(one.python, executable=PurePosixPath("/usr/bin/python3"), distributions=())
    assert render_pulled(msgspec.structs.replace(one, interpreters=(one.python, other)), NEW) == (
        "acme/app:1  sha256:cccccccccccc  linux/amd64\n"
        "  Python 3.9.18 at /usr/local/bin/python\n"
        "  2 distributions, 1 of them not from an index\n"
        "  2 OS packages of Debian GNU/Linux 12 (bookworm)\n"
        "    what the environment needs of them is not known: --method read tells it\n"
        "  also in it: /usr/bin/python3\n"
        "lock written: lockfiles/acme/app/1\n"
        "next: envsync create .venv\n"
    )


def test_a_tag_that_moved_says_what_changed() -> None:
    old = snapshot(distribution("six"), distribution("idna", "2.8"), distribution("gone"))
    new = snapshot(distribution("six"), distribution("idna", "3.1"), distribution("come"))
    new = msgspec.structs.replace(new, interpreters=(msgspec.structs.replace(new.python, version="3.9.19"),))
    text = render_pulled(new, Written(path=Path("l"), status="replaced", previous=old))
    assert (
        "changed since sha256:cccccccccccc (2024-02-02):\n"
        "  ~ Python 3.9.18 -> 3.9.19\n"
        "  ~ idna 2.8 -> 3.1\n"
        "  + come 1.0\n"
        "  - gone 1.0\n"
        "lock replaced: l\n"
    ) in text


def test_a_published_list_that_is_replaced_and_another_origin() -> None:
    published = ListSource(reference="acme/app:1", url="https://example.com", date="2020", completeness="complete")
    old = snapshot(distribution("a"), source=published)
    git = VcsOrigin(url="https://example.com/a.git", vcs="git", commit="f" * 40)
    text = render_pulled(
        snapshot(distribution("a", origin=git)), Written(path=Path("l"), status="replaced", previous=old)
    )
    assert "changed since the published list that this replaces:\n  ~ a 1.0 (from another origin)\n" in text


def test_nothing_but_the_identity_changed() -> None:
    old = snapshot(distribution("a"))
    again = render_pulled(old, Written(path=Path("l"), status="replaced", previous=old))
    assert "the same image as before; the lock now says more of it\n" in again
    rebuilt = snapshot(distribution("a"), source=source(config_digest=Digest("sha256:" + "d" * 64)))
    text = render_pulled(rebuilt, Written(path=Path("l"), status="replaced", previous=old))
    assert "changed since sha256:cccccccccccc (2024-02-02): no distribution differs\n" in text


def test_what_was_not_understood_is_listed_and_long_lists_are_cut() -> None:
    notes = tuple(Skipped(subject=f"x{n}.pth", place=f"/x/{n}", reason="runs code") for n in range(14))
    text = render_pulled(snapshot(skipped=notes), NEW)
    assert "not understood (14):\n  x0.pth: runs code\n    at /x/0\n" in text
    assert "  ... and 2 more, in snapshot.json\n" in text


def test_kinds_of_interpreter_and_a_system_without_packages() -> None:
    one = snapshot(os_packages=None, os=None, source=source())
    venv = msgspec.structs.replace(one.python, venv=Venv(home=PurePosixPath("/usr/bin")))
    text = render_pulled(msgspec.structs.replace(one, interpreters=(venv,)), NEW)
    assert "at /usr/local/bin/python (a venv on /usr/bin)\n" in text
    assert "  unknown OS; no database of packages in it that is known\n" in text
    managed = msgspec.structs.replace(one.python, externally_managed=True)
    assert "(externally managed)" in render_pulled(msgspec.structs.replace(one, interpreters=(managed,)), NEW)


def test_control_characters_of_an_image_do_not_reach_the_terminal() -> None:
    evil = "a\x1b]0;x\x07"
    one = snapshot(
        source=source(evil), skipped=(Skipped(subject=evil, place=evil, reason=evil),), os=None, os_packages=None
    )
    assert "\x1b" not in render_pulled(one, NEW)
