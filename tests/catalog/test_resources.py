"""What a system gives to programs beside packages: found, absent, needed, and hostile."""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envsync.catalog.libc import find_libc
from envsync.catalog.resources import PATTERNS, ask_for_resources, find_resources
from envsync.files import READ_LIMIT, HostTree
from envsync.loader import Libraries
from envsync.model import Distribution, Libc, Resource
from tests.catalog.real import MACHINE
from tests.catalog.trees import write

GLIBC = Libc(family="glibc", version="2.36")
LIBRARIES = {
    "libmagic.so.1": PurePosixPath("/usr/lib/x86_64-linux-gnu/libmagic.so.1.0.0"),
    "libespeak.so.1": PurePosixPath("/usr/lib/libespeak.so.1.1.48"),
    "libglib-2.0.so.0": PurePosixPath("/usr/lib/libglib-2.0.so.0.7400.6"),
}


class Kept(HostTree):
    """Refuses to read what the catalog's PATTERNS do not name: of an image such bytes would not be kept."""

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        found = self.stat(path)
        if found is not None and found.kind == "file":
            assert any(re.fullmatch(pattern, str(found.path)) for pattern in PATTERNS), found.path
            assert limit <= 1 << 20
        return super().read(path, limit=limit)


def every(root: Path, *names: str, **env: str) -> tuple[Resource, ...]:
    distributions = [Distribution(name=name, version="60.0") for name in names]
    return find_resources(Kept(str(root)), distributions, env, python="3.12.1", libc=GLIBC, find_library=LIBRARIES.get)


def found(root: Path, kind: str, *names: str, **env: str) -> tuple[str | None, str | None, str] | None:
    """Value, path and who needs it."""
    for one in every(root, *names, **env):
        if one.kind == kind:
            return one.value, str(one.path) if one.path else None, " ".join(one.needed_by)
    return None


def test_of_what_is_not_there_only_the_needed_is_told(tmp_path: Path) -> None:
    assert [(one.kind, one.value) for one in every(tmp_path, "six")] == [
        ("encoding", "utf-8"),
        ("locale", "C"),
        ("time-zone", "Etc/UTC"),
    ]
    assert found(tmp_path, "fonts", "WeasyPrint", "imgkit") == (None, None, "WeasyPrint")
    assert found(tmp_path, "certificates", "truststore") == (None, None, "truststore")
    assert found(tmp_path, "java-home", "JPype1") == (None, None, "JPype1")
    assert found(tmp_path, "time-zone-data", "tzlocal") == (None, None, "tzlocal")
    assert found(tmp_path, "time-zone-data", "tzlocal", "tzdata") is None


def test_the_result_is_sorted(tmp_path: Path) -> None:
    write(tmp_path, "etc/mime.types")
    result = every(tmp_path, "python-magic", "pyttsx3", "pyzbar", "JPype1")
    assert [(one.kind, one.value, one.name) for one in result] == [
        ("dynamic-library", None, "libzbar.so.0"),
        ("dynamic-library", "libespeak.so.1.1.48", "libespeak.so.1"),
        ("dynamic-library", "libmagic.so.1.0.0", "libmagic.so.1"),
        ("encoding", "utf-8", None),
        ("java-home", None, None),
        ("locale", "C", None),
        ("mime-types", "/etc/mime.types", None),
        ("time-zone", "Etc/UTC", None),
    ]


def test_libraries_are_those_that_a_loader_finds(tmp_path: Path) -> None:
    libraries = [one for one in every(tmp_path, "cairocffi", "weasyprint") if one.kind == "dynamic-library"]
    told = {one.name: (str(one.path) if one.path else None, one.needed_by) for one in libraries}
    assert told["libglib-2.0.so.0"] == (str(LIBRARIES["libglib-2.0.so.0"]), ("cairocffi",))
    assert told["libcairo.so.2"] == (None, ("cairocffi",))
    # Only some functions of one need it, and it is not there: no matter, save for the one that cannot do without.
    assert "libgdk_pixbuf-2.0.so.0" not in told
    assert told["libgobject-2.0.so.0"] == (None, ("weasyprint",))


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("etc/ssl/certs/ca-certificates.crt", None),
        ("etc/ssl/cert.pem", None),
        ("etc/pki/tls/certs/ca-bundle.crt", "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    ],
)
def test_certificates_are_where_each_system_keeps_them(tmp_path: Path, path: str, real: str | None) -> None:
    if real is None:
        write(tmp_path, path, b"\xff" * 100)
    else:
        write(tmp_path, real)
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).symlink_to(tmp_path / real)
    assert found(tmp_path, "certificates") == (f"/{path}", f"/{real or path}", "")


def test_a_variable_names_other_certificates(tmp_path: Path) -> None:
    write(tmp_path, "etc/ssl/cert.pem")
    write(tmp_path, "opt/own.pem")
    assert found(tmp_path, "certificates", SSL_CERT_FILE="") == ("/etc/ssl/cert.pem", "/etc/ssl/cert.pem", "")
    assert found(tmp_path, "certificates", SSL_CERT_FILE="/opt/own.pem") == ("/opt/own.pem", "/opt/own.pem", "")
    for gone in ("/opt/gone.pem", "own.pem", "/opt", "/\0", "/\udcff", "/" + "x" * 5000):
        assert found(tmp_path, "certificates", SSL_CERT_FILE=gone) is None
        assert found(tmp_path, "certificates", "truststore", SSL_CERT_FILE=gone) == (None, None, "truststore")


