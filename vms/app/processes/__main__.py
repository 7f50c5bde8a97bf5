"""The body of a child process: `python -m vms.app.processes NAME SETTINGS [INDEX]`.

SETTINGS is the JSON that the supervisor wrote: the settings in force, with the absolute data folder. Each body is
imported when it is named, so that a recorder shard never loads what only the centre needs.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from vms.app.layout import DataFolder
from vms.app.processes.lifecycle import run_forking_process, run_process
from vms.app.settings import Settings
from vms.base.config import parse_config
from vms.base.log import configure_logging

BODIES = {
    "audit-writer": "vms.app.processes.audit_writer",
    "anchors": "vms.app.processes.anchors",
    "shard": "vms.app.processes.shard",
    "gateway": "vms.app.processes.gateway",
    "centre": "vms.app.processes.centre",
    "simulator": "vms.app.processes.simulator",
    "reader": "vms.app.processes.reader",
    "stills": "vms.app.processes.stills",
}
FORKING = frozenset({"reader", "stills"})


def main(arguments: list[str]) -> int:
    """Run one body and return its exit code."""
    name, settings_file, *rest = arguments
    content = json.loads(Path(settings_file).read_text(encoding="utf-8"))
    settings = parse_config(Settings, content, settings_file)
    index = int(rest[0]) if rest else 0
    full_name = f"{name}-{index}" if rest else name
    configure_logging(full_name, level=settings.log.level, as_json=settings.log.json_lines)
    body = importlib.import_module(BODIES[name])
    folder = DataFolder(settings.data, settings)
    if name in FORKING:
        return run_forking_process(lambda on_ready: body.serve(folder, on_ready))

    async def process(stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        await body.run(folder, stop, on_ready, index)

    return run_process(full_name, process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
