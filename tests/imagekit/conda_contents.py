"""What the packages of the test channel hold: see :data:`CHANNELS`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.imagekit.conda_package import PLACEHOLDER, Entry, Package, from_wheel, script
from tests.imagekit.machine import MissingToolError, pyenv_python
from tests.imagekit.wheels import fetch_wheels

MINOR = "3.9"
_SITE = f"lib/python{MINOR}/site-packages"
_LEFT_OUT = {"__pycache__", "test", "tests", "idlelib", "turtledemo", "site-packages"}
_WHEELS = (
    "pip==23.0.1",
    "setuptools==68.2.2",
    "wheel==0.42.0",
    "six==1.16.0",
    "six==1.17.0",
    "click==8.1.7",
    "tabulate==0.9.0",
    "pygments==2.17.2",
)


def interpreter_prefix() -> Path:
    """The pyenv installation that the channel's ``python`` is made of.

    Raises:
        MissingToolError: there is none, or this machine is not ``linux-64``.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise MissingToolError("the conda channel for tests is made on linux-64 only")
    return pyenv_python(MINOR)


def channels() -> dict[str, list[Package]]:
    """All packages, by channel.

    Raises:
        KitError: the index cannot be reached.
        MissingToolError: no interpreter to make ``python`` of.
    """
    prefix = interpreter_prefix()
    native = [_python(prefix), *_linux(prefix)]
    wheels = _pure()
    elsewhere = [_on_a_mac(package) for package in native if package.name != "demo-hook"]
    later = wheels.pop("six-1.17.0")
    return {"main": [*native, *_data(), *wheels.values(), *elsewhere], "extra": [later, *_extra()]}


# --- python ------------------------------------------------------------------------------------------


def _python(prefix: Path) -> Package:
    files = {
        f"bin/python{MINOR}": _moved(prefix, prefix / "bin" / f"python{MINOR}"),
        "bin/python3": Entry(link=f"python{MINOR}"),
        "bin/python": Entry(link=f"python{MINOR}"),
        f"bin/pydoc{MINOR}": _moved(prefix, prefix / "bin" / f"pydoc{MINOR}"),
        f"{_SITE}/README.txt": Entry(data=b"This directory exists so that 3rd party packages can be installed\n"),
    }
    for path in sorted(prefix.glob("lib/libpython*.so*")):
        entry = Entry(link=str(path.readlink())) if path.is_symlink() else _moved(prefix, path)
        files[f"lib/{path.name}"] = entry
    for folder in (f"lib/python{MINOR}", f"include/python{MINOR}"):
        for path in _walk(prefix / folder):
            files[path.relative_to(prefix).as_posix()] = _moved(prefix, path)
    return Package(
        name="python",
        version=prefix.name,
        build="h0123456_0_cpython",
        depends=("ca-certificates", "openssl >=3.0.13,<4.0a0", "tzdata"),
        constrains=("python_abi 3.9.* *_cp39",),
        site_packages=_SITE,
        files=files,
    )


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("config-"))
        yield from (Path(root, name) for name in sorted(names) if not name.endswith((".a", ".pyc")))


def _moved(prefix: Path, path: Path) -> Entry:
    """A file of the interpreter that works in another prefix, as one that conda-build made."""
    data = path.read_bytes()
    executable = os.access(path, os.X_OK)
    here = os.fsencode(prefix)
    if data.startswith(b"\x7fELF"):
        runpath, relative = here + b"/lib\0", b"$ORIGIN/../lib\0"
        return Entry(data=data.replace(runpath, relative.ljust(len(runpath), b"\0")), executable=executable)
    if b"\0" in data:
        return Entry(data=data, executable=executable)
    return Entry(data=data.replace(here, PLACEHOLDER.encode()), executable=executable)


# --- other packages ----------------------------------------------------------------------------------


def _linux(prefix: Path) -> list[Package]:
    openssl = Package(
        name="openssl",
        version="3.0.13",
        build="h7f8727e_0",
        depends=("__glibc >=2.17", "ca-certificates"),
        files={"ssl/openssl.cnf": Entry(data=f"HOME = {PLACEHOLDER}/ssl\n".encode())},
    )
    hook = Package(
        name="demo-hook",
        version="1.0",
        build="0",
        files={
            "share/demo-hook/data.txt": Entry(data=b"data\n"),
            "bin/.demo-hook-post-link.sh": script('#!/bin/sh\necho linked > "$PREFIX/share/demo-hook/linked.txt"\n'),
        },
    )
    return [openssl, *_demo_lib(prefix), _demo_tool(prefix), hook]


def _elf(prefix: Path, path: str, tail: str) -> Entry:
    """An ELF file that works as before, with a string after its end that has the prefix in it."""
    entry = _moved(prefix, prefix / path)
    return replace(entry, data=entry.data + f"\0{PLACEHOLDER}{tail}\0and on\0".encode())


