"""Whole images from registries: what a name stands for, platforms, what is known already, mirrors."""

from __future__ import annotations

import platform as machine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from envsync.errors import CorruptImageError, ImageError, RegistryError
from envsync.image.protocol import Image, Layer
from envsync.image.registry import open_registry
from envsync.image.registry.access import Access
from envsync.image.stream import LayerStream
from envsync.reference import Digest, ImageName, Platform
from tests.image.layers import (
    DOCKER_LIST,
    MadeImage,
    as_json,
    descriptor,
    index,
    sha,
    tar_layer,
)
from tests.image.registry_client.conftest import AMD64, ARM64, Opener
from tests.image.registry_client.server import Reply, Request, closed_port, scripted
from tests.image.registry_client.shelf import Shelf, problem

ONE = tar_layer({"file": b"one"})
TWO = tar_layer({"file": b"two"})
INTEL = MadeImage(layers=[ONE, TWO], compression="gzip", process={"Env": ["A=b"], "User": "app"})
ARM = MadeImage(layers=[TWO], architecture="arm64", variant="v8", oci=False)
BOTH = index(INTEL.descriptor(), ARM.descriptor())


class Known(dict[str, bytes]):
    """Blobs by digest, in memory."""

    def put(self, digest: Digest, data: bytes) -> None:
        self[digest] = data


def tars(image: Image) -> list[bytes]:
    """The layers as envsync reads them, digests verified."""
    with ThreadPoolExecutor(2) as hashers:
        found = []
        for layer in image.layers:
            with LayerStream(layer, hashers) as stream:
                found.append(b"".join(map(bytes, stream.chunks())))
        return found


