"""Pulling straight from real registries: the same bytes as from anywhere else, logins, faults, and the cache."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.cli.archives import installed, write_archive
from tests.end_to_end.program import Result, environment, envsync
from tests.imagekit.engine import docker, save
from tests.imagekit.faulty import (
    Answer,
    Corrupt,
    Delay,
    Drop,
    IgnoreRange,
    Redirect,
    Script,
    Stall,
    Truncate,
    WrongDigest,
    WrongRange,
    faulty,
    on,
)
from tests.imagekit.pushing import Repository, push
from tests.imagekit.registries import Registry, basic, open_registry, password_registry, token_registry
from tests.imagekit.tokens import TokenServer, serving_tokens

pytestmark = pytest.mark.registry

LAYERS = "/blobs/sha256:"
NOWHERE = {"DOCKER_HOST": "tcp://127.0.0.1:1"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A layer that no compression makes small: what breaks off must be able to break off in the middle.
    noise = installed(
        "noise", "1", RECORD="".join(f"{base64.b64encode(bytes([n % 251]) * 40)!r},,\n" for n in range(99))
    )
    return write_archive(tmp_path_factory.mktemp("image") / "image.tar", installed("attrs", "25.3.0"), noise)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[Registry]:
    with open_registry(tmp_path_factory.mktemp("registry")) as running:
        push(archive, running.address, "acme/job", "1")
        yield running


@pytest.fixture(scope="module")
def largest(registry: Registry) -> str:
    """The digest of the largest layer."""
    manifest = json.loads(Repository(registry.address, "acme/job").manifest("1"))
    return max(manifest["layers"], key=lambda layer: layer["size"])["digest"]


@pytest.fixture
def pull(tmp_path: Path) -> Callable[..., Result]:
    """Pulls in a folder of the test's own, with a cache and Docker's settings of its own, and without an engine."""

    def run(*words: str, **variables: str) -> Result:
        own = {"ENVSYNC_CACHE_DIR": str(tmp_path / "cache"), "DOCKER_CONFIG": str(tmp_path / "docker"), **NOWHERE}
        return envsync("pull", *words, cwd=tmp_path, **{**own, **variables})

    return run


def lock_files(folder: Path) -> dict[str, bytes]:
    (snapshot,) = folder.rglob("snapshot.json")
    return {path.name: path.read_bytes() for path in snapshot.parent.iterdir()}


def facts(files: dict[str, bytes]) -> Any:
    """A snapshot without what tells one way of taking it from another."""
    document = json.loads(files["snapshot.json"])
    for key in ("reference", "digest", "method", "pulled_at"):
        document["source"].pop(key, None)
    return document


def without_layers(document: Any) -> Any:
    """Without layers, digests of files and what those need, which only reading tells."""
    document.pop("needs", None)
    for key in ("layer_sizes", "layer_commands"):
        document["source"].pop(key, None)
    for interpreter in document["interpreters"]:
        interpreter.pop("standard_library", None)
        for distribution in interpreter.get("distributions", ()):
            for key in ("layer", "contents", "patched"):
                distribution.pop(key, None)
    return document


# --- the same as from anywhere else ----------------------------------------------------------------------


@pytest.mark.engine
@pytest.mark.parametrize("name", ["slim", "relayered", "user_site", "venv"])
def test_a_registry_an_archive_and_a_container_say_the_same(
    name: str, image: Callable[[str], str], registry: Registry, tmp_path: Path
) -> None:
    tag = image(name)
    saved = save(tag)
    pushed = push(saved, registry.address, f"kit/{name}", "1", compression="zstd" if name == "venv" else "gzip")
    locks = {}
    for way, words in {
        "registry": ["--no-cache", f"registry:{registry.address}/kit/{name}:1"],
        "archive": [f"docker-archive:{saved}"],
        "run": ["--method", "run", f"docker:{tag}"],
    }.items():
        done = envsync("pull", *words, "--lockfiles", tmp_path / way, cwd=tmp_path)
        assert done.status in (0, 1), done.said
        locks[way] = lock_files(tmp_path / way)
    assert facts(locks["registry"]) == facts(locks["archive"])
    for file in locks["registry"].keys() - {"snapshot.json"}:
        # Only the comment that names the image differs.
        bodies = [
            [line for line in lock[file].splitlines() if not line.startswith(b"#")]
            for lock in (locks["registry"], locks["archive"], locks["run"])
        ]
        assert bodies[0] == bodies[1] == bodies[2], file
    ran = without_layers(facts(locks["run"]))
    read = without_layers(facts(locks["registry"]))
    ran.pop("skipped")
    read.pop("skipped")
    assert read == ran
    assert json.loads(locks["registry"]["snapshot.json"])["source"]["digest"] == pushed.digest


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("media_types", ["docker", "oci"])
def test_every_kind_of_layer(
    compression: Any, media_types: Any, archive: Path, registry: Registry, pull: Callable[..., Result], tmp_path: Path
) -> None:
    if (compression, media_types) == ("zstd", "docker"):
        pytest.skip("Docker's own media types have no zstd")
    place = f"kinds/{media_types}-{compression}"
    pushed = push(archive, registry.address, place, "1", compression=compression, media_types=media_types, index=True)
    done = pull(f"{registry.address}/{place}:1")
    assert done.status == 0, done.said
    source = json.loads(lock_files(tmp_path)["snapshot.json"])["source"]
    assert (source["method"], source["digest"]) == ("read", pushed.digest)


def test_without_an_engine_docker_fails_and_the_name_alone_does_not(
    registry: Registry, pull: Callable[..., Result]
) -> None:
    name = f"{registry.address}/acme/job:1"
    refused = pull(f"docker:{name}")
    assert refused.status == 2
    assert "error: container engine at tcp://127.0.0.1:1: none is running" in refused.err
    done = pull(name)
    assert done.status == 0, done.said
    assert f"asking {registry.address} for {name}" in done.err


@pytest.mark.engine
def test_an_engine_that_holds_the_image_is_asked_first(
    image: Callable[[str], str], registry: Registry, tmp_path: Path
) -> None:
    push(save(image("slim")), registry.address, "kit/held", "1")
    name = f"{registry.address}/kit/held:1"
    cache = {"ENVSYNC_CACHE_DIR": str(tmp_path / "cache")}
    docker("pull", "--quiet", name)
    try:
        done = envsync("pull", name, cwd=tmp_path, **cache)
    finally:
        docker("rmi", "--force", name)
    assert done.status == 0, done.said
    assert f"asking a container of {name}" in done.err
    ran = lock_files(tmp_path)
    assert json.loads(ran["snapshot.json"])["source"]["method"] == "run"
    # The registry says that the digest is still the same: nothing is read.
    again = envsync("pull", name, cwd=tmp_path, **cache, **NOWHERE)
    assert again.status == 0, again.said
    assert "reading" not in again.err
    assert lock_files(tmp_path) == ran


# --- the cache ---------------------------------------------------------------------------------------------


def blobs(requests: list[Any]) -> list[str]:
    return [request.path.rpartition("/")[2] for request in requests if "/blobs/" in request.path]


def test_what_is_known_is_not_asked_for_again(
    archive: Path, registry: Registry, pull: Callable[..., Result], tmp_path: Path
) -> None:
    push(archive, registry.address, "acme/base", "1", lowest=2)
    with faulty(registry.address) as proxy:
        base = pull(f"registry:{proxy.address}/acme/base:1")
        assert base.status == 0, base.said
        assert len(blobs(proxy.requests)) == 3  # the config and two layers
        proxy.requests.clear()
        whole = pull(f"registry:{proxy.address}/acme/job:1")
        assert whole.status == 0, whole.said
        assert len(blobs(proxy.requests)) == 2  # the config and the layer that the base lacks
        first = lock_files(tmp_path / "lockfiles" / proxy.address.replace(":", "_") / "acme" / "job")

        proxy.requests.clear()
        again = pull(f"registry:{proxy.address}/acme/job:1", "--lockfiles", "others")
        assert again.status == 0, again.said
        assert [request.method for request in proxy.requests] == ["HEAD"]
        assert facts(lock_files(tmp_path / "others")) == facts(first)

        proxy.requests.clear()
        digest = json.loads(first["snapshot.json"])["source"]["digest"]
        named = pull(f"registry:{proxy.address}/acme/job@{digest}")
        assert named.status == 0, named.said
        assert proxy.requests == []

        fresh = pull(f"registry:{proxy.address}/acme/job:1", "--no-cache")
        assert fresh.status == 0, fresh.said
        assert len(blobs(proxy.requests)) == 4


def test_a_lock_answers_only_for_what_was_asked(
    archive: Path, registry: Registry, pull: Callable[..., Result], tmp_path: Path
) -> None:
    other = write_archive(tmp_path / "other.tar", installed("attrs", "24.1.0"))
    push(archive, registry.address, "acme/moving", "1")
    with faulty(registry.address) as proxy:
        name = f"registry:{proxy.address}/acme/moving:1"
        assert pull(name).status == 0
        same = pull(name)
        assert (same.status, "lock unchanged" in same.err, "reading" in same.err) == (0, True, False)
        # Who asks for a way, or for another interpreter than the lock's, is not answered from it.
        assert "reading" in pull(name, "--method", "read").err
        assert "error: /usr/bin/nothing: " in pull(name, "--interpreter", "/usr/bin/nothing").err
        assert "expected linux/arm64" in pull(name, "--platform", "linux/arm64").err
        push(other, registry.address, "acme/moving", "1")
        moved = pull(name)
    assert (moved.status, "reading" in moved.err) == (0, True)
    assert "~ attrs 25.3.0" in moved.err
    assert "lock replaced" in moved.err


def test_a_damaged_entry_is_dropped_and_read_again(
    registry: Registry, pull: Callable[..., Result], tmp_path: Path
) -> None:
    name = f"registry:{registry.address}/acme/job:1"
    assert pull(name).status == 0
    for entry in (tmp_path / "cache").glob("layer-*"):
        data = bytearray(entry.read_bytes())
        data[len(data) // 2] ^= 1
        entry.write_bytes(data)
    again = pull(name, "--lockfiles", "others")
    assert again.status == 0, again.said
    assert again.err.count(": read, ") == 3
    assert facts(lock_files(tmp_path / "others")) == facts(lock_files(tmp_path / "lockfiles"))
    # And now it is whole again.
    assert "read, " not in pull(name, "--lockfiles", "third").err


# --- logins ------------------------------------------------------------------------------------------------


def login(folder: Path, host: str, user: str, password: str) -> None:
    """What ``docker login`` writes."""
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_passwords(archive: Path, pull: Callable[..., Result], tmp_path: Path) -> None:
    with password_registry(tmp_path / "registry", {"ann": "secret-pass"}) as running:
        push(archive, running.address, "acme/job", "1", authorization=basic("ann", "secret-pass"))
        name = f"{running.address}/acme/job:1"
        refused = pull(name)
        assert refused.status == 2
        assert f"docker login {running.address}" in refused.err
        login(tmp_path / "docker", running.address, "ann", "wrong-pass")
        wrong = pull(name)
        assert wrong.status == 2
        assert "wrong-pass" not in wrong.said
        login(tmp_path / "docker", running.address, "ann", "secret-pass")
        done = pull(name)
        assert done.status == 0, done.said
        assert "secret-pass" not in done.said


def test_tokens_that_end_in_the_middle(archive: Path, pull: Callable[..., Result], tmp_path: Path) -> None:
    tokens = TokenServer(users={"ann": "secret-pass"})
    with serving_tokens(tokens), token_registry(tmp_path / "registry", tokens) as running:
        push(
            archive,
            running.address,
            "private/job",
            "1",
            authorization=tokens.authorization("repository:private/job:pull,push"),
        )
        login(tmp_path / "docker", running.address, "ann", "secret-pass")
        # The token ends before the first layer does, which breaks off and has to be asked for anew.
        tokens.lifetime, tokens.told = 3, 300  # its end is in whole seconds: between two and three
        tokens.requests.clear()
        with faulty(running.address, on(LAYERS, None, Delay(seconds=4), Drop(after=5000))) as proxy:
            # A login is for one host: this one is for the registry that stands behind.
            login(tmp_path / "docker", running.address, "ann", "secret-pass")
            refused = pull("--no-cache", f"{proxy.address}/private/job:1")
            assert refused.status == 2, refused.said
            assert not any(request.authorized for request in tokens.requests)
            login(tmp_path / "docker", proxy.address, "ann", "secret-pass")
            done = pull("--no-cache", f"{proxy.address}/private/job:1")
        assert done.status == 0, done.said
        assert len([request for request in tokens.requests if request.account == "ann"]) > 1
        assert "secret-pass" not in done.said


# --- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        lambda: on(LAYERS, None, Drop(after=0), Drop(after=70_000), Drop(after=300_000), None, Drop(after=1)),
        lambda: on(LAYERS, None, Drop(after=100_000), IgnoreRange()),
        lambda: on(
            LAYERS, None, Answer(status=503), Answer(status=429, headers={"Retry-After": "1"}), Answer(status=500)
        ),
        lambda: on("/manifests/", Answer(status=502), Drop(after=10)),
    ],
    ids=["drops", "no ranges", "busy", "manifest"],
)
def test_faults_that_pass(
    script: Callable[[], Script], registry: Registry, pull: Callable[..., Result], tmp_path: Path
) -> None:
    clean = pull("--no-cache", f"{registry.address}/acme/job:1", "--lockfiles", "clean")
    assert clean.status == 0, clean.said
    with faulty(registry.address, script()) as proxy:
        done = pull("--no-cache", f"{proxy.address}/acme/job:1", "--lockfiles", "faulty")
        assert done.status == 0, done.said
    assert facts(lock_files(tmp_path / "faulty")) == facts(lock_files(tmp_path / "clean"))


def test_a_layer_that_breaks_off_is_taken_up_where_it_was(
    registry: Registry, largest: str, pull: Callable[..., Result]
) -> None:
    with faulty(registry.address, on(largest, Drop(after=100_000), Drop(after=200_000))) as proxy:
        done = pull("--no-cache", f"{proxy.address}/acme/job:1")
        assert done.status == 0, done.said
        asked = [request.range for request in proxy.requests if largest in request.path]
    assert asked == [None, "bytes=100000-", "bytes=300000-"]


def test_another_range_than_was_asked_for_is_an_error(
    registry: Registry, largest: str, pull: Callable[..., Result]
) -> None:
    with faulty(registry.address, on(largest, Drop(after=3_000_000), ever_after=WrongRange())) as proxy:
        done = pull("--no-cache", f"{proxy.address}/acme/job:1")
    assert done.status == 2
    assert "another range than was asked for" in done.err


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (lambda: on(LAYERS, None, ever_after=Corrupt(at=50_000)), "have the digest sha256:"),
        (lambda: on(LAYERS, None, ever_after=Truncate(after=60_000, admitted=True)), "60000 bytes (expected "),
        (lambda: on("/manifests/", ever_after=Corrupt(at=20)), "have the digest sha256:"),
        (lambda: on("/manifests/", ever_after=WrongDigest()), "have the digest sha256:"),
        (lambda: on("/manifests/", ever_after=Redirect(to=None)), "redirects in a circle"),
        (
            lambda: on("/manifests/", ever_after=Answer(status=429, headers={"Retry-After": "4000"})),
            "4000 s",
        ),
        (lambda: on("/manifests/", ever_after=Answer(status=404)), "has no such image"),
    ],
    ids=["corrupt", "short", "manifest", "digest", "loop", "limited", "absent"],
)
def test_faults_that_stay_are_told_with_their_place(
    script: Callable[[], Script], told: str, registry: Registry, pull: Callable[..., Result], tmp_path: Path
) -> None:
    with faulty(registry.address, script()) as proxy:
        done = pull("--no-cache", f"{proxy.address}/acme/job:1")
    assert done.status == 2, done.said
    assert told in done.err
    assert "acme/job" in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.rglob("snapshot.json"))


def test_the_time_is_limited(registry: Registry, pull: Callable[..., Result]) -> None:
    with faulty(registry.address, on(LAYERS, None, ever_after=Delay(seconds=30))) as proxy:
        done = pull("--no-cache", "--timeout", "2", f"{proxy.address}/acme/job:1")
    assert done.status == 2
    assert "not done after 2 s" in done.err


def test_ctrl_c_ends_a_pull_that_waits_for_bytes(registry: Registry, largest: str, tmp_path: Path) -> None:
    with faulty(registry.address, on(largest, ever_after=Stall(after=500_000))) as proxy:
        running = subprocess.Popen(
            [sys.executable, "-m", "envsync", "pull", f"{proxy.address}/acme/job:1"],
            cwd=tmp_path,
            env=environment(ENVSYNC_CACHE_DIR=str(tmp_path / "cache"), DOCKER_CONFIG=str(tmp_path), **NOWHERE),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        while "reading" not in (line := running.stderr.readline()):
            assert line, "it ended by itself"
        while not any(largest in request.path for request in proxy.requests):
            sleep(0.05)
        running.send_signal(signal.SIGINT)
        # A silent registry is waited for much longer.
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said.splitlines()[-1]) == (
        2,
        "envsync: interrupted; what was there before is unchanged",
    )
    assert not list(tmp_path.glob("**/*lock*"))
    assert not list(tmp_path.rglob(".envsync-*"))


def test_mirrors_come_first_and_may_fail(registry: Registry, pull: Callable[..., Result], tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        absent, mirror = f"127.0.0.1:{port}", f"http://localhost:{port}/mirror"
        (tmp_path / "pyproject.toml").write_text(
            f'[tool.envsync.registries]\n"{absent}" = ["{mirror}", "http://{registry.address}"]\n'
        )
        done = pull(f"{absent}/acme/job:1")
        assert done.status == 0, done.said
        assert f"{absent}/acme/job:1: mirror http://localhost:{port}: " in done.err
        assert (tmp_path / "lockfiles" / absent.replace(":", "_") / "acme" / "job" / "1").is_dir()
        # Of the environment instead, and with a path before the repository.
        mirrors = f"{absent}=http://{registry.address}/acme"
        prefixed = pull(f"{absent}/job:1", ENVSYNC_MIRRORS=mirrors)
        assert prefixed.status == 0, prefixed.said
        lost = pull(f"{absent}/acme/job:1", "--no-cache", ENVSYNC_MIRRORS=mirrors)
    assert lost.status == 2
    assert f"before that: http://{registry.address}: {registry.address} has no such image" in lost.err
    wrong = pull("acme/job:1", ENVSYNC_MIRRORS="docker.io")
    assert wrong.status == 2
    assert "error: ENVSYNC_MIRRORS: 'docker.io': no = in it" in wrong.err
