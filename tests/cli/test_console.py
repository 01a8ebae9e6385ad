"""What an error looks like."""

from __future__ import annotations

import pytest

from envsync.cli.console import error
from envsync.errors import BuildError


def test_the_last_lines_of_a_program_stand_between_the_error_and_the_next_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error(BuildError("uv pip install: it failed", output="one\ntwo \x1b[31m", hint="The last lines say more."))
    assert capsys.readouterr().err == (
        "error: uv pip install: it failed\n  | one\n  | two \\x1b[31m\n  The last lines say more.\n"
    )
