"""Which package has what, where packages are called differently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.known_needs import choices, known_needs
from envsync.drift.package_names import (
    FAMILIES,
    PackageNamesError,
    names_for,
    package_names,
    parse_package_names,
)


def text(entry: str, table: str = "libraries") -> bytes:
    return f'[sources]\nhere = "https://e.org/1"\n[{table}]\n{entry}\n'.encode()


def test_the_file_that_comes_along_is_right() -> None:
    found = package_names()
    assert 200 <= len(found) <= 1000
    assert {family for names in found.values() for family in names} == set(FAMILIES)


def test_names_of_one_thing() -> None:
    assert names_for("libgomp.so.1") == {"debian": ("libgomp1",), "arch": ("gcc-libs",)}
    assert names_for("dot")["debian"] == ("graphviz",)
    assert set(names_for("time-zone-data").values()) == {("tzdata",)}
    assert names_for("java-home") == names_for("java")
    assert names_for("libclntsh.so") == {"debian": ()}
    assert names_for("libnothing.so.1") == {}


def test_debian_has_a_name_for_nearly_all_that_distributions_are_known_to_need() -> None:
    known = [need for needs in known_needs().values() for need in needs]
    wanted = {
        choice[0]
        for need in known
        for choice in choices((*need.commands, *need.libraries, *need.optional_commands, *need.optional_libraries))
    }
    without = {name for name in wanted if "debian" not in names_for(name)}
    # A part of TeX, browsers and tools that Debian's main has not, sonames of other releases of it.
    assert without == {
        "geckodriver",
        "google-chrome",
        "jbig2",
        "latex",
        "libMagickWand-7.Q16HDRI.so.10",
        "verapdf",
    }


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (text('"-x" = { debian = ["x"], source = ["here"] }'), "libraries.'-x' is no name"),
        (text('"x/y" = { debian = ["x"], source = ["here"] }', "commands"), "commands.'x/y' is no name"),
        (text('x = { source = ["here"] }'), "libraries.x: names no package"),
        (
            text('x = { debian = ["x; reboot"], source = ["here"] }'),
            "libraries.x.debian: 'x; reboot' is no name of a package",
        ),
        (text('x = { debian = ["-y"], source = ["here"] }'), "libraries.x.debian: '-y' is no name of a package"),
        (text('x = { debian = ["x"], source = [] }'), "libraries.x.source: is empty"),
        (
            text('x = { debian = ["x"], source = ["there"] }'),
            "libraries.x.source: 'there' is no https URL, and no key of sources",
        ),
        (text('x = { debian = ["x"] }'), "Object missing required field `source` - at `$.libraries[...]`"),
        (text('x = { suse = ["x"], source = [] }'), "Object contains unknown field `suse` - at `$.libraries[...]`"),
        (
            text('x = { debian = ["x"], source = ["here"] }\n[commands]\nx = { arch = ["x"], source = ["here"] }'),
            "commands.x: is in two tables",
        ),
        (b'[sources]\nhere = "http://e.org/1"', "sources.here: 'http://e.org/1' is no https URL"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, problem: str) -> None:
    assert len(parse_package_names(text('x = { debian = ["x"], source = ["here"] }'))) == 1
    with pytest.raises(PackageNamesError) as caught:
        parse_package_names(data)
    assert caught.value.message == f"package_names.toml: {problem}"


@given(st.binary() | st.text().map(lambda value: text(f"x = {{ debian = [{value!r}], source = ['here'] }}")))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        found = parse_package_names(data)
    except PackageNamesError:
        return
    for thing, names in found.items():
        assert thing
        assert names.keys() <= set(FAMILIES)
