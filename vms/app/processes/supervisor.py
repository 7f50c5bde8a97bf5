"""The supervisor: starts the processes of one machine, restarts what dies, stops all of it in order.

A child that never became ready and says why ends the whole start with its sentence; one that dies later is restarted
after a growing, jittered pause while the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import structlog

from vms.app.processes.lifecycle import READY_VARIABLE
from vms.base import durable
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.tasks import Backoff

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0
BESIDE_AFTER_S = 3.0
MAX_LOG_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to keep running: its name, its French label and its arguments after the interpreter.

    The machine does without one that is not `essential`: it starts behind the others, and is tried again for ever.
    """

    name: str
    label: str
    arguments: tuple[str, ...]
    essential: bool = True


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None
    keeper: asyncio.Task[None] | None = None
    restarts: int = 0


def _ignore(_: ChildSpec) -> None:
    return


def _ignore_death(_: ChildSpec, __: VmsError | None) -> None:
    return


@dataclass(frozen=True, slots=True)
class Observers:
    """Who wants to know when a child is ready, has died (with the reason, when it gave one), or is back."""

    ready: Callable[[ChildSpec], None] = _ignore
    died: Callable[[ChildSpec, VmsError | None], None] = _ignore_death
    back: Callable[[ChildSpec], None] = _ignore


class Supervisor:
    """Keeps children running. `registry` is a file that names them with their process numbers.

    `logs` is a folder for their standard error, or None to leave it with ours.
    """

    def __init__(
        self, registry: Path, clock: Clock, logs: Path | None = None, observers: Observers | None = None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._logs = logs
        self._observers = observers or Observers()
        self._children: list[_Child] = []
        self._fatal: asyncio.Future[VmsError] | None = None
        self._registry_turn = asyncio.Lock()

    async def start(self, specs: Sequence[ChildSpec]) -> None:
        """Start these together and return when all are ready. Raises the VmsError of one that cannot start."""
        loop = asyncio.get_running_loop()
        self._fatal = self._fatal or loop.create_future()
        children = self._begin(specs)
        everyone = asyncio.gather(*(child.ready.wait() for child in children))
        outcomes: list[asyncio.Future[Any]] = [everyone, self._fatal]
        await asyncio.wait(outcomes, return_when=asyncio.FIRST_COMPLETED)
        if self._fatal.done():
            everyone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await everyone
            raise self._fatal.result()

    def start_beside(self, specs: Sequence[ChildSpec], after_s: float = BESIDE_AFTER_S) -> None:
        """Start these a little later, leaving the processor to the others; their failure ends nothing."""
        self._begin(specs, after_s)

    def _begin(self, specs: Sequence[ChildSpec], after_s: float = 0.0) -> list[_Child]:
        children = [_Child(spec) for spec in specs]
        self._children += children
        for child in children:
            child.keeper = asyncio.create_task(self._keep(child, after_s), name=f"keep {child.spec.name}")
            child.keeper.add_done_callback(self._keeper_ended)
        return children

    async def stop(self) -> None:
        """Stop every child, the last started first; one that does not stop in time is killed."""
        for child in reversed(self._children):
            if child.keeper is not None:
                child.keeper.cancel()
        for child in reversed(self._children):
            await _stop(child)
        for child in self._children:
            if child.keeper is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await child.keeper
        await asyncio.to_thread(durable.remove, self._registry)

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        """A keeper that fails is our own fault, and must not look like a child that takes its time."""
        if keeper.cancelled() or keeper.exception() is None or self._fatal is None or self._fatal.done():
            return
        failure = keeper.exception()
        log.error("supervision failed", task=keeper.get_name(), error=repr(failure))
        self._fatal.set_result(
            VmsError(
                ErrorKind.INTERNAL,
                "supervisor.failed",
                f"La surveillance des processus a échoué ({failure}).",
                hint="Vérifiez l'espace disque et les droits du dossier de données, puis relancez.",
                detail=repr(failure),
            )
        )

    async def _keep(self, child: _Child, after_s: float) -> None:
        pauses = Backoff(initial_s=0.3, maximum_s=15.0)
        await self._clock.sleep(after_s)
        while True:
            started_ns = self._clock.monotonic_ns()
            error = await self._run_once(child)
            code = child.process.returncode if child.process else None
            if child.spec.essential and not child.ready.is_set() and error is not None:
                if self._fatal is not None and not self._fatal.done():
                    self._fatal.set_result(error)
                return
            self._observers.died(child.spec, error)
            log.warning("process ended", child=child.spec.name, exit_code=code, cause=error.code if error else "")
            child.restarts += 1
            if self._clock.monotonic_ns() - started_ns > 30_000_000_000:
                pauses.reset()
            await self._clock.sleep(pauses.next_pause_s())

    async def _run_once(self, child: _Child) -> VmsError | None:
        """Run a child to its end; the error that it told us when it could not start."""
        read_end, write_end = os.pipe()
        output = await asyncio.to_thread(self._open_log, child.spec.name)
        try:
            child.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *child.spec.arguments,
                pass_fds=(write_end,),
                env={**os.environ, READY_VARIABLE: str(write_end)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(write_end)
            if output is not None:
                output.close()
        await self._write_registry()
        word = await _read_line(read_end)
        error = None
        if word == "ready":
            back = bool(child.restarts)
            child.ready.set()
            if back or child.spec.essential:
                (self._observers.back if back else self._observers.ready)(child.spec)
        elif word:
            error = _told_error(word)
        await child.process.wait()
        if not word and not child.ready.is_set() and child.process.returncode != 0:
            error = _silent_death(child.spec, child.process.returncode, self._logs)
        return error

    def _open_log(self, name: str) -> IO[bytes] | None:
        if self._logs is None:
            return None
        path = self._logs / f"{name}.log"
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            durable.truncate(path, 0)
        return path.open("ab")

    async def _write_registry(self) -> None:
        running = {child.spec.name: child.process.pid for child in self._children if child.process is not None}
        content = json.dumps({"supervisor": os.getpid(), **running}, indent=1).encode()
        async with self._registry_turn:
            await asyncio.to_thread(durable.write_atomic, self._registry, content)


async def _stop(child: _Child) -> None:
    process = child.process
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        log.error("process did not stop and is killed", child=child.spec.name)
        process.kill()
        await process.wait()


async def _read_line(descriptor: int) -> str:
    """The one line that a child writes, or nothing when it closes the pipe without a word."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        return (await reader.readline()).decode("utf-8", "replace").strip()
    finally:
        transport.close()


def _told_error(line: str) -> VmsError:
    told = json.loads(line)
    return VmsError(ErrorKind(told["kind"]), told["code"], told["message"], hint=told["hint"])


def _silent_death(spec: ChildSpec, code: int | None, logs: Path | None) -> VmsError:
    where = f"Lisez {logs / (spec.name + '.log')}." if logs else "Lisez les messages ci-dessus."
    return VmsError(
        ErrorKind.INTERNAL,
        "process.died",
        f"Le processus « {spec.label} » s'est arrêté pendant son démarrage (code {code}).",
        hint=where,
    )
