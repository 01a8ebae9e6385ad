"""A real conda channel on loopback, and prefixes installed from it.

Records name :data:`BASE`, where nothing is; whoever downloads is told to take :attr:`Served.url` for it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, BinaryIO

import rattler
from rattler.index import index_fs
from rattler.networking import Client, MirrorMiddleware
from rattler.package import PathsJson
from rattler.platform import SubdirLiteral

from envsync.model import CondaPackage
from envsync.reference import Digest
from tests.imagekit import conda_contents, conda_package
from tests.imagekit.faulty import Proxy, Script, faulty
from tests.imagekit.machine import cache_folder, locked

BASE = "https://conda.example.org/pkgs"
"""``main`` and ``extra`` are below it."""

SUBDIRS = ("linux-64", "noarch", "osx-arm64")


# --- the channel -------------------------------------------------------------------------------------


def channel_folder() -> Path:
    """The folder that holds both channels, indexed; made once. Its name tells what is in it.

    Raises:
        KitError: the index of wheels cannot be reached.
        MissingToolError: this machine lacks the interpreter, or is of another kind.
    """
    prefix = conda_contents.interpreter_prefix()
    sources = (Path(module.__file__ or "") for module in (conda_contents, conda_package))
    parts = [*(source.read_bytes() for source in sources), str(prefix).encode()]
    parts += [path.read_bytes() for path in sorted(prefix.glob("lib/libpython*.so.1.0"))]
    folder = cache_folder() / f"conda-{hashlib.sha256(b''.join(parts)).hexdigest()[:12]}"
    with locked("conda-channel"):
        if not folder.exists():
            staging = folder.with_name(f"conda-{secrets.token_hex(4)}.partial")
            for name, packages in conda_contents.channels().items():
                for package in packages:
                    conda_package.write_package(package, staging / name)
                asyncio.run(index_fs(staging / name, write_zst=False, write_shards=False))
            staging.rename(folder)
    return folder


def records(
    *wanted: str, base: str = BASE, subdirs: Sequence[str] = ("linux-64", "noarch")
) -> list[rattler.RepoDataRecord]:
    """Records of packages, as the index of the channel has them, with URLs below ``base``.

    Args:
        wanted: ``six`` or ``six=1.17.0``; of a name alone, the newest in the first channel that has it; none: all.
        base: where both channels are.
        subdirs: of which platforms.
    """
    folder = channel_folder()
    found: list[rattler.RepoDataRecord] = []
    for channel in ("main", "extra"):
        for subdir in subdirs:
            index = folder / channel / subdir / "repodata.json"
            if index.exists():
                found += rattler.RepoData.from_path(index).into_repo_data(rattler.Channel(f"{base}/{channel}"))
    return [_choose(found, name) for name in wanted] if wanted else found


def _choose(found: list[rattler.RepoDataRecord], wanted: str) -> rattler.RepoDataRecord:
    name, _, version = wanted.partition("=")
    named = [one for one in found if one.name.normalized == name and version in ("", str(one.version))]
    first = [one for one in named if one.channel == named[0].channel]
    return max(first, key=lambda one: (one.version, one.build_number))


def described(url: str) -> CondaPackage:
    """What the channel's index and the package itself tell of the package at ``url``, as a snapshot has it."""
    channel, subdir, name = url.rsplit("/", 2)
    folder = channel_folder() / channel.removeprefix(f"{BASE}/") / subdir
    index = json.loads((folder / "repodata.json").read_text())
    row: dict[str, Any] = {**index["packages"], **index["packages.conda"]}[name]
    data = (folder / name).read_bytes()
    paths = {
        _in_prefix(str(entry.relative_path)): entry for entry in PathsJson.from_package_archive(folder / name).paths
    }
    lines = sorted(f"{path}\0{(entry.sha256 or b'').hex()}\n" for path, entry in paths.items())
    return CondaPackage(
        name=row["name"],
        version=row["version"],
        build=row["build"],
        build_number=row["build_number"],
        channel=channel,
        subdir=subdir,
        url=url,
        md5=hashlib.md5(data).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        noarch=row.get("noarch"),
        depends=tuple(row["depends"]),
        constrains=tuple(row.get("constrains", ())),
        files=len(paths),
        paths=Digest("sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()),
    )


def _in_prefix(path: str) -> str:
    return re.sub("^site-packages/", "lib/python3.9/site-packages/", path)


# --- serving it --------------------------------------------------------------------------------------


class Served:
    """A channel folder on loopback."""

    def __init__(self, proxy: Proxy, token: str) -> None:
        self._proxy = proxy
        self.url = f"http://{proxy.address}" + (f"/t/{token}" if token else "")
        """Takes the place of :data:`BASE`; with the token, without user and password."""

    def count(self, ending: str, *, method: str = "GET") -> int:
        """How many requests there were for a path that ends so."""
        return sum(one.path.endswith(ending) and one.method == method for one in self._proxy.requests)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [one.path for one in self._proxy.requests]

    @property
    def logged_in(self) -> list[str]:
        """What was asked for with an ``Authorization`` header."""
        return [one.path for one in self._proxy.requests if one.authorized]


@contextmanager
def serve(
    folder: Path | None = None,
    script: Script = lambda _: None,
    *,
    user: str | Mapping[str, str] = "",
    token: str = "",
) -> Iterator[Served]:
    """Serve a channel's folder (the one of :func:`channel_folder` by default).

    Args:
        folder: what is served.
        script: what goes wrong with which requests: see :mod:`tests.imagekit.faulty`.
        user: ``name:password`` demanded of everyone (Basic), or by the channel's name; else 401.
        token: paths must begin with ``/t/<token>``; else 404, as anaconda.org answers.
    """
    handler = type("Handler", (_Handler,), {"users": {"": user} if isinstance(user, str) else user, "token": token})
    directory = str(folder or channel_folder())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=directory))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with faulty(f"127.0.0.1:{server.server_address[1]}", script) as proxy:
            yield Served(proxy, token)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    users: Mapping[str, str] = {}
    token = ""

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        user = self.users.get("") or self.users.get(self.path.split("/")[1], "")
        expected = "Basic " + base64.b64encode(user.encode()).decode()
        if user and self.headers["Authorization"] != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="channel"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if self.token:
            prefix = f"/t/{self.token}/"
            if not self.path.startswith(prefix):
                self.send_error(404)
                return None
            self.path = self.path.removeprefix(prefix[:-1])
        return super().send_head()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file to somebody who may be killed in the middle of it."""
        with suppress(ConnectionError):
            super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing: what is served belongs to no test's output."""


