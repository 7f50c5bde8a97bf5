"""A thread for one disk: jobs in their order, behind a queue that is bounded by what it holds in memory.

The event loop never waits for a disk. It puts a job, or is told at once that the queue is full; then the caller has a
cause to state (`queue_full`) instead of a process that grows. Hashing and writing release the interpreter lock, so the
loop goes on beside this thread.

Rules
1. `put` never blocks. Only the event loop's thread puts jobs that cost bytes. What one turn of the loop puts is handed
   over at its end, so that the thread wakes up once for it and does not contend with the turn.
2. A job that raises an Exception is logged and the next one runs; a job handles its own errors where they matter.
3. After whatever is not an Exception nothing is run any more: `put` refuses, `failure` says why, and who waits in
   `run` is told.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

import structlog

from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

T = TypeVar("T")
Job = Callable[[], object]
Refuse = Callable[[], object]
_Entry = tuple[Job, int, Refuse | None]


class DiskWriter:
    """One thread and its queue. `capacity_bytes` bounds the cost of what waits; a single job may pass it alone."""

    def __init__(self, name: str, capacity_bytes: int) -> None:
        self._name = name
        self._capacity_bytes = capacity_bytes
        self._jobs: SimpleQueue[list[_Entry] | None] = SimpleQueue()
        self._held: list[_Entry] = []
        self._put_bytes = 0
        self._done_bytes = 0
        self._stopping = False
        self._put_jobs = 0
        self.jobs_done = 0
        """Jobs that were run: while it stands still with jobs that wait, the disk hangs."""
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """What the jobs in the queue cost."""
        return self._put_bytes - self._done_bytes

    @property
    def jobs_waiting(self) -> int:
        """Jobs in the queue, the one that runs included."""
        return self._put_jobs - self.jobs_done

    def put(self, job: Job, cost_bytes: int = 0) -> bool:
        """Queue a job; False when the queue is full or the thread is gone."""
        return self._put(job, cost_bytes, None)

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job in its turn and wait for its result. Raises what it raises, or VmsError when the thread is gone."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def run_and_tell() -> None:
            try:
                value = job()
            except BaseException as error:
                loop.call_soon_threadsafe(_fail, result, error)
                if not isinstance(error, Exception):
                    raise
            else:
                loop.call_soon_threadsafe(_succeed, result, value)

        def refuse() -> None:
            loop.call_soon_threadsafe(_fail, result, self._stopped())

        if not self._put(run_and_tell, 0, refuse):
            raise self._stopped()
        return await result

    def stop(self) -> None:
        """Run what is queued, then end the thread. Blocks; not for the event loop."""
        if not self._stopping:
            self._stopping = True
            self._hand_over()
            self._jobs.put(None)
        self._thread.join()

    def _put(self, job: Job, cost_bytes: int, refuse: Refuse | None) -> bool:
        waiting = self.waiting_bytes
        if self.failure is not None or self._stopping or (waiting and waiting + cost_bytes > self._capacity_bytes):
            return False
        self._put_bytes += cost_bytes
        self._put_jobs += 1
        self._held.append((job, cost_bytes, refuse))
        if len(self._held) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._hand_over)
            except RuntimeError:  # no loop whose turn could end
                self._hand_over()
        return True

    def _hand_over(self) -> None:
        if self._held:
            self._jobs.put(self._held)
            self._held = []

    def _run(self) -> None:
        while (entries := self._jobs.get()) is not None:
            for job, cost_bytes, refuse in entries:
                self._do(job, refuse)
                self._done_bytes += cost_bytes
                self.jobs_done += 1
            del job, refuse
            entries.clear()

    def _do(self, job: Job, refuse: Refuse | None) -> None:
        try:
            if self.failure is None:
                job()
            elif refuse is not None:
                refuse()
        except Exception:
            log.exception("disk job failed", thread=self._name)
        except BaseException as failure:  # noqa: BLE001 - stands for the end of the process; see rule 3
            self.failure = failure

    def _stopped(self) -> VmsError:
        return VmsError(
            ErrorKind.UNAVAILABLE,
            "store.stopped",
            "Le disque d'enregistrement n'accepte plus d'écriture.",
            hint="Redémarrez l'enregistreur.",
            detail=f"{self._name} has stopped: {self.failure!r}",
        )


def _succeed(result: asyncio.Future[T], value: T) -> None:
    if not result.done():
        result.set_result(value)


def _fail(result: asyncio.Future[T], error: BaseException) -> None:
    if not result.done():
        result.set_exception(error)
