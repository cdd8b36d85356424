"""Tasks of the chaos test of the celery driver: each execution is noted in a ledger that survives ``kill -9``.

It is started like contract_tasks.py, with the same environment and this beside it:

HUB_CHAOS_FOLDER   folder of the ledger
HUB_CHAOS_WRITER   name of this worker in the ledger, which is that of its file
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from contract_tasks import app
from experiment_hub import HubTask

_FILE = os.path.join(os.environ["HUB_CHAOS_FOLDER"], f"{os.environ['HUB_CHAOS_WRITER']}.ledger")
#: How long a task takes, in s.
_WORK = 0.01


def _note(*line: Any) -> None:
    """Appends a line. It is with the kernel, as a whole, when this returns."""
    file = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        text = f"{json.dumps(line)}\n".encode()
        if os.write(file, text) != len(text):
            raise OSError("the ledger took only a part of a line")
    finally:
        os.close(file)


def _double(task: HubTask, number: int) -> int:
    _note("began", task.request.id, int(time.time() * 1000), task.attempt, os.getpid())
    time.sleep(_WORK)
    _note("ended", task.request.id, int(time.time() * 1000), number * 2, os.getpid())
    return number * 2


@app.task(name="chaos.late", bind=True)
def late(self: HubTask, number: int) -> int:
    return _double(self, number)


@app.task(name="chaos.early", bind=True, acks_late=False, reject_on_worker_lost=False)
def early(self: HubTask, number: int) -> int:
    return _double(self, number)
