from __future__ import annotations

import contextlib
import hashlib
import re
import time
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.bounds import Allowance
from envsync.catalog.distributions import (
    FILES,
    DistributionError,
    DistributionFiles,
    finish,
    parse_distribution,
    spelling_of,
)
from envsync.catalog.freeze import Spelling, freeze_line
from envsync.errors import UnsafeValueError
from envsync.model import DirectoryOrigin, Distribution, EntryPoint, Skipped, VcsOrigin
from tests.catalog.installed import describe, dist_info, egg_info, lines

SITE = PurePosixPath("/usr/lib/python3.12/site-packages")
ALL_SPELLINGS = [
    Spelling.of(pip, python) for pip in ("9.0", "20.1", "21.2", "22.2", "24.2", "26.1") for python in ("2.7", "3.12")
]


def raw(filename: str = "a-1.0.dist-info", **files: bytes) -> DistributionFiles:
    content = {name.replace("PKG_INFO", "PKG-INFO").replace("_txt", ".txt"): data for name, data in files.items()}
    content = {name.replace("_json", ".json"): data for name, data in content.items()}
    return DistributionFiles(location=SITE, path=SITE / filename, files=content, record=None)


def test_all_that_a_folder_tells(tmp_path: Path) -> None:
    info = dist_info(
        tmp_path,
        "Some_Name-1.0",
        "Name: Some.Name\nVersion: 1.0.0\nRequires-Dist: x [e]  >= 1 ;\n        python_version>'3'\n"
        "Requires-Python: >=3.7,\n <4\n",
        WHEEL="Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n",
        INSTALLER="\nuv\n",
        REQUESTED="",
        RECORD="a,,\n",
        entry_points_txt="[console_scripts]\nrun = m:f\n",
    )
    assert describe(tmp_path) == (
        (
            Distribution(
                name="Some.Name",
                version="1.0",
                location=PurePosixPath(tmp_path),
                metadata=PurePosixPath(info),
                requires=("x [e] >= 1 ; python_version>'3'",),
                requires_python=">=3.7, <4",
                installer="uv",
                requested=True,
                tags=("py2-none-any", "py3-none-any"),
                entry_points=(EntryPoint(group="console_scripts", name="run", value="m:f"),),
                record="sha256:" + hashlib.sha256(b"a,,\n").hexdigest(),
            ),
        ),
        (),
    )


def test_requirements_that_no_honest_distribution_has_are_left_out() -> None:
    clauses, long = "b" + "<2," * 64 + "<2", "b; os_name == '" + "x" * 10_000 + "'"
    metadata = f"Name: a\nVersion: 1.0\nRequires-Dist: c\nRequires-Dist: {clauses}\nRequires-Dist: {long}\n"
    (found,), skipped = finish([raw(METADATA=(metadata + f"Requires-Python: {'>3,' * 4000}>3\n").encode())], [])
    assert (found.requires, found.requires_python) == (("c",), None)
    assert [note.reason for note in skipped] == [
        "2 of its requirements longer than any honest one: left out",
        "a Requires-Python longer than any honest one: left out",
    ]


def test_what_distributions_list_is_counted_over_all_of_them() -> None:
    allowance = Allowance(facts=4, text=1000)
    files = {"WHEEL": b"Tag: t\n", "entry_points_txt": b"[g]\nn=v\n"}
    raws = [raw(f"{n}-1.dist-info", METADATA=f"Name: {n}\nRequires-Dist: x\n".encode(), **files) for n in "abc"]
    found, skipped = finish(raws, [], allowance=allowance)
    assert [(one.name, len(one.requires), len(one.tags), len(one.entry_points)) for one in found] == [
        ("a", 1, 1, 1),
        ("b", 0, 0, 0),
        ("c", 0, 0, 0),
    ]
    reason = "its requirements, entry points and tags are more than any honest image has: left out"
    assert [(note.subject, note.reason) for note in skipped] == [("b-1.dist-info", reason), ("c-1.dist-info", reason)]
    assert finish(raws, [], allowance=Allowance(text=13))[1] == skipped[1:]


def test_requires_of_an_egg_info(tmp_path: Path) -> None:
    egg_info(tmp_path, "a-1", "Name: a\nVersion: 1\n", requires="b\n[x]\nc\n")
    assert describe(tmp_path)[0][0].requires == ("b", 'c; extra == "x"')


