"""Packages that were solved for this machine, of an image for another one, make an environment here."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from envsync.errors import BuildError
from envsync.model import CondaPackage, Snapshot
from envsync.solve import ChannelAccess, solve
from tests.build.conda.making import installed, make, with_packages
from tests.imagekit.conda_channel import BASE, Served, serve

pytestmark = pytest.mark.network


def access(served: Served, folder: Path) -> ChannelAccess:
    return ChannelAccess(places=lambda channel: (channel.replace(BASE, served.url),), cache=folder / "repodata")


def on_arm(package: CondaPackage) -> CondaPackage:
    """The package as an image for another processor has it."""
    if package.subdir == "noarch":
        return package
    url = package.url.replace("/linux-64/", "/linux-aarch64/")
    return replace(package, subdir="linux-aarch64", build="arm_0", url=url)


def urls(prefix: Path) -> dict[str, object]:
    return {name: (record["url"], record["sha256"]) for name, record in installed(prefix).items()}


def test_the_nearest_twin_for_a_mac(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    environment = lock.conda[0]
    found = solve(environment, "osx-arm64", access(served, tmp_path))
    assert found.level == "exact"
    assert [(one.name, one.reason) for one in found.deviations] == [("demo-hook", "absent")]
    versions = {package.name: package.version for package in environment.packages if package.name != "demo-hook"}
    assert {package.name: package.version for package in found.packages} == versions
    assert {package.subdir for package in found.packages} == {"osx-arm64", "noarch"}
    assert {package.channel for package in found.packages} <= {f"{BASE}/main", f"{BASE}/extra"}


def test_what_was_solved_for_this_machine_is_made_here(
    lock: Snapshot, original: Path, served: Served, tmp_path: Path
) -> None:
    arm = with_packages(lock, on_arm)
    with pytest.raises(BuildError, match="linux-aarch64, and this machine is linux-64"):
        make(arm, tmp_path / "none", served)
    solved = solve(arm.conda[0], "linux-64", access(served, tmp_path))
    assert solved.deviations == ()
    make(replace(arm, conda=(replace(arm.conda[0], solved=(solved,)),)), tmp_path / "env", served)
    assert urls(tmp_path / "env") == urls(original)


def test_a_token_of_a_place_is_not_written_down(lock: Snapshot, tmp_path: Path) -> None:
    with serve(user="me:s3cret", token="tk-s3cret") as served:
        private = served.url.replace("http://", "http://me:s3cret@")
        asked = ChannelAccess(places=lambda channel: (channel.replace(BASE, private),), cache=tmp_path / "repodata")
        found = solve(lock.conda[0], "osx-arm64", asked)
    assert [package.url for package in found.packages if not package.url.startswith(f"{BASE}/")] == []
    assert "s3cret" not in repr(found)
