from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.drift.archspec import _PARENTS, runs


@pytest.mark.parametrize(
    ("wanted", "host", "verdict"),
    [
        ("x86_64_v3", "icelake", True),
        ("x86_64_v4", "icelake", True),
        ("x86_64", "core2", True),
        ("haswell", "skylake", True),
        ("zen", "zen4", True),
        ("x86_64_v2", "core2", False),
        ("x86_64_v3", "ivybridge", False),
        ("x86_64_v4", "zen3", False),
        ("x86_64_v4", "alderlake", False),
        ("x86_64_v4", "x86_64_v3", False),
        ("skylake", "zen3", None),
        ("skylake", "x86_64_v3", None),
        ("x86_64_v3", "some_future_lake", None),
        ("x86_64_v9", "icelake", None),
        ("m1", "m1", True),
        ("m1", "m2", None),
        ("x86_64_v3", "m2", None),
    ],
)
def test_which_processor_runs_what(wanted: str, host: str, verdict: bool | None) -> None:
    assert runs(wanted, host) is verdict


@given(st.sampled_from(sorted(_PARENTS)), st.sampled_from(sorted(_PARENTS)), st.sampled_from(sorted(_PARENTS)))
def test_what_an_older_one_runs_a_newer_one_does(one: str, two: str, three: str) -> None:
    assert not (runs(one, two) and runs(two, three)) or runs(one, three)
    assert one == two or not (runs(one, two) and runs(two, one))
    assert runs("x86_64", one)
