"""Finds all Pythons of an image and has each describe itself. Runs INSIDE images, as ``describe.py`` does."""

# mypy: ignore-errors

import errno
import os
import re
import sys
import time

from envsync_conda import PREFIXES, ask_conda, describe_prefix, is_cached, is_conda_meta, is_executable
from envsync_describe import BOOT, Notes, ended, framed, run, text_of

NAME = re.compile(r"(?:python(?:[23](?:\.\d{1,2}[a-z]{0,3})?)?(?:-dbg)?|pypy(?:[23](?:\.\d{1,2})?)?|graalpy)\Z")
"""What an interpreter is called, as the catalog that reads images has it."""
VERSIONED = re.compile(r"python[23]\.\d{1,2}[a-z]{0,3}(?:-dbg)?\Z")
OUTPUT_LIMIT = 60 * 1024 * 1024
VIRTUAL = set(
    (
        "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs fusectl hugetlbfs mqueue nsfs proc"
        " pstore ramfs rpc_pipefs securityfs sysfs tmpfs tracefs"
    ).split()
)
DPKG_FORMAT = "${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${db:Status-Abbrev}\\n"
RPM_FORMAT = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\n"
REASONS = (
    "/var/lib/apt/extended_states",
    "/etc/apk/world",
    "/usr/lib/sysimage/libdnf5/packages.toml",
    "/var/lib/dnf/history.sqlite",
    "/var/lib/zypp/AutoInstalled",
)
"""Why packages are there, as the catalog that reads images has it."""
ASK = "import sys\nsys.stdout.write('\\n%s<\\n%s\\n%s>\\n' % (sys.argv[1], sys.executable, sys.argv[1]))"


def find_all(source, nonce, seconds, chosen, root):
    """Every interpreter under ``root``, each described by a process of its own, and the system around them."""
    deadline = time.time() + seconds
    names, prefixes = walk(root)
    commands = on_path(names, nonce)
    first = led_to(chosen, nonce) if chosen else None
    paths = [first] + [command["leads_to"] for command in commands] + names
    answers, room = [], OUTPUT_LIMIT
    for group in grouped([path for path in paths if path] or [sys.executable]):
        answer = {"names": group, "real": os.path.realpath(group[0]), "text": None, "problem": None}
        answers.append(answer)
        left = deadline - time.time()
        if left < 1:
            answer["problem"] = "not asked: no time was left"
            continue
        words = [group[0], "-B", "-c", BOOT, source, "", "", "describe", nonce, "%d" % max(1, left / 4)]
        status, out, errors, problem = run(words, max(1, left / 2), room)
        text = framed(out, nonce)
        if problem or text is None:
            answer["problem"] = problem or ended(status, errors)
        else:
            answer["text"] = text
            room -= len(text)
    described = [describe_prefix(prefix, deadline - seconds / 2) for prefix in prefixes[: PREFIXES + 1]]
    ask_conda(described, [path for path in paths if path], deadline)
    return {
        "interpreters": answers,
        "commands": commands,
        "chosen": first,
        "main": sys.executable or "",
        "system": describe_system(),
        "conda": described,
    }


def grouped(paths):
    """Lists of names that lead to the same file and virtual environment."""
    groups, order = {}, []
    for path in paths:
        key = (os.path.realpath(path), configuration(path))
        if key not in groups:
            groups[key] = []
            order.append(key)
        if path not in groups[key]:
            groups[key].append(path)
    return [groups[key] for key in order]


def configuration(path):
    """The pyvenv.cfg that makes ``path`` the python of a virtual environment; empty where none does."""
    folder = os.path.dirname(path)
    for place in (folder, os.path.dirname(folder)):
        if os.path.isfile(os.path.join(place, "pyvenv.cfg")):
            return os.path.realpath(os.path.join(place, "pyvenv.cfg"))
    return ""


def mounts():
    """Folders where the kernel's own file systems are mounted: nothing in them is part of the image."""
    found = set(["/proc", "/sys", "/dev"])
    try:
        with open("/proc/self/mountinfo") as stream:
            lines = stream.read().splitlines()
    except (OSError, IOError):
        return found
    for line in lines:
        fields, _, kind = line.partition(" - ")
        if kind.split(" ")[0] in VIRTUAL:
            found.add(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code.group(1), 8)), fields.split(" ")[4]))
    found.discard("/")
    return found


