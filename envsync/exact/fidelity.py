"""How many distributions of an environment here are, byte for byte, those of the image."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from envsync.contents import digest_of, normal_script
from envsync.drift.finding import Finding
from envsync.drift.hashing import hash_files
from envsync.exact.listing import Contents, Digests, read_contents
from envsync.exact.relocated import as_in_the_image
from envsync.files import HostTree
from envsync.model import Distribution, Snapshot
from envsync.names import normalized
from envsync.record import Parse, parse_record
from envsync.reference import Digest
from envsync.standard_library import standard_library

if TYPE_CHECKING:
    from envsync.exact.remembered import Remembered

Grade = Literal["identical", "same-release", "differs", "missing", "unknown"]


class Verdict(Struct, frozen=True, kw_only=True):
    """How one distribution compares."""

    name: str
    version: str
    """In the image."""
    grade: Grade
    """``same-release``: the same version, from another build or changed; ``unknown``: files are not known."""
    reason: str = ""
    """Why it is not identical."""


class Fidelity(Struct, frozen=True, kw_only=True):
    """How an environment compares with an image, by the contents of files."""

    verdicts: tuple[Verdict, ...]
    """Of all distributions of the image, by normalised name; those of conda left out, which conda verifies."""
    modules: int | None = None
    """Top-level modules of the image's standard library; ``None``: not known."""
    differing_modules: tuple[str, ...] = ()
    """Those that have other contents here, or are absent."""
    is_foreign: bool = False
    """Whether this machine is of another platform, where compiled files cannot be the image's."""

    def count(self, grade: Grade) -> int:
        """How many distributions have this grade."""
        return sum(verdict.grade == grade for verdict in self.verdicts)

    @property
    def rebuilt(self) -> tuple[str, ...]:
        """Normalised names of what has other files here, however that came about."""
        return tuple(normalized(v.name) for v in self.verdicts if v.grade in ("same-release", "differs"))

    @property
    def is_exact(self) -> bool:
        """Whether all that can be compared is identical; on another platform, whether all is of the same release."""
        same = self.count("identical") + (self.count("same-release") if self.is_foreign else 0)
        return same == self.known

    @property
    def known(self) -> int:
        """How many distributions can be compared."""
        return len(self.verdicts) - self.count("unknown")


class LocalContents(Struct, frozen=True, kw_only=True):
    """Digests of one distribution here."""

    whole: Digest
    payload: Digest
    """Without its ``.dist-info``: what compares with an image that has an ``.egg-info`` instead."""
    problems: tuple[str, ...] = ()
    """Files that are missing, or are not what RECORD says."""


def measure(
    expected: Snapshot,
    actual: Snapshot,
    *,
    reasons: Mapping[str, str] = {},
    changed: Mapping[str, str] = {},
    verify: bool,
    remembered: Remembered | None = None,
    parse: Parse = parse_record,
) -> Fidelity | None:
    """Compare the files of an environment on this machine with what a lock knows of the image's.

    Args:
        expected: the lock.
        actual: the environment, whose files are read.
        reasons: why a distribution, by normalised name, is not the image's file.
        changed: what was found to be changed here, by normalised name.
        verify: hash every file; else what RECORD says is believed, but for scripts.
        remembered: knows files that were hashed before, and learns others.
        parse: RECORD.

    Returns:
        ``None`` where the lock knows no file of the image.
    """
    wanted = [d for d in expected.distributions if d.conda is None]
    if not any(d.contents for d in wanted):
        return None
    here = {normalized(d.name): d for d in actual.distributions}
    compared = [here[normalized(d.name)] for d in wanted if normalized(d.name) in here]
    digests = partial(host_digests, remembered=remembered)
    found = local_contents(compared, verify=verify, digests=digests, parse=parse)
    verdicts = [_verdict(d, here.get(normalized(d.name)), found, reasons, changed) for d in wanted]
    library = expected.python.standard_library

    def of_library(paths: Iterable[str]) -> dict[str, bytes]:
        return as_in_the_image(digests(paths), actual.python.sys_path)

    own = standard_library(HostTree(), actual.python.sys_path, of_library) if library else None
    if remembered is not None:
        remembered.keep()
    differing = tuple(name for name, digest in (library or {}).items() if (own or {}).get(name) != digest)
    return Fidelity(
        verdicts=tuple(sorted(verdicts, key=lambda verdict: normalized(verdict.name))),
        modules=len(library) if library and own else None,
        differing_modules=differing if own else (),
        is_foreign=not (expected.platform and actual.platform and expected.platform.accepts(actual.platform)),
    )


