"""Reading what pip says when it fails. Pure; knows the forms of pip 22.2 and later."""

from __future__ import annotations

import re

from envsync.build.failure import Failure, build_failure
from envsync.redaction import printable

_NAME = r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
_NOT_FOUND = re.compile(rf"No matching distribution found for {_NAME}")
_VERSIONS = re.compile(r"\(from versions: (?P<versions>[^)]*)\)")
_HASH = re.compile(rf"DO NOT MATCH THE HASHES.*?\n\s+{_NAME}(?:==| @ | from )", re.DOTALL)
_FAILED = re.compile(
    r"(?:Failed to build '|Failed building wheel for |pyproject\.toml based projects \(|Could not build wheels for )"
    + _NAME
)
_COLLECTING = re.compile(rf"^Collecting {_NAME}", re.MULTILINE)
_UNREACHABLE = re.compile(
    r"(?:Failed to establish a new connection: |Connection to \S+ timed out|Name or service not known|"
    r"Temporary failure in name resolution|Read timed out|SSLError|ProxyError|No route to host)[^'\")\n]*"
)
_STATUS = re.compile(r"(?P<status>[45][0-9]{2}) (?:Client|Server) Error: [^\n]*? for url: (?P<url>\S+)")
_GIT = re.compile(r"^\s*(?:fatal|remote|ERROR): (?P<text>.{3,200})", re.MULTILINE)


def explain(stdout: str, stderr: str) -> Failure:
    """Find the distribution and the cause in the output of a failed pip."""
    both = f"{stdout}\n{stderr}"
    failed = _FAILED.search(stderr)
    collecting = _COLLECTING.findall(stdout)
    name = failed["name"] if failed else collecting[-1] if collecting else None
    if "No space left on device" in both or "Disk quota exceeded" in both:
        return Failure(kind="disk", name=name, cause="no space is left on the device")
    if match := _HASH.search(stderr):
        return Failure(kind="hash", name=match["name"], cause="the index has a file with another hash than the lock's")
    if re.search(r"\u00d7 git |git (?:clone|fetch|checkout|rev-parse)", stderr):
        said = _GIT.findall(stderr)
        cause = "git cannot get its commit" + (f": {printable(said[0].strip())}" if said else "")
        return Failure(kind="vcs", name=name, cause=cause)
    return _fetching(stderr, name) or _building(both, name)


def _fetching(stderr: str, name: str | None) -> Failure | None:
    absent = _NOT_FOUND.search(stderr)
    name = absent["name"] if absent else name
    if match := _STATUS.search(stderr):
        kind = match["status"] in ("401", "403", "407")
        cause = f"{printable(match['url'])} answers {match['status']}"
        return Failure(kind="refused" if kind else "network", name=name, cause=cause)
    if match := _UNREACHABLE.search(stderr):
        return Failure(kind="network", name=name, cause=f"the index cannot be reached ({printable(match[0].strip())})")
    if absent is None:
        return None
    versions = _VERSIONS.search(stderr)
    if versions is not None and versions["versions"].strip() not in ("", "none"):
        cause = "the index does not have this version, or no file of it that fits this interpreter"
    else:
        cause = "the index has no distribution of this name that fits this interpreter"
    return Failure(kind="not-on-index", name=name, cause=cause)


def _building(both: str, name: str | None) -> Failure:
    # pip takes a build backend that cannot be imported for a fault of its own.
    if re.search(r"subprocess-exited-with-error|\bBackendUnavailable\b", both) or _FAILED.search(both):
        return build_failure(name, both)
    errors = re.findall(r"^ERROR: (.+)$", both, re.MULTILINE) or [line for line in both.splitlines() if line.strip()]
    return Failure(kind="other", name=name, cause=printable(errors[-1].strip()) if errors else "pip failed")
