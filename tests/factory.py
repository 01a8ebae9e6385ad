"""Small snapshots for tests that need one."""

from __future__ import annotations

from pathlib import PurePosixPath

from envsync.model import (
    Distribution,
    EnvironmentVariable,
    ImageConfig,
    ImageSource,
    Interpreter,
    Libc,
    OperatingSystem,
    OsPackage,
    Snapshot,
)
from envsync.reference import Digest, Platform

CONFIG_DIGEST = Digest("sha256:" + "c" * 64)
LAYER = Digest("sha256:" + "1" * 64)
SITE = PurePosixPath("/usr/local/lib/python3.9/site-packages")


def distribution(name: str, version: str = "1.0", **fields: object) -> Distribution:
    info = SITE / f"{name.replace('-', '_')}-{version}.dist-info"
    values = {"location": SITE, "metadata": info, "installer": "pip", **fields}
    return Distribution(name=name, version=version, **values)


def snapshot(*distributions: Distribution, **fields: object) -> Snapshot:
    python = Interpreter(
        version="3.9.18",
        executable=PurePosixPath("/usr/local/bin/python"),
        aliases=(PurePosixPath("/usr/local/bin/python3"), PurePosixPath("/usr/local/bin/python3.9")),
        abi="cp39",
        platform_tag="manylinux_2_36_x86_64",
        prefix=PurePosixPath("/usr/local"),
        base_prefix=PurePosixPath("/usr/local"),
        sys_path=(PurePosixPath("/usr/local/lib/python3.9"), SITE),
        distributions=distributions,
    )
    values = {
        "source": source(),
        "platform": Platform(os="linux", architecture="amd64"),
        "config": ImageConfig(env=(EnvironmentVariable(name="LANG", value="C.UTF-8"),), user="", workdir="/"),
        "os": OperatingSystem(
            id="debian",
            version_id="12",
            codename="bookworm",
            pretty_name="Debian GNU/Linux 12 (bookworm)",
            libc=Libc(family="glibc", version="2.36"),
        ),
        "interpreters": (python,),
        "os_packages": (
            OsPackage(manager="dpkg", name="libc6", version="2.36-9", architecture="amd64", source="glibc"),
            OsPackage(manager="dpkg", name="zlib1g", version="1:1.2.13", architecture="amd64", source="zlib"),
        ),
        **fields,
    }
    return Snapshot(**values)


def source(reference: str = "acme/app:1", **fields: object) -> ImageSource:
    values = {
        "config_digest": CONFIG_DIGEST,
        "created": "2024-01-01T00:00:00Z",
        "method": "run",
        "pulled_at": "2024-02-02T02:02:02Z",
        "layers": (LAYER,),
        **fields,
    }
    return ImageSource(reference=reference, **values)
