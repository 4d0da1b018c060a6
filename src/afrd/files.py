"""Writing files whole or not at all."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from afrd.errors import RunError

_WINDOWS = os.name == "nt"
_TEMPORARY = re.compile(r"\..*\.(\d+)\.tmp(\.\w+)?")  # the names that `atomic_path` and `atomic_folder` give
_STARTED = time.time()
LONGEST_NAME = 255  # bytes, on every usual file system


@contextmanager
def atomic_path(path: Path, flush_name: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the name `path` when the block ends without an error.

    A process killed inside the block leaves `path` as it was. The temporary name keeps the suffix: writers go by it.
    Links are followed; a device such as /dev/stdout is written to directly. flush_name: False leaves it to the caller
    to `flush` the folder; until then a power failure may lose the name, never leave half a file.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        require_file_target(path)
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    start = path.stem.encode(errors="replace")[:200].decode(errors="ignore")  # names are limited in bytes
    temporary = path.with_name(f".{start}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        _settle(temporary)
        temporary.replace(path)
        if flush_name:
            flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a new folder: it appears with all its files, or not at all. `path` must not hold files."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.iterdir():
            _settle(file)
        temporary.replace(path)
        flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """UTF-8 text, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def require_file_target(path: Path) -> None:
    """To be called before long work whose answer goes to `path`. Raises RunError: a file cannot be written there."""
    if path.is_dir():
        raise RunError(f"{path}: is a folder; name a file to write")
    parent = next(p for p in path.resolve().parents if p.exists())
    if not parent.is_dir():
        raise RunError(f"{path}: {parent} is a file, not a folder; choose another place")
    beside = [parent] if path.is_file() or not path.exists() else []  # devices are written to directly
    if not all(os.access(place, os.W_OK) for place in (*beside, *([path] if path.exists() else []))):
        raise RunError(f"{path}: no permission to write there; choose another place")


def require_folder_target(path: Path) -> None:
    """The same of an answer that goes into the folder `path`. Raises RunError: it is none and cannot become one."""
    if path.is_symlink() and not path.exists():
        raise RunError(f"{path}: is a link that leads nowhere; choose another folder")
    nearest = next(p for p in (path.resolve(), *path.resolve().parents) if p.exists())
    if not nearest.is_dir():
        where = "is" if path.exists() else f"{nearest} is"
        raise RunError(f"{path}: {where} a file, not a folder; choose another folder to write to")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise RunError(f"{path}: no permission to write there; choose another folder")


@contextmanager
def locked_file(path: Path, busy: str | None = None) -> Iterator[None]:
    """`path`, made if need be, for this process alone, until the block or the process ends.

    busy: message of the RunError raised where another process has it; None waits until it is free.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=busy is None)
    except Timeout as error:
        raise RunError(busy) from error
    try:
        yield
    finally:
        lock.release()


def is_temporary(path: Path) -> bool:
    """Whether a killed process left this half-written."""
    return path.name.startswith(".") and ".tmp" in path.name


def is_half_written(path: Path) -> bool:
    """Whether it has a name that `atomic_path` or `atomic_folder` gives, until what is written is whole."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_left_over(folder: Path) -> None:
    """What killed processes left half-written in `folder`, if there is one; what living ones write stays."""
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(path.name)
        if match and not _writes(int(match[1]), path):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _writes(process: int, path: Path) -> bool:
    """Whether the process may still be writing there."""
    if process == os.getpid():  # an earlier one had this number, too: in a container all have the same
        return path.stat().st_mtime >= _STARTED
    if _WINDOWS:  # where asking a process by a signal ends it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _settle(file: Path) -> None:
    """To the disk, so that after a power cut the new name never stands for an empty file; with ordinary permissions."""
    file.chmod(0o666 & ~_UMASK)  # some writers make files that only their owner can read
    flush(file)


def _umask() -> int:
    """Of this process, which can only be read by setting it: done once, before there are threads."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


_UMASK = _umask()


def flush(path: Path) -> None:
    """A file or a folder to the disk. Windows flushes files only, and only those that are open for writing."""
    if _WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if _WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