def test_extras_that_others_ask_for(tmp_path: Path) -> None:
    dist_info(tmp_path, "A_a-1", "Name: A_a\nVersion: 1\n")
    dist_info(tmp_path, "b-1", "Name: b\nVersion: 1\nRequires-Dist: a.a[Y_y,x]>1; os_name=='z'\nRequires-Dist: a-a[z\n")
    dist_info(tmp_path, "c-1", "Name: c\nVersion: 1\nRequires-Dist: a-a[v]\nRequires-Dist: b; extra == '[w]'\n")
    shadowed = tmp_path / "later"
    dist_info(shadowed, "b-1", "Name: b\nVersion: 1\nRequires-Dist: a.a[not_me]\n")
    found = {item.name: item for item in describe(tmp_path, shadowed)[0] if item.shadowed_by is None}
    assert found["A_a"].extras == ("v", "x", "y-y")
    assert found["b"].extras == ()
    assert found["b"].requires == ("a.a[Y_y,x]>1; os_name=='z'", "a-a[z")


def test_the_first_on_the_path_shadows_the_others(tmp_path: Path) -> None:
    user, site = tmp_path / "user", tmp_path / "site"
    dist_info(site, "A.b-3.0", "Name: A.b\nVersion: 3.0\n")
    dist_info(site, "aa-1.0", "Name: aa\nVersion: 1.0\n")
    dist_info(user, "a_b-1.0", "Name: a-b\nVersion: 1.0\n")
    found, skipped = describe(user, site)
    place = PurePosixPath(user)
    assert [(d.name, d.version, d.shadowed_by) for d in found] == [
        ("a-b", "1.0", None),
        ("A.b", "3.0", place),
        ("aa", "1.0", None),
    ]
    assert skipped == ()


@pytest.mark.parametrize(
    ("pip", "python", "kept"), [("22.0", "3.9", "10.0"), ("23.1", "3.9", "10.0"), ("24.0", "3.12", "10.0")]
)
def test_copies_in_one_folder_are_told(tmp_path: Path, pip: str, python: str, kept: str) -> None:
    dist_info(tmp_path, f"pip-{pip}", f"Name: pip\nVersion: {pip}\n")
    for version in ("9.0", "10.0"):
        dist_info(tmp_path, f"a-{version}", f"Name: a\nVersion: {version}\n")
    found, skipped = describe(tmp_path, python=python)
    shadowed = {item.version: item.shadowed_by for item in found if item.name == "a"}
    assert shadowed == {"10.0": None, "9.0": PurePosixPath(tmp_path)}
    assert [note.reason for note in skipped] == [
        "its folder also holds a-9.0.dist-info: which one is imported is not certain"
    ]
    assert skipped[0].subject == f"a-{kept}.dist-info"


def test_of_copies_in_one_folder_a_pip_that_goes_by_name_takes_the_first(tmp_path: Path) -> None:
    dist_info(tmp_path, "pip-23.1", "Name: pip\nVersion: 23.1\n")
    for version in ("1.0", "2.0"):
        dist_info(tmp_path, f"a-{version}", f"Name: a\nVersion: {version}\n")
    assert lines(describe(tmp_path, python="3.9")) == {"a==1.0", "pip==23.1"}


def test_a_folder_that_two_paths_lead_to_counts_once(tmp_path: Path) -> None:
    dist_info(tmp_path / "lib", "a-1", "Name: a\nVersion: 1\n")
    (tmp_path / "lib64").symlink_to("lib")
    assert [item.location for item in describe(tmp_path / "lib64", tmp_path / "lib")[0]] == [tmp_path / "lib64"]


def test_pip_and_python_are_told_by_what_is_found() -> None:
    location = PurePosixPath("/opt/lib/python3.9/site-packages")
    pip = DistributionFiles(
        location=location, path=location / "pip-23.0.1.dist-info", files={"METADATA": b"Version: 23.0.1"}, record=None
    )
    assert spelling_of([pip]) == Spelling.of("23.0.1", "3.9")
    assert spelling_of([pip], "3.11.2") == Spelling.of("23.0.1", "3.11")
    assert spelling_of([]) == Spelling()


