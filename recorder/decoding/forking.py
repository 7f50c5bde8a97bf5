"""One worker process for each connection: what a hostile stream or picture can do ends with it.

A process with a decoder library in memory listens on a Unix socket and forks for each connection, so that a worker
starts in milliseconds and shares the library's pages.

Rules
1. The process that forks has one thread and never touches media itself.
2. A worker has a bound on memory and no right to write a file (LAW-06); the kernel kills it when a deadline passes,
   whatever library it is stuck in.
3. A worker that ends without having said so is told of by the process that forked it, on the same connection: how it
   ended is a word of the camera's bytes, not of ours.
4. Workers die with the process that forked them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from vms.base import durable

log = structlog.get_logger(__name__)

MIB = 1 << 20
_PR_SET_PDEATHSIG = 1
_OWNER_ONLY = 0o600
_BACKLOG = 128
_FAILED = 70


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What workers may have.

    `memory_bytes` is address space beyond what the process has when it forks; `at_once` workers run together, more
    connections wait; `niceness` makes them give way to recording.
    """

    memory_bytes: int
    at_once: int
    niceness: int = 0


class ForkingServer:
    """Listens on a Unix socket and gives each connection to a worker.

    `handle` runs in the worker. When a worker ends otherwise than by returning, `farewell` makes the last word on its
    connection out of the number of the signal that killed it, 0 for an error.
    """

    def __init__(
        self,
        path: Path,
        handle: Callable[[socket.socket], None],
        farewell: Callable[[int], bytes],
        limits: WorkerLimits,
    ) -> None:
        self._path = path
        self._handle = handle
        self._farewell = farewell
        self._limits = limits
        self._workers: dict[int, socket.socket] = {}
        self._stopping = False

    def serve(self, on_ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; then every worker is ended. Must run in the main thread."""
        listener = _listen(self._path)
        wake, woken = socket.socketpair()
        with listener, wake, woken, _signals(woken, self._stop), selectors.DefaultSelector() as selector:
            wake.setblocking(False)
            selector.register(wake, selectors.EVENT_READ)
            on_ready()
            while not self._stopping:
                self._reap()
                full = len(self._workers) >= self._limits.at_once
                if full and listener in selector.get_map():
                    selector.unregister(listener)
                elif not full and listener not in selector.get_map():
                    selector.register(listener, selectors.EVENT_READ)
                for key, _ in selector.select():
                    if key.fileobj is wake:
                        with contextlib.suppress(BlockingIOError):
                            wake.recv(4096)
                    else:
                        self._accept(listener, (wake, woken))
            for pid in self._workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            while self._workers:
                self._reap(wait=True)
        durable.remove(self._path)

    def _stop(self) -> None:
        self._stopping = True

    def _accept(self, listener: socket.socket, ours: tuple[socket.socket, ...]) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        supervisor = os.getpid()
        pid = os.fork()
        if pid:
            self._workers[pid] = connection
            return
        code = _FAILED
        try:
            for inherited in (listener, *ours, *self._workers.values()):
                inherited.close()
            _become_worker(self._limits, supervisor)
            self._handle(connection)
            code = 0
        except BaseException as failure:  # noqa: BLE001 - nothing may return into the loop of the parent
            with contextlib.suppress(BaseException):
                log.warning("worker failed", error=repr(failure)[:400])
        finally:
            os._exit(code)

    def _reap(self, *, wait: bool = False) -> None:
        """Take note of workers that have ended."""
        while self._workers:
            try:
                pid, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
            except ChildProcessError:
                return
            connection = self._workers.pop(pid, None)
            if connection is None:
                if not pid:
                    return
                continue
            with connection:
                if status and not self._stopping:
                    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                    log.warning("worker ended", pid=pid, signal=killed_by, exit_code=status >> 8)
                    with contextlib.suppress(OSError):
                        connection.send(self._farewell(killed_by), socket.MSG_DONTWAIT)


def deadline(seconds: float) -> None:
    """Let the kernel kill this worker unless it asks again within so many seconds; 0 takes the deadline away."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _listen(path: Path) -> socket.socket:
    durable.remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        listener.bind(str(path))
        # Before anybody can connect: a socket that does not listen yet refuses.
        path.chmod(_OWNER_ONLY)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _signals(woken: socket.socket, stop: Callable[[], None]) -> Iterator[None]:
    woken.setblocking(False)
    ends = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: stop()) for number in ends}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    descriptor = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)


def _become_worker(limits: WorkerLimits, supervisor: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    memory_bytes = pages * resource.getpagesize() + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.nice(limits.niceness)
