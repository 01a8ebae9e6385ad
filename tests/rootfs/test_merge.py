"""Merging against a model that applies layers one after the other, from the lowest up, on a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from envsync.reference import Digest
from envsync.rootfs.merge import merge
from envsync.rootfs.names import Node
from envsync.rootfs.scan import Budget, LayerContents, scan_layer
from envsync.rootfs.tree import Rootfs
from tests.image.layers import Folder, Item, Link, sha, tar_layer


@dataclass(frozen=True)
class Opaque:
    pass


@dataclass(frozen=True)
class Whiteout:
    pass


Step = Item | Opaque | Whiteout
Model = dict[str, Item]

paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
targets = st.one_of(
    paths,
    st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4).map("/".join),
)
steps = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.builds(Folder, mode=st.sampled_from([0o700, 0o755])),
    st.builds(Link, targets),
    st.builds(Whiteout),
    st.builds(Opaque),
)
layers = st.lists(st.dictionaries(paths, steps, max_size=6), max_size=5)


def parents(path: str) -> list[str]:
    """All folders above a path, the uppermost first, without the root."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def remove(model: Model, path: str, *, itself: bool = True) -> None:
    for each in list(model):
        if each.startswith(path + "/") or (itself and each == path):
            del model[each]


def apply(model: Model, layer: dict[str, Step]) -> None:
    """Deletions first, for they act on what is below only; then what the layer has."""
    for path, step in layer.items():
        if isinstance(step, Whiteout):
            remove(model, path)
        elif isinstance(step, Opaque):
            remove(model, path, itself=False)
    own = {path: step for path, step in layer.items() if not isinstance(step, Whiteout | Opaque)}
    for path, step in layer.items():
        match step:
            case Whiteout() | Opaque():
                # The folder in which something is deleted is there.
                put(model, own, path if isinstance(step, Opaque) else path.rpartition("/")[0], None)
            case _:
                put(model, own, path, step)


def put(model: Model, own: Model, path: str, item: Item | None) -> None:
    """Make ``path`` an item, or a folder that no entry describes, unless its own layer has no folder above it."""
    above = parents(path) if item is not None else [*parents(path), *([path] if path else [])]
    if any(not isinstance(own.get(folder, Folder()), Folder) for folder in above):
        return
    for folder in above:
        if not isinstance(model.get(folder), Folder):
            remove(model, folder)
            model[folder] = Folder()
    if item is not None:
        if not isinstance(item, Folder) or not isinstance(model.get(path), Folder):
            remove(model, path)
        model[path] = item


def as_tar(layer: dict[str, Step]) -> bytes:
    items: dict[str, Item] = {}
    for path, step in layer.items():
        parent, _, name = path[1:].rpartition("/")
        folder = f"{parent}/" if parent else ""
        match step:
            case Whiteout():
                items[f"{folder}.wh.{name}"] = b""
            case Opaque():
                items[f"{path[1:]}/.wh..wh..opq"] = b""
            case _:
                items[path[1:]] = step
    return tar_layer(items)


def read(tars: list[bytes]) -> Rootfs:
    found = []
    for number, tar in enumerate(tars):
        contents = LayerContents(number=number)
        scan_layer(iter([memoryview(tar)]), lambda _: True, contents, Budget(), "layer")
        found.append(contents)
    kept = {(each.number, offset): data for each in found for offset, data in each.kept.items()}

    def never(number: int, nodes: list[Node]) -> dict[int, bytes]:
        raise AssertionError((number, nodes))

    ids = tuple(Digest(sha(tar)) for tar in tars)
    return Rootfs(merge(found), kept=kept, fetch=never, stream=never, digests=never, elves=never, diff_ids=ids)


