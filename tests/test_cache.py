from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envsync.cache import Cache, CacheError, KindInfo, default_folder
from envsync.cache_folders import Cleared

HEADER = 48
KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,139}", fullmatch=True)
KINDS = st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,4})?", fullmatch=True)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def entry(cache: Cache, kind: str = "blob", key: str = "a") -> Path:
    return cache.folder / f"{kind}.{key}.envsync"


def names(cache: Cache) -> list[str]:
    return sorted(path.name for path in cache.folder.iterdir())


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def use_long_ago(path: Path, seconds: int) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


# --- entries -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(kind=KINDS, key=KEYS, data=st.binary(max_size=2000))
def test_what_was_put_is_got(kind: str, key: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        assert cache.get(kind, key) is None
        cache.put(kind, key, data)
        assert cache.get(kind, key) == data
        assert Cache(Path(folder)).get(kind, key) == data
        assert cache.get(kind + "1", key) is None


@settings(deadline=None)
@given(kind=st.text(max_size=20), key=st.text(max_size=200))
def test_a_name_is_refused_or_a_file_of_the_folder(kind: str, key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder, "a", "b"))
        with contextlib.suppress(ValueError):
            cache.put(kind, key, b"x")
        made = {path.name for path in Path(folder).rglob("*")}
        assert made in (set(), {"a", "b", "CACHEDIR.TAG", entry(cache, kind, key).name})


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "../a", "a\n", "-a", ".a", "sha256:ab", "a" * 141])
def test_keys_that_are_not_safe(cache: Cache, key: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a file name") as caught:
        cache.get("blob", key)
    assert str(caught.value) == f"cache: kind 'blob', key {key!r}: cannot be part of a file name"
    assert not cache.folder.exists()


@settings(deadline=None)
@given(size=st.integers(0, 200), position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_flipped_byte_is_found(size: int, position: int, change: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        cache.put("blob", "a", bytes(size))
        spoilt = bytearray(entry(cache).read_bytes())
        assert len(spoilt) == HEADER + size
        spoilt[position % len(spoilt)] ^= change
        entry(cache).write_bytes(spoilt)
        assert cache.get("blob", "a") is None
        assert not entry(cache).exists()


@settings(deadline=None)
@given(size=st.integers(0, 200), length=st.integers(0, 400))
def test_another_length_is_found(size: int, length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        cache.put("blob", "a", bytes(size))
        os.truncate(entry(cache), length)
        intact = length == HEADER + size
        assert cache.get("blob", "a") == (bytes(size) if intact else None)
        assert entry(cache).exists() == intact


def test_an_entry_under_another_name_is_a_damaged_one(cache: Cache) -> None:
    cache.put("blob", "a", b"1")
    cache.put("layer-1", "a", b"1")
    entry(cache).rename(entry(cache, key="b"))
    entry(cache, "layer-1").rename(entry(cache, "layer-2"))
    assert cache.get("blob", "b") is None
    assert cache.get("layer-2", "a") is None
    assert names(cache) == ["CACHEDIR.TAG"]


def test_what_is_no_file_is_no_entry(cache: Cache, tmp_path: Path) -> None:
    cache.put("blob", "link", b"secret")
    (tmp_path / "elsewhere").write_bytes(entry(cache, key="link").read_bytes())
    entry(cache, key="link").unlink()
    entry(cache, key="link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(entry(cache, key="pipe"))
    entry(cache, key="folder").mkdir()
    for key in ("link", "pipe", "folder"):
        assert cache.get("blob", key) is None
        cache.put("blob", key, b"new")
    assert [cache.get("blob", key) for key in ("link", "pipe", "folder")] == [b"new", b"new", None]
    assert entry(cache, key="link").is_file()
    assert (tmp_path / "elsewhere").read_bytes().endswith(b"secret")


def test_only_the_owner_may_look_whatever_the_umask(tmp_path: Path) -> None:
    code = "import os, sys; os.umask(0); from pathlib import Path; from envsync.cache import Cache; "
    code += "Cache(Path(sys.argv[1])).put('blob', 'a', b'x')"
    folder = tmp_path / "caches" / "envsync"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600, 0o600]


def test_a_new_folder_is_tagged_for_backups_and_no_other(cache: Cache, tmp_path: Path) -> None:
    cache.put("blob", "a", b"1")
    tag = (cache.folder / "CACHEDIR.TAG").read_bytes()
    assert tag[:43] == b"Signature: 8a477f597d28d172789f06886806bc55"
    (tmp_path / "thesis.txt").touch()
    mine = Cache(tmp_path)
    mine.put("blob", "a", b"1")
    assert mine.get("blob", "a") == b"1"
    assert not (tmp_path / "CACHEDIR.TAG").exists()


# --- the limit ---------------------------------------------------------------------------------------


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=3 * (HEADER + 100))
    for age, key in enumerate("cba", 1):
        cache.put("blob", key, bytes(100))
        use_long_ago(entry(cache, key=key), age * 1000)
    assert cache.get("blob", "a") == bytes(100)  # now the one used last
    cache.put("blob", "d", bytes(100))
    assert [cache.get("blob", key) is not None for key in "abcd"] == [True, False, True, True]


def test_what_another_version_made_goes_before_all_else(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=3 * (HEADER + 100))
    cache.put("layer-1", "a", bytes(100))
    for kind in ("blob", "layer-2"):
        cache.put(kind, "a", bytes(100))
        use_long_ago(entry(cache, kind), 1000)
    cache.put("blob", "b", bytes(100))
    assert names(cache) == ["CACHEDIR.TAG", "blob.a.envsync", "blob.b.envsync", "layer-2.a.envsync"]


def test_a_new_entry_stays_whatever_the_clock_said(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=2 * (HEADER + 100))
    for key in "ab":
        cache.put("blob", key, bytes(100))
        use_long_ago(entry(cache, key=key), -1000)
    cache.put("blob", "c", bytes(100))
    assert cache.get("blob", "c") == bytes(100)


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=200)
    cache.put("blob", "a", bytes(100))
    cache.put("blob", "b", bytes(201))
    assert cache.get("blob", "a") == bytes(100)
    assert cache.get("blob", "b") is None


@settings(max_examples=50, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.integers(0, 400)), max_size=30))
def test_the_limit_is_kept_and_nothing_else_is_got(steps: list[tuple[bool, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache, kept = Cache(Path(folder), limit=1000), dict[str, bytes]()
        for is_put, key, size in steps:
            if is_put:
                kept[key] = random.Random(size).randbytes(size)
                cache.put("blob", key, kept[key])
                assert cache.get("blob", key) == kept[key]
            else:
                assert cache.get("blob", key) in (None, kept.get(key))
            assert cache.info().bytes <= 1000


# --- folders that cannot be used ---------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/proc/nowhere/cache", "file/cache", "file"])
def test_where_nothing_can_be_written_there_is_no_cache(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / place, on_problem=lambda error: pytest.fail(error.message))
    cache.put("blob", "a", b"1")
    assert cache.get("blob", "a") is None
    assert cache.info().entries == 0


def test_what_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    """As on a full disk: the system ends the file after 100 bytes."""
    code = (
        "import resource, sys; from pathlib import Path; from envsync.cache import Cache; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); cache = Cache(Path(sys.argv[1])); "
        "cache.put('blob', 'a', bytes(50)); cache.put('blob', 'b', bytes(1000)); print(cache.info().entries)"
    )
    (tmp_path / "other").touch()
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blob.a.envsync", "other"]


def check_distrusted(cache_folder: Path, said: str) -> None:
    told: list[CacheError] = []
    before = sorted(cache_folder.iterdir())
    cache = Cache(cache_folder, on_problem=told.append)
    for _ in range(2):
        cache.put("blob", "b", b"1")
        assert cache.get("blob", "a") is None
    assert [error.message for error in told] == [said]
    assert (cache.info().problem, cache.info().entries) == (said, 0)
    with pytest.raises(CacheError) as caught:
        cache.clear()
    assert caught.value.message == said
    assert sorted(cache_folder.iterdir()) == before


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_used(cache: Cache, mode: int) -> None:
    cache.put("blob", "a", b"1")
    cache.folder.chmod(mode)
    said = f"{cache.folder}: others may write to it (expected only its owner): not used as a cache"
    check_distrusted(cache.folder, said)
    assert cache.info().hint == f"Close it, if you know what it holds: chmod go-w {cache.folder}"


@as_root
def test_the_folder_of_another_user_is_not_used(cache: Cache) -> None:
    cache.put("blob", "a", b"1")
    os.chown(cache.folder, 12345, -1)
    said = f"{cache.folder}: belongs to another user (expected user ID 0): not used as a cache"
    check_distrusted(cache.folder, said)
    assert cache.info().hint == "Name another folder: ENVSYNC_CACHE_DIR=DIR"


@as_root
def test_the_link_of_another_user_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    cache.put("blob", "a", b"1")
    link = tmp_path / "link"
    link.symlink_to(cache.folder)
    assert Cache(link).get("blob", "a") == b"1"
    os.lchown(link, 12345, -1)
    check_distrusted(link, f"{link}: belongs to another user (expected user ID 0): not used as a cache")


# --- info and clear ----------------------------------------------------------------------------------


def test_info_counts_by_kind(cache: Cache) -> None:
    empty = cache.info()
    assert (empty.entries, empty.bytes, empty.kinds, empty.problem) == (0, 0, (), None)
    assert not cache.folder.exists()
    for kind, key, size in (("layer-1", "a", 10), ("blob", "a", 20), ("layer-1", "b", 30)):
        cache.put(kind, key, bytes(size))
    info = cache.info()
    assert (info.folder, info.limit) == (cache.folder, 512 << 20)
    assert (info.entries, info.bytes) == (3, 3 * HEADER + 60)
    assert info.kinds == (
        KindInfo(kind="blob", entries=1, bytes=HEADER + 20),
        KindInfo(kind="layer-1", entries=2, bytes=2 * HEADER + 40),
    )


def test_clear_removes_what_the_cache_made_and_nothing_else(cache: Cache) -> None:
    assert cache.clear() == Cleared()
    cache.put("layer-1", "a", bytes(100))
    cache.put("blob", "b", bytes(200))
    dead = dead_process()
    (cache.folder / f".envsync-blob.c.envsync.{dead}-00000000").write_bytes(bytes(7))
    others = (
        f".envsync-blob.c.envsync.{os.getppid()}-00000000",  # being written by another process
        f".envsync-venv.{dead}-00000000",
        "blob.a.envsync.txt",
        "thesis.txt",
    )
    for name in others:
        (cache.folder / name).write_bytes(b"mine")
    (cache.folder / "blob.d.envsync").mkdir()
    assert cache.clear() == Cleared(freed=2 * HEADER + 300 + 7)
    assert names(cache) == sorted([*others, "CACHEDIR.TAG", "blob.d.envsync"])
    assert cache.clear() == Cleared()


def test_what_a_killed_process_left_goes_with_the_next_entry(cache: Cache) -> None:
    cache.put("blob", "a", b"1")
    (cache.folder / f".envsync-blob.c.envsync.{dead_process()}-00000000").write_bytes(bytes(7))
    cache.put("blob", "b", b"1")
    assert names(cache) == ["CACHEDIR.TAG", "blob.a.envsync", "blob.b.envsync"]


# --- several processes -------------------------------------------------------------------------------

WORKER = """
import random, sys
from pathlib import Path
from envsync.cache import Cache
cache = Cache(Path(sys.argv[1]), limit=int(sys.argv[2]), on_problem=lambda error: sys.exit(error.message))
chosen = random.Random(int(sys.argv[3]))
found = 0
for step in range(int(sys.argv[4])):
    key = str(chosen.randrange(40))
    data = key.encode() * chosen.randrange(1, 2000)
    kind = f"layer-{chosen.randrange(2)}"
    match chosen.choice(["put", "put", "put", "get", "get", "get", "get", "info", "clear"]):
        case "put":
            cache.put(kind, key, data)
        case "get":
            got = cache.get(kind, key)
            found += got is not None
            assert got is None or got == key.encode() * (len(got) // len(key)), key
        case "info":
            assert cache.info().problem is None, cache.info()
        case "clear":
            cache.clear()
print(found)
"""
LIMIT = 40_000


def worker(folder: Path, seed: int, steps: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WORKER, str(folder), str(LIMIT), str(seed), str(steps)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_at_once_some_of_them_killed(cache: Cache) -> None:
    moments = random.Random(1)
    lasting = [worker(cache.folder, seed, 1500) for seed in range(3)]
    for seed in range(12):
        doomed = worker(cache.folder, 100 + seed, 10**6)
        time.sleep(moments.uniform(0.1, 0.3))
        doomed.kill()
        doomed.communicate()
        assert doomed.returncode == -signal.SIGKILL
    found = 0
    for process in lasting:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        found += int(out)
    assert found > 50  # it is a cache
    last = Cache(cache.folder, limit=LIMIT)
    last.put("layer-1", "last", b"1")
    assert last.info().bytes <= LIMIT
    for name in names(cache):
        assert name == "CACHEDIR.TAG" or last.get(*name.removesuffix(".envsync").split(".")) is not None, name


# --- where it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", "/h/.cache/envsync"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Caches/envsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "linux", "/x/envsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "darwin", "/x/envsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "linux", "/h/.cache/envsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": ""}, "linux", "/h/.cache/envsync"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x", "ENVSYNC_CACHE_DIR": "/mine"}, "darwin", "/mine"),
        ({"HOME": "/h", "ENVSYNC_CACHE_DIR": ""}, "linux", "/h/.cache/envsync"),
    ],
)
def test_default_folder(environment: Mapping[str, str], platform: str, expected: str) -> None:
    assert default_folder(environment, platform) == Path(expected)


def test_default_folder_is_absolute_and_needs_no_home() -> None:
    assert default_folder({"ENVSYNC_CACHE_DIR": "mine"}) == Path.cwd() / "mine"
    assert default_folder({}, "linux") == Path.home() / ".cache" / "envsync"


def test_large_entries_are_whole(cache: Cache) -> None:
    data = random.Random(0).randbytes(20 << 20)
    cache.put("layer-1", hashlib.sha256(data).hexdigest(), data)
    assert cache.get("layer-1", hashlib.sha256(data).hexdigest()) == data
