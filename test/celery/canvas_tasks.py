"""Tasks that tell what Celery says of where they belong, beside those of the contract."""

from __future__ import annotations

from typing import Any

from contract_tasks import app
from experiment_hub import HubTask

__all__ = ["app"]


def _place(task: HubTask) -> dict[str, Any]:
    request = task.request
    return {
        "id": request.id,
        "root": request.root_id,
        "parent": request.parent_id,
        "group": request.group,
        "index": request.group_index,
    }


@app.task(name="canvas.step", bind=True)
def step(self: HubTask, *values: Any) -> dict[str, Any]:
    """Adds numbers, and the sums of the steps before."""
    total = sum(value["sum"] if isinstance(value, dict) else value for value in values)
    return {"sum": total, "given": len(values), **_place(self)}


@app.task(name="canvas.mourn", bind=True)
def mourn(self: HubTask, failed: str) -> dict[str, Any]:
    """For what has failed; one argument, so that Celery submits it."""
    return {"failed": failed, **_place(self)}