def failure(opened: Opener, name: str, **options: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        opened(name, **options)
    return caught.value


def test_an_image_is_read_by_its_tag(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    digest = shelf.add("team/app:1", INTEL)
    server = serve(shelf)
    image: Image = opened(f"{server.address}/team/app:1")
    assert (image.name, image.digest) == (f"{server.address}/team/app:1", digest)
    assert image.config.platform == AMD64
    assert image.config.config.user == "app"
    layers: tuple[Layer, ...] = image.layers
    assert [str(layer) for layer in layers] == [f"{server.address}/team/app: layer {n} of 2" for n in (1, 2)]
    assert [layer.diff_id for layer in layers] == [sha(ONE), sha(TWO)]
    assert [(layer.digest, layer.size) for layer in layers] == [(sha(data), len(data)) for data in INTEL.stored_layers]
    assert tars(image) == [ONE, TWO]
    assert opened.said == []
    assert server.requests[0].headers["accept"].split(", ") == [
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    ]
    assert {each.headers["accept-encoding"] for each in server.requests} == {"identity"}
    assert server.requests[0].headers["user-agent"].startswith("envsync/")


def test_a_registry_on_loopback_is_asked_by_https_once(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    plain = serve(shelf)
    assert tars(opened(f"{plain.address}/app:1")) == [ONE, TWO]
    assert opened.said == opened.slept == []
    assert plain.connections == 2  # one spoke TLS, the other one was enough for all the rest


def test_https(serve: Any, opened: Opener, tls: Any) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    server = serve(shelf, tls)
    assert tars(opened(f"{server.address}/app:1")) == [ONE, TWO]


def test_the_public_door(serve: Any) -> None:
    shelf = Shelf()
    digest = shelf.add("app:1", INTEL)
    name = ImageName.parse(f"{serve(shelf).address}/app:1")
    image = open_registry(name, None, Access())
    assert image.digest == digest
    image.close()
    image.close()


@pytest.mark.parametrize("media_type", [None, DOCKER_LIST])
def test_an_index_is_the_digest_and_its_manifest_the_image(media_type: str | None, serve: Any, opened: Opener) -> None:
    top = index(INTEL.descriptor(), ARM.descriptor(), **({"media_type": media_type} if media_type else {}))
    shelf = Shelf()
    shelf.add("app:1", INTEL, ARM, index=top)
    name = f"{serve(shelf).address}/app:1"
    image = opened(name, ARM64)
    assert (image.digest, image.config.digest) == (sha(top), sha(ARM.config))
    assert tars(image) == [TWO]
    assert opened(name).config.digest == sha(INTEL.config)
    error = failure(opened, name, platform=Platform.parse("linux/s390x"))
    assert error.message == f"{name}: no image for linux/s390x (at hand: linux/amd64, linux/arm64/v8)"
    assert error.hint == "Choose one of these with --platform."


def test_by_digest_of_index_or_manifest(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    digest = shelf.add("app:1", INTEL, ARM, index=BOTH)
    address = serve(shelf).address
    assert opened(f"{address}/app@{digest}").digest == digest
    image = opened(f"{address}/app:other@{sha(ARM.manifest)}")
    assert (image.digest, image.config.digest) == (sha(ARM.manifest), sha(ARM.config))


def test_another_platform_is_chosen_aloud(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL, index=index(INTEL.descriptor()))
    shelf.add("app:2", INTEL)
    name = f"{serve(shelf).address}/app:1"
    assert opened(name, defaults=(ARM64, AMD64)).config.platform == AMD64
    assert opened.said == [f"{name}: no image for linux/arm64: reading that for linux/amd64"]
    opened.said.clear()
    opened(name, AMD64, defaults=(ARM64, AMD64))
    opened(name.replace(":1", ":2"), defaults=(ARM64, AMD64))
    assert opened.said == []


def test_without_a_wish_it_is_this_machine(serve: Any) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL, ARM, index=BOTH)
    image = open_registry(ImageName.parse(f"{serve(shelf).address}/app:1"), None, Access())
    image.close()
    here = {"aarch64": ARM, "arm64": ARM}.get(machine.machine(), INTEL)
    assert image.config.digest == sha(here.config)


def test_a_manifest_for_another_platform_than_was_asked_for(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    lying = index(INTEL.descriptor(platform={"os": "linux", "architecture": "arm64"}))
    shelf.add("app:2", INTEL, index=lying)
    address = serve(shelf).address
    for tag in ("1", "2"):
        error = failure(opened, f"{address}/app:{tag}", platform=ARM64)
        assert error.message == f"{address}/app:{tag}: an image for linux/amd64 (expected linux/arm64)"


def test_indexes_inside_indexes(serve: Any, opened: Opener) -> None:
    inner = index(ARM.descriptor())
    shelf = Shelf()
    kind = "application/vnd.oci.image.index.v1+json"
    shelf.add("app:inner", ARM, index=inner)
    shelf.add("app:1", INTEL, index=index(INTEL.descriptor(), descriptor(inner, kind)))
    nest = inner
    for _ in range(10):
        nest = index(descriptor(nest, kind))
        shelf.add("app:deep", index=nest)
    address = serve(shelf).address
    assert opened(f"{address}/app:1", ARM64).config.digest == sha(ARM.config)
    error = failure(opened, f"{address}/app:deep")
    assert error.message == f"{address}/app:deep: its indexes are nested too deeply, or too many"


def _layered(media_type: str) -> bytes:
    layers = [descriptor(ONE, media_type)]
    one = MadeImage(layers=[ONE])
    config = descriptor(one.config, "application/vnd.oci.image.config.v1+json")
    return as_json({"schemaVersion": 2, "config": config, "layers": layers})


@pytest.mark.parametrize(
    ("manifest", "message", "hint"),
    [
        (
            as_json({"schemaVersion": 1, "fsLayers": []}),
            "a manifest of Docker's schema 1, which is out of use (expected schema 2 or OCI)",
            "Pull and push the image with a current Docker to convert it.",
        ),
        (
            as_json(
                {
                    "schemaVersion": 2,
                    "config": descriptor(b"{}", "application/vnd.cncf.helm.config.v1+json"),
                    "layers": [],
                }
            ),
            "its config is application/vnd.cncf.helm.config.v1+json (expected that of a container image)",
            None,
        ),
        (index(), "holds no image", None),
        (b"{", "Input data was truncated", None),
    ],
)
def test_kinds_of_manifests_that_are_refused(
    manifest: bytes, message: str, hint: str | None, serve: Any, opened: Opener
) -> None:
    shelf = Shelf()
    shelf.add("app:1", index=manifest)
    name = f"{serve(shelf).address}/app:1"
    error = failure(opened, name)
    assert (error.message, error.hint) == (f"{name}: {message}", hint)


@pytest.mark.parametrize(
    ("media_type", "problem_of", "hint"),
    [
        (
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "a foreign layer (application/vnd.docker.image.rootfs.foreign.diff.tar.gzip), which is not in the image",
            "Ask its vendor for it.",
        ),
        (
            "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            "encrypted (application/vnd.oci.image.layer.v1.tar+gzip+encrypted)",
            "Decrypt the image first.",
        ),
    ],
)
def test_layers_that_cannot_be_read(media_type: str, problem_of: str, hint: str, serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:0", MadeImage(layers=[ONE]))
    shelf.add("app:1", index=_layered(media_type))
    address = serve(shelf).address
    error = failure(opened, f"{address}/app:1")
    assert (error.message, error.hint) == (f"{address}/app: layer 1 of 1: {problem_of}", hint)


def test_more_layers_than_diff_ids(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", MadeImage(layers=[ONE], config_changes={"rootfs": {"diff_ids": []}}))
    name = f"{serve(shelf).address}/app:1"
    assert failure(opened, name).message == f"{name}: 1 layers, but its config has 0 diff IDs"


# --- what does not fit its digest ----------------------------------------------------------------------


def _damaged(shelf: Shelf, path: str, data: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: Reply(body=data, headers=named) if path in request.path else shelf(request)


def test_a_manifest_of_another_digest(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL, ARM, index=BOTH)
    other = b'{"schemaVersion": 2}'
    server = serve(_damaged(shelf, "/manifests/", other))
    name = f"{server.address}/app@{sha(BOTH)}"
    error = failure(opened, name)
    assert isinstance(error, CorruptImageError)
    url = f"{server.url}/v2/app/manifests/{sha(BOTH)}"
    assert error.message == f"{name}: {url}: its bytes have the digest {sha(other)} (expected {sha(BOTH)})"
    server.respond = _damaged(shelf, "/manifests/", other, Docker_Content_Digest=sha(BOTH))
    error = failure(opened, f"{server.address}/app:1")
    assert f"have the digest {sha(other)} (expected {sha(BOTH)})" in error.message
    server.respond = _damaged(shelf, f"/manifests/{sha(INTEL.manifest)}", INTEL.manifest + b" ")
    error = failure(opened, f"{server.address}/app:1")
    assert error.message.endswith(f"(expected {sha(INTEL.manifest)})")


def test_a_manifest_of_another_size_than_its_index_says(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL, index=index(INTEL.descriptor(size=7)))
    name = f"{serve(shelf).address}/app:1"
    error = failure(opened, name)
    assert isinstance(error, CorruptImageError)
    assert error.message.endswith(f"/manifests/{sha(INTEL.manifest)}: {len(INTEL.manifest)} bytes (expected 7)")


def test_a_config_of_another_digest_or_size(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    server = serve(_damaged(shelf, sha(INTEL.config), INTEL.config.replace(b"app", b"APP")))
    error = failure(opened, f"{server.address}/app:1")
    assert error.message.endswith(f"(expected {sha(INTEL.config)})")
    server.respond = _damaged(shelf, sha(INTEL.config), INTEL.config + b" ")
    error = failure(opened, f"{server.address}/app:1")
    assert error.message.endswith(f": {len(INTEL.config) + 1} bytes (expected {len(INTEL.config)})")


def test_documents_without_end(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    endless = Reply(body=b" " * ((4 << 20) + 2), chunked=True)
    server = serve(lambda request: endless if "/manifests/" in request.path else shelf(request))
    error = failure(opened, f"{server.address}/app:1")
    assert error.message.endswith(f"{server.url}/v2/app/manifests/1: more than {4 << 20} bytes")
    big = as_json(
        {
            "schemaVersion": 2,
            "config": {**descriptor(b"", "application/vnd.oci.image.config.v1+json"), "size": 1 << 30},
            "layers": [],
        }
    )
    server.respond = _damaged(shelf, "/manifests/", big)
    error = failure(opened, f"{server.address}/app:1")
    assert error.message.endswith(f": {1 << 30} bytes (expected at most {8 << 20})")


def test_a_page_for_browsers_is_no_manifest(serve: Any, opened: Opener) -> None:
    server = serve(lambda request: Reply(body=b"<html>Log in", headers={"Content-Type": "text/html; charset=utf-8"}))
    name = f"{server.address}/app:1"
    error = failure(opened, name)
    url = f"{server.url}/v2/app/manifests/1"
    assert error.message == f"{name}: {url} answers with a page for browsers (expected a manifest)"
    assert error.hint == "It is no registry, or something between here and there wants a login in a browser first."


def test_an_index_that_leads_to_an_index_by_another_name(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    inner = index(INTEL.descriptor())
    shelf.add("app:0", INTEL, index=inner)
    shelf.add("app:1", index=index(descriptor(inner, "application/vnd.oci.image.manifest.v1+json")))
    name = f"{serve(shelf).address}/app:1"
    assert failure(opened, name).message == f"{name}: manifest {Digest(sha(inner)).short}: an index"


# --- what is known already -----------------------------------------------------------------------------


def test_an_image_that_did_not_change_costs_one_head_request(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL, ARM, index=BOTH)
    server = serve(shelf)
    name, known = f"{server.address}/app:1", Known()
    first = opened(name, known=known)
    assert set(known) == {sha(BOTH), sha(INTEL.manifest), sha(INTEL.config)}
    server.requests.clear()
    second = opened(name, known=known)
    assert [(each.method, each.path) for each in server.requests] == [("HEAD", "/v2/app/manifests/1")]
    assert (second.digest, second.config) == (first.digest, first.config)
    assert tars(second) == [ONE, TWO]
    shelf.add("app:1", ARM)
    assert opened(name, known=known).digest == sha(ARM.manifest)


def test_an_image_named_by_its_digest_costs_nothing(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    server = serve(shelf)
    name, known = f"{server.address}/app@{sha(INTEL.manifest)}", Known()
    opened(name, known=known)
    connections = server.connections
    assert opened(name, known=known).config.digest == sha(INTEL.config)
    assert server.connections == connections


def test_damaged_knowledge_is_none(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    name, known = f"{serve(shelf).address}/app:1", Known()
    opened(name, known=known)
    for digest in known:
        known[digest] = known[digest].replace(b"linux", b"minix").replace(b"sha256", b"sha257")
    assert opened(name, known=known).config.config.user == "app"
    assert known == {sha(data): data for data in (INTEL.manifest, INTEL.config)}


@pytest.mark.parametrize("reply", [Reply(status=405), Reply(status=200), problem(404, "", "")])
def test_a_registry_that_does_not_answer_head_requests(reply: Reply, serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    server = serve(lambda request: reply if request.method == "HEAD" else shelf(request))
    assert opened(f"{server.address}/app:1", known=Known()).digest == sha(INTEL.manifest)


def test_a_registry_that_says_no_digests(serve: Any, opened: Opener) -> None:
    shelf = Shelf(says_digest=False)
    shelf.add("app:1", INTEL)
    assert opened(f"{serve(shelf).address}/app:1").digest == sha(INTEL.manifest)


# --- mirrors -------------------------------------------------------------------------------------------


def mirrored(registry: str, *urls: str) -> Access:
    return Access(mirrors={registry: urls})


def test_a_mirror_is_asked_first(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("hub/library/python:3", INTEL)
    server = serve(shelf)
    image = opened("python:3", access=mirrored("docker.io", f"{server.url}/hub"))
    assert (image.name, image.digest) == ("python:3", sha(INTEL.manifest))
    assert str(image.layers[0]) == "docker.io/library/python: layer 1 of 2"
    assert tars(image) == [ONE, TWO]
    assert opened.said == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (problem(404, "MANIFEST_UNKNOWN", "manifest unknown"), "{host} has no such image: manifest unknown"),
        (problem(403, "DENIED", "not for you"), "{host} denies it: not for you"),
        (
            problem(401, "UNAUTHORIZED", "who are you", WWW_Authenticate='Basic realm="x"'),
            "{host} needs a login",
        ),
        (problem(503, "", "upstream is down"), "{host} answers 503: upstream is down"),
        (problem(429, "TOOMANYREQUESTS", "slow down"), "{host} lets no more pulls through for now: slow down"),
    ],
)
def test_a_mirror_that_fails_is_passed_over_aloud_and_once(
    reply: Reply, reason: str, serve: Any, opened: Opener
) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    mirror, home = serve(lambda request: reply), serve(shelf)
    name = f"{home.address}/app:1"
    image = opened(name, access=mirrored(home.address, mirror.url, home.url))
    assert tars(image) == [ONE, TWO]
    told = reason.format(host=mirror.address)
    assert opened.said == [f"{name}: mirror {mirror.url}: {told}: trying {home.url}"]


def test_a_mirror_that_is_not_there_is_asked_once(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    home, gone = serve(shelf), f"http://127.0.0.1:{closed_port()}"
    name = f"{home.address}/app:1"
    assert tars(opened(name, access=mirrored(home.address, gone, home.url))) == [ONE, TWO]
    assert opened.said == [
        f"{name}: mirror {gone}: {gone[7:]} cannot be reached: connection refused: trying {home.url}"
    ]
    assert opened.slept == []


def test_a_mirror_that_only_lacks_a_layer(serve: Any, opened: Opener) -> None:
    full, part = Shelf(), Shelf()
    full.add("app:1", INTEL)
    part.add("app:1", INTEL)
    del part.blobs[sha(INTEL.stored_layers[1])]
    mirror, home = serve(part), serve(full)
    image = opened(f"{home.address}/app:1", access=mirrored(home.address, mirror.url, home.url))
    assert tars(image) == [ONE, TWO]
    assert len(mirror.asked("/blobs/")) == 3
    assert len(home.asked("/blobs/")) == 1


def test_the_error_names_every_place(serve: Any, opened: Opener) -> None:
    gone = f"http://127.0.0.1:{closed_port()}"
    mirror, home = serve(Shelf()), serve(Shelf())
    name = f"{home.address}/app:1"
    error = failure(opened, name, access=mirrored(home.address, gone, mirror.url, home.url))
    assert error.message == (
        f"{name}: {home.url}: {home.address} has no such repository: name unknown (before that: "
        f"{gone}: {gone[7:]} cannot be reached: connection refused; "
        f"{mirror.url}: {mirror.address} has no such repository: name unknown)"
    )
    assert error.hint == f"Check the spelling. For a private image: docker login {home.address}"


def test_a_registry_that_is_not_there(opened: Opener) -> None:
    address = f"127.0.0.1:{closed_port()}"
    error = failure(opened, f"{address}/app:1")
    assert isinstance(error, RegistryError)
    refused = f"{address} cannot be reached: connection refused"
    assert error.message == f"{address}/app:1: http://{address}: {refused} (before that: https://{address}: {refused})"
    assert error.hint == (
        "Behind a proxy: set HTTPS_PROXY. Where there is a network: docker pull and docker save; "
        "then envsync pull docker-archive:FILE here."
    )
    assert opened.slept == [0.5]


# --- what the registry says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "message", "hint"),
    [
        (
            problem(404, "NAME_UNKNOWN", "repository name not known to registry"),
            "HOST has no such repository: repository name not known to registry",
            "Check the spelling. For a private image: docker login HOST",
        ),
        (
            problem(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            "HOST has no such image: manifest unknown",
            "Check the spelling of repository and tag. For a private image: docker login HOST",
        ),
        (
            Reply(status=404, body=b"404 page not found\n", headers={"Content-Type": "text/plain"}),
            "HOST has no such image: 404 page not found",
            "Check the spelling of repository and tag. For a private image: docker login HOST",
        ),
        (
            problem(403, "DENIED", "requested access to the resource is denied"),
            "HOST denies it: requested access to the resource is denied",
            "Check the spelling, and whether you may pull it; as another user: docker login HOST",
        ),
        (
            problem(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", Retry_After="3600"),
            "HOST lets no more pulls through for now; it asks to wait 3600 s: You have reached your pull rate limit.",
            "Wait, or log in to raise the limit: docker login HOST",
        ),
        (
            Reply(status=400, body=b"<h1>Bad Request</h1>", headers={"Content-Type": "text/html"}),
            "HOST answers 400",
            "See what HOST is: it does not answer as a registry does.",
        ),
        (
            problem(503, "", "back soon", Retry_After="61"),
            "HOST answers 503; it asks to wait 61 s: back soon",
            "Try again later.",
        ),
        (
            problem(403, "DENIED", "see https://cdn/x?X-Amz-Signature=abc for\x1b[31m it https://u:pw@h/"),
            "HOST denies it: see https://cdn/x for\\x1b[31m it https://h/",
            "Check the spelling, and whether you may pull it; as another user: docker login HOST",
        ),
        (
            problem(403, "DENIED", "x" * 1000),
            "HOST denies it: " + "x" * 300,
            "Check the spelling, and whether you may pull it; as another user: docker login HOST",
        ),
    ],
)
def test_what_a_registry_says_is_told_in_words(
    reply: Reply, message: str, hint: str, serve: Any, opened: Opener
) -> None:
    server = serve(lambda request: reply)
    name = f"{server.address}/app:1"
    error = failure(opened, name)
    assert error.message == f"{name}: {message.replace('HOST', server.address)}"
    assert error.hint == hint.replace("HOST", server.address)
    assert opened.slept == []


def test_a_blob_that_is_not_there(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    del shelf.blobs[sha(INTEL.config)]
    server = serve(shelf)
    name = f"{server.address}/app:1"
    error = failure(opened, name)
    assert error.message == f"{name}: {server.address} lacks a blob that its manifest names: blob unknown"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_faults_are_tried_again(status: int, serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    server = serve(scripted(*[Reply(status=status)] * 4, then=shelf))
    assert opened(f"{server.address}/app:1").digest == sha(INTEL.manifest)
    assert opened.slept == [0.5, 1, 2, 4]


def test_dropped_connections_are_tried_again(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)

    def respond(request: Request) -> Reply:
        if len(server.requests) == 1:
            return Reply(hang_up=True)
        return Reply(body=INTEL.manifest, cut=20) if len(server.requests) == 2 else shelf(request)

    server = serve(respond)
    assert tars(opened(f"{server.address}/app:1")) == [ONE, TWO]
    assert opened.slept == [0.5, 1]


def test_a_registry_says_how_long_to_wait(serve: Any, opened: Opener) -> None:
    shelf = Shelf()
    shelf.add("app:1", INTEL)
    server = serve(scripted(problem(429, "TOOMANYREQUESTS", "", Retry_After="7"), then=shelf))
    opened(f"{server.address}/app:1")
    assert opened.slept == [7]


def test_five_tries_are_enough(serve: Any, opened: Opener) -> None:
    server = serve(lambda request: problem(500, "UNKNOWN", "a bad day"))
    name = f"{server.address}/app:1"
    error = failure(opened, name)
    assert error.message == f"{name}: {server.address} answers 500: a bad day"
    assert error.hint == "Try again later."
    assert len(server.requests) == 5
