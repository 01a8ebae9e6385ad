from __future__ import annotations

from pathlib import Path

from envsync.build.conda.base import BaseUpdate, Change
from envsync.report.base import render_base_update


def update(*changes: Change) -> BaseUpdate:
    program = Path("/opt/conda/bin/conda")
    return BaseUpdate(prefix=Path("/opt/conda"), program=program, client="conda", changes=changes, same=7, others=40)


def test_what_would_change() -> None:
    changes = (
        Change(name="numpy", old="1.15.0 py37_0", new="1.16.2 py37h7e9f1db_0"),
        Change(name="six", old=None, new="1.12.0 py37_0"),
        Change(name="idna", old="2.8", new="3.6", by_pip=True),
    )
    assert render_base_update(update(*changes)) == (
        "conda env update would change base, /opt/conda:\n"
        "  2 replaced, 1 new, 7 there already, 40 others stay\n"
        "  ~ numpy  1.15.0 py37_0 -> 1.16.2 py37h7e9f1db_0\n"
        "  + six  1.12.0 py37_0\n"
        "  ~ idna (pip)  2.8 -> 3.6\n"
        "What conda's solver changes beside these, conda alone knows.\n"
    )


def test_nothing_to_change_and_too_much_to_show() -> None:
    assert render_base_update(update()) == "/opt/conda: all that the lock has is there; nothing to change\n"
    many = tuple(Change(name=f"p{n}", old=None, new="1 0") for n in range(33))
    assert "  ... and 3 more\n" in render_base_update(update(*many))
