"""The files of a lock's image, from wherever it is: an archive, the engine, a registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec
import pytest

from envsync.build.python.provide import PythonOptions, provide_interpreter
from envsync.cache import Cache
from envsync.errors import ImageError
from envsync.image_files import opener
from envsync.model import ListSource, Snapshot
from envsync.pull_options import Progress, PullOptions
from envsync.reference import Reference, parse_reference
from envsync.take import take_snapshot
from tests.imagekit.engine import save
from tests.imagekit.pushing import push
from tests.imagekit.registries import open_registry

OPTIONS = PullOptions(method="read")


def _lock(reference: Reference, options: PullOptions = OPTIONS) -> Snapshot:
    return take_snapshot(reference, options, Progress())


def _contents(lock: Snapshot, reference: Reference, options: PullOptions = OPTIONS) -> dict[str, int]:
    """Path → number of bytes of the interpreter, a library and a file that is empty."""
    found: dict[str, int] = {}

    def take(path: PurePosixPath, stream: BinaryIO) -> None:
        assert len(stream.read(4)) in (0, 4)
        found[str(path)] = 4 + len(stream.read())

    open_image = opener(lock, reference, options, Progress())
    assert open_image is not None
    with open_image() as image:
        executable = image.tree.stat(PurePosixPath(str(lock.python.executable)))
        assert executable is not None
        paths = (executable.path, PurePosixPath("/etc/os-release"), PurePosixPath("/nothing"))
        image.extract(paths, take)
        assert found[str(executable.path)] == executable.size
    return found


@pytest.mark.engine
@pytest.mark.registry
def test_the_same_files_from_wherever_the_image_is(image: Callable[[str], str], tmp_path: Path) -> None:
    tag = image("slim")
    archive = parse_reference(f"docker-archive:{save(tag)}")
    lock = _lock(archive)
    wanted = _contents(lock, archive)
    assert len(wanted) == 2
    cache = Cache(tmp_path / "cache", on_problem=lambda problem: pytest.fail(problem.message))
    cached = msgspec.structs.replace(OPTIONS, cache=cache)
    for options in (OPTIONS, cached, cached):
        assert _contents(lock, parse_reference(f"docker:{tag}"), options) == wanted
        assert _contents(lock, parse_reference(tag), options) == wanted
    with open_registry(tmp_path) as registry:
        push(save(tag), registry.address, "kit/app", "1")
        for scheme in ("registry:", ""):
            named = parse_reference(f"{scheme}{registry.address}/kit/app:1")
            assert _contents(_lock(named, cached), named, cached) == wanted
        # The tag is moved; the lock knows the digest.
        lock = _lock(named)
        push(save(image("old37")), registry.address, "kit/app", "1")
        assert _contents(lock, named) == wanted


@pytest.mark.engine
def test_another_image_than_the_locks_is_refused(image: Callable[[str], str]) -> None:
    other = image("old37")
    lock = _lock(parse_reference(f"docker-archive:{save(image('slim'))}"))
    for text in (f"docker:{other}", f"docker-archive:{save(other)}"):
        open_image = opener(lock, parse_reference(text), OPTIONS, Progress())
        assert open_image is not None
        with pytest.raises(ImageError, match=r"is another image than the lock's \(expected the one with the ID "):
            open_image().__enter__()


def test_a_published_list_is_of_no_image() -> None:
    source = ListSource(reference="acme/app:1", url="https://example.org/list", date="2024", completeness="full")
    lock = Snapshot(source=source, interpreters=())
    assert opener(lock, parse_reference("acme/app:1"), OPTIONS, Progress()) is None


@pytest.mark.engine
def test_the_images_own_interpreter_from_the_engine(image: Callable[[str], str], tmp_path: Path) -> None:
    tag = image("slim")
    reference = parse_reference(f"docker:{tag}")
    lock = _lock(reference)
    options = PythonOptions(requested="image", cache=tmp_path, open_image=opener(lock, reference, OPTIONS, Progress()))
    python = provide_interpreter(lock, options, lambda _event: None)
    assert (python.version, python.source) == (lock.python.version, "image")
    again = msgspec.structs.replace(options, open_image=None)
    assert provide_interpreter(lock, again, lambda _event: None) == python