def other_builds(fidelity: Fidelity, told: Collection[str]) -> Iterator[Finding]:
    """Findings for distributions of the right version with other contents, but for those that are ``told`` already."""
    for verdict in fidelity.verdicts:
        if verdict.grade == "same-release" and not fidelity.is_foreign and normalized(verdict.name) not in told:
            yield Finding(
                kind="distribution-build",
                scope="python",
                severity="note",
                subject=verdict.name,
                expected=f"the files of {verdict.version} as in the image",
                actual=verdict.reason,
                impact="It is the same release; compiled or generated parts of it may behave differently.",
                fix="Make it again from the image's own files: envsync create ENV --from image",
            )


def _verdict(
    wanted: Distribution,
    found: Distribution | None,
    contents: Mapping[str, LocalContents],
    reasons: Mapping[str, str],
    changed: Mapping[str, str],
) -> Verdict:
    name = normalized(wanted.name)
    reason = reasons.get(name, "")

    def graded(grade: Grade, reason: str = "") -> Verdict:
        return Verdict(name=wanted.name, version=wanted.version, grade=grade, reason=reason)

    if found is None:
        return graded("missing", reason)
    if found.version != wanted.version:
        return graded("differs", f"{found.version} here")
    if wanted.contents is None:
        return graded("unknown", "nothing tells which files of the image are its")
    local = contents.get(name)
    if local is None:
        return graded("unknown", "nothing tells which files here are its")
    if name in changed:
        return graded("same-release", changed[name])
    is_legacy = wanted.metadata is not None and wanted.metadata.suffix != ".dist-info"
    if wanted.contents == (local.payload if is_legacy else local.whole):
        return graded("identical")
    if local.problems:
        more = f" and {len(local.problems) - 3} more" if len(local.problems) > 3 else ""
        return graded("same-release", f"changed here: {', '.join(local.problems[:3])}{more}")
    if wanted.patched:
        reason = f"the image's is not as its RECORD says: {', '.join(wanted.patched[:3])}"
    return graded("same-release", reason or "another build of this release")


def local_contents(
    distributions: Iterable[Distribution], *, verify: bool, digests: Digests, parse: Parse
) -> dict[str, LocalContents]:
    """The contents of distributions on this machine, by normalised name."""
    own = [d for d in distributions if d.conda is None]
    found: dict[str, LocalContents] = {}
    listed = read_contents(own, HostTree(), digests, trusting=not verify, parse=parse)
    for position, contents in listed.items():
        if isinstance(contents, Contents):
            distribution = own[position]
            info = f"{distribution.metadata.name}/" if distribution.metadata is not None else ""
            payload = {path: digest for path, digest in contents.actual.items() if not path.startswith(info)}
            found[normalized(distribution.name)] = LocalContents(
                whole=contents.digest, payload=digest_of(payload), problems=contents.patched
            )
    return found


def host_digests(paths: Iterable[str], *, remembered: Remembered | None = None) -> dict[str, bytes]:
    """SHA-256 of files of this machine, of scripts in their normal form; those that cannot be read are left out."""
    found: dict[str, bytes] = {}
    plain: list[str] = []
    for path in paths:
        if "/bin/" in path and path.rfind("/bin/") + 4 == path.rfind("/"):
            try:
                found[path] = hashlib.sha256(normal_script(Path(path).read_bytes())).digest()
            except OSError:
                continue
        else:
            plain.append(path)
    hashed = remembered.digests(plain, _read) if remembered is not None else _read(plain)
    found.update((path, digest) for path, digest in zip(plain, hashed, strict=True) if digest is not None)
    return found


def _read(paths: Sequence[str]) -> list[bytes | None]:
    return hash_files([(path, "sha256") for path in paths])
