"""`vms serve`: every process of this machine, in the foreground, for systemd or a container."""
from __future__ import annotations
import typer
app = typer.Typer(invoke_without_command=True)
@app.callback()
def serve(port: int = 3) -> None:
    print(port)
