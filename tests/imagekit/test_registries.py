"""Registries start, keep out whom they should and hold what was pushed."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import zstandard

from tests.imagekit import pushing
from tests.imagekit.archive import ImageSpec, write_docker_archive
from tests.imagekit.layer import Compression, File, layer_bytes
from tests.imagekit.machine import KitError, MissingToolError
from tests.imagekit.pushing import MediaTypes, Repository, push
from tests.imagekit.registries import Registry, basic, open_registry, password_registry, token_registry
from tests.imagekit.tokens import TokenRequest, TokenServer, serving_tokens

pytestmark = pytest.mark.registry

LAYERS = [[File(path="a", data=b"1")], [File(path="b", data=b"2" * 3_000_000)], [File(path="c", data=b"3")]]
IMAGE = ImageSpec(layers=LAYERS, tags=["a/b:1"], env={"A": "b"})
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEXES = {
    "docker": "application/vnd.docker.distribution.manifest.list.v2+json",
    "oci": "application/vnd.oci.image.index.v1+json",
}


def get(address: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET", path, headers={"Accept": ", ".join([DOCKER, OCI, *INDEXES.values()]), **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def document(address: str, name: str, reference: str) -> dict[str, Any]:
    """A manifest or an index; its digest and type are what the registry says they are."""
    status, headers, data = get(address, f"/v2/{name}/manifests/{reference}")
    assert status == 200
    assert headers["Docker-Content-Digest"] == digest(data)
    value: dict[str, Any] = json.loads(data)
    assert headers["Content-Type"] == value["mediaType"]
    return value


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with open_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_docker_archive(tmp_path / "image.tar", IMAGE)
    return tmp_path / "image.tar"


# --- pushing -----------------------------------------------------------------------------------------


def unpacked(data: bytes, compression: Compression) -> bytes:
    match compression:
        case "none":
            return data
        case "gzip":
            return zlib.decompress(data, wbits=31)
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize("media_types", ["docker", "oci"])
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("layout", ["classic", "oci"])
def test_push_writes_the_image(
    registry: Registry, tmp_path: Path, layout: str, compression: Compression, media_types: MediaTypes
) -> None:
    archive = tmp_path / "image.tar"
    write_docker_archive(archive, IMAGE, layout="oci" if layout == "oci" else "classic")
    name = f"push/{layout}-{compression}-{media_types}"
    pushed = push(archive, registry.address, name, "1", "latest", compression=compression, media_types=media_types)
    manifest = document(registry.address, name, "1")
    assert manifest == document(registry.address, name, "latest") == document(registry.address, name, pushed.digest)
    assert pushed.manifests == (pushed.digest,)
    assert manifest["mediaType"] == {"docker": DOCKER, "oci": OCI}[media_types]
    config = json.loads(get(registry.address, f"/v2/{name}/blobs/{manifest['config']['digest']}")[2])
    assert config["config"]["Env"] == ["A=b"]
    plain = []
    for layer in manifest["layers"]:
        assert layer["mediaType"].endswith({"none": "tar", "gzip": "gzip", "zstd": "zstd"}[compression])
        data = get(registry.address, f"/v2/{name}/blobs/{layer['digest']}")[2]
        assert (digest(data), len(data)) == (layer["digest"], layer["size"])
        plain.append(unpacked(data, compression))
    assert plain == [layer_bytes(layer) for layer in LAYERS]
    assert [digest(data) for data in plain] == config["rootfs"]["diff_ids"]


@pytest.mark.parametrize("media_types", ["docker", "oci"])
def test_several_images_become_an_index(registry: Registry, tmp_path: Path, media_types: MediaTypes) -> None:
    arm = ImageSpec(layers=LAYERS[:1], tags=IMAGE.tags, architecture="arm64", variant="v8")
    write_docker_archive(tmp_path / "image.tar", IMAGE, arm)
    pushed = push(tmp_path / "image.tar", registry.address, "several", "1", media_types=media_types)
    index = document(registry.address, "several", "1")
    assert index["mediaType"] == INDEXES[media_types]
    assert tuple(entry["digest"] for entry in index["manifests"]) == pushed.manifests
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
    ]
    assert [len(document(registry.address, "several", one)["layers"]) for one in pushed.manifests] == [3, 1]


def test_one_image_gets_an_index_where_it_is_asked_for(registry: Registry, archive: Path) -> None:
    pushed = push(archive, registry.address, "indexed", "1", index=True)
    index = document(registry.address, "indexed", "1")
    assert [entry["digest"] for entry in index["manifests"]] == list(pushed.manifests) != [pushed.digest]


@pytest.mark.parametrize("lowest", [2, -1])
def test_only_the_lowest_layers(registry: Registry, archive: Path, lowest: int) -> None:
    push(archive, registry.address, "lowest", "all")
    push(archive, registry.address, "lowest", "base", lowest=lowest)
    base = document(registry.address, "lowest", "base")
    assert base["layers"] == document(registry.address, "lowest", "all")["layers"][:2]
    config = json.loads(get(registry.address, f"/v2/lowest/blobs/{base['config']['digest']}")[2])
    assert len(config["rootfs"]["diff_ids"]) == 2


def test_large_layers_are_compressed_once(
    registry: Registry, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSYNC_TEST_CACHE", str(tmp_path / "cache"))
    first = push(archive, registry.address, "kept", "1")
    [kept] = (tmp_path / "cache" / "blobs").iterdir()
    assert kept.name == f"{digest(layer_bytes(LAYERS[1])).removeprefix('sha256:')}.gzip"
    inode = kept.stat().st_ino
    os.utime(kept, (0, 0))
    assert push(archive, registry.address, "kept-again", "1") == first
    assert kept.stat().st_ino == inode
    assert kept.stat().st_mtime > time.time() - 60
    os.utime(kept, (0, 0))
    push(archive, registry.address, "kept-otherwise", "1", compression="zstd")
    assert [path.suffix for path in kept.parent.iterdir()] == [".zstd"]


def test_images_of_other_making(registry: Registry) -> None:
    place = Repository(registry.address, "odd")
    config = place.put_blob(b"{}")
    kind = "application/vnd.example+json"
    made = {"schemaVersion": 2, "mediaType": OCI, "config": {"mediaType": kind, **config}, "layers": []}
    descriptor = place.put_manifest(made, OCI, "1")
    assert document(registry.address, "odd", "1") == made
    assert registry.blob(descriptor["digest"]).read_bytes() == place.manifest("1")


def test_a_spoilt_blob_is_served_as_it_lies(registry: Registry) -> None:
    found = Repository(registry.address, "spoilt").put_blob(b"as it was")["digest"]
    registry.blob(found).write_bytes(b"as it is!")
    assert get(registry.address, f"/v2/spoilt/blobs/{found}")[2] == b"as it is!"


def test_what_the_registry_refuses_is_told(registry: Registry) -> None:
    missing = {"mediaType": "application/json", "digest": digest(b"missing"), "size": 7}
    broken = {"schemaVersion": 2, "mediaType": OCI, "config": missing, "layers": []}
    refused = rf"^PUT http://{registry.address}/v2/odd/manifests/sha256:.*: status 400\n.*blob unknown"
    with pytest.raises(KitError, match=refused):
        Repository(registry.address, "odd").put_manifest(broken, OCI)
    with pytest.raises(KitError, match=r"^HEAD http://127\.0\.0\.1:1/v2/odd/blobs/sha256:.*: .*refused"):
        Repository("127.0.0.1:1", "odd").put_blob(b"")


def test_layers_of_the_kit_are_worth_caching() -> None:
    assert len(layer_bytes(LAYERS[0])) < pushing._CACHED < len(layer_bytes(LAYERS[1]))


# --- who may do what ---------------------------------------------------------------------------------


def test_passwords(tmp_path: Path, archive: Path) -> None:
    users = {"ann": "pass:wörd", "ben": "other"}
    with password_registry(tmp_path / "registry", users) as registry:
        status, headers, _ = get(registry.address, "/v2/")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="kit"')
        assert get(registry.address, "/v2/", Authorization=basic("ann", "other"))[0] == 401
        assert [get(registry.address, "/v2/", Authorization=basic(*user))[0] for user in users.items()] == [200, 200]
        with pytest.raises(KitError, match="status 401"):
            push(archive, registry.address, "locked", "1")
        push(archive, registry.address, "locked", "1", authorization=basic("ann", "pass:wörd"))
        assert get(registry.address, "/v2/locked/manifests/1", Authorization=basic("ben", "other"))[0] == 200


def asked(tokens: TokenServer, *, form: bool = False, authorization: str | None = None, **fields: str) -> Any:
    """Status and answer of the token server."""
    place = urlsplit(tokens.realm)
    connection = http.client.HTTPConnection(place.netloc, timeout=20)
    headers = {"Authorization": authorization} if authorization else {}
    try:
        if form:
            connection.request("POST", place.path, urlencode(fields), headers)
        else:
            connection.request("GET", f"{place.path}?{urlencode(fields)}", headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_tokens(tmp_path: Path, archive: Path) -> None:
    tokens = TokenServer(users={"ann": "word"}, identity_tokens={"lasting": "ann"})
    with serving_tokens(tokens), token_registry(tmp_path / "registry", tokens) as registry:
        for name in ("public", "private/x"):
            scope = f"repository:{name}:pull,push"
            push(archive, registry.address, name, "1", authorization=tokens.authorization(scope))
        status, headers, _ = get(registry.address, "/v2/private/x/manifests/1")
        challenge = f'Bearer realm="{tokens.realm}",service="kit",scope="repository:private/x:pull"'
        assert (status, headers["WWW-Authenticate"]) == (401, challenge)

        def status_with(answer: dict[str, Any], name: str) -> int:
            bearer = {"Authorization": f"Bearer {answer['token']}"}
            return get(registry.address, f"/v2/{name}/manifests/1", **bearer)[0]

        for name, expected in (("public", 200), ("private/x", 401)):
            _, answer = asked(tokens, service="kit", scope=f"repository:{name}:pull")
            assert status_with(answer, name) == expected
        scope = "repository:private/x:pull"
        _, answer = asked(tokens, service="kit", scope=scope, authorization=basic("ann", "word"))
        assert status_with(answer, "private/x") == 200
        assert status_with(answer, "public") == 401
        _, answer = asked(tokens, form=True, grant_type="refresh_token", refresh_token="lasting", scope=scope)
        assert status_with(answer, "private/x") == 200
        assert asked(tokens, scope=scope, authorization=basic("ann", "wrong"))[0] == 401
        assert asked(tokens, form=True, grant_type="refresh_token", refresh_token="past", scope=scope)[0] == 401
        assert asked(tokens, form=True, grant_type="password", username="ann", password="word", scope=scope)[0] == 200
    assert tokens.requests[2:4] == [
        TokenRequest(method="GET", scopes=(scope,), account="ann", authorized=True, status=200),
        TokenRequest(method="POST", scopes=(scope,), account="ann", authorized=False, status=200),
    ]
    assert [request.status for request in tokens.requests[4:]] == [401, 401, 200]


def test_a_token_lives_as_long_as_it_is_set_to(tmp_path: Path, archive: Path) -> None:
    tokens = TokenServer()
    with serving_tokens(tokens), token_registry(tmp_path / "registry", tokens) as registry:
        push(archive, registry.address, "x", "1", authorization=tokens.authorization("repository:x:pull,push"))
        tokens.lifetime, tokens.told, tokens.names = 2, None, ("access_token",)
        _, answer = asked(tokens, scope="repository:x:pull")
        assert set(answer) == {"access_token", "issued_at"}
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        assert get(registry.address, "/v2/x/manifests/1", **bearer)[0] == 200
        deadline = time.monotonic() + 20
        while get(registry.address, "/v2/x/manifests/1", **bearer)[0] == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert get(registry.address, "/v2/x/manifests/1", **bearer)[0] == 401


def test_another_servers_tokens_are_worth_nothing(tmp_path: Path) -> None:
    tokens = TokenServer()
    with serving_tokens(tokens), token_registry(tmp_path, tokens, realm="http://127.0.0.1:9/token") as registry:
        _, headers, _ = get(registry.address, "/v2/")
        assert headers["WWW-Authenticate"] == 'Bearer realm="http://127.0.0.1:9/token",service="kit"'
        assert get(registry.address, "/v2/", Authorization=tokens.authorization())[0] == 200
        assert get(registry.address, "/v2/", Authorization=TokenServer().authorization())[0] == 401


# --- starting and stopping ---------------------------------------------------------------------------


def wait_until_gone(address: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            get(address, "/v2/")
        except ConnectionRefusedError:
            return
        except OSError:  # it is ending
            pass
        time.sleep(0.05)
    pytest.fail(f"{address} still answers")


def test_it_ends_with_its_block(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError), open_registry(tmp_path) as registry:
        get(registry.address, f"/v2/{quote('never/seen')}/manifests/1")
        raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        get(registry.address, "/v2/")
    assert "never/seen" in caplog.text
    assert "never/seen" in registry.log.read_text()


def test_what_was_pushed_stays(tmp_path: Path, archive: Path) -> None:
    with open_registry(tmp_path / "registry") as registry:
        pushed = push(archive, registry.address, "x", "1")
    with open_registry(tmp_path / "registry") as registry:
        assert push(archive, registry.address, "x", "1") == pushed
        assert "POST" not in registry.log.read_text()


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from tests.imagekit.registries import open_registry\n"
        "with open_registry(pathlib.Path(sys.argv[1])) as registry:\n"
        "    print(registry.address, flush=True)\n"
        "    time.sleep(600)\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert get(address, "/v2/")[0] == 200
        process.send_signal(signal.SIGKILL)
    wait_until_gone(address)


def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "docker-registry"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho out of luck\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(KitError, match=r"^docker-registry ended at once:\nout of luck$"), open_registry(tmp_path):
        pass


def test_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = r"^docker-registry is not installed \(apt-get install docker-registry\)$"
    with pytest.raises(MissingToolError, match=missing), open_registry(tmp_path):
        pass
