"""An image whose conda environments come from a real channel: both ways agree, and tell what the channel does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from envsync.lock.store import read_lock, without_layers
from envsync.model import CondaPackage, Snapshot
from tests.end_to_end.program import envsync
from tests.imagekit.conda_channel import BASE, described
from tests.imagekit.conda_prefixes import OTHER, OTHER_PACKAGES, OTHER_REQUESTED, PACKAGES, PREFIX, REQUESTED

pytestmark = [pytest.mark.engine, pytest.mark.network]

Method = str


@pytest.fixture(scope="module")
def pulled(conda_channel_image: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Method], Snapshot]:
    known: dict[Method, Snapshot] = {}

    def pull(method: Method) -> Snapshot:
        if method not in known:
            folder = tmp_path_factory.mktemp(method)
            result = envsync("pull", conda_channel_image, "--method", method, "--no-cache", cwd=folder)
            assert result.status == 0, result.said
            assert f"{len(PACKAGES)} conda packages in {PREFIX}" in result.err
            assert f"other conda environments in it: {OTHER}" in result.err
            (path,) = (folder / "lockfiles").rglob("snapshot.json")
            known[method] = read_lock(path.parent).snapshot
        return known[method]

    return pull


def facts(snapshot: Snapshot) -> Snapshot:
    return without_layers(replace(snapshot, source=replace(snapshot.source, method="both")))


def test_reading_and_running_agree(pulled: Callable[[Method], Snapshot]) -> None:
    both = pulled("both")
    assert pulled("run").conda == facts(both).conda == facts(pulled("read")).conda
    assert both.skipped == ()


def test_both_environments_are_described(pulled: Callable[[Method], Snapshot]) -> None:
    first, other = pulled("both").conda
    assert (str(first.prefix), str(other.prefix)) == (PREFIX, OTHER)
    for environment, packages, requested in ((first, PACKAGES, REQUESTED), (other, OTHER_PACKAGES, OTHER_REQUESTED)):
        names = sorted(name.partition("=")[0] for name in packages)
        assert [package.name for package in environment.packages] == names
        assert environment.requested == tuple(sorted(requested))
        assert environment.channels == (f"{BASE}/main", f"{BASE}/extra")
        assert [p.name for p in environment.packages if p.missing or p.overwritten or p.overwritten_by] == []


def test_every_record_is_that_of_the_channel(pulled: Callable[[Method], Snapshot]) -> None:
    for environment in pulled("both").conda:
        for package in environment.packages:
            assert without_layer(package) == described(package.url), package.name


def test_only_what_pip_brought_belongs_to_no_conda_package(pulled: Callable[[Method], Snapshot]) -> None:
    snapshot = pulled("both")
    owners = {d.name: d.conda for d in snapshot.distributions}
    assert {name: owner for name, owner in owners.items() if owner is None} == {"idna": None, "MarkupSafe": None}
    assert all(owner == name for name, owner in owners.items() if owner is not None)
    assert len(owners) == 8


def without_layer(package: CondaPackage) -> CondaPackage:
    assert package.layer is not None
    return replace(package, layer=None)
