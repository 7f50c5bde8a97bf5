"""Private servers for tests: a PostgreSQL and a Redis of one's own, on sockets in a folder that goes away.

The real servers are part of what is tested; where one is not installed, the tests that need it fail and say so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_DEADLINE_S = 30.0


def _program(name: str, *places: str) -> str:
    found = shutil.which(name) or next((str(path) for place in places for path in Path("/").glob(place)), None)
    if found is None:
        pytest.fail(f"{name} is not installed: install postgresql and redis-server", pytrace=False)
    return found


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{what} did not start (exit code {process.returncode})", pytrace=False)
        time.sleep(0.02)


@contextmanager
def _folder(owner: str | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="vms-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class PostgresServer:
    """A running server; `new_database` gives an empty database of one's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self._folder), port=5432, user="postgres", dbname=name, autocommit=True)

    def new_database(self, template: str = "template1") -> str:
        """The name of a new database, a copy of `template`."""
        self._count += 1
        name = f"test_{self._count}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def drop_database(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}&port=5432"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server without network, for as long as the block lasts."""
    root = os.geteuid() == 0
    as_owner = [_program("runuser"), "-u", "postgres", "--"] if root else []
    pattern = "usr/lib/postgresql/*/bin/{}"
    with _folder("postgres" if root else None) as folder:
        data = folder / "data"
        initdb = _program("initdb", pattern.format("initdb"))
        subprocess.run(
            [*as_owner, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off",
            "full_page_writes": "off", "shared_buffers": "16MB", "max_connections": "60",
        }  # fmt: skip
        server = _program("postgres", pattern.format("postgres"))
        options = [f"--{key}={value}" for key, value in settings.items()]
        process = subprocess.Popen(
            [*as_owner, server, "-D", data, *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
        )  # fmt: skip
        postgres = PostgresServer(folder)
        try:
            _until(lambda: _accepts(postgres), process, "postgres")
            yield postgres
        finally:
            pid = int((data / "postmaster.pid").read_text().split()[0]) if (data / "postmaster.pid").exists() else None
            if pid is not None:
                os.kill(pid, signal.SIGINT)
            _stop(process, signal.SIGTERM)


def _accepts(postgres: PostgresServer) -> bool:
    try:
        postgres.connect("postgres").close()
    except psycopg.OperationalError:
        return False
    return True


class RedisServer:
    """A Redis on a Unix socket that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        program = _program("redis-server")
        self._process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", self._socket, "--dir", self._folder, "--save", ""],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _until(self._socket.exists, self._process, "redis-server")

    def stop(self) -> None:
        if self._process is not None:
            _stop(self._process, signal.SIGTERM)
            self._process = None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A server without network, for as long as the block lasts."""
    with _folder(None) as folder:
        server = RedisServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL of this test run."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of this test's own."""
    with running_redis() as server:
        yield server
