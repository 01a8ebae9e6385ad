"""Activation in the shells of this machine: what it sets, and that ``deactivate`` restores all of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from envsync.build.conda.activate import write_activation

NAMES = ["plain", 'it\'s "two" words', "$(touch pwned) `touch pwned`", "back\\slash", "-n", "ünï@PREFIX@"]
SHELLS = ["sh", "dash", "bash", "zsh", "fish"]
START = "/usr/local/bin:/usr/bin:/bin:/two words"


class Shell:
    """One of the shells, started without anybody's own settings."""

    def __init__(self, name: str) -> None:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"there is no {name} on this machine")
        self.fish = name == "fish"
        self.strict = "" if self.fish else "set -eu\n"
        options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}
        self.command = [program, *options.get(name, []), "-c"]

    def activate(self, prefix: Path) -> str:
        return f"{'source' if self.fish else '.'} {self.quoted(prefix)}/bin/activate{'.fish' if self.fish else ''}"

    def quoted(self, value: object) -> str:
        text = str(value)
        if self.fish:
            return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        return "'" + text.replace("'", "'\\''") + "'"

    def run(self, script: str, environ: Mapping[str, str], cwd: Path) -> tuple[dict[str, str], ...]:
        """Each call of ``envsync_show`` in the script: the variables that there were."""
        out = cwd / "shown"
        out.write_bytes(b"")
        show = f"function envsync_show; env -0 >> {out}; echo END >> {out}; end\n"
        if not self.fish:
            show = f"envsync_show() {{ env -0 >> {out}; echo END >> {out}; }}\n"
        done = subprocess.run(
            [*self.command, self.strict + show + script],
            check=False,
            env={"PATH": START, "HOME": str(cwd), "USER": "me", "LOGNAME": "me", **environ},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        shown = out.read_text().split("END\n")[:-1]
        noise = ("_", "SHLVL", "PWD", "OLDPWD", "USER", "LOGNAME")
        found = (dict(line.split("=", 1) for line in one.split("\0") if line) for one in shown)
        return tuple({name: value for name, value in one.items() if name not in noise} for one in found)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Shell:
    return Shell(request.param)


def prefix_at(target: Path, *, variables: Mapping[str, str] | None = None) -> Path:
    """A prefix whose scripts keep account of themselves in ``ACCOUNT``."""
    staging = target.with_name("staging")
    for kind in ("activate", "deactivate"):
        folder = staging / f"etc/conda/{kind}.d"
        folder.mkdir(parents=True)
        for name in ("a b", "c"):
            account = f"${{ACCOUNT-}}|{kind} {name}"
            path = 'export PATH="$CONDA_PREFIX/own:$PATH"\n' if kind == "activate" else 'PATH="${PATH#*:}"\n'
            (folder / f"{name}.sh").write_text(f'export ACCOUNT="{account}"\n: $not_set\n{path if name == "c" else ""}')
            fish = "set -gx PATH $CONDA_PREFIX/own $PATH" if kind == "activate" else "set -e PATH[1]"
            (folder / f"{name}.fish").write_text(
                f'set -gx ACCOUNT "$ACCOUNT|{kind} {name}"\n{fish if name == "c" else ""}\n'
            )
    if variables is not None:
        (staging / "conda-meta").mkdir()
        (staging / "conda-meta/state").write_text(json.dumps({"version": 1, "env_vars": variables}))
    assert [file.name for file in write_activation(staging, target)] == ["activate", "activate.fish"]
    staging.rename(target)
    return target


def without(found: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in found.items() if name not in names}


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(shell: Shell, name: str, tmp_path: Path) -> None:
    prefix = prefix_at(tmp_path / name)

    before, there, after = shell.run(
        f"envsync_show\n{shell.activate(prefix)}\nenvsync_show\ndeactivate\nenvsync_show", {}, tmp_path
    )

    assert there["PATH"] == f"{prefix}/own:{prefix}/bin:{START}"
    assert there["CONDA_PREFIX"] == there["CONDA_DEFAULT_ENV"] == str(prefix)
    assert there["CONDA_SHLVL"] == "1"
    assert there["ACCOUNT"] == "|activate a b|activate c"
    assert after["ACCOUNT"] == "|activate a b|activate c|deactivate c|deactivate a b"
    assert without(after, "ACCOUNT") == before
    assert not (tmp_path / "pwned").exists()


def test_nothing_is_left_in_the_shell(shell: Shell, tmp_path: Path) -> None:
    prefix = prefix_at(tmp_path / "env")
    listing = "begin; functions -an; set -g; end" if shell.fish else "set"
    script = f"{shell.activate(prefix)}\ndeactivate\n{listing} > left"

    shell.run(script, {}, tmp_path)

    left = (tmp_path / "left").read_text()
    assert not re.search(r"(^|, )(_envsync_|deactivate)", left, re.MULTILINE)


def test_variables_of_the_prefix(shell: Shell, tmp_path: Path) -> None:
    values = {"NEW": "it's $HOME", "OLD": "new\nline", "GONE": "***unset***", "PATH": "/evil", "no name": "x"}
    prefix = prefix_at(tmp_path / "env", variables=values)

    _, there, after = shell.run(
        f"envsync_show\n{shell.activate(prefix)}\nenvsync_show\ndeactivate\nenvsync_show",
        {"OLD": "old 'value'"},
        tmp_path,
    )

    assert there["NEW"] == "it's $HOME"
    assert there["OLD"] == "new\nline"
    assert "GONE" not in there
    assert "/evil" not in there["PATH"]
    assert there["__CONDA_SHLVL_0_OLD"] == "old 'value'"
    assert without(after, "ACCOUNT") == {"PATH": START, "HOME": str(tmp_path), "OLD": "old 'value'"}


def test_in_the_place_of_another_environment_of_conda(shell: Shell, tmp_path: Path) -> None:
    base = prefix_at(tmp_path / "base")
    (tmp_path / "envs").mkdir()
    prefix = prefix_at(tmp_path / "envs/app")
    environ = {
        "PATH": f"/first:{base}/bin:{START}",
        "CONDA_PREFIX": str(base),
        "CONDA_SHLVL": "1",
        "CONDA_DEFAULT_ENV": "base",
        "CONDA_PROMPT_MODIFIER": "(base) ",
    }
    # The scripts of base, which were run when it was activated, are left here as if they had not touched PATH.
    for kind in ("activate", "deactivate"):
        for file in (base / f"etc/conda/{kind}.d").glob("c.*"):
            file.unlink()

    before, there, after = shell.run(
        f"envsync_show\n{shell.activate(prefix)}\nenvsync_show\ndeactivate\nenvsync_show", environ, tmp_path
    )

    assert there["PATH"] == f"{prefix}/own:{prefix}/bin:/first:{START}"
    assert there["CONDA_PREFIX_1"] == str(base)
    assert there["CONDA_SHLVL"] == "2"
    assert there["CONDA_DEFAULT_ENV"] == "app"
    assert there["CONDA_PROMPT_MODIFIER"] == "(app) "
    assert after["ACCOUNT"] == "|deactivate a b|activate a b|activate c|deactivate c|deactivate a b|activate a b"
    assert without(after, "ACCOUNT") == before


def test_what_was_done_to_the_path_meanwhile_stays(shell: Shell, tmp_path: Path) -> None:
    prefix = prefix_at(tmp_path / "env")
    change = "set -gx PATH $PATH /mine" if shell.fish else 'PATH="$PATH:/mine"'

    (after,) = shell.run(f"{shell.activate(prefix)}\n{change}\ndeactivate\nenvsync_show", {}, tmp_path)

    assert after["PATH"] == f"{START}:/mine"


def test_twice(shell: Shell, tmp_path: Path) -> None:
    prefix = prefix_at(tmp_path / "env", variables={"NEW": "1"})
    again = shell.activate(prefix)

    there, after = shell.run(f"{again}\n{again}\nenvsync_show\ndeactivate\nenvsync_show", {}, tmp_path)

    assert there["PATH"] == f"{prefix}/own:{prefix}/bin:{START}"
    assert there["CONDA_SHLVL"] == "1"
    assert without(after, "ACCOUNT") == {"PATH": START, "HOME": str(tmp_path)}


def test_in_a_shell_that_was_started_inside(shell: Shell, tmp_path: Path) -> None:
    prefix = prefix_at(tmp_path / "env", variables={"OLD": "new"})
    (inside,) = shell.run(f"{shell.activate(prefix)}\nenvsync_show", {"OLD": "old"}, tmp_path)

    there, after = shell.run(f"{shell.activate(prefix)}\nenvsync_show\ndeactivate\nenvsync_show", inside, tmp_path)

    assert there["PATH"] == f"{prefix}/own:{prefix}/bin:{START}"
    assert there["CONDA_SHLVL"] == "1"
    assert there["OLD"] == "new"
    assert without(after, "ACCOUNT") == {"PATH": START, "HOME": str(tmp_path), "OLD": "old", "CONDA_SHLVL": "0"}


def test_when_conda_left_it_before(shell: Shell, tmp_path: Path) -> None:
    prefix = prefix_at(tmp_path / "env")
    left = "set -e CONDA_PREFIX" if shell.fish else "unset CONDA_PREFIX"
    script = f"{shell.activate(prefix)}\n{left}\ndeactivate 2> said; or true\n"
    if not shell.fish:
        script = script.replace("; or true", " || true")

    shell.run(script, {}, tmp_path)

    assert (tmp_path / "said").read_text() == (f"deactivate: {prefix} is not what is active: see conda deactivate\n")


def test_a_prompt_expands_nothing(tmp_path: Path) -> None:
    shell = Shell("bash")
    prefix = prefix_at(tmp_path / "$(touch pwned)`touch pwned`!")
    script = f"PS1='$ '\n{shell.activate(prefix)}\nexport PS1\nenvsync_show\ndeactivate\nexport PS1\nenvsync_show"

    there, after = shell.run(script, {}, tmp_path)

    assert there["PS1"] == "(__touch pwned__touch pwned__) $ "
    assert after["PS1"] == "$ "


def test_scripts_of_packages_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/activate").symlink_to("nowhere")

    assert [file.name for file in write_activation(tmp_path, tmp_path)] == ["activate.fish"]
    assert (tmp_path / "bin/activate").is_symlink()


@pytest.mark.parametrize("content", ["", "[]", '{"env_vars": [1]}', '{"env_vars": {"A": 1}}', '{"version": 1}'])
def test_what_is_no_state_sets_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta/state").write_text(content)
    write_activation(tmp_path, tmp_path)

    assert "_envsync_each_variable() {\n    :\n}\n" in (tmp_path / "bin/activate").read_text()


def test_variables_of_packages_come_before_those_of_the_prefix(tmp_path: Path) -> None:
    for name, content in {
        "etc/conda/env_vars.d/b.json": {"A": "b", "B": "b", "C": "b"},
        "etc/conda/env_vars.d/a.json": {"A": "a", "C": "a"},
        "conda-meta/state": {"env_vars": {"C": "c"}},
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    write_activation(tmp_path, tmp_path)

    assert '{\n    :\n    "$1" A b\n    "$1" C c\n    "$1" B b\n}\n' in (tmp_path / "bin/activate").read_text()
