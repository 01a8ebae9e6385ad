"""``requirements.lock``: the very file of each distribution, for ``pip install --require-hashes``.

Format: https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode.
"""

from __future__ import annotations

import msgspec

from envsync.catalog.freeze import freeze_line
from envsync.lock.requirements import header, safe_requirement
from envsync.model import Distribution, ImageSource, Snapshot
from envsync.redaction import printable

WHEELS = "wheels"
"""The folder beside these files that wheels of the image's own are expected in: ``pull --wheelhouse LOCK/wheels``."""


def artifact(distribution: Distribution) -> tuple[str, str] | None:
    """File name and SHA-256 of what reproduces it: the image's own wheel where there is one, else the index's file.

    A wheel of the image's own is there only where the index has nothing, or something else; or since it was asked for.
    """
    file, wheel = distribution.file, distribution.wheel
    if file is not None and (wheel is None or not distribution.patched):
        return file.filename, file.sha256
    if wheel is not None:
        return wheel.filename, wheel.sha256
    return None


def has_artifacts(snapshot: Snapshot) -> bool:
    """Whether any file of any distribution is known."""
    return any(artifact(d) is not None for d in snapshot.distributions)


def render_hashed(snapshot: Snapshot) -> str:
    """Every distribution with the hash of its file; one without a known file is a comment.

    Raises:
        UnsafeValueError: a name or version would be more than one requirement.
    """
    pinned: list[str] = []
    own = 0
    for distribution in sorted(snapshot.distributions, key=lambda d: (d.name.lower(), d.name)):
        if distribution.conda is not None:
            continue
        plain = msgspec.structs.replace(distribution, origin=None, frozen=None)
        line = safe_requirement(freeze_line(plain), plain)
        found = artifact(distribution)
        if found is None:
            pinned.append(f"# {line}: no file of it is known")
            continue
        filename, sha256 = found
        file = distribution.file
        if file is None or filename != file.filename or sha256 != file.sha256:
            own += 1
            pinned.append(f"# repacked from the image: {printable(filename)}")
        elif distribution.patched:
            pinned.append(
                f"# not quite the image's, where it is patched: {printable(', '.join(distribution.patched[:3]))}"
            )
        elif file.proof == "inferred":
            pinned.append(f"# inferred from its tags, not proved: {printable(filename)}")
        pinned.append(f"{line} \\\n    --hash=sha256:{sha256}")
    return "\n".join([*header(snapshot), *_how(snapshot, own), *pinned]) + "\n"


def _how(snapshot: Snapshot, own: int) -> list[str]:
    find = f" --find-links {WHEELS}/links.html" if own else ""
    lines = [
        f"# The very files, for Python {printable(snapshot.python.version)} on {snapshot.platform}:",
        f"#     pip install --require-hashes --no-deps{find} -r requirements.lock",
    ]
    if own:
        image = printable(snapshot.source.reference) if isinstance(snapshot.source, ImageSource) else "IMAGE"
        lines += [
            f"# {own} wheel{'s are' if own > 1 else ' is'} repacked from the image, put in this lock's folder by:",
            f"#     envsync pull {image} --wheelhouse LOCK/{WHEELS}",
        ]
    return lines
