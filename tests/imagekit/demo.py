"""A small real image archive made of this machine's own interpreter and distributions from the index.

``python -m tests.imagekit.demo OUT.tar`` writes it, without an engine; nothing of the image is run.
Where the interpreter is not a Linux one (macOS), the image can only be read.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tests.imagekit.archive import ImageSpec, write_docker_archive
from tests.imagekit.layer import Entry, File, Link, opaque, tree, whiteout
from tests.imagekit.machine import KitError
from tests.imagekit.wheels import pip

TAG = "demo/py-task:1"
REQUESTED = ("attrs", "click", "pip", "python-dateutil", "requests")
PINS = (
    "attrs==25.3.0",
    "certifi==2025.1.31",
    "charset-normalizer==3.4.1",
    "click==8.1.8",
    "idna==3.10",
    "pip==25.0.1",
    "python-dateutil==2.9.0.post0",
    "requests==2.32.3",
    "six==1.17.0",
    "urllib3==1.26.20",
)
UPGRADE = ("urllib3", "1.26.20", "2.3.0")
"""Name, old and new version: what the last layer changes."""

_MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = {"__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo"}
_ROOT_LINKS = ("bin", "lib", "lib64", "sbin")
_C_LIBRARY = ("ld-", "libc-2", "libc.musl", "libc.so", "libm-2", "libm.so")
_SYSTEM_FILES = (
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/alpine-release",
    "/var/lib/dpkg/status",
    "/lib/apk/db/installed",
    "/usr/lib/apk/db/installed",
)


def write_demo(out: Path, *, requested: Sequence[str] = REQUESTED, pins: Sequence[str] = PINS) -> None:
    """Write the archive: layers for the system, the interpreter, the distributions and an upgrade of one.

    Raises:
        KitError: the index cannot be reached.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".demo-") as temporary:
        first, second = Path(temporary, "first"), Path(temporary, "second")
        install(first, requested, pins)
        name, old, new = UPGRADE
        install(second, [name], [f"{name}=={new}"])
        packages = site_packages()
        layers = [
            list(system_files()),
            list(interpreter_files()),
            list(installed_files(first)),
            [
                whiteout(f"{packages}/{name}-{old}.dist-info"),
                opaque(f"{packages}/{name}"),
                *installed_files(second),
            ],
        ]
        write_docker_archive(out, _spec(layers))


def _spec(layers: Sequence[Sequence[Entry]]) -> ImageSpec:
    machine = platform.machine()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return ImageSpec(
        layers=layers,
        tags=[TAG],
        env={
            "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "PYTHON_VERSION": platform.python_version(),
        },
        workdir="/work",
        architecture=architecture,
        variant="v8" if architecture == "arm64" else "",
    )


# --- the interpreter ---------------------------------------------------------------------------------


def _stdlib() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def is_debian() -> bool:
    """Whether this interpreter is Debian's, which looks for distributions in ``dist-packages``."""
    return "dist-packages" in (_stdlib() / "site.py").read_text(encoding="utf-8")


def prefix() -> str:
    """Where the interpreter goes: where Debian has its own, or else where the official images have theirs."""
    return "usr" if is_debian() else "usr/local"


def site_packages() -> str:
    folder = "dist-packages" if is_debian() else "site-packages"
    return f"usr/local/lib/{_stdlib().name}/{folder}"


def interpreter_files() -> Iterator[Entry]:
    """The executable with its usual names, its standard library, headers and shared library."""
    executable = f"python{_MINOR}"
    yield File(path=f"{prefix()}/bin/{executable}", data=base_executable(), mode=0o755)
    yield Link(path=f"{prefix()}/bin/python3", target=executable)
    if not is_debian():
        yield Link(path=f"{prefix()}/bin/python", target="python3")
    yield from tree(_stdlib(), f"{prefix()}/lib/{_stdlib().name}", leave_out=_is_left_out)
    headers = Path(sysconfig.get_path("include"))
    if headers.is_dir():
        yield from tree(headers, f"{prefix()}/include/{headers.name}")
    library = _shared_library()
    if library is not None:
        inside = str(library).lstrip("/") if is_debian() else f"{prefix()}/lib/{library.name}"
        yield File(path=inside, data=library.resolve(), mode=0o644)


def base_executable() -> Path:
    """The program behind this process, however many virtual environments and links are before it."""
    found = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    named = Path(sys.base_prefix, "bin", f"python{_MINOR}")
    return named.resolve() if named.exists() else found