def _demo_lib(prefix: Path) -> list[Package]:
    """Two versions, so that a solver has a choice, one in each format."""
    (module,) = prefix.glob(f"lib/python{MINOR}/lib-dynload/_heapq.*.so")
    library = _elf(prefix, module.relative_to(prefix).as_posix(), "/lib/demo")

    def of(version: str) -> dict[str, Entry]:
        return {
            f"lib/libdemo.so.{version}": library,
            "lib/libdemo.so": Entry(link=f"libdemo.so.{version}"),
            "lib/pkgconfig/demo.pc": Entry(data=f"prefix={PLACEHOLDER}\nVersion: {version}\n".encode()),
        }

    old = Package(name="demo-lib", version="1.0", build="h1_0", files=of("1.0"), format=".tar.bz2")
    new = Package(name="demo-lib", version="1.1", build="h2_0", depends=("__glibc >=2.17",), files=of("1.1"))
    return [old, new]


def _demo_tool(prefix: Path) -> Package:
    """Compiled, with scripts of both kinds and what a shell runs at activation."""
    return Package(
        name="demo-tool",
        version="2.0",
        build="h3_0",
        depends=("demo-lib >=1.0,<2.0a0", "python >=3.9,<3.10.0a0"),
        files={
            "bin/demo-tool": _elf(prefix, f"bin/python{MINOR}", "/share/demo-tool"),
            "bin/demo-tool-2": Entry(link="demo-tool"),
            "bin/demo-prefix": script(f"#!{PLACEHOLDER}/bin/python\nimport sys\nprint(sys.prefix)\n"),
            "bin/demo-where": script(f"#!/bin/sh\necho {PLACEHOLDER}/share/demo-tool\n"),
            "share/demo-tool/ünïcode.txt": Entry(data="grüße\n".encode()),
            "share/demo-tool/empty": Entry(),
            "etc/conda/activate.d/demo-tool.sh": Entry(data=f"export DEMO_HOME='{PLACEHOLDER}/share'\n".encode()),
            "etc/conda/deactivate.d/demo-tool.sh": Entry(data=b"unset DEMO_HOME\n"),
        },
        format=".tar.bz2",
    )


def _data() -> list[Package]:
    def generic(name: str, version: str, build: str, path: str, data: bytes) -> Package:
        files = {path: Entry(data=data)}
        return Package(name=name, version=version, build=build, subdir="noarch", noarch="generic", files=files)

    certificates = generic("ca-certificates", "2024.2.2", "hbcca054_0", "ssl/cacert.pem", b"# no certificates\n")
    return [
        replace(certificates, files={**certificates.files, "ssl/cert.pem": Entry(link="cacert.pem")}),
        generic("tzdata", "2024a", "h04d1e81_0", "share/zoneinfo/UTC", b"TZif2\0\0"),
    ]


def _pure() -> dict[str, Package]:
    """By ``name-version``; six in the older format."""
    folder = fetch_wheels(MINOR, _WHEELS)
    more: dict[str, dict[str, object]] = {
        "pip": {"entry_points": ("pip = pip._internal.cli.main:main", "pip3 = pip._internal.cli.main:main")},
        "wheel": {"entry_points": ("wheel = wheel.cli:main",)},
        "six": {"format": ".tar.bz2", "depends": ("python",)},
        "tabulate": {"entry_points": ("tabulate = tabulate:_main",)},
        "pygments": {"entry_points": ("pygmentize = pygments.cmdline:main",)},
    }
    more["pip"]["depends"] = ("python >=3.7", "setuptools", "wheel")
    made = [
        from_wheel(path, "pyhd3eb1b0_0", **more.get(path.name.partition("-")[0], {}))
        for path in sorted(folder.glob("*.whl"))
    ]
    return {f"{package.name}-{package.version}": package for package in made}


def _extra() -> list[Package]:
    plugin = {"site-packages/demo_plugin.py": Entry(data=b"import tabulate\n")}
    return [
        Package(
            name="demo-plugin",
            version="0.5",
            build="py_0",
            subdir="noarch",
            noarch="python",
            depends=("python >=3.6", "tabulate"),
            entry_points=("demo-plugin = demo_plugin:tabulate.main",),
            files=plugin,
        )
    ]


def _on_a_mac(package: Package) -> Package:
    """A package of the same name and version for osx-arm64, which is solved and never installed."""
    depends = tuple(spec.replace("__glibc >=2.17", "__osx >=11.0") for spec in package.depends)
    files = {f"share/{package.name}.txt": Entry(data=b"not for use\n")}
    return replace(package, subdir="osx-arm64", build="m" + package.build, depends=depends, files=files)