def test_fonts_are_counted(tmp_path: Path) -> None:
    for name in ("truetype/dejavu/DejaVuSans.ttf", "opentype/x/A.OTF", "X11/Type1/c.pfb", "fonts.dir", "README"):
        write(tmp_path, f"usr/share/fonts/{name}")
    write(tmp_path, "usr/local/share/fonts/mine.ttc")
    assert found(tmp_path, "fonts") == ("4", "/usr/share/fonts/X11/Type1/c.pfb", "")


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path, "usr/share/fonts/a/x.ttf")
    (tmp_path / "usr/share/fonts/a/again").symlink_to("..")
    (tmp_path / "usr/share/fonts/loop").symlink_to("loop")
    (tmp_path / "usr/local/share").mkdir(parents=True)
    (tmp_path / "usr/local/share/fonts").symlink_to("../../share/fonts")
    assert found(tmp_path, "fonts") == ("1", "/usr/share/fonts/a/x.ttf", "")


def test_folders_of_fonts_are_bounded(tmp_path: Path) -> None:
    for number in range(2_100):
        (tmp_path / f"usr/share/fonts/{number}").mkdir(parents=True)
    write(tmp_path, "usr/share/fonts/0/x.ttf")
    assert found(tmp_path, "fonts") == ("1", "/usr/share/fonts/0/x.ttf", "")
    write(tmp_path, "usr/share/fonts/999/y.ttf")
    assert found(tmp_path, "fonts") == ("1", "/usr/share/fonts/0/x.ttf", "")


def test_mime_types_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, "etc/apache2/mime.types")
    assert found(tmp_path, "mime-types") == ("/etc/apache2/mime.types", "/etc/apache2/mime.types", "")
    write(tmp_path, "etc/mime.types", b"\xff\0" * 5_000_000)
    assert found(tmp_path, "mime-types") == ("/etc/mime.types", "/etc/mime.types", "")


def test_java_home_is_the_variable_or_around_the_command(tmp_path: Path) -> None:
    write(tmp_path, "usr/bin/java", b"", 0o755)
    assert found(tmp_path, "java-home") is None
    java = "/usr/lib/jvm/java-17/bin/java"
    (tmp_path / "usr/bin/java").unlink()
    write(tmp_path, "usr/lib/jvm/java-17/bin/java", b"", 0o755)
    (tmp_path / "usr/bin/java").symlink_to("../lib/jvm/java-17/bin/java")
    assert found(tmp_path, "java-home", "pyspark") == ("/usr/lib/jvm/java-17", java, "pyspark")
    (tmp_path / "usr/lib/jvm/default-java").symlink_to("java-17")
    home = "/usr/lib/jvm/default-java"
    assert found(tmp_path, "java-home", JAVA_HOME=home) == (home, java, "")
    for wrong in ("/gone", "relative", "/usr/bin/java", "/\0"):
        assert found(tmp_path, "java-home", JAVA_HOME=wrong) == ("/usr/lib/jvm/java-17", java, "")


def test_another_tree_is_asked_for_the_same_resources(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, "etc/ssl/cert.pem")
    write(here, "usr/share/fonts/x.ttf")
    needed = every(here, "WeasyPrint", "pyttsx3", "python-magic", "pyzbar")
    write(there, "etc/pki/tls/cert.pem")
    libraries = {"libespeak-ng.so.1": PurePosixPath("/usr/lib/libespeak-ng.so.1.2")}
    answers = ask_for_resources(
        Kept(str(there)), needed, {"TZ": "JST-9"}, python="3.12.1", libc=GLIBC, find_library=libraries.get
    )
    assert [(one.kind, one.name, one.needed_by) for one in answers] == [
        (one.kind, one.name, one.needed_by) for one in needed
    ]
    told = {one.name or one.kind: one.value for one in answers}
    assert told["certificates"] == "/etc/pki/tls/cert.pem"
    assert told["time-zone"] == "JST-9"
    assert told["fonts"] is None
    assert told["libmagic.so.1"] is None
    assert told["libespeak.so.1"] == "libespeak-ng.so.1.2"


def this_machine() -> dict[str, Resource]:
    distributions = [Distribution(name="python-magic", version="0.4.27")]
    tree = HostTree()
    libraries = Libraries(tree, MACHINE)

    def find_library(soname: str) -> PurePosixPath | None:
        paths = (tree.stat(folder / soname) for folder in libraries.folders)
        return next((path.path for path in paths if path is not None), None)

    result = find_resources(
        tree,
        distributions,
        dict(os.environ),
        python="3.12.1",
        libc=find_libc(tree, MACHINE),
        find_library=find_library,
    )
    return {one.kind: one for one in result}


def test_this_machine_is_asked_in_the_same_way() -> None:
    told = this_machine()
    files = [path for path in mimetypes.knownfiles if Path(path).is_file()]
    assert (told["mime-types"].value if "mime-types" in told else None) == next(iter(files), None)
    assert told["time-zone"].value
    assert told["encoding"].value
    assert told["dynamic-library"].name == "libmagic.so.1"


@pytest.mark.skipif(shutil.which("java") is None, reason="no Java")
def test_the_real_java_has_a_home() -> None:
    home = this_machine()["java-home"]
    assert Path(home.value or "", "bin/java").samefile(home.path or "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["LANG", "TZ", "SSL_CERT_FILE", "JAVA_HOME", "PATH", "PYTHONIOENCODING"]), st.text()
    )
)
def test_any_variables_are_answered(tmp_path: Path, env: dict[str, str]) -> None:
    assert len(every(tmp_path, "pyspark", "truststore", **env)) >= 4
