"""Reading what uv says when it fails. Pure; knows the forms of uv 0.6 and later."""

from __future__ import annotations

import re

from envsync.build.failure import Failure, build_failure
from envsync.redaction import printable

_DECORATION = re.compile(r"^[\s│├└╰─▶\u00d7▪]*(?:cause: |Caused by: |error: )?", re.MULTILINE)
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)"
_PIN = rf"{_NAME}(?:===?(?P<version>[^\s`,]+)| @ (?P<url>[^\s`]+))"

_NOT_FOUND = re.compile(
    rf"\b(?:Because|because|and) {_NAME} was not found in the (?:package registry|provided package locations|cache)"
)
_NO_VERSION = re.compile(rf"there (?:is|are) no versions? of {_PIN}")
_NO_FITTING = re.compile(rf"there are no versions of {_NAME}(?:[<>=!~,]\S*)? and ")
_TOO_OLD = re.compile(rf"\bonly {_NAME}[<>=]\S* (?:is|are) available and ")
_PYTHON = re.compile(rf"does not satisfy (?P<needs>Python\S+) and {_PIN} depends on")
_NO_WHEEL = re.compile(
    rf"{_PIN} has (?P<what>no (?:(?:usable )?wheels|source distribution|compatible).{{0,300}}?) and "
)
_HASH = re.compile(rf"Hash mismatch for `{_PIN}`")
_FAILED = re.compile(rf"Failed to (?:build|download|download and build|fetch|install|unzip)[^`\n]*`{_PIN}`")
_FAILED_INSTALL = re.compile(rf"Failed to install: \S+ \({_PIN}\)")
_FETCH = re.compile(r"(?:Failed to fetch: |error sending request for url \()`?(?P<url>[^\s`)]+)")
_STATUS = re.compile(r"HTTP status \w+ error \((?P<status>[0-9]{3}[^)]*)\) for url \((?P<url>[^)\s]+)\)")
_DISK = re.compile(r"No space left on device|Disk quota exceeded")
_OFFLINE = re.compile(r"Network connectivity is disabled|network was disabled|because the network is disabled")
_REASON = re.compile(r"(Connection refused|failed to lookup address[^(\n]*|dns error|timed out|[Cc]ertificate[^(\n]*)")
_GIT = re.compile(r"^\s*(?:fatal|remote|ERROR): (?P<text>.{3,200})", re.MULTILINE)


def explain(output: str) -> Failure:
    """Find the distribution and the cause in the stderr of a failed uv."""
    plain = _DECORATION.sub("", output)
    joined = " ".join(plain.split())
    if _DISK.search(joined):
        return Failure(kind="disk", name=_name(joined), cause="no space is left on the device")
    for look in (_hash_mismatch, _git, _offline, _absent, _network, _build):
        failure = look(output, joined)
        if failure is not None:
            return _of_build_requirement(failure, joined)
    errors = re.findall(r"^error: (.+)$", output, re.MULTILINE) or [line for line in plain.splitlines() if line.strip()]
    return Failure(kind="other", name=_name(joined), cause=printable(errors[0].strip()) if errors else "uv failed")


def _of_build_requirement(failure: Failure, joined: str) -> Failure:
    """Name what was to be built, where it is one of its build requirements that cannot be had."""
    built = _FAILED.search(joined)
    if built is None or "Failed to resolve requirements" not in joined:
        return failure
    what = f"{failure.name}: " if failure.name and failure.name != built["name"] else ""
    cause = f"what it needs to be built cannot be had: {what}{failure.cause}"
    absent = failure.kind in ("not-on-index", "no-wheel", "python")
    return Failure(
        kind="build-requires" if absent else failure.kind, name=built["name"], cause=cause, missing=failure.missing
    )


def _hash_mismatch(_: str, joined: str) -> Failure | None:
    match = _HASH.search(joined)
    if match is None:
        return None
    cause = "the index has a file with another hash than the lock's"
    return Failure(kind="hash", name=match["name"], cause=cause)


def _git(output: str, joined: str) -> Failure | None:
    if "Git operation failed" not in joined:
        return None
    said = _GIT.findall(output)
    cause = f"git cannot get its commit: {printable(said[-1].strip())}" if said else "git cannot get its commit"
    return Failure(kind="vcs", name=_name(joined), cause=cause)


def _offline(_: str, joined: str) -> Failure | None:
    if not _OFFLINE.search(joined):
        return None
    match = _NOT_FOUND.search(joined)
    name = match["name"] if match else _name(joined)
    return Failure(kind="offline", name=name, cause="the cache does not have it, and the network is not to be used")


def _absent(_: str, joined: str) -> Failure | None:
    if match := _NOT_FOUND.search(joined):
        return Failure(kind="not-on-index", name=match["name"], cause="the index has no distribution of this name")
    if match := _NO_VERSION.search(joined):
        return Failure(kind="not-on-index", name=match["name"], cause="the index does not have this version")
    if match := _NO_FITTING.search(joined) or _TOO_OLD.search(joined):
        return Failure(kind="not-on-index", name=match["name"], cause="the index has no version that is asked for")
    if match := _PYTHON.search(joined):
        return Failure(kind="python", name=match["name"], cause=f"it needs {printable(match['needs'])}")
    if match := _NO_WHEEL.search(joined):
        what = re.sub(r" \(e\.g\.[^)]*\)", "", match["what"])
        cause = f"the index has {printable(what)}, and nothing to build it from"
        return Failure(kind="no-wheel", name=match["name"], cause=cause)
    return None


def _network(_: str, joined: str) -> Failure | None:
    if match := _STATUS.search(joined):
        status = match["status"]
        refused = status.startswith(("401", "403", "407"))
        name = _name(joined) or _name_in_url(match["url"])
        cause = f"{printable(match['url'])} answers {printable(status)}"
        return Failure(kind="refused" if refused else "network", name=name, cause=cause)
    if match := _FETCH.search(joined):
        reason = _REASON.search(joined)
        why = f" ({printable(reason[0].strip())})" if reason else ""
        name = _name(joined) or _name_in_url(match["url"])
        return Failure(kind="network", name=name, cause=f"{printable(match['url'])} cannot be reached{why}")
    return None


def _build(output: str, joined: str) -> Failure | None:
    match = _FAILED.search(joined)
    if match is None or not ("build" in match[0] or "build backend" in joined):
        return None
    return build_failure(match["name"], output)


def _name(joined: str) -> str | None:
    match = _FAILED.search(joined) or _FAILED_INSTALL.search(joined)
    return match["name"] if match else None


def _name_in_url(url: str) -> str | None:
    match = re.search(r"/simple/([A-Za-z0-9._-]+)/?$", url)
    return match[1] if match else None
