"""What an image's own conda prints, asked for by old and new Pythons, parsed, and compared with the records."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from envsync.model import CondaEnvironment, CondaPackage, DirectoryOrigin, Distribution, Interpreter
from envsync.probe.answered import CondaClient, Printed
from envsync.probe.conda_client import ClientError, disagreements, parse_explicit, parse_export
from tests.probe.asking import VERSIONS, find, pyenv_python

OUTPUTS = Path(__file__).with_name("conda_outputs")
RELEASES = ("4.6.14", "26.7")
STAND = "https://conda.example/stand"
SITE = PurePosixPath("/opt/conda/lib/python3.11/site-packages")


def output(release: str, name: str) -> str:
    return (OUTPUTS / f"conda-{release}-{name}").read_text()


def package(name: str, version: str, build: str, md5: str | None, *, subdir: str = "linux-64") -> CondaPackage:
    url = f"{STAND}/{subdir}/{name}-{version}-{build}.tar.bz2"
    return CondaPackage(name=name, version=version, build=build, channel=STAND, subdir=subdir, url=url, md5=md5)


CLICK = package("click", "8.1.7", "py311_0", "66d13b1d3c3d600a8731e3c39d781a2f")
PYTHON = package("python", "3.11.7", "h1234567_0_cpython", "115b25eb64816118cb755b8cad18d3fb")
SIX = replace(
    package("six", "1.15.0", "py_0", "69ad285bec9710ba38c44ee27189e38f", subdir="noarch"),
    overwritten=("lib/python3.11/site-packages/six.py",),
    overwritten_by=("six",),
)
ENVIRONMENT = CondaEnvironment(prefix=PurePosixPath("/opt/conda"), packages=(CLICK, PYTHON, SIX))
INTERPRETER = Interpreter(
    version="3.11.7",
    prefix=PurePosixPath("/opt/conda"),
    distributions=(
        Distribution(name="click", version="8.1.7", location=SITE, conda="click"),
        Distribution(name="pip", version="23.2.1", location=SITE),
        Distribution(name="six", version="1.16.0", location=SITE),
        Distribution(name="tabulate", version="0.9.0", location=SITE),
        Distribution(name="elsewhere", version="1", location=PurePosixPath("/root/.local/lib")),
    ),
)


def notes(
    explicit: str | Printed = "", export: str | Printed = "", environment: CondaEnvironment = ENVIRONMENT
) -> list[tuple[str, str]]:
    """Command and reason of what is noted; by default a client is right."""
    sides = []
    for one, right in ((explicit, output("26.7", "explicit.txt")), (export, output("26.7", "environment.yml"))):
        sides.append(one if isinstance(one, Printed) else Printed(output=one or right, problem=None))
    client = CondaClient(program="/opt/conda/bin/conda", explicit=sides[0], export=sides[1])
    found = disagreements(client, environment, INTERPRETER)
    assert {note.place for note in found} <= {"/opt/conda"}
    return [(note.subject, note.reason) for note in found]


# --- the real thing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
def test_real_outputs_agree_with_the_records(release: str) -> None:
    assert notes(output(release, "explicit.txt"), output(release, "environment.yml")) == []


@pytest.mark.parametrize("release", RELEASES)
def test_real_outputs_are_parsed(release: str) -> None:
    told = parse_explicit(output(release, "explicit.txt"))
    assert f"{CLICK.url}#{CLICK.md5}" in told.packages
    assert len(told.packages) == 3
    export = parse_export(output(release, "environment.yml").encode())
    assert {"click=8.1.7=py311_0", "python=3.11.7=h1234567_0_cpython"} <= export.packages
    pip = frozenset({("pip", "23.2.1"), ("six", "1.16"), ("tabulate", "0.9")})
    assert export.pip in (None, pip, frozenset({("pip", "23.2.1"), ("six", "1.16.0"), ("tabulate", "0.9.0")}))


# --- disagreements -----------------------------------------------------------------------------------


def test_what_only_one_of_them_has_is_noted() -> None:
    lie = output("26.7", "explicit.txt").replace("66d13b1d", "00000000")
    export = output("26.7", "environment.yml").replace("click=8.1.7", "click=8.1.6").replace("0.9.0", "0.9.1")
    assert notes(lie, export) == [
        ("conda list --explicit", f"conda only: {CLICK.url}#000000003c3d600a8731e3c39d781a2f"),
        ("conda list --explicit", f"envsync only: {CLICK.url}#{CLICK.md5}"),
        ("conda env export", "conda only: click=8.1.6=py311_0"),
        ("conda env export", "envsync only: click=8.1.7=py311_0"),
        ("conda env export", "conda only: pip: tabulate==0.9.1"),
        ("conda env export", "envsync only: pip: tabulate==0.9.0"),
    ]


def test_disagreements_are_bounded() -> None:
    many = "".join(f"{STAND}/noarch/a{n}-1-0.conda\n" for n in range(1000))
    found = notes(output("26.7", "explicit.txt") + many)
    assert len(found) == 51
    assert found[-1] == ("conda list --explicit", "and 950 more")


def test_packages_without_url_do_not_count() -> None:
    lines = output("26.7", "explicit.txt").splitlines()
    told = [f"# no URL for: {CLICK.url.rpartition('/')[2]}" if "/click-" in line else line for line in lines]
    assert notes("\n".join(told)) == []


def test_spellings_of_credentials_old_hosts_and_channels_are_the_same() -> None:
    url = "https://u:p@repo.continuum.io/t/tk-1/pkgs/main/linux-64/a-1-0.tar.bz2"
    assert parse_explicit(url).packages == {"https://repo.anaconda.com/pkgs/main/linux-64/a-1-0.tar.bz2"}
    assert parse_export(b"dependencies: ['defaults/linux-64::a=1=0']").packages == {"a=1=0"}


def test_editables_and_names_spelt_otherwise_do_not_count() -> None:
    linked = Distribution(
        name="mine", version="1", location=SITE, origin=DirectoryOrigin(url="file:///src", editable=True)
    )
    upper = Distribution(name="Some_Thing", version="1.0", location=SITE)
    python = replace(INTERPRETER, distributions=(linked, upper))
    told = CondaClient(
        program="/c",
        explicit=Printed(output=output("26.7", "explicit.txt"), problem=None),
        export=Printed(
            output="dependencies: [click=8.1.7=py311_0, python=3.11.7=h1234567_0_cpython, {pip: [some-thing==1.0]}]",
            problem=None,
        ),
    )
    assert disagreements(told, ENVIRONMENT, python) == ()


def test_a_client_that_fails_is_one_note_without_credentials() -> None:
    failed = Printed(output="", problem="exit status 1: https://u:pw@h/t/tk-9/x \x1b[2J")
    assert notes(failed) == [
        (
            "conda list --explicit",
            r"/opt/conda/bin/conda: exit status 1: https://h/t/withheld/x \x1b[2J",
        )
    ]


# --- what makes no sense -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@EXPLICIT\nTraceback", "line 2 makes no sense (expected the URL of a package)"),
        ("https://h/c/linux-64/a-1-0.conda#12", "line 1 makes no sense (expected an MD5 after “#”)"),
        ("https://[/c/linux-64/a-1-0.conda", "line 1 makes no sense (expected the URL of a package)"),
    ],
)
def test_an_explicit_spec_that_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse_explicit(text)
    assert str(caught.value) == message
    assert notes(text) == [("conda list --explicit", f"/opt/conda/bin/conda: {message}")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "no YAML that can be read"),
        ("[" * 60 + "]" * 60, "nested deeper, or with more aliases, than any honest file"),
        ("a: &a [1]\nb: [" + "*a," * 21 + "]", "nested deeper, or with more aliases, than any honest file"),
        ("a", "dependencies: no list"),
        ("dependencies: 1", "dependencies: no list"),
        ("dependencies: [a=1=0, a]", "dependencies[1] makes no sense (expected name=version=build)"),
        ("dependencies: [{npm: [a]}]", "dependencies[0] makes no sense (expected name=version=build)"),
        ('dependencies: ["a\\n=1=0"]', "dependencies[0] makes no sense (expected name=version=build)"),
    ],
)
def test_an_environment_file_that_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse_export(text.encode())
    assert str(caught.value) == message


LINES = st.lists(
    st.text(max_size=30) | st.sampled_from([f"{CLICK.url}#{CLICK.md5}", "@EXPLICIT", "# no URL for: a", SIX.url])
)


@given(LINES.map("\n".join))
def test_any_explicit_spec_raises_the_own_error_only(text: str) -> None:
    try:
        told = parse_explicit(text)
    except ClientError:
        return
    assert all(line.isascii() and line.isprintable() for line in told.packages)


ENTRY = st.text(max_size=20) | st.sampled_from(["a=1=0", "c::a=1=0"]) | st.integers() | st.none()
TREE = st.lists(ENTRY | st.fixed_dictionaries({"pip": st.lists(st.text(max_size=9) | st.just("a==1"))}), max_size=5)


@given(TREE.map(lambda entries: yaml.safe_dump({"dependencies": entries}).encode()) | st.binary())
def test_any_environment_file_raises_the_own_error_only(data: bytes) -> None:
    try:
        told = parse_export(data)
    except ClientError:
        return
    assert all(line.isascii() and line.isprintable() for line in told.packages)


# --- asking ------------------------------------------------------------------------------------------

SAYS = '#!/bin/sh\nprintf "%s|%s|%s\\n" "$0" "$*" "$CONDA_OFFLINE"\n'


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "envs" / "mine"
    (folder / "conda-meta").mkdir(parents=True)
    (folder / "conda-meta" / "history").touch()
    (folder / "bin").mkdir()
    return folder


def program(path: Path, text: str = SAYS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def ask(prefix: Path, minor: str = "3.11", *, seconds: float = 30, **variables: str) -> CondaClient | None:
    python = prefix / "bin" / "python"
    if not python.exists():
        python.symlink_to(pyenv_python(minor))
    root = prefix.parents[1]
    document = find(pyenv_python(minor), root, chosen=str(python), seconds=seconds, env=variables)
    return document.conda[0].client


@pytest.mark.parametrize("minor", VERSIONS)
def test_conda_is_asked_by_old_and_new_pythons(minor: str, prefix: Path) -> None:
    conda = program(prefix / "bin" / "conda")
    client = ask(prefix, minor)
    assert client is not None
    assert client.program == str(conda)
    assert client.explicit == Printed(output=f"{conda}|list --explicit --md5 -p {prefix}|true\n", problem=None)
    assert client.export == Printed(output=f"{conda}|env export -p {prefix}|true\n", problem=None)


def test_the_nearest_client_is_asked_and_conda_before_the_others(prefix: Path, tmp_path: Path) -> None:
    path = f"relative:{tmp_path}/path"
    assert ask(prefix) is None
    places = [
        program(tmp_path / "path" / "mamba"),
        program(tmp_path / "path" / "micromamba"),
        program(tmp_path / "path" / "conda"),
        program(prefix.parents[1] / "condabin" / "conda"),
        program(prefix.parents[1] / "bin" / "conda"),
        program(prefix / "bin" / "conda"),
    ]
    found = []
    for place in reversed(places):
        client = ask(prefix, PATH=path)
        assert client is not None
        found.append(client.program)
        place.unlink()
    assert found == [str(place) for place in reversed(places)]
    elsewhere = program(tmp_path / "other" / "conda")
    client = ask(prefix, CONDA_EXE=str(elsewhere))
    assert client is not None
    assert client.program == str(elsewhere)


def test_micromamba_is_asked_in_its_own_words(prefix: Path, tmp_path: Path) -> None:
    place = program(tmp_path / "micromamba")
    client = ask(prefix, MAMBA_EXE=str(place))
    assert client is not None
    assert client.explicit.output == f"{place}|env export --explicit -p {prefix}|true\n"
    assert client.export.output == f"{place}|env export -p {prefix}|true\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("echo first >&2; echo 'last words' >&2; exit 3", "exit status 3: last words"),
        ("exec /bin/sleep 100", "still running after "),
        ("exec /bin/cat /dev/zero", "printed too much"),
        ("kill -11 $$", "ended by signal 11"),
    ],
)
def test_a_client_that_fails_hangs_or_floods(text: str, problem: str, prefix: Path) -> None:
    program(prefix / "bin" / "conda", f"#!/bin/sh\n{text}\n")
    client = ask(prefix, seconds=8)
    assert client is not None
    for printed in (client.explicit, client.export):
        assert printed.problem is not None
        assert printed.problem.startswith(problem)


def test_a_prefix_of_another_python_is_not_asked_about(prefix: Path) -> None:
    program(prefix / "bin" / "conda")
    document = find(pyenv_python("3.11"), prefix.parents[1], chosen=str(pyenv_python("3.11")))
    assert [answer.client for answer in document.conda] == [None]
