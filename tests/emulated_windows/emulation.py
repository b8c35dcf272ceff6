"""
Windows as krea sees it, on a POSIX system.

The modules of krea get `sys`, `os`, `signal` and `select` as Windows has them, a small
part of its own modules, and cannot import what it lacks.  In their hands a file that is
open cannot be renamed, replaced or removed.  All other code runs as it is: paths are
still those of POSIX.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import os
import select
import signal
import stat
import sys
from contextlib import nullcontext
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, SimpleNamespace

PACKAGE = "krea_cli"
MISSING_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
MISSING = {
    os: {
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "fork"),
        *("geteuid", "getpgrp", "getuid", "killpg", "mkfifo", "posix_fadvise"),
        *("setsid", "statvfs", "tcgetpgrp", "ttyname"),
    },
    signal: {
        *("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGTSTP", "SIGUSR1"),
        *("alarm", "pthread_kill", "pthread_sigmask", "setitimer"),
    },
    sys: set(),
    select: {"poll", "epoll"},
    ctypes: {"CDLL"},
}
# As far up as pathlib and shutil lie between krea and the call.
FRAMES = 4


class Replaced(ModuleType):
    """
    A module without some of its names, and with others instead of some.
    """

    def __init__(self, module, missing, instead):
        super().__init__(module.__name__)
        vars(self).update(_module=module, _missing=missing, **instead)

    def __getattr__(self, name):
        if name in self._missing:
            raise AttributeError(f"Windows has no {self.__name__}.{name}")
        return getattr(self._module, name)

    def __setattr__(self, name, value):
        setattr(self._module, name, value)


def no_link(*_args, **_kwargs):
    """
    As on a drive with FAT.
    """
    raise OSError(errno.EINVAL, "Incorrect function")


def no_kill(pid, _number):
    raise AssertionError(f"os.kill would end process {pid} on Windows")


def select_sockets(*lists):
    """
    On Windows nothing else can be waited for.
    """
    for each in [each for ready in lists[:3] for each in ready]:
        number = each if isinstance(each, int) else each.fileno()
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise OSError(errno.ENOTSOCK, "not a socket")
    return select.select(*lists)


class Kernel32:
    """
    What krea asks the kernel of Windows, answered from /proc.
    """

    error = 0
    console_mode = 3

    def __init__(self, _name, use_last_error=False):
        # A function whose `restype` can be set.
        self.OpenProcess = self.open_process

    @staticmethod
    def open_process(_access, _inherits, pid):
        if Path(f"/proc/{pid}").exists():
            return pid
        Kernel32.error = 87
        return 0

    @staticmethod
    def GetExitCodeProcess(_handle, code):
        code._obj.value = 259
        return 1

    @staticmethod
    def GetProcessTimes(handle, created, *_times):
        text = Path(f"/proc/{handle.value}/stat").read_text()
        created._obj.value = int(text.rpartition(")")[2].split()[19])
        return 1

    @staticmethod
    def CloseHandle(_handle):
        return 1

    @staticmethod
    def GetConsoleMode(_handle, mode):
        mode._obj.value = Kernel32.console_mode
        return 1

    @staticmethod
    def SetConsoleMode(_handle, mode):
        Kernel32.console_mode = mode
        return 1


def no_value(_key, _name):
    raise FileNotFoundError(errno.ENOENT, "no such value")


# Modules that only Windows has.
OWN = {
    "msvcrt": SimpleNamespace(get_osfhandle=lambda descriptor: descriptor),
    "winreg": SimpleNamespace(
        HKEY_LOCAL_MACHINE=0,
        OpenKey=lambda _key, _place: nullcontext(),
        QueryValueEx=no_value,
    ),
}
INSTEAD = {
    os: {"name": "nt", "link": no_link, "kill": no_kill},
    signal: {},
    sys: {"platform": "win32"},
    select: {"select": select_sockets},
    ctypes: {"WinDLL": Kernel32, "get_last_error": lambda: Kernel32.error},
}
MODULES = {
    module.__name__: Replaced(module, MISSING[module], INSTEAD[module])
    for module in MISSING
}


def import_on_windows(name, namespace=None, local=None, fromlist=(), level=0):
    if level == 0 and name.partition(".")[0] in MISSING_MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if name in OWN:
        return OWN[name]
    found = builtins.__import__(name, namespace, local, fromlist, level)
    return MODULES.get(found.__name__, found)


class Loader(SourceFileLoader):
    def exec_module(self, module):
        vars(module)["__builtins__"] = vars(builtins) | {
            "__import__": import_on_windows
        }
        super().exec_module(module)


class Finder:
    """
    Finds the modules of krea, as Windows would load them.
    """

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] != PACKAGE:
            return None
        others = [finder for finder in sys.meta_path if finder is not Finder]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.origin:
            spec.loader = Loader(name, spec.origin)
        return spec


def is_called_by_krea():
    frame = sys._getframe(2)
    for _ in range(FRAMES):
        if frame is None:
            return False
        if str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
            return True
        frame = frame.f_back
    return False


def is_open(path):
    """
    Whether this process has the file open.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return False
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            each = os.fstat(int(descriptor.name))
        except OSError:
            continue
        if (each.st_dev, each.st_ino) == (found.st_dev, found.st_ino):
            return not stat.S_ISDIR(found.st_mode)
    return False


def refusing(function):
    """
    The function of `os`, which krea cannot use on files that are open.
    """

    def call(*paths, **options):
        if is_called_by_krea():
            for path in paths:
                if isinstance(path, (str, bytes, os.PathLike)) and is_open(path):
                    raise PermissionError(errno.EACCES, "open elsewhere", str(path))
            if function is OPEN_FILES["rename"] and os.path.lexists(paths[1]):
                raise FileExistsError(errno.EEXIST, "it exists", str(paths[1]))
        return function(*paths, **options)

    return call


NAMES = ("rename", "replace", "unlink", "remove")
OPEN_FILES = {name: getattr(os, name) for name in NAMES}


def install():
    """
    From now on krea is loaded as on Windows.
    """
    sys.meta_path.insert(0, Finder)
    for name, function in OPEN_FILES.items():
        setattr(os, name, refusing(function))


def uninstall():
    sys.meta_path.remove(Finder)
    for name, function in OPEN_FILES.items():
        setattr(os, name, function)
