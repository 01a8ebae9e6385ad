"""Describes the Python that runs it. Runs INSIDE images, on Python 2.7 to 3.14: no newer syntax, ASCII only.

Its text is an argument of ``python -B -c``, as are those of ``conda_prefixes.py`` and ``find.py``;
:mod:`envsync.probe.container` starts it. Only modules that CPython always has are used: Debian's ``python3-minimal``
has no :mod:`json`.
"""

# mypy: ignore-errors

import base64
import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time

_HERE = "import sys\nif sys.path[:1] == ['']: del sys.path[0]\n"
"""Without it, modules of the working folder would be imported in the place of Python's own."""
BOOT = (
    _HERE + "m = sys.modules['envsync_describe'] = type(sys)('envsync_describe')\n"
    "exec(compile(sys.argv[1], 'describe.py', 'exec'), m.__dict__)\n"
    "m.main(*sys.argv[1:])"
)
"""Python code for ``-c``; the arguments are those of :func:`main`."""
RUN_PIP = _HERE + "import runpy\nsys.argv[0] = 'pip'\nrunpy.run_module('pip', run_name='__main__', alter_sys=True)"
FREEZE = ["freeze", "--all", "--disable-pip-version-check"]

FILES = [
    "METADATA",
    "PKG-INFO",
    "WHEEL",
    "RECORD",
    "direct_url.json",
    "INSTALLER",
    "REQUESTED",
    "entry_points.txt",
    "requires.txt",
]
FILE_LIMIT = 16 * 1024 * 1024
FILES_LIMIT = 36 * 1024 * 1024


def main(source, conda, finder, mode, nonce, seconds, chosen="", root="/"):
    """Write one JSON document between two lines that hold ``nonce``, whatever else Python is made to print.

    ``mode`` is ``find`` for all interpreters under ``root`` (those that are asked take ``describe``), within
    ``seconds``; ``chosen`` is a path that is asked first.
    """
    if mode == "describe":
        emit(describe(float(seconds)), nonce)
        return
    for name, text in (("conda", conda), ("find", finder)):
        module = sys.modules["envsync_" + name] = type(sys)("envsync_" + name)
        exec(compile(text, name + ".py", "exec"), module.__dict__)
    emit(module.find_all(source, nonce, float(seconds), chosen, root), nonce)


# --- writing JSON -------------------------------------------------------------------------------------


def text_of(value):
    """Text of a path or of bytes as the system gives it; what is not UTF-8 is replaced."""
    if not isinstance(value, bytes):
        value = value.encode("utf-8", "surrogateescape" if sys.version_info[0] > 2 else "replace")
    return value.decode("utf-8", "replace")


def escaped(match):
    """The JSON escape of one character."""
    code = ord(match.group())
    if code < 0x10000:
        return "\\u%04x" % code
    code -= 0x10000
    return "\\u%04x\\u%04x" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))


def dump(value, out):
    """Append the JSON of ``value`` to ``out``, in pieces."""
    if value is None or value is True or value is False:
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, dict):
        out.append("{")
        for index, key in enumerate(sorted(value)):
            out.append("," if index else "")
            dump(key, out)
            out.append(":")
            dump(value[key], out)
        out.append("}")
    elif isinstance(value, (list, tuple)):
        out.append("[")
        for index, item in enumerate(value):
            out.append("," if index else "")
            dump(item, out)
        out.append("]")
    elif isinstance(value, int):
        out.append("%d" % value)
    else:
        text = text_of(value).replace("\\", "\\\\").replace('"', '\\"')
        out.append('"' + re.sub("[^ -~]", escaped, text) + '"')


def emit(value, nonce):
    """Write ``value`` as one framed document."""
    pieces = ["\n%s<\n" % nonce]
    dump(value, pieces)
    pieces.append("\n%s>\n" % nonce)
    data = "".join(pieces).encode("ascii")
    sent = 0
    while sent < len(data):
        sent += os.write(1, data[sent : sent + 65536])


