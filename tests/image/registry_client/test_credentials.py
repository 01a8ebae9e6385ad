"""What ``docker login`` stored, as the Docker SDK reads it, and all that may be wrong with it."""

from __future__ import annotations

import json
import os
import stat
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from envsync.errors import EnvsyncError, RegistryError, UsageError
from envsync.image.registry.credentials import Login, Logins

ANEW = "docker logout and docker login write it anew."


def stored(folder: Path, content: object) -> Logins:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "config.json").write_bytes(text)
    return Logins({**os.environ, "DOCKER_CONFIG": str(folder)})


def auth(text: str) -> dict[str, str]:
    return {"auth": b64encode(text.encode()).decode()}


def failure(logins: Logins, host: str = "host") -> EnvsyncError:
    with pytest.raises(EnvsyncError) as caught:
        logins.find(host)
    return caught.value


@pytest.mark.parametrize("content", [{}, {"auths": {}}, {"auths": None, "credsStore": None}, {"proxies": {"a": {}}}])
def test_no_logins(content: object, tmp_path: Path) -> None:
    assert stored(tmp_path, content).find("host") is None


@pytest.mark.parametrize("environment", [{}, {"DOCKER_CONFIG": "/nowhere"}, {"HOME": "/nowhere"}])
def test_no_file(environment: dict[str, str]) -> None:
    assert Logins(environment).find("docker.io") is None


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("registry.corp:5000", "registry.corp:5000"),
    ],
)
def test_passwords_in_the_file(key: str, host: str, tmp_path: Path) -> None:
    logins = stored(tmp_path, {"auths": {key: auth("ann:pa:ß"), "other": {}, "third": None}})
    assert logins.find(host) == Login(username="ann", password="pa:ß")
    assert logins.find("other") is None
    assert logins.find("nowhere") is None
    assert "pa" not in repr(logins.find(host))


def test_the_file_of_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    stored(tmp_path / ".docker", {"auths": {"host": auth("a:b")}})
    assert Logins({"HOME": str(tmp_path)}).find("host") == Login(username="a", password="b")
    assert Logins({"HOME": str(tmp_path), "DOCKER_CONFIG": "/nowhere"}).find("host") is None


def test_identity_tokens(tmp_path: Path) -> None:
    logins = stored(tmp_path, {"auths": {"host": {**auth("ann:"), "identitytoken": "abc"}}})
    assert logins.find("host") == Login(identity_token="abc")


def test_the_sdk_is_only_loaded_where_there_is_a_login() -> None:
    assert "docker" not in _modules_after("{}")
    assert "docker" in _modules_after('{"credHelpers": {"a": "b"}}')


def _modules_after(config: str) -> list[str]:
    import subprocess
    import tempfile

    program = (
        "import sys\nfrom envsync.image.registry.credentials import Logins\n"
        "Logins().find('host')\nprint(*[name for name in sys.modules if name == 'docker'])"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(config, encoding="utf-8")
        environment = {**os.environ, "DOCKER_CONFIG": folder}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"{", "Input data was truncated", ANEW),
        (b"", "Input data was truncated", ANEW),
        (b"\xff", "JSON is malformed: invalid character (byte 0)", ANEW),
        ([], "Expected `object`, got `array`", ANEW),
        ({"auths": []}, "Expected `object | null`, got `array` - at `$.auths`", ANEW),
        ({"auths": {"a": 1}}, "Expected `object | null`, got `int` - at `$.auths[...]`", ANEW),
        ({"auths": {"a": {"auth": 1}}}, "Expected `str | null`, got `int` - at `$.auths[...].auth`", ANEW),
        ({"credsStore": {}}, "Expected `str | null`, got `object` - at `$.credsStore`", ANEW),
        *(
            (
                {"auths": {"other": {"auth": broken}}},
                "auths: an entry is damaged (expected auth: Base64 of USER:PASSWORD)",
                ANEW,
            )
            for broken in ("%", "secret", "ß", b64encode(b"secret").decode(), b64encode(b"\xff:secret").decode())
        ),
    ],
)
def test_damaged_files(content: object, message: str, hint: str, tmp_path: Path) -> None:
    logins = stored(tmp_path, content)
    for _ in range(2):
        error = failure(logins)
        assert isinstance(error, UsageError)
        assert (error.message, error.hint) == (f"{tmp_path / 'config.json'}: {message}", hint)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    error = failure(Logins({"DOCKER_CONFIG": str(tmp_path)}))
    assert error.message == f"{tmp_path / 'config.json'}: cannot be read: Is a directory"


# --- credential helpers --------------------------------------------------------------------------------


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write ``docker-credential-fake``, which says ``output`` to whoever asks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def write(output: str, code: int = 0) -> Path:
        program = folder / "docker-credential-fake"
        program.write_text(
            f'#!/bin/sh\nread -r host\necho "$1 $host" >>"{folder}/asked"\ncat <<"END"\n{output}\nEND\nexit {code}\n',
            encoding="utf-8",
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return folder / "asked"

    return write


@pytest.mark.parametrize(
    ("content", "host", "called"),
    [
        ({"credsStore": "fake"}, "ghcr.io", "ghcr.io"),
        ({"credsStore": "fake"}, "docker.io", "https://index.docker.io/v1/"),
        ({"credHelpers": {"ghcr.io": "fake"}}, "ghcr.io", "ghcr.io"),
    ],
)
def test_a_helper_is_asked_once(content: object, host: str, called: str, helper: Any, tmp_path: Path) -> None:
    asked = helper('{"ServerURL": "x", "Username": "ann", "Secret": "pw"}')
    logins = stored(tmp_path, content)
    assert logins.find(host) == logins.find(host) == Login(username="ann", password="pw")
    assert asked.read_text(encoding="utf-8") == f"get {called}\n"


def test_identity_tokens_of_a_helper(helper: Any, tmp_path: Path) -> None:
    helper('{"ServerURL": "x", "Username": "<token>", "Secret": "abc"}')
    assert stored(tmp_path, {"credsStore": "fake"}).find("host") == Login(identity_token="abc")


@pytest.mark.parametrize(
    ("output", "code"), [("credentials not found in native keychain", 1), ('{"Username": "", "Secret": ""}', 0)]
)
def test_a_helper_that_knows_nothing(output: str, code: int, helper: Any, tmp_path: Path) -> None:
    helper(output, code)
    logins = stored(tmp_path, {"credsStore": "fake", "auths": {"other": auth("a:b")}})
    assert logins.find("host") is None
    assert logins.find("other") == Login(username="a", password="b")


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("keychain is locked", 1, 'Credentials store docker-credential-fake exited with "keychain is locked ".'),
        ("nonsense", 0, "its answer is not of its protocol"),
        ("{}", 0, "its answer is not of its protocol"),
        ("[]", 0, "its answer is not of its protocol"),
    ],
)
def test_a_helper_that_fails(output: str, code: int, words: str, helper: Any, tmp_path: Path) -> None:
    helper(output, code)
    error = failure(stored(tmp_path, {"credsStore": "fake"}))
    assert isinstance(error, RegistryError)
    where = f"{tmp_path / 'config.json'}: the credential helper docker-credential-fake fails for host"
    assert error.message == f"{where}: {words}"
    assert error.hint == "See what is wrong with it, or remove it from that file and log in again."


def test_a_helper_that_is_not_installed(tmp_path: Path) -> None:
    error = failure(stored(tmp_path, {"credHelpers": {"host": "absent"}}))
    where = f"{tmp_path / 'config.json'}: the credential helper docker-credential-absent fails for host"
    assert error.message == f"{where}: docker-credential-absent not installed or not available in PATH"
