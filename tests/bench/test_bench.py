"""The benchmark's own arithmetic and its table; timings themselves are never tested."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial

import pytest

from bench import measure, replica, table
from bench.course import Contest
from bench.measure import BenchError, Contender, Result, Sample


def _result(name: str, *walls: float) -> Result:
    return Result(name=name, samples=tuple(Sample(wall=wall, cpu=wall, memory=round(wall * 1e7)) for wall in walls))


def test_contenders_take_turns_after_one_warm_up() -> None:
    turns: list[str] = []
    contenders = [
        Contender(name=name, commands=[[sys.executable, "-c", "pass"]], prepare=partial(turns.append, name))
        for name in ("a", "b")
    ]
    results = measure.compare(contenders, runs=2)
    assert turns == ["a", "b"] * 3
    assert [len(result.samples) for result in results] == [2, 2]
    assert all(sample.wall > 0 and sample.memory > 1_000_000 for sample in results[0].samples)


def test_a_failing_contender_is_named_with_its_output() -> None:
    program = "import sys; sys.exit('out of luck')"
    with pytest.raises(BenchError, match=r"^mine: .*: exit status 1\nout of luck\n$"):
        measure.run(Contender(name="mine", commands=[[sys.executable, "-c", program]]))


def test_an_allowed_exit_status_is_no_failure() -> None:
    words = [sys.executable, "-c", "raise SystemExit(1)"]
    measure.run(Contender(name="mine", commands=[words], allowed=frozenset({0, 1})))


def test_several_processes_are_added_up() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(0.2)"]
    assert measure.run(Contender(name="mine", commands=[sleep, sleep])).wall >= 0.4


@pytest.mark.parametrize(
    ("mine", "other", "expected"),
    [(1.0, 5.0, "5.0x faster"), (1.5, 1.0, "1.50x as long"), (0.09, 0.01, "80 ms more"), (2.0, 2.0, "1.0x faster")],
)
def test_ratio(mine: float, other: float, expected: str) -> None:
    assert table.ratio(_result("mine", mine), _result("other", other)) == expected


def test_memory_of_a_part_is_not_known() -> None:
    whole = Sample(wall=1.0, cpu=1.0, memory=30_000_000)
    assert table.megabytes(Result(name="whole", samples=(whole,))) == "30 MB"
    assert table.megabytes(Result(name="part", samples=(replace(whole, memory=0),))) == "-"


def test_table_has_a_row_a_comparison_and_medians() -> None:
    contest = Contest(
        key="pull",
        job="`pull`",
        aim=lambda mine, other: f"{other.name}: {mine.wall < other.wall}",
        results=[_result("envsync", 3.0, 1.0, 2.0), _result("syft", 10.0, 12.0, 8.0), _result("cat", 1.0)],
    )
    text = table.render([contest], distributions=7)
    assert text.splitlines()[2:4] == [
        "| `pull` | **2.00 s** (1.00 to 3.00) | syft: **10.00 s** (8.00 to 12.00) | 5.0x faster | 30 MB, 120 MB "
        "| syft: True |",
        "|  | **2.00 s** (1.00 to 3.00) | cat: **1.00 s** (1.00 to 1.00) | 2.00x as long | 30 MB, 10 MB | cat: False |",
    ]
    assert (
        "(runs: pull 3/3/1). Memory is the most that one process of a run took. The lock has 7 distributions." in text
    )
    assert "Not measured" not in text


def test_table_says_what_was_not_measured() -> None:
    text = table.render([], distributions=None, missing={"registry": "x is not installed (apt-get install x)"})
    assert text.endswith("\n\nNot measured: registry, as x is not installed (apt-get install x).\n")


def test_splice_replaces_only_what_is_between_the_markers() -> None:
    document = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    once = table.splice(document, "new\n")
    assert once == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    assert table.splice(once, "new\n") == once
    with pytest.raises(ValueError, match="lacks"):
        table.splice("nothing", "new\n")


def test_replica_has_all_of_the_published_list_but_what_has_no_wheel() -> None:
    names = {pin.partition("==")[0] for pin in replica.published_pins()}
    assert {"numpy", "pyarrow", "td-client", *replica.BASICS, *replica.DATA} <= names
    assert not names & set(replica.WITHOUT_WHEEL)
    assert "idna==2.10" in replica.published_pins()