def framed(output, nonce):
    """The document between the marks, or None."""
    mark = nonce.encode("ascii")
    begin, end = output.find(b"\n" + mark + b"<\n"), output.rfind(b"\n" + mark + b">\n")
    return output[begin + len(mark) + 3 : end] if 0 <= begin < end else None


# --- running programs ---------------------------------------------------------------------------------


def kill(process):
    """End a program and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass


def gather(process, stream, limit, parts):
    """Read ``stream`` to its end; more than ``limit`` bytes end the program and leave None in ``parts``."""
    size = 0
    while True:
        data = os.read(stream.fileno(), 65536)
        size += len(data)
        if not data:
            return
        if size > limit:
            parts.append(None)
            kill(process)
            return
        parts.append(data)


def run(command, seconds, limit, environment=None):
    """Run a program without input: (status or None, stdout, stderr, what went wrong or None)."""
    own_group = {"preexec_fn": os.setsid} if sys.version_info[0] == 2 else {"start_new_session": True}
    variables = dict(os.environ)
    variables.update(environment or {})
    pipe = subprocess.PIPE
    try:
        with open(os.devnull, "rb") as nothing:
            process = subprocess.Popen(
                command, stdin=nothing, stdout=pipe, stderr=pipe, close_fds=True, env=variables, **own_group
            )
    except (OSError, ValueError) as error:
        return None, b"", b"", "cannot be started: %s" % (getattr(error, "strerror", None) or error)
    deadline = time.time() + seconds
    out, errors, readers = [], [], []
    for stream, size, parts in ((process.stdout, limit, out), (process.stderr, 1024 * 1024, errors)):
        reader = threading.Thread(target=gather, args=(process, stream, size, parts))
        reader.daemon = True
        reader.start()
        readers.append(reader)
    for reader in readers:
        reader.join(max(0, deadline - time.time()))
    while process.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    problem = None
    if None in out or None in errors:
        problem = "printed too much"
    elif process.poll() is None or readers[0].is_alive() or readers[1].is_alive():
        problem = "still running after %d s" % seconds
    kill(process)
    return process.wait(), joined(out), joined(errors), problem


def joined(parts):
    """The bytes that :func:`gather` put into ``parts``."""
    return b"".join([part for part in list(parts) if part is not None])


def ended(status, errors):
    """How a program ended, for people."""
    how = "ended by signal %d" % -status if status < 0 else "exit status %d" % status
    lines = [line for line in text_of(errors).splitlines() if line.strip()]
    return how + (": " + lines[-1][-400:] if lines else "")


# --- reading files ------------------------------------------------------------------------------------


class Notes(object):
    """What was seen of files and folders, by path."""

    def __init__(self):
        self.seen = {}
        self.budget = FILES_LIMIT

    def look(self, path, contents=True):
        """Record what ``path`` is: its kind, the names in a folder, a file's bytes. Returns the names."""
        note = self.seen.get(path)
        if note is not None:
            return note.get("names", ())
        note = self.seen[path] = {"kind": "other", "real": os.path.realpath(path)}
        try:
            status = os.stat(path)
            note["mode"] = stat.S_IMODE(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                note["kind"] = "directory"
                note["names"] = sorted(os.listdir(path))
            elif stat.S_ISREG(status.st_mode):
                note["kind"] = "file"
                note["size"] = status.st_size
                if contents:
                    self.read(path, note)
        except (OSError, IOError, ValueError) as error:
            if getattr(error, "errno", None) in (errno.ENOENT, errno.ENOTDIR):
                del self.seen[path]
            else:
                note["error"] = getattr(error, "strerror", None) or str(error)
        return note.get("names", ())

    def read(self, path, note):
        """Add the bytes of a file to its note."""
        if note["size"] > min(FILE_LIMIT, self.budget):
            note["error"] = "too large to be sent: %d bytes" % note["size"]
            return
        with open(path, "rb") as stream:
            data = stream.read(note["size"])
        self.budget -= len(data)
        note["data"] = base64.b64encode(data)

    def look_into(self, folder):
        """Record the files that describe the distribution whose metadata is ``folder`` (or is that file)."""
        for name in self.look(folder):
            if name in FILES:
                self.look(os.path.join(folder, name))

    def look_for_distributions(self, location):
        """Record all that describes the distributions of one ``sys.path`` entry."""
        is_egg = location.lower().endswith(".egg")
        for name in self.look(location, contents=is_egg):
            path, lower = os.path.join(location, name), name.lower()
            if lower.endswith((".dist-info", ".egg-info")) or (is_egg and lower == "egg-info"):
                self.look_into(path)
            elif lower.endswith(".egg-link"):
                self.look(path)
                self.follow(location, path)

    def follow(self, location, link):
        """Record where an ``.egg-link`` leads to."""
        with_data = self.seen.get(link, {}).get("data")
        lines = base64.b64decode(with_data).splitlines() if with_data else ()
        for line in lines[:1]:
            folder = line.strip().decode("utf-8", "replace") if sys.version_info[0] > 2 else line.strip()
            if "\0" not in folder:
                self.look(os.path.normpath(os.path.join(location, folder)), contents=False)


# --- describing this interpreter ----------------------------------------------------------------------


def describe(seconds):
    """All that this interpreter knows of itself."""
    import sysconfig

    path = [entry for entry in sys.path if isinstance(entry, type("")) and "\0" not in entry]
    notes = Notes()
    for entry in path:
        notes.look_for_distributions(entry)
    stdlib, variable = sysconfig.get_path("stdlib"), sysconfig.get_config_var
    prefix = sys.prefix
    base_prefix = getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", prefix)
    notes.look(os.path.join(prefix, "pyvenv.cfg"))
    implementation = getattr(sys, "implementation", None)
    return {
        "executable": sys.executable or "",
        "version": sys.version.split()[0],
        "implementation": implementation.name if implementation else "pypy" if "PyPy" in sys.version else "cpython",
        "soabi": variable("SOABI"),
        "debug": bool(variable("Py_DEBUG")) or hasattr(sys, "gettotalrefcount"),
        "free_threaded": bool(variable("Py_GIL_DISABLED")),
        "pymalloc": variable("WITH_PYMALLOC") not in (0, "0", ""),
        "wide_unicode": sys.maxunicode > 0xFFFF,
        "libc": libc(),
        "prefix": prefix,
        "base_prefix": base_prefix,
        "real_prefix": os.path.realpath(prefix),
        "real_base_prefix": os.path.realpath(base_prefix),
        "externally_managed": bool(stdlib) and os.path.isfile(os.path.join(stdlib, "EXTERNALLY-MANAGED")),
        "path": path,
        "files": notes.seen,
        "pip": ask_pip(seconds),
    }


def libc():
    """``glibc 2.36``; None where the C library is another."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        pass
    try:
        import ctypes

        version = ctypes.CDLL(None).gnu_get_libc_version
        version.restype = ctypes.c_char_p
        return "glibc " + text_of(version())
    except (ImportError, AttributeError, OSError):
        return None


def has_pip():
    """Whether pip can be imported."""
    try:
        from importlib.util import find_spec
    except ImportError:
        import imp

        try:
            imp.find_module("pip")
        except ImportError:
            return False
        return True
    return find_spec("pip") is not None


def ask_pip(seconds):
    """What ``pip freeze --all`` and ``pip --version`` print; None without pip."""
    if not sys.executable or not has_pip():
        return None
    answers = {}
    for key, words in (("freeze", FREEZE), ("version", ["--version"])):
        command = [sys.executable, "-B", "-c", RUN_PIP] + words
        status, out, errors, problem = run(command, seconds, 4 * 1024 * 1024, {"PIP_NO_INPUT": "1"})
        if problem is None and status != 0:
            problem = ended(status, errors)
        answers[key] = {"output": out, "problem": problem}
    return answers
