"""Describes the conda prefixes of an image. Runs INSIDE images, as ``describe.py`` does; ``find.py`` calls it."""

# mypy: ignore-errors

import base64
import os
import re
import stat
import time

from envsync_describe import Notes, ended, run

RECORD = re.compile(r".+-[^-/]+-[^-/]+\.json\Z")
PREFIXES, RECORDS, RECORD_LIMIT = 200, 5000, 32 * 1024 * 1024
OBJECTS, COMMAS = 80000, 800000
PATH_KEYS = ("_path", "path_type", "sha256", "sha256_in_prefix")
EXPLICIT_LIMIT, EXPORT_LIMIT = 1024 * 1024, 256 * 1024
QUIET = {
    "CONDA_JSON": "false",
    "CONDA_NOTIFY_OUTDATED_CONDA": "false",
    "CONDA_NO_PLUGINS": "true",
    "CONDA_NUMBER_CHANNEL_NOTICES": "0",
    "CONDA_OFFLINE": "true",
    "CONDA_REPORT_ERRORS": "false",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""For conda clients: nothing is asked, sent or fetched, and the output is what people see."""


def is_conda_meta(names):
    """Whether a folder of these files is the ``conda-meta`` of an environment."""
    return "history" in names or any([RECORD.match(name) for name in names])


def is_cached(prefix):
    """Whether ``prefix`` is an unpacked conda package, or inside of one or of a package cache."""
    while True:
        if os.path.exists(os.path.join(prefix, "info", "index.json")):
            return True
        urls = [os.path.exists(os.path.join(prefix, name)) for name in ("urls.txt", "urls")]
        if os.path.basename(prefix) == "pkgs" and any(urls):
            return True
        if prefix in ("/", ""):
            return False
        prefix = os.path.dirname(prefix)


def describe_prefix(prefix, until):
    """The records of a conda prefix that are read in time, the files of them that are absent, and what else tells."""
    try:
        import zlib
    except ImportError:  # a Python that is no conda's, and lacks most of its library: --method read tells
        return {"prefix": prefix, "records": {}, "absent": [], "files": {}}
    notes = Notes()
    meta = os.path.join(prefix, "conda-meta")
    records, absent = {}, []
    names = sorted([name for name in os.listdir(meta) if name.endswith(".json")])
    for name in names[: RECORDS + 1]:
        path, records[name] = os.path.join(meta, name), ""
        try:
            if time.time() > until or not stat.S_ISREG(os.stat(path).st_mode):
                continue
            with open(path, "rb") as stream:
                data = stream.read(RECORD_LIMIT)
        except (OSError, IOError):
            continue
        data, paths = condensed(data)
        records[name] = base64.b64encode(zlib.compress(data))
        absent += [path for path in paths if is_absent(prefix, path)]
    for name in ("history", "pinned"):
        notes.look(os.path.join(meta, name))
    folders = [prefix]
    if os.path.basename(os.path.dirname(prefix)) == "envs":
        folders.append(os.path.dirname(os.path.dirname(prefix)))  # of the conda that made it
    for folder in folders:
        notes.look(os.path.join(folder, ".condarc"))
    for path in ("/etc/conda/.condarc", "/etc/conda/condarc", "/root/.condarc"):
        notes.look(path)
    return {"prefix": prefix, "records": records, "absent": absent, "files": notes.seen}


def ask_conda(described, paths, deadline):
    """Add to the prefix of the first of ``paths`` what the image's own conda, mamba or micromamba prints of it."""
    for path in paths[:1]:
        homes = [os.path.dirname(os.path.dirname(one)) for one in (path, os.path.realpath(path))]
        for answer in [one for one in described if one["prefix"] in homes][:1]:
            program = conda_client(answer["prefix"])
            if program:
                answer["client"] = asked_of(program, answer["prefix"], deadline)


def conda_client(prefix):
    """The client that looks after ``prefix``, conda before the others; None where there is none."""
    homes, parent = [prefix], os.path.dirname(prefix)
    if os.path.basename(parent) == "envs":
        homes.append(os.path.dirname(parent))
    on_path = os.environ.get("PATH", "").split(":")
    found = [os.environ.get("CONDA_EXE", "")]
    found += [os.path.join(home, folder, "conda") for home in homes for folder in ("bin", "condabin")]
    found += [os.path.join(folder, "conda") for folder in on_path]
    found.append(os.environ.get("MAMBA_EXE", ""))
    for name in ("micromamba", "mamba"):
        found += [os.path.join(folder, name) for folder in [os.path.join(home, "bin") for home in homes] + on_path]
    for path in found:
        if path.startswith("/") and is_executable(path):
            return path
    return None


def is_executable(path):
    """Whether ``path`` leads to a regular file that somebody may execute."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def asked_of(program, prefix, deadline):
    """What a client prints of ``prefix``: the explicit spec and the environment file."""
    words = ["list", "--explicit", "--md5"]
    if "mamba" in os.path.basename(program):  # of all versions; "list" of older ones has no such options
        words = ["env", "export", "--explicit"]
    answer = {"program": program}
    for key, command, limit in (
        ("explicit", words, EXPLICIT_LIMIT),
        ("export", ["env", "export"], EXPORT_LIMIT),
    ):
        left = min(30, (deadline - time.time()) / 2)
        if left < 1:
            answer[key] = {"output": "", "problem": "not asked: no time was left"}
            continue
        status, out, errors, problem = run([program] + command + ["-p", prefix], left, limit, QUIET)
        if problem is None and status != 0:
            problem = ended(status, errors)
        answer[key] = {"output": out, "problem": problem}
    return answer


def is_absent(prefix, path):
    """Whether nothing is at ``path``, text, in ``prefix``."""
    try:
        root = prefix if str is bytes else os.fsencode(prefix)
        return not os.path.lexists(os.path.join(root, path.encode("utf-8")))
    except ValueError:  # no path at all
        return False


def condensed(data):
    """A record without what nobody asks for, as JSON, and the paths in it; bytes that are no record as they are."""
    if data.count(b"{") > OBJECTS or data.count(b",") > COMMAS:  # more than any honest package has
        return data, []
    try:
        import json

        record = json.loads(data.decode("utf-8"))
        listed = [path for path in record.get("files") or () if hasattr(path, "encode")]
        if isinstance(record.get("paths_data"), dict):
            rows = record["paths_data"].get("paths", [])
            kept = [dict([(key, row[key]) for key in row if key in PATH_KEYS]) for row in rows]
            if record.get("noarch") == "python":
                place(kept, listed)
            record["paths_data"] = {"paths": kept}
            record.pop("files", None)
            listed = [row["_path"] for row in kept]
        return json.dumps(record).encode("utf-8"), listed
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError):
        return data, []


def place(rows, files):
    """Give rows of a noarch package the paths that conda put them at, as envsync.paths_data.placed does."""
    known = [path for path in files + [row["_path"] for row in rows] if "/site-packages/" in path]
    inside = known[0].partition("/site-packages/")[0] + "/site-packages/" if known else "site-packages/"
    for row in rows:
        for start, put in (("site-packages/", inside), ("python-scripts/", "bin/")):
            if row["_path"].startswith(start):
                row["_path"] = put + row["_path"][len(start) :]
                break
