"""``conda-meta/history``, as conda writes it when it makes an environment: what was asked for, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from envsync import __version__
from envsync.model import CondaEnvironment, CondaPackage


def render_history(environment: CondaEnvironment, packages: Iterable[CondaPackage], at: datetime) -> str:
    """One revision, for ``conda list --revisions`` and ``conda env export --from-history``."""
    lines = [
        f"==> {at:%Y-%m-%d %H:%M:%S} <==",
        "# cmd: envsync create",
        f"# envsync version: {__version__}",
        *sorted(f"+{one.channel}/{one.subdir}::{one.name}-{one.version}-{one.build}" for one in packages),
    ]
    if environment.requested:
        lines.append(f"# update specs: {json.dumps(list(environment.requested))}")
    return "\n".join(lines) + "\n"
