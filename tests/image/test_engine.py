from __future__ import annotations

import gc
import io
import json
import socket
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread

import pytest

from envsync.errors import EngineError
from envsync.image.engine import Engine, connect
from envsync.image.protocol import LayerProgress
from envsync.model import EnvironmentVariable
from envsync.reference import Digest, ImageName, Platform
from tests.image.registry import Registry, serving
from tests.imagekit.engine import docker, image_id
from tests.imagekit.machine import KitError

# The SDK leaves its socket open where connecting, or an answer of status 500, fails.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def no_socket_outlives_its_test() -> Iterator[None]:
    yield
    gc.collect()


ANYTHING = ImageName.parse("example.com/some/image:1")


# --- connecting --------------------------------------------------------------------------------------


def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/absent.sock"})
    assert caught.value.message == f"container engine at unix://{tmp_path}/absent.sock: none is running"
    assert "docker-archive:FILE" in str(caught.value.hint)


def test_engine_that_has_ended(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left.sock"))
    with pytest.raises(EngineError, match=r"left\.sock: none is running"):
        connect({"DOCKER_HOST": f"unix://{tmp_path}/left.sock"})


def test_engine_that_never_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        with pytest.raises(EngineError, match=r"silent\.sock: no answer in time"):
            connect({"DOCKER_HOST": f"unix://{tmp_path}/silent.sock"}, timeout=0.2)


def test_address_that_makes_no_sense() -> None:
    with pytest.raises(EngineError, match="container engine at gopher://here: "):
        connect({"DOCKER_HOST": "gopher://user:secret@here"})


def test_credentials_in_the_address_are_not_shown() -> None:
    with pytest.raises(EngineError) as caught:
        connect({"DOCKER_HOST": "tcp://user:secret@127.0.0.1:1"}, timeout=1)
    assert "secret" not in caught.value.message


class FakeEngine:
    """Answers requests by the end of their path with a status and JSON; anything else with 404."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, tuple[int, object]] = {"/version": (200, {"ApiVersion": "1.44"})}
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                found = [answer for end, answer in answers.items() if path.endswith(end)]
                status, value = found[0] if found else (404, {"message": f"No such image: {path}"})
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if isinstance(value, bytes):  # a stream of events
                    self.send_header("Transfer-Encoding", "chunked")
                    data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
                else:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *words: object) -> None:
                pass

        self.address = f"unix://{folder}/fake.sock"
        self.server = ThreadingUnixStreamServer(f"{folder}/fake.sock", Handler)
        self.server.daemon_threads = True


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path)
    thread = Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield fake
    fake.server.shutdown()
    thread.join()
    fake.server.server_close()


@pytest.fixture
def faked(fake: FakeEngine) -> Iterator[Engine]:
    engine = connect({"DOCKER_HOST": fake.address}, timeout=5)
    yield engine
    engine.close()


def test_engine_without_a_version(fake: FakeEngine) -> None:
    fake.answers["/version"] = (200, {})
    with pytest.raises(EngineError, match="ApiVersion"):
        connect({"DOCKER_HOST": fake.address})


def test_engine_that_answers_in_riddles(fake: FakeEngine, faked: Engine) -> None:
    fake.answers["/image:1/json"] = (200, {"Id": 5})
    with pytest.raises(EngineError) as caught:
        faked.find(ANYTHING)
    assert caught.value.message == (
        "container engine: its description of example.com/some/image:1: Expected `str`, got `int` - at `$.Id`"
    )


def test_engine_that_fails(fake: FakeEngine, faked: Engine) -> None:
    fake.answers["/image:1/json"] = (500, {"message": "disk https://me:secret@store.example is full"})
    with pytest.raises(EngineError) as caught:
        faked.find(ANYTHING)
    assert caught.value.message == (
        "container engine: looking for example.com/some/image:1: disk https://store.example is full"
    )


@pytest.mark.parametrize(
    ("status", "body", "message", "hint"),
    [
        (
            404,
            {"message": "pull access denied for x, repository does not exist or may require 'docker login'"},
            "neither in the engine nor in its registry, or the registry needs a login",
            "docker login example.com",
        ),
        (
            200,
            b'{"status":"Pulling"}\n{"errorDetail":{"message":"m"},"error":"no matching manifest for linux/arm64"}\n',
            "no image for this machine's platform: no matching manifest for linux/arm64",
            "--platform",
        ),
        (
            500,
            {"message": "toomanyrequests: You have reached your pull rate limit."},
            "the registry lets no more pulls through for now: toomanyrequests: You have reached",
            "docker login example.com",
        ),
        (
            500,
            {"message": 'Get "https://example.com/v2/": dial tcp: lookup example.com: no such host'},
            "not in the engine, and its registry cannot be reached",
            "docker save",
        ),
        (500, {"message": "something else"}, "cannot be pulled: something else", "docker pull"),
    ],
)
def test_pulling_fails(fake: FakeEngine, faked: Engine, status: int, body: object, message: str, hint: str) -> None:
    fake.answers["/images/create"] = (status, body)
    with pytest.raises(EngineError) as caught:
        faked.find(ANYTHING)
    assert caught.value.message.startswith(f"example.com/some/image:1: {message}")
    assert hint in str(caught.value.hint)


def test_events_of_a_newer_engine_are_passed_over(fake: FakeEngine, faked: Engine) -> None:
    fake.answers["/images/create"] = (200, b'{"id":7}\n{"status":"Downloading","id":"a"}\n["new"]\n')
    seen: list[LayerProgress] = []
    with pytest.raises(EngineError, match=r"example\.com/some/image:1: not in the engine"):
        faked.find(ANYTHING, on_progress=seen.append)
    assert seen == [LayerProgress(id="a", status="Downloading")]


# --- the real engine ---------------------------------------------------------------------------------


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry()
    with serving(registry):
        yield registry


@pytest.fixture
def pulled(registry: Registry) -> Iterator[None]:
    """Images of the registry are gone from the engine afterwards."""
    yield
    for name in registry.manifests:
        with suppress(KitError):
            docker("image", "rm", "--force", f"{registry.address}/{name}")


CONFIG = {
    "Env": ["PATH=/bin", "API_TOKEN=hidden", "INDEX=https://me:secret@index.example/simple", "A=1", "A=2"],
    "User": "app",
    "WorkingDir": "/srv",
    "Volumes": {"/data": {}},
}
FILES = {"hello": b"hello" * 1000}


def named(registry: Registry, name: str) -> ImageName:
    return ImageName.parse(f"{registry.address}/{name}")


@pytest.mark.engine
def test_an_image_is_pulled_and_described(engine: Engine, registry: Registry, pulled: None) -> None:
    digest = registry.add("team/app:1.0", "linux/amd64", config=CONFIG, files=FILES)
    seen: list[LayerProgress] = []

    image = engine.find(named(registry, "team/app:1.0"), on_progress=seen.append)

    assert image.name == f"{registry.address}/team/app:1.0"
    assert image.digest == digest
    assert image.volumes == ("/data",)
    assert image.config.platform == Platform(os="linux", architecture="amd64")
    assert image.config.created == "2020-01-02T03:04:05Z"
    assert image.config.config.user == "app"
    assert image.config.config.workdir == "/srv"
    assert image.config.config.env == (
        EnvironmentVariable(name="A", value="2"),
        EnvironmentVariable(name="API_TOKEN", value=None),
        EnvironmentVariable(name="INDEX", value="https://index.example/simple"),
        EnvironmentVariable(name="PATH", value="/bin"),
    )
    assert image.config.digest == image_id(image.name)
    assert len(image.config.diff_ids) == 1
    assert {layer.status for layer in seen} >= {"Pull complete"}
    assert any(layer.total for layer in seen)


@pytest.mark.engine
def test_a_local_image_is_not_pulled_again(engine: Engine, registry: Registry, pulled: None) -> None:
    registry.add("team/app:2.0", "linux/amd64", config={}, files=FILES)
    first = engine.find(named(registry, "team/app:2.0"))
    registry.add("team/app:2.0", "linux/amd64", config={"User": "new"}, files=FILES)
    seen: list[LayerProgress] = []
    assert engine.find(named(registry, "team/app:2.0"), on_progress=seen.append).config == first.config
    assert seen == []


@pytest.mark.engine
def test_the_platform_asked_for_is_pulled(engine: Engine, registry: Registry, pulled: None) -> None:
    registry.add("team/many:1", "linux/amd64", "linux/arm64", config={}, files=FILES)
    name, arm = named(registry, "team/many:1"), Platform.parse("linux/arm64")
    assert engine.find(name, Platform.parse("linux/amd64")).config.platform.architecture == "amd64"
    assert engine.find(name, arm).config.platform.architecture == "arm64"
    with pytest.raises(EngineError) as caught:
        engine.find(name, Platform.parse("linux/s390x"))
    assert caught.value.message.startswith(f"{name}: no image for linux/s390x: ")
    assert "--platform linux/amd64" in str(caught.value.hint)


@pytest.mark.engine
def test_an_image_can_be_named_by_digest(engine: Engine, registry: Registry, pulled: None) -> None:
    digest = registry.add("team/app:3.0", "linux/amd64", config={}, files=FILES)
    image = engine.find(named(registry, f"team/app@{digest}"))
    assert image.digest == digest


@pytest.mark.engine
def test_a_tag_that_is_not_there(engine: Engine, registry: Registry) -> None:
    name = named(registry, "team/app:none")
    with pytest.raises(EngineError) as caught:
        engine.find(name)
    assert caught.value.message.startswith(f"{name}: neither in the engine nor in its registry: ")
    assert "Check the tag" in str(caught.value.hint)


@pytest.mark.engine
def test_a_registry_that_needs_a_login(engine: Engine, registry: Registry) -> None:
    name = named(registry, "private/app:1")
    with pytest.raises(EngineError, match="the registry needs a login") as caught:
        engine.find(name)
    assert caught.value.hint == f"docker login {registry.address}"


@pytest.mark.engine
def test_a_registry_out_of_reach(engine: Engine) -> None:
    with pytest.raises(EngineError, match="not in the engine, and its registry cannot be reached"):
        engine.find(ImageName.parse("127.0.0.1:1/team/app:1"))


@pytest.mark.engine
def test_pulling_can_be_left_out(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.find(ImageName.parse("nowhere/none:1"), pull=False)
    assert caught.value.message == "nowhere/none:1: not in the engine"
    assert caught.value.hint == "docker pull nowhere/none:1"


@pytest.mark.engine
def test_an_image_that_never_was_in_a_registry(engine: Engine, nopython_image: str) -> None:
    image = engine.find(ImageName.parse(nopython_image), pull=False)
    assert image.digest is None
    assert image.config.digest == image_id(nopython_image)


@pytest.mark.engine
def test_saving(engine: Engine, registry: Registry, pulled: None) -> None:
    registry.add("team/app:4.0", "linux/amd64", config=CONFIG, files=FILES)
    image = engine.find(named(registry, "team/app:4.0"))
    copy = io.BytesIO()
    image.save_to(copy)
    with image.save() as stream, tarfile.open(fileobj=stream) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = manifest[0]["Config"]
    assert Digest(f"sha256:{Path(config).stem}") == image.config.digest
    copy.seek(0)
    with tarfile.open(fileobj=copy) as tar:
        assert "manifest.json" in tar.getnames()


@pytest.mark.engine
def test_saving_an_image_that_has_gone(engine: Engine, registry: Registry) -> None:
    registry.add("team/app:5.0", "linux/amd64", config={"User": "gone"}, files=FILES)
    image = engine.find(named(registry, "team/app:5.0"))
    docker("image", "rm", "--force", image.name)
    with pytest.raises(EngineError, match="container engine: saving image sha256:"), image.save():
        pytest.fail("nothing can be saved")


@pytest.mark.engine
def test_saving_where_there_is_no_room(engine: Engine, registry: Registry, pulled: None) -> None:
    registry.add("team/app:6.0", "linux/amd64", config={}, files=FILES)
    image = engine.find(named(registry, "team/app:6.0"))
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(EngineError) as caught:  # noqa: PTH123
        image.save_to(full)
    assert caught.value.message.endswith(": cannot be stored: No space left on device")
    assert "TMPDIR" in str(caught.value.hint)
