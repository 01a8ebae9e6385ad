"""Time zones, also as the C library of this machine finds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.time_zones import UNKNOWN_VERSION, find_time, parse_rule, parse_version
from envsync.files import HostTree
from tests.catalog.real import run
from tests.catalog.trees import write

BERLIN = b"TZif2" + b"\0" * 39 + b"TZif2\n\n" + b"\xff" * 20 + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"
ZONES = Path("/usr/share/zoneinfo")


def zone(root: Path, **env: str) -> str | None:
    found = [one for one in find_time(HostTree(str(root)), env) if one.kind == "time-zone"]
    return found[0].value if found else None


def data(root: Path) -> tuple[str | None, str | None]:
    (found,) = (one for one in find_time(HostTree(str(root)), {}) if one.kind == "time-zone-data")
    return found.value, str(found.path) if found.path else None


def link(root: Path, target: str, path: str = "etc/localtime") -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).unlink(missing_ok=True)
    (root / path).symlink_to(target)


def test_without_anything_it_is_utc(tmp_path: Path) -> None:
    assert zone(tmp_path) == "Etc/UTC"
    assert data(tmp_path) == (None, None)


def test_the_variable_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "etc/localtime", BERLIN)
    write(tmp_path, "usr/share/zoneinfo/Asia/Tokyo", b"TZif")
    assert zone(tmp_path, TZ="Asia/Tokyo") == "Asia/Tokyo"
    assert zone(tmp_path, TZ=":Asia/Tokyo") == "Asia/Tokyo"
    assert zone(tmp_path, TZ="/usr/share/zoneinfo/Asia/Tokyo") == "Asia/Tokyo"
    assert zone(tmp_path, TZ="/etc/localtime") == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert zone(tmp_path, TZ="JST-9") == "JST-9"
    assert zone(tmp_path, TZ="<+0530>-5:30") == "<+0530>-5:30"


def test_a_zone_without_data_is_utc(tmp_path: Path) -> None:
    for name in (
        "Asia/Tokyo",
        "",
        "UTC",
        "Etc/UTC",
        "Asia",
        "../../etc/passwd",
        "/gone",
        "a\0b",
        "x" * 10_000,
        "\udcff",
    ):
        assert zone(tmp_path, TZ=name) == "Etc/UTC", name


def test_a_link_names_the_zone(tmp_path: Path) -> None:
    write(tmp_path, "usr/share/zoneinfo/Europe/Berlin", BERLIN)
    write(tmp_path, "usr/share/zoneinfo/posix/Universal", BERLIN)
    link(tmp_path, "../usr/share/zoneinfo/Europe/Berlin")
    assert zone(tmp_path) == "Europe/Berlin"
    (tmp_path / "etc/alternatives").mkdir()
    link(tmp_path, "alternatives/localtime")
    link(tmp_path, "../../usr/share/zoneinfo/Europe/Berlin", "etc/alternatives/localtime")
    assert zone(tmp_path) == "Europe/Berlin"
    link(tmp_path, "../usr/share/zoneinfo/posix/Universal")
    assert zone(tmp_path) == "Etc/UTC"
    link(tmp_path, "../usr/share/zoneinfo/Asia/Tokyo")
    assert zone(tmp_path) == "Etc/UTC"
    link(tmp_path, "localtime")
    assert zone(tmp_path) == "Etc/UTC"


def test_a_copy_has_a_name_only_where_debian_wrote_it_down(tmp_path: Path) -> None:
    write(tmp_path, "etc/localtime", BERLIN)
    assert zone(tmp_path) == "CET-1CEST,M3.5.0,M10.5.0/3"
    write(tmp_path, "etc/timezone", "Europe/Berlin\n")
    assert zone(tmp_path) == "CET-1CEST,M3.5.0,M10.5.0/3"
    write(tmp_path, "usr/share/zoneinfo/Europe/Berlin", BERLIN)
    assert zone(tmp_path) == "Europe/Berlin"
    write(tmp_path, "usr/share/zoneinfo/Europe/Berlin", BERLIN + b"x")
    assert zone(tmp_path) == "CET-1CEST,M3.5.0,M10.5.0/3"
    write(tmp_path, "etc/localtime", b"\0" * 100_000)
    assert zone(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "content", "version"),
    [
        ("tzdata.zi", "# version 2024a\n# This zic input\n", "2024a"),
        ("tzdata.zi", "# version 2025b-dirty\n", "2025b-dirty"),
        ("tzdata.zi", "# redo posix_only\n", UNKNOWN_VERSION),
        ("tzdata.zi", b"\xff" * 10, UNKNOWN_VERSION),
        ("tzdata.zi", "# version 2024a\n" + "x" * (1 << 20), UNKNOWN_VERSION),
        ("+VERSION", "2023c", "2023c"),
        ("Europe/Berlin", BERLIN, UNKNOWN_VERSION),
    ],
)
def test_the_data_have_a_version(tmp_path: Path, name: str, content: str | bytes, version: str) -> None:
    write(tmp_path, f"usr/share/zoneinfo/{name}", content)
    path = f"/{name}" if not name.startswith("Europe") else ""
    assert data(tmp_path) == (version, f"/usr/share/zoneinfo{path}")


def test_an_empty_folder_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "usr/share/zoneinfo").mkdir(parents=True)
    assert data(tmp_path) == (None, None)
    write(tmp_path, "usr/lib/zoneinfo/UTC", BERLIN)
    assert data(tmp_path) == (UNKNOWN_VERSION, "/usr/lib/zoneinfo/UTC")


@pytest.mark.skipif(not (ZONES / "Europe/Berlin").exists(), reason="no time zone data")
def test_real_zones_end_in_their_rule() -> None:
    assert parse_rule((ZONES / "Europe/Berlin").read_bytes()) == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert parse_rule((ZONES / "Asia/Kolkata").read_bytes()) == "IST-5:30"
    assert parse_rule((ZONES / "Asia/Kathmandu").read_bytes()) == "<+0545>-5:45"


@pytest.mark.skipif(not (ZONES / "Asia/Tokyo").exists(), reason="no time zone data")
def test_the_c_library_agrees() -> None:
    for name in ("Asia/Tokyo", "of/Nowhere", "JST-9", "UTC", "", ":Asia/Tokyo"):
        offset = run([sys.executable, "-c", "import time; print(time.timezone)"], env={"TZ": name})
        assert (int(offset) == 0) == (zone(Path("/"), TZ=name) == "Etc/UTC"), name


@given(st.binary() | st.binary().map(lambda tail: BERLIN + tail))
def test_any_bytes_may_be_a_zone(bytes_: bytes) -> None:
    rule = parse_rule(bytes_)
    assert rule is None or rule.isprintable()
    version = parse_version(bytes_)
    assert version is None or version.isprintable()
