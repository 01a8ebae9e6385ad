"""Which part of the package may import which, and who may print, exit or reach outside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "envsync"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Which rooms a room may look into. The foundation, importable from everywhere, is not listed.
FOUNDATION = {
    "errors",
    "reference",
    "model",
    "files",
    "instants",
    "channels",
    "paths_data",
    "redaction",
    "names",
    "process",
    "writing",
    "cache",
    "cache_folders",
    "contents",
    "elf",
    "loader",
    "sourced",
    "os_versions",
    "record",
    "standard_library",
    "http",
    "__init__",
}
MAY_IMPORT = {
    "errors": set(),
    "reference": {"errors"},
    "model": {"reference"},
    "files": {"elf", "errors", "reference"},
    "instants": set(),
    "redaction": set(),
    "names": {"errors", "redaction"},
    "channels": {"errors", "redaction"},
    "paths_data": set(),
    "process": {"errors", "redaction"},
    "writing": {"errors"},
    "cache": {"cache_folders", "errors", "writing"},
    "cache_folders": {"writing"},
    "contents": {"model", "names", "reference"},
    "elf": set(),
    "loader": {"elf", "files"},
    "sourced": {"errors"},
    "os_versions": set(),
    "record": {"errors"},
    "standard_library": {"files"},
    "exact": {"catalog", "drift", "index", "rootfs", "wheel"},
    "http": {"errors", "redaction"},
    "index": set(),
    "image": set(),
    "rootfs": {"image"},
    "catalog": set(),
    "probe": {"catalog", "image"},
    "lock": {"catalog"},
    "wheel": {"catalog"},
    "official": {"lock"},
    "settings": {"drift", "image"},
    "conda_config": set(),
    "build": {"catalog", "conda_config", "exact", "host", "index", "lock", "solve"},
    "drift": set(),
    "host": set(),
    "local": {"catalog", "host"},
    "report": {"build", "create", "drift", "exact", "supply", "locate", "lock", "official"},
    "known": {"rootfs"},
    "image_tree": {"catalog", "image", "known", "rootfs"},
    "gather": {"catalog", "exact", "image", "image_tree", "lock", "probe", "rootfs"},
    "pull_options": {"exact", "image"},
    "take": {"pull_options", "exact", "gather", "image", "known", "probe"},
    "image_files": {"build", "image", "image_tree", "known", "pull_options", "rootfs", "take"},
    "solve": {"conda_config", "drift", "lock"},
    "pull": {"lock", "pull_options", "solve", "take"},
    "locate": {"lock", "official", "pull", "pull_options"},
    "subject": {"local", "locate", "lock", "pull_options", "take"},
    "supply": {"build", "exact", "known", "lock", "pull_options", "take"},
    "create": {
        "build",
        "conda_config",
        "drift",
        "exact",
        "host",
        "image_files",
        "local",
        "locate",
        "lock",
        "pull_options",
        "supply",
        "take",
    },
    "update_base": {"build", "conda_config", "create", "locate", "lock"},
    "diff": {"build", "drift", "exact", "local", "locate", "lock", "pull_options", "settings", "subject"},
}
OWNERS = {
    "cyclonedx": {"envsync/report/cyclonedx.py"},
    "docker": {
        "envsync/image/engine.py",
        "envsync/image/engine_container.py",
        "envsync/image/registry/credentials.py",  # what docker login stored
    },
    "subprocess": {"envsync/process.py", "envsync/probe/describe.py"},  # the latter runs inside images
    "truststore": {"envsync/http/trust.py"},
    "typer": {"envsync/cli"},
    "urllib3": {
        "envsync/image/engine.py",  # what the SDK lets through
        "envsync/http",
        "envsync/image/registry/transport.py",
        "envsync/index/transport.py",
    },
    "packageurl": {"envsync/report/purls.py", "envsync/report/cyclonedx.py"},
    "rattler": {
        "envsync/conda_config/network.py",
        "envsync/build/conda/packages.py",
        "envsync/build/conda/reporter.py",
        "envsync/host.py",
        "envsync/solve/repodata.py",
    },
    "rich": {"envsync/cli"},
    "uv": {"envsync/build/uv.py", "envsync/build/python/uv_python.py"},
    "isal": {"envsync/image/compression.py"},
    "zstandard": {"envsync/image/compression.py"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    if here in ("cli", "__main__", "__init__"):
        return
    others = {module.split(".")[1] for module in imports(path) if module.startswith("envsync.")}
    allowed = MAY_IMPORT[here] | {here} | (FOUNDATION if here not in FOUNDATION else set())
    assert others - allowed <= {"__version__"}, f"{name(path)} looks into {sorted(others - allowed)}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_each_outside_thing_has_one_owner(path: Path) -> None:
    used = {module.split(".")[0] for module in imports(path)} & OWNERS.keys()
    for module in used:
        assert any(name(path).startswith(owner) for owner in OWNERS[module]), f"{name(path)} imports {module}"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) != "cli"], ids=name)
def test_only_the_command_line_prints_exits_or_catches_everything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "sys.exit", "exit", "quit", "os._exit"}, f"{name(path)}:{node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"everything", "Exception", "BaseException"}, f"{name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350, name(path)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= 60, f"{name(path)}:{node.lineno} {node.name}: {size} lines"
