"""Which x86-64 processor runs what was built for another: https://github.com/archspec/archspec-json."""

from __future__ import annotations

import re

_LEVEL = re.compile(r"x86_64(?:_v[234])?")

_PARENTS: dict[str, tuple[str, ...]] = {
    "x86_64": (),
    "x86_64_v2": ("x86_64",),
    "x86_64_v3": ("x86_64_v2",),
    "x86_64_v4": ("x86_64_v3",),
    "nocona": ("x86_64",),
    "core2": ("nocona",),
    "nehalem": ("core2", "x86_64_v2"),
    "westmere": ("nehalem",),
    "sandybridge": ("westmere",),
    "ivybridge": ("sandybridge",),
    "haswell": ("ivybridge", "x86_64_v3"),
    "broadwell": ("haswell",),
    "skylake": ("broadwell",),
    "mic_knl": ("broadwell",),
    "alderlake": ("skylake",),
    "arrowlake": ("alderlake",),
    "arrowlake_s": ("arrowlake",),
    "skylake_avx512": ("skylake", "x86_64_v4"),
    "cannonlake": ("skylake", "x86_64_v4"),
    "cascadelake": ("skylake_avx512",),
    "icelake": ("cascadelake", "cannonlake"),
    "sapphirerapids": ("icelake",),
    "k10": ("x86_64",),
    "bulldozer": ("x86_64_v2",),
    "piledriver": ("bulldozer",),
    "steamroller": ("piledriver",),
    "excavator": ("steamroller", "x86_64_v3"),
    "zen": ("x86_64_v3",),
    "zen2": ("zen",),
    "zen3": ("zen2",),
    "zen4": ("zen3", "x86_64_v4"),
    "zen5": ("zen4",),
    "zen6": ("zen5",),
}
"""By name, those whose every instruction it has, of archspec 0.2.7."""


def runs(wanted: str, host: str) -> bool | None:
    """Whether a processor runs what is built for ``wanted``; ``None``: that cannot be told.

    Of processors that are no ancestors of one another nothing is said: only a level tells what it lacks.
    """
    if wanted == host:
        return True
    if host not in _PARENTS:
        return None
    if wanted in _ancestors(host):
        return True
    return False if _LEVEL.fullmatch(wanted) else None


def _ancestors(name: str) -> set[str]:
    parents = _PARENTS[name]
    return {*parents, *(older for parent in parents for older in _ancestors(parent))}
