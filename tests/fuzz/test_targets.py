"""What fuzzing found once is never broken again; and a little fuzzing, without a fuzzer, in every run of the tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, seeds

INPUTS = [(name, number) for name in TARGETS for number, _ in enumerate(seeds(name))]


@pytest.mark.parametrize(("name", "number"), INPUTS, ids=[f"{name}-{number}" for name, number in INPUTS])
def test_a_target_holds(name: str, number: int) -> None:
    TARGETS[name](seeds(name)[number])


EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=6)), max_size=4)


@pytest.mark.parametrize("name", TARGETS)
@given(number=st.integers(0, 100), edits=EDITS, end=st.floats(0, 1) | st.just(1), noise=st.none() | st.binary())
def test_a_target_holds_on_damaged_input(
    name: str, number: int, edits: list[tuple[float, int, bytes]], end: float, noise: bytes | None
) -> None:
    sound = seeds(name)
    data = noise if noise is not None else sound[number % len(sound)]
    for place, length, patch in edits:
        start = int(place * len(data))
        data = data[:start] + patch + data[start + length :]
    TARGETS[name](data[: int(end * len(data))])


def test_each_target_has_a_sound_input() -> None:
    assert {name for name, _ in INPUTS} == set(TARGETS)
