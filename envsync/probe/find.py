"""Finds all Pythons of an image and has each describe itself. Runs INSIDE images, as ``describe.py`` does."""

# mypy: ignore-errors

import errno
import os
import re
import stat
import sys
import time

from envsync_describe import BOOT, Notes, ended, framed, run

NAME = re.compile(r"python(?:[23](?:\.[0-9]+t?)?)?\Z")
OUTPUT_LIMIT = 60 * 1024 * 1024
VIRTUAL = set(
    (
        "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs fusectl hugetlbfs mqueue nsfs proc"
        " pstore ramfs rpc_pipefs securityfs sysfs tmpfs tracefs"
    ).split()
)
DPKG_FORMAT = "${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${db:Status-Abbrev}\\n"


def find_all(source, nonce, seconds, chosen, root):
    """Every interpreter under ``root``, each described by a process of its own, and the system around them."""
    deadline, unreadable = time.time() + seconds, []
    known = on_path()
    preferred = [path for path in (chosen, known.get("python"), known.get("python3"), known.get("python2")) if path]
    preferred += [sys.executable] if sys.executable else []
    answers, room = [], OUTPUT_LIMIT
    for names in grouped(preferred, walk(root, unreadable)):
        answer = {"names": names, "real": os.path.realpath(names[0]), "text": None, "problem": None}
        answers.append(answer)
        left = deadline - time.time()
        if left < 1:
            answer["problem"] = "not asked: no time was left"
            continue
        words = [names[0], "-B", "-c", BOOT, source, "", "describe", nonce, "%d" % max(1, left / 4)]
        status, out, errors, problem = run(words, max(1, left / 2), room)
        text = framed(out, nonce)
        if problem or text is None:
            answer["problem"] = problem or ended(status, errors)
        else:
            answer["text"] = text
            room -= len(text)
    return {
        "interpreters": answers,
        "on_path": known,
        "main": sys.executable or "",
        "unreadable": unreadable,
        "system": describe_system(),
    }


def grouped(preferred, others):
    """Lists of names that lead to the same file and virtual environment; those of ``preferred`` first."""
    groups, order = {}, []
    for path in preferred + others:
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


def is_interpreter(path):
    """Whether ``path`` leads to a program that is no script."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) or not os.access(path, os.X_OK):
            return False
        with open(path, "rb") as stream:
            return stream.read(2) != b"#!"
    except (OSError, IOError, ValueError) as error:
        # Programs may be run without being readable.
        return getattr(error, "errno", None) == errno.EACCES and os.access(path, os.X_OK)


def walk(root, unreadable):
    """Paths of all names of interpreters under ``root``, sorted."""
    hidden, found = mounts(), []
    for folder, folders, names in os.walk(root, onerror=lambda error: unreadable.append(error.filename)):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in hidden]
        for name in names:
            if NAME.match(name) and is_interpreter(os.path.join(folder, name)):
                found.append(os.path.join(folder, name))
    return sorted(found)


def lookup(name, folders, accepted):
    """The first file called ``name`` in ``folders`` that is ``accepted``; None where there is none."""
    for folder in folders:
        path = os.path.join(folder, name)
        if folder.startswith("/") and accepted(path):
            return path
    return None


def on_path():
    """What ``python``, ``python3`` and ``python2`` mean for PATH, scripts left aside."""
    folders = os.environ.get("PATH", "").split(":")
    found = [(name, lookup(name, folders, is_interpreter)) for name in ("python", "python3", "python2")]
    return dict([(name, path) for name, path in found if path])


def package_list(name, words):
    """The output of a package manager; None where it is absent or fails."""
    folders = os.environ.get("PATH", "").split(":") + ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    program = lookup(name, folders, lambda path: os.path.isfile(path) and os.access(path, os.X_OK))
    if program is None:
        return None
    status, out, _, problem = run([program] + words, 30, 16 * 1024 * 1024, {"LC_ALL": "C"})
    return out if status == 0 and not problem else None


def describe_system():
    """The operating system: its release, its packages and musl's own words; raw files where no tool can tell."""
    notes = Notes()
    for path in ("/etc/os-release", "/usr/lib/os-release"):
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
        "musl": musl,
        "machine": os.uname()[4],
        "path": os.environ.get("PATH", ""),
        "home": os.environ.get("HOME", ""),
    }
