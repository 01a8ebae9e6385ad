"""The user's own conda or mamba: the command line, and what its failures mean (outputs/README.md)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.conda.own_client import (
    Client,
    client_error,
    create_command,
    create_prefix,
    explain,
    fetched_from,
    find_client,
)
from envsync.conda_config.settings import CondaSettings, Replacement
from envsync.errors import BuildError

OUTPUTS = Path(__file__).parent / "outputs"
HELLO = "hello-1.0-0.tar.bz2"
ABSENT = "the channel does not have this file"
HASH = "the file has another hash than the lock's"
UNREACHED = "the channel cannot be reached"
OFFLINE = "the cache does not have it, and the network is not to be used"

KNOWN = {
    "conda-404": f"gone-1.0-0.tar.bz2: {ABSENT}",
    "conda-4.9-404": f"gone-1.0-0.tar.bz2: {ABSENT}",
    "mamba-404": f"repodata.json: {ABSENT}",
    "conda-md5": f"{HELLO}: {HASH}",
    "conda-sha256": f"{HELLO}: {HASH}",
    "conda-4.9-md5": f"{HELLO}: {HASH}",
    "mamba-sha256": f"libstdcxx-devel_linux-64-9.4.0-hd854feb_12.tar.bz2: {HASH}",
    "conda-4.9-sha256-unknown": f"{HELLO}: this version of conda knows no SHA-256",
    "conda-refused": f"{HELLO}: {UNREACHED}",
    "conda-4.9-refused": f"{HELLO}: {UNREACHED}",
    "conda-dns": f"{HELLO}: {UNREACHED}",
    "conda-401": f"{HELLO}: the channel refuses",
    "conda-403": f"{HELLO}: the channel refuses",
    "conda-4.9-403": f"{HELLO}: the channel refuses",
    "conda-offline": f"big-1.0-0.tar.bz2: {OFFLINE}",
    "conda-4.9-offline": f"{HELLO}: {OFFLINE}",
    "conda-disk": "conda create: the disk is full",
    "conda-4.9-disk": "conda create: the disk is full",
    "conda-disk-cache": "conda create: the disk is full",
    "conda-no-cache": "conda create: a folder cannot be written to",
    "conda-name": "conda create: conda takes no environment of this path",
    "conda-prefix": "conda create: a folder cannot be written to",
}


def test_each_output_is_known() -> None:
    assert {file.stem for file in OUTPUTS.glob("*.txt")} == KNOWN.keys()


@pytest.mark.parametrize(("name", "message"), KNOWN.items())
def test_what_an_output_means(name: str, message: str) -> None:
    error = client_error("conda create", (OUTPUTS / f"{name}.txt").read_text(), 1)

    assert error.message == message
    assert error.hint
    assert error.output
    assert "sec-ret" not in error.output


def test_what_is_not_known_is_told_as_it_is() -> None:
    error = client_error("mamba create", "one\n\x1b[31mtwo /t/tk-1/x\n", 3)

    assert error.message == "mamba create: exit status 3"
    assert error.output == "one\n\\x1b[31mtwo /x"
    assert error.hint == "The last lines of the output say more."


@pytest.mark.parametrize("end", ["/c", "", " failed", "'", ">", "\nmore"])
def test_a_token_is_not_told_wherever_its_url_ends(end: str) -> None:
    error = client_error("conda create", f"asked <https://h/t/tk-1{end}", 1)

    assert "tk-1" not in error.output
    assert error.output.startswith("asked <https://h")


@given(st.text(max_size=300))
def test_any_output(text: str) -> None:
    failure = explain(text)
    assert failure is None or failure.hint
    assert client_error("conda create", text, 1).message.isprintable()


def program(folder: Path, name: str, script: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!{sys.executable}\n{script}\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_where_the_program_is(tmp_path: Path) -> None:
    conda = program(tmp_path / "conda/bin", "conda")
    mamba = program(tmp_path / "conda/bin", "mamba")
    micromamba = program(tmp_path / "other", "micromamba")

    assert find_client("conda", {"CONDA_EXE": str(conda)}) == conda
    assert find_client("conda", {"PATH": f"/nowhere:{conda.parent}"}) == conda
    assert find_client("mamba", {"CONDA_EXE": str(conda), "MAMBA_EXE": str(micromamba)}) == mamba
    assert find_client("micromamba", {"MAMBA_EXE": str(micromamba)}) == micromamba


@pytest.mark.parametrize("client", ["conda", "mamba", "micromamba"])
def test_no_such_program(client: Client, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        create_prefix(client, tmp_path / "env", tmp_path / "explicit.txt", environ={"PATH": "/nowhere"}, timeout=5)
    assert caught.value.message == f"{client}: not found on this machine"
    assert caught.value.hint == (
        f"Install it, or put its folder into PATH. Without --backend {client}, envsync installs packages itself."
    )


def test_command_lines() -> None:
    prefix, explicit = Path("/env s"), Path("/x/explicit.txt")
    common = ["--prefix", prefix, "--file", explicit]

    assert create_command(Path("/c"), "conda", prefix, explicit, offline=True) == [
        *(Path("/c"), "create", "--yes", "--quiet", "--no-default-packages", "--offline"),
        *common,
    ]
    for client in ("mamba", "micromamba"):
        assert create_command(Path("/m"), client, prefix, explicit, offline=False) == [
            *(Path("/m"), "create", "--yes", "--quiet"),
            *common,
        ]


def test_the_list_names_the_mirrors() -> None:
    settings = CondaSettings(
        mirrors={"https://conda.anaconda.org": Replacement(urls=("https://corp/t/tk", "https://two"), said_by="f")}
    )
    explicit = (
        "# of https://conda.anaconda.org/x\n@EXPLICIT\n"
        "https://conda.anaconda.org/conda-forge/noarch/a-1-0.conda#0123\n"
        "https://repo.anaconda.com/pkgs/main/linux-64/b-1-0.tar.bz2\n"
    )

    assert fetched_from(explicit, settings.places) == (
        "# of https://conda.anaconda.org/x\n@EXPLICIT\n"
        "https://corp/t/tk/conda-forge/noarch/a-1-0.conda#0123\n"
        "https://repo.anaconda.com/pkgs/main/linux-64/b-1-0.tar.bz2\n"
    )


def test_a_run(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "prefix = pathlib.Path(sys.argv[sys.argv.index('--prefix') + 1])\n"
        "prefix.mkdir()\n"
        "(prefix / 'told').write_text(repr([os.environ.get(n) for n in ('CONDA_REGISTER_ENVS', 'CONDA_JSON')]))\n"
        "print('fetching https://u:p@host/t/tk-1/x/y', file=sys.stderr)"
    )
    conda = program(tmp_path / "bin", "conda", script)
    lines: list[str] = []

    create_prefix(
        "conda",
        tmp_path / "env",
        tmp_path / "explicit.txt",
        environ={**os.environ, "CONDA_EXE": str(conda)},
        timeout=60,
        on_line=lines.append,
    )

    assert (tmp_path / "env/told").read_text() == "['false', None]"
    assert lines == ["fetching https://host/x/y"]


def test_a_run_that_fails(tmp_path: Path) -> None:
    output = OUTPUTS / "conda-404.txt"
    conda = program(
        tmp_path / "bin", "conda", f"import sys; sys.stderr.write(open({str(output)!r}).read()); sys.exit(1)"
    )

    with pytest.raises(BuildError) as caught:
        create_prefix("conda", tmp_path / "e", tmp_path / "x", environ={"CONDA_EXE": str(conda)}, timeout=60)
    assert caught.value.message == f"gone-1.0-0.tar.bz2: {ABSENT}"
    assert caught.value.hint == "--channel may name a mirror that kept it."


def test_a_run_without_end(tmp_path: Path) -> None:
    conda = program(tmp_path / "bin", "conda", "import time; time.sleep(600)")

    with pytest.raises(BuildError, match=r"^conda: .*conda create .*: still running after 0.5 s$"):
        create_prefix("conda", tmp_path / "e", tmp_path / "x", environ={"CONDA_EXE": str(conda)}, timeout=0.5)