# --- installing from it ------------------------------------------------------------------------------


def solve(
    specs: Sequence[str],
    served: Served,
    *,
    channels: Sequence[str] = (f"{BASE}/main", f"{BASE}/extra"),
    platform: SubdirLiteral = "linux-64",
    virtual: Sequence[str] = ("__glibc=2.36",),
) -> list[rattler.RepoDataRecord]:
    """The records that rattler chooses for match specs; it looks into no cache of this user's."""

    async def solved(cache: str) -> list[rattler.RepoDataRecord]:
        return await rattler.solve(
            channels,
            [rattler.MatchSpec(one) for one in specs],  # a plain string may not be ``name=version=build``
            gateway=rattler.Gateway(cache_dir=Path(cache), client=client_for(served)),
            platforms=[platform, "noarch"],
            virtual_packages=[_virtual(*one.split("=")) for one in virtual],
        )

    with TemporaryDirectory() as cache:
        return asyncio.run(solved(cache))


def client_for(served: Served) -> Client:
    """Downloads from ``served`` what is to be had from :data:`BASE`."""
    return Client([MirrorMiddleware({BASE: [served.url]})])


def _virtual(name: str, version: str) -> rattler.GenericVirtualPackage:
    return rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0"))


_COPIES = "allow-hard-links = false\n"
"""A test may change what it installed: nothing may be linked with the packages that all tests share."""


def install(
    prefix: Path,
    packages: Sequence[rattler.RepoDataRecord],
    served: Served,
    *,
    target: str = "",
    requested: Sequence[str] = (),
    link_scripts: bool = False,
    cache: Path | None = None,
) -> None:
    """A prefix with these packages, by rattler, with the history that conda writes.

    Args:
        prefix: made, or changed to hold just these.
        packages: with their dependencies, and URLs below :data:`BASE` or ``served.url``.
        served: where the files are.
        target: the prefix to write into files, where the environment will stand elsewhere.
        requested: match specs, for the history.
        link_scripts: run the scripts that packages bring for it.
        cache: where packages are unpacked; one that all tests share by default.
    """
    asyncio.run(
        rattler.install(
            list(packages),
            prefix,
            cache_dir=cache or channel_folder().with_suffix(".pkgs"),
            client=client_for(served),
            show_progress=False,
            execute_link_scripts=link_scripts,
            config=rattler.config.Config.from_toml(_COPIES),
            alternative_target_prefix=target or None,
        )
    )
    write_history(prefix, target or str(prefix), packages, requested)


def write_history(
    prefix: Path, named: str, packages: Sequence[rattler.RepoDataRecord], requested: Sequence[str]
) -> None:
    """``conda-meta/history`` of an environment that was made at once as ``named``, as conda 23 writes it."""
    lines = [
        "==> 2023-11-14 22:13:20 <==",
        f"# cmd: /opt/conda/bin/conda create -p {named}",
        "# conda version: 23.9.0",
    ]
    lines += sorted(
        f"+{one.channel.rstrip('/')}/{one.subdir}::{one.name.normalized}-{one.version}-{one.build}" for one in packages
    )
    lines.append(f"# update specs: {list(requested)!r}")
    (prefix / "conda-meta" / "history").write_text("".join(f"{line}\n" for line in lines))