def is_program(path):
    """Whether ``path`` leads to a program that is no script."""
    if not is_executable(path):
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(4) == b"\x7fELF"
    except (OSError, IOError) as error:
        # Programs may be run without being readable.
        return error.errno == errno.EACCES


def led_to(path, nonce):
    """The interpreter that ``path`` is, or that a script such as pyenv's shims starts; None where it is neither."""
    if is_program(path):
        return path
    text = framed(run([path, "-B", "-c", ASK, nonce], 10, 65536)[1], nonce) if is_executable(path) else None
    found = text_of(text) if text else ""
    found = found if isinstance(found, str) else found.encode("utf-8")
    return found if is_program(found) else None


def walk(root):
    """Paths of all names of interpreters under ``root``, and of all conda prefixes, each sorted."""
    hidden, found, prefixes = mounts(), [], []
    for folder, folders, names in os.walk(root):
        if os.path.basename(folder) == "conda-meta" and is_conda_meta(names) and not is_cached(os.path.dirname(folder)):
            prefixes.append(os.path.dirname(folder))
        folders[:] = [name for name in folders if os.path.join(folder, name) not in hidden]
        for name in names:
            path = os.path.join(folder, name)
            if NAME.match(name) and is_program(path) and not is_packed(folder):
                found.append(path)
    return sorted(found), sorted(prefixes)


def is_packed(folder):
    """Whether ``folder`` belongs to an unpacked conda package: a source of installations, not one."""
    return os.path.exists(os.path.join(os.path.dirname(folder), "info", "index.json"))


def on_path(names, nonce):
    """What ``python``, ``python3``, ``python2`` and the versioned names mean for PATH.

    Scripts that start no Python are passed over; they are in the list, too.
    """
    versioned = set([os.path.basename(path) for path in names])
    found = []
    for name in ["python", "python3", "python2"] + sorted([name for name in versioned if VERSIONED.match(name)]):
        for folder in os.environ.get("PATH", "").split(":"):
            path = os.path.join(folder, name)
            if folder.startswith("/") and is_executable(path):
                found.append({"name": name, "path": path, "leads_to": led_to(path, nonce)})
                if found[-1]["leads_to"]:
                    break
    return found


def package_list(name, words):
    """The output of a package manager; None where it is absent or fails."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]:
        program = os.path.join(folder, name)
        if folder.startswith("/") and is_executable(program):
            status, out, _, problem = run([program] + words, 30, 16 * 1024 * 1024, {"LC_ALL": "C"})
            return out if status == 0 and not problem else None
    return None


def describe_system():
    """The operating system: its release, its packages and musl's own words; raw files where no tool can tell."""
    notes = Notes()
    for path in ("/etc/os-release", "/usr/lib/os-release") + REASONS:
        notes.look(path)
    dpkg = package_list("dpkg-query", ["-W", "-f=" + DPKG_FORMAT])
    if not dpkg:
        notes.look("/var/lib/dpkg/status")
        for name in notes.look("/var/lib/dpkg/status.d"):
            if not name.endswith(".md5sums"):
                notes.look("/var/lib/dpkg/status.d/" + name)
    apk = package_list("apk", ["list", "--installed"])
    if not apk:
        for path in ("/lib/apk/db/installed", "/usr/lib/apk/db/installed"):
            notes.look(path)
    musl = None
    for name in sorted(os.listdir("/lib")) if os.path.isdir("/lib") else ():
        if re.match(r"ld-musl-.*\.so\.1\Z", name):
            musl = run(["/lib/" + name], 5, 65536)[2]
    return {
        "files": notes.seen,
        "dpkg": dpkg or None,
        "apk": apk or None,
        "rpm": package_list("rpm", ["-qa", "--qf", RPM_FORMAT]) or None,
        "musl": musl,
        "machine": os.uname()[4],
        "path": os.environ.get("PATH", ""),
        "home": os.environ.get("HOME", ""),
    }
