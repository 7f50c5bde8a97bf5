from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from vms.app.processes.supervisor import ChildSpec, Observers, Supervisor
from vms.base.clock import SystemClock
from vms.base.errors import VmsError

READY = """
    import asyncio, sys
    from vms.app.processes.lifecycle import run_process
    async def body(stop, on_ready):
        on_ready()
        await stop.wait()
    sys.exit(run_process("child", body))
"""
REFUSES = """
    import sys
    from vms.app.processes.lifecycle import run_process
    from vms.base.errors import ErrorKind, VmsError
    async def body(stop, on_ready):
        raise VmsError(ErrorKind.CORRUPT, "store.broken", "L'index est abîmé.", hint="Réparez-le.")
    sys.exit(run_process("child", body))
"""
SILENT = "raise SystemExit(3)"


def child(tmp_path: Path, name: str, script: str) -> ChildSpec:
    file = tmp_path / f"{name}.py"
    file.write_text(textwrap.dedent(script), encoding="utf-8")
    return ChildSpec(name, f"processus {name}", (str(file),))


@asynccontextmanager
async def supervised(tmp_path: Path, observers: Observers | None = None) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "processes.json", SystemClock(), tmp_path, observers)
    try:
        yield supervisor
    finally:
        await supervisor.stop()


def registered(tmp_path: Path) -> dict[str, int]:
    numbers: dict[str, int] = json.loads((tmp_path / "processes.json").read_text())
    return numbers


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await asyncio.to_thread(condition):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


async def test_children_are_ready_when_start_returns_and_gone_after_stop(tmp_path: Path):
    specs = [child(tmp_path, "one", READY), child(tmp_path, "two", READY)]
    async with supervised(tmp_path) as supervisor:
        await supervisor.start(specs)
        numbers = await asyncio.to_thread(registered, tmp_path)
        assert set(numbers) == {"supervisor", "one", "two"}
        assert alive(numbers["one"])
    assert not alive(numbers["one"])
    assert not alive(numbers["two"])


async def test_a_killed_child_comes_back_and_the_other_goes_on(tmp_path: Path):
    told: list[str] = []
    observers = Observers(
        died=lambda spec, _: told.append(f"died {spec.name}"), back=lambda spec: told.append(f"back {spec.name}")
    )
    async with supervised(tmp_path, observers) as supervisor:
        await supervisor.start([child(tmp_path, "one", READY), child(tmp_path, "two", READY)])
        before = await asyncio.to_thread(registered, tmp_path)
        os.kill(before["one"], signal.SIGKILL)
        await until(lambda: told == ["died one", "back one"])
        after = await asyncio.to_thread(registered, tmp_path)
        assert after["one"] != before["one"]
        assert after["two"] == before["two"]
        assert alive(after["two"])


async def test_a_child_that_cannot_start_ends_the_start_with_its_sentence(tmp_path: Path):
    async with supervised(tmp_path) as supervisor:
        with pytest.raises(VmsError) as refused:
            await supervisor.start([child(tmp_path, "good", READY), child(tmp_path, "bad", REFUSES)])
    assert (refused.value.code, refused.value.message) == ("store.broken", "L'index est abîmé.")
    assert refused.value.hint == "Réparez-le."


async def test_a_child_that_dies_without_a_word_is_named(tmp_path: Path):
    async with supervised(tmp_path) as supervisor:
        with pytest.raises(VmsError) as refused:
            await supervisor.start([child(tmp_path, "mute", SILENT)])
    assert "« processus mute »" in refused.value.message
    assert "mute.log" in refused.value.hint


async def test_what_the_machine_does_without_delays_nothing_and_ends_nothing(tmp_path: Path):
    told: list[str] = []
    observers = Observers(
        ready=lambda spec: told.append(f"ready {spec.name}"), died=lambda spec, _: told.append(f"died {spec.name}")
    )
    async with supervised(tmp_path, observers) as supervisor:
        supervisor.start_beside([replace(child(tmp_path, "spare", SILENT), essential=False)], after_s=0.0)
        await supervisor.start([child(tmp_path, "one", READY)])
        await until(lambda: told.count("died spare") >= 2)
        assert "ready one" in told
        assert alive((await asyncio.to_thread(registered, tmp_path))["one"])


async def test_children_die_with_a_killed_supervisor(tmp_path: Path):
    spec = child(tmp_path, "one", READY)
    script = tmp_path / "parent.py"
    await asyncio.to_thread(
        script.write_text,
        textwrap.dedent(f"""
            import asyncio
            from pathlib import Path
            from vms.app.processes.supervisor import ChildSpec, Supervisor
            from vms.base.clock import SystemClock
            async def main():
                folder = Path({str(tmp_path)!r})
                supervisor = Supervisor(folder / "processes.json", SystemClock(), folder)
                await supervisor.start([ChildSpec("one", "un", ({spec.arguments[0]!r},))])
                print("started", flush=True)
                await asyncio.sleep(60)
            asyncio.run(main())
        """),
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"started\n"
    number = (await asyncio.to_thread(registered, tmp_path))["one"]
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(number))
