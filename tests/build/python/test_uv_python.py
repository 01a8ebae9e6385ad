"""What uv 0.13 printed where it could not install an interpreter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.python.uv_python import cause
from envsync.redaction import printable

NO_HOST = """\
error: Failed to install cpython-3.13.0-linux-x86_64-gnu
  cause: Request failed after 3 retries in 6.1s
  cause: Failed to download `https://example.org/cpython-3.13.0.tar.zst`
  cause: dns error
  cause: failed to lookup address information: Name or service not known
"""
DAMAGED = """\
Downloading cpython-3.9.18-linux-x86_64-gnu (download) (18.5MiB)
 Downloaded cpython-3.9.18-linux-x86_64-gnu (download)
error: Failed to install cpython-3.9.18-linux-x86_64-gnu
  cause: Hash mismatch for `cpython-3.9.18-linux-x86_64-gnu`

         Expected:
         048be42a
"""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "error: No download found for request: cpython-3.7.16-linux-x86_64-gnu\n",
            "No download found for request: cpython-3.7.16-linux-x86_64-gnu",
        ),
        (
            NO_HOST,
            "Failed to install cpython-3.13.0-linux-x86_64-gnu: "
            "failed to lookup address information: Name or service not known",
        ),
        (
            DAMAGED,
            "Failed to install cpython-3.9.18-linux-x86_64-gnu: Hash mismatch for `cpython-3.9.18-linux-x86_64-gnu`",
        ),
        ('Python downloads are not allowed (`python-downloads = "never"`).', "Python downloads are not allowed"),
        ("error: A\n  Caused by: B\n  Caused by: C\n", "A: C"),  # as older ones did
        ("", "failed"),
    ],
)
def test_the_cause_is_on_one_line(output: str, reason: str) -> None:
    assert cause(output).startswith(reason)


@given(st.text())
def test_no_output_is_a_problem(output: str) -> None:
    told = cause(output)
    assert printable(told) == told
    assert len(told) <= 300