def as_model(rootfs: Rootfs, folder: str = "") -> Model:
    """Everything below a folder, found by walking."""
    model: Model = {}
    for name in rootfs.list(PurePosixPath(folder or "/")):
        path = f"{folder}/{name}"
        target = rootfs.readlink(PurePosixPath(path))
        if target is not None:
            model[path] = Link(str(target))
            continue
        found = rootfs.stat(PurePosixPath(path))
        assert found is not None
        assert str(found.path) == path
        if found.kind == "directory":
            model[path] = Folder(found.mode)
            model.update(as_model(rootfs, path))
        else:
            model[path] = rootfs.read(PurePosixPath(path))
    return model


def follow(model: Model, path: str) -> str | None:
    """Where a path leads, one step at a time, by replacing the first link in it."""
    for _ in range(41):
        parts: list[str] = []
        rest = [part for part in path.split("/") if part not in ("", ".")]
        while rest:
            part = rest.pop(0)
            if part == "..":
                parts = parts[:-1]
                continue
            here = "/" + "/".join([*parts, part])
            item = model.get(here)
            if item is None or (rest and isinstance(item, bytes)):
                return None
            if isinstance(item, Link):
                start = "" if item.target.startswith("/") else "/" + "/".join(parts)
                path = "/".join([start, item.target, *rest])
                break
            parts.append(part)
        else:
            return "/" + "/".join(parts)
    return None


def without_modes(model: Model) -> Model:
    return {path: Folder() if isinstance(item, Folder) else item for path, item in model.items()}


def plainer(model: Model) -> Model:
    """Link targets as :class:`PurePosixPath` spells them."""
    return {
        path: Link(str(PurePosixPath(item.target))) if isinstance(item, Link) else item for path, item in model.items()
    }


@settings(max_examples=200)
@given(layers)
def test_merging_top_down_is_applying_bottom_up(made: list[dict[str, Step]]) -> None:
    model: Model = {}
    for layer in made:
        apply(model, layer)
    found = as_model(read([as_tar(layer) for layer in made]))
    # Modes are compared elsewhere: what mode a folder has that only its contents imply, no layer says.
    assert without_modes(found) == without_modes(plainer(model))


def test_long_folders_are_hashed() -> None:
    names = [f"n{number}" for number in range(300)]
    lower = {f"/d/{name}": name.encode() for name in names}
    upper: dict[str, Step] = {"/d/n7": b"new", "/d/n8": Whiteout(), "/d/n9/x": b"", "/e/n7": b""}
    rootfs = read([as_tar(dict(lower)), as_tar(upper)])
    assert rootfs.list(PurePosixPath("/d")) == tuple(sorted(set(names) - {"n8"}))
    assert rootfs.read(PurePosixPath("/d/n7")) == b"new"
    assert rootfs.read(PurePosixPath("/d/n10")) == b"n10"
    assert rootfs.stat(PurePosixPath("/d/n8")) is None
    assert rootfs.stat(PurePosixPath("/d/n300")) is None
    found = rootfs.stat(PurePosixPath("/d/n9"))
    assert found is not None
    assert found.kind == "directory"


@settings(max_examples=100)
@given(layers)
def test_hashed_folders_are_what_searched_ones_are(made: list[dict[str, Step]]) -> None:
    tars = [as_tar(layer) for layer in made]
    with patch("envsync.rootfs.names._HASHED", 0):
        hashed = as_model(read(tars))
    assert hashed == as_model(read(tars))


@settings(max_examples=150)
@given(layers, st.lists(targets, min_size=1, max_size=5))
def test_paths_lead_where_the_model_says(made: list[dict[str, Step]], asked: list[str]) -> None:
    model: Model = {}
    for layer in made:
        apply(model, layer)
    rootfs = read([as_tar(layer) for layer in made])
    for path in [*asked, *model]:
        absolute = "/" + path.lstrip("/")
        found = rootfs.stat(PurePosixPath(absolute))
        assert (str(found.path) if found else None) == follow(model, absolute)


@given(layers)
def test_search_finds_what_walking_finds(made: list[dict[str, Step]]) -> None:
    rootfs = read([as_tar(layer) for layer in made])
    walked = sorted(path for path, item in as_model(rootfs).items() if not isinstance(item, Folder))
    assert [str(path) for path in rootfs.search(".*")] == walked