@pytest.mark.parametrize(
    ("filename", "files", "reason"),
    [
        ("~-1.0.dist-info", {}, "its folder's name is what an interrupted pip uninstall leaves; pip passes over it"),
        ("a b-1.0.dist-info", {}, "its folder's name is not the name of a distribution; pip passes over it"),
        ("a.egg-info", {"PKG-INFO": b"Name: a\n"}, "no Version in its metadata"),
        ("a-1.0.dist-info", {"METADATA": b"Name: \xff\xfe\n"}, "the name “\ufffd\ufffd” is none"),
        ("a-1.0.dist-info", {"METADATA": b"Name: a-\n"}, "the name “a-” is none"),
        ("a-x.dist-info", {"METADATA": "Name: a\nVersion: é\n".encode()}, "the version “é” is none"),
        ("a.egg/EGG-INFO", {"PKG-INFO": b"Version: 1\n"}, "no Name in its metadata; pip passes over it"),
    ],
)
def test_what_is_damaged_is_skipped_with_its_reason(filename: str, files: dict[str, bytes], reason: str) -> None:
    found, skipped = finish([DistributionFiles(location=SITE, path=SITE / filename, files=files, record=None)], ())
    assert found == ()
    assert skipped[0] == Skipped(subject=filename.removesuffix("/EGG-INFO"), place=str(SITE / filename), reason=reason)


def test_one_without_metadata_is_listed_as_pip_does_and_told(tmp_path: Path) -> None:
    folder = dist_info(tmp_path, "left_over-1.0", None, INSTALLER="pip")
    found, skipped = describe(tmp_path)
    assert [(item.name, item.version) for item in found] == [("left-over", "1.0")]
    assert skipped == (
        Skipped(
            subject="left_over-1.0.dist-info",
            place=str(folder),
            reason="no metadata inside: what is known of it comes from its folder's name",
        ),
    )


def test_a_direct_url_that_pip_passes_over_is_told(tmp_path: Path) -> None:
    dist_info(tmp_path, "a-1.0", "Name: a\nVersion: 1.0\n", direct_url={"url": 1})
    found, skipped = describe(tmp_path)
    assert found[0].origin is None
    assert skipped[0].reason == "direct_url.json: url: expected str, not int; as pip does, envsync passes over it"


def test_an_old_pip_knows_no_direct_url() -> None:
    url = b'{"url": "https://e.org/r", "vcs_info": {"vcs": "git", "commit_id": "1"}}'
    item = parse_distribution(raw(METADATA=b"Name: a\nVersion: 1.0", direct_url_json=url), Spelling.of("20.0", "3.7"))
    assert item.origin == VcsOrigin(url="https://e.org/r", vcs="git", commit="1")
    assert freeze_line(item) == "a==1.0"


INJECTIONS = [
    b"a\n --index-url=http://evil",
    b"a\r\n\tb",
    b"-r evil.txt",
    b"a==1 ; --index-url x",
    b"a @ http://evil",
    b"a;b",
    b"a#b",
    b"a\x0bb",
    b"a\xe2\x80\xa8b",
    b"${HOME}",
    b"a,b",
    b"../a",
]


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("spelling", ALL_SPELLINGS)
def test_a_name_that_could_inject_is_refused(value: bytes, spelling: Spelling) -> None:
    with pytest.raises(UnsafeValueError) as raised:
        parse_distribution(raw(METADATA=b"Name: " + value + b"\nVersion: 1.0\n"), spelling)
    assert re.match(rf"{SITE}/a-1\.0\.dist-info/METADATA: the name “.+” could add lines or options", str(raised.value))
    assert "\n" not in raised.value.message
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("Nothing was written.")


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("spelling", ALL_SPELLINGS)
def test_a_version_that_could_inject_is_refused(value: bytes, spelling: Spelling) -> None:
    with pytest.raises(UnsafeValueError, match="the version “"):
        parse_distribution(raw(METADATA=b"Name: a\nVersion: " + value + b"\n"), spelling)