def _shared_library() -> Path | None:
    name = sysconfig.get_config_var("INSTSONAME") or ""
    places = (Path(sysconfig.get_config_var("LIBDIR") or "/"), Path(sys.base_prefix, "lib"), Path("/usr/lib"))
    multiarch = sysconfig.get_config_var("MULTIARCH") or "."
    candidates = [folder / sub / Path(name).name for folder in places for sub in (".", multiarch)]
    return next((path for path in candidates if ".so" in name and path.is_file()), None)


def _is_left_out(path: PurePosixPath) -> bool:
    name = path.name
    return name in _LEFT_OUT or name.startswith(("config-", "_test", "_ctypes_test")) or path.suffix == ".a"


# --- distributions -----------------------------------------------------------------------------------


def install(root: Path, requested: Sequence[str], pins: Sequence[str], *, pure: bool | None = None) -> None:
    """Install distributions under ``root`` by this environment's pip, as the image's own interpreter would.

    Args:
        root: what is ``/`` in the image.
        requested: the names that a user asked for.
        pins: ``name==version`` of these and all that they require.
        pure: take only wheels for any platform; by default where this machine is not Linux.

    Raises:
        KitError: the index cannot be reached or lacks one.
    """
    root.mkdir(parents=True, exist_ok=True)
    constraints = root.with_suffix(".constraints.txt")
    constraints.write_text("\n".join(pins) + "\n")
    words = ["--ignore-installed", "--no-compile", "--no-warn-script-location", "--only-binary=:all:"]
    if pure if pure is not None else sys.platform != "linux":
        wheels = root.with_suffix(".wheels")
        pip("download", "--no-deps", "--only-binary=:all:", "--platform=any", f"--dest={wheels}", *pins)
        words += ["--no-index", f"--find-links={wheels}"]
    target = [f"--root={root}", "--prefix=/usr/local", f"--constraint={constraints}"]
    _pip_of_the_image("install", *words, *target, *requested)


def _pip_of_the_image(*words: str) -> None:
    """Run pip with the name of the image's interpreter, which it writes into the first line of scripts."""
    executable = f"/{prefix()}/bin/python{_MINOR}"
    program = (
        f"import sys, runpy; sys.executable = {executable!r}; sys.argv[0] = 'pip'; "
        "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", program, "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise KitError(f"pip {words[0]}: exit status {done.returncode}\n{tail}")


def installed_files(root: Path) -> Iterator[Entry]:
    """What :func:`install` put under ``root``; distributions where this interpreter looks for them."""
    yield from tree(root / "usr/local/bin", "usr/local/bin")
    for folder in sorted((root / "usr/local").glob("lib*/python*/site-packages")):
        yield from tree(folder, site_packages(), leave_out=lambda path: path.name == "__pycache__")


# --- the system --------------------------------------------------------------------------------------


def system_files() -> Iterator[Entry]:
    """What tells an operating system: its release, package database, C library and dynamic loader."""
    for name in _ROOT_LINKS:
        if Path("/", name).is_symlink():
            yield Link(path=name, target=str(Path("/", name).readlink()))
    places = [Path(path) for path in _SYSTEM_FILES] + c_library()
    yield from {entry.path: entry for path in places for entry in _as_it_is(path)}.values()


def c_library() -> list[Path]:
    """The C library and the loader of this process, and the names that programs call the loader by."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    mapped = {line.split(maxsplit=5)[5] for line in maps.read_text().splitlines() if "/" in line}
    found = {Path(text) for text in mapped if Path(text).name.startswith(_C_LIBRARY)}
    loaders = (path for pattern in ("lib*/ld-linux*.so.*", "lib/ld-musl*.so.1") for path in Path("/").glob(pattern))
    return sorted(path for path in found | set(loaders) if path.exists())


def _as_it_is(path: Path) -> Iterator[Entry]:
    """A file or link of this machine, at the same place; its folder's links are followed."""
    if not path.exists():
        return
    inside = str(path.parent.resolve() / path.name).lstrip("/")
    if path.is_symlink():
        yield Link(path=inside, target=str(path.readlink()))
        yield from _as_it_is(path.resolve())
    else:
        yield File(path=inside, data=path, mode=path.stat().st_mode & 0o777)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.imagekit.demo OUT.tar")
    write_demo(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