@pytest.mark.parametrize(
    ("direct_url", "what"),
    [
        ('{"url": "https://e.org/a\\n-r evil", "dir_info": {}}', "URL"),
        ('{"url": "https://e.org/a b", "dir_info": {}}', "URL"),
        ('{"url": "https://e.org/${AWS_SECRET_ACCESS_KEY}", "archive_info": {}}', "URL"),
        ('{"url": "https://e.org/\\ud800", "archive_info": {}}', "URL"),
        ('{"url": "file:///a", "dir_info": {}, "subdirectory": "x\\u2028-r evil"}', "subdirectory"),
        ('{"url": "https://e.org/a", "vcs_info": {"vcs": "git", "commit_id": "1 --pre"}}', "commit"),
        ('{"url": "https://e.org/a", "archive_info": {"hash": "sha256=a\\n--pre"}}', "hash"),
        ('{"url": "file:///a%0A--pre", "dir_info": {"editable": true}}', "folder"),
    ],
)
def test_an_origin_that_could_inject_is_refused(direct_url: str, what: str) -> None:
    files = raw(METADATA=b"Name: a\nVersion: 1.0", direct_url_json=direct_url.encode())
    with pytest.raises(UnsafeValueError, match=rf"direct_url\.json: the {what} “"):
        parse_distribution(files, Spelling())


def test_variables_for_user_and_password_are_part_of_the_specification() -> None:
    url = b'{"url": "https://${USER}:${TOKEN}@e.org/a.whl", "archive_info": {}}'
    item = parse_distribution(raw(METADATA=b"Name: a\nVersion: 1.0", direct_url_json=url), Spelling())
    assert freeze_line(item) == "a @ https://${USER}:${TOKEN}@e.org/a.whl"


def test_an_egg_link_without_a_pip_that_finds_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    egg_info(project, "a_b", "Name: a_b\nVersion: 1\n")
    site = tmp_path / "site"
    site.mkdir()
    (site / "a_b.egg-link").write_text(f"{project}\n.")
    dist_info(site, "pip-23.3", "Name: pip\nVersion: 23.3\n")
    found, skipped = describe(site, project, python="3.10")
    assert skipped == ()
    assert found[1].origin == DirectoryOrigin(url=project.as_uri(), editable=True)
    assert freeze_line(found[1]) == "a_b==1"
    (site / "a_b.egg-link").rename(site / "a-b.egg-link")
    assert freeze_line(describe(site, project, python="3.10")[0][1]) == f"-e {project}"


LINES = st.lists(
    st.sampled_from(
        [b"Name: a", b"Name: a b", b"Version: 1.0", b"Version: -r x", b" folded", b"Requires-Dist: b[c]", b"", b"\xff"]
    ),
    max_size=6,
).map(b"\n".join)
FILENAMES = st.sampled_from(["a-1.dist-info", "a-\n1.dist-info", "~a.egg-info", "x.egg/EGG-INFO", ".dist-info", "a"])


@given(FILENAMES, st.dictionaries(st.sampled_from(FILES), LINES | st.binary()), st.sampled_from(ALL_SPELLINGS))
def test_nothing_but_its_own_errors(filename: str, files: dict[str, bytes], spelling: Spelling) -> None:
    found = DistributionFiles(location=SITE, path=SITE / filename, files=files, record=None)
    with contextlib.suppress(DistributionError, UnsafeValueError):
        line = freeze_line(parse_distribution(found, spelling))
        assert line.isprintable()
        assert re.match(r"a==|a @ |-e |x==", line)
    with contextlib.suppress(UnsafeValueError):
        finish([found, found], ())


def test_a_hundred_distributions_take_less_than_a_tenth_of_a_second(tmp_path: Path) -> None:
    body = "Description-Content-Type: text/markdown\n\n" + "All about it.\n" * 2000
    for number in range(100):
        name = f"package_{number}"
        dist_info(
            tmp_path,
            f"{name}-1.{number}",
            f"Name: {name}\nVersion: 1.{number}\n" + "Requires-Dist: other >=1; extra == 'x'\n" * 10 + body,
            RECORD="package/file.py,sha256=abc,123\n" * 200,
            WHEEL="Tag: py3-none-any\n",
            INSTALLER="pip\n",
        )
    times = []
    for _ in range(5):
        start = time.process_time()  # seconds; not of the clock, so that a busy machine does not count
        assert len(describe(tmp_path)[0]) == 100
        times.append(time.process_time() - start)
    assert min(times) < 0.1
