"""A Celery worker: the Python side of the task queue.

Start it with ``celery -A app worker`` in this folder. CELERY_BROKER_URL and CELERY_RESULT_BACKEND say where broker and
results are; without them it uses a RabbitMQ and a Redis on this machine. MLFLOW_TRACKING_URI is for sklearn_tasks.py.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from celery import Celery

from experiment_hub import HubTask, configure

app = Celery(
    "experiment_hub",
    broker=os.environ.get("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://127.0.0.1:6379/0"),
    task_cls=HubTask,
    include=["sklearn_tasks", "weather_tasks"],
)
configure(app)


@app.task(name="hub.ping")
def ping(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Answers with what it was given, and by whom."""
    return {"args": list(args), "kwargs": kwargs, "python": platform.python_version()}


@app.task(name="hub.fit", bind=True)
def fit(self: HubTask, xs: list[float], ys: list[float], *, steps: int = 4) -> dict[str, float]:
    """Fits y = a * x by gradient descent, and reports after each step."""
    a = 0.0
    for step in range(1, steps + 1):
        gradient = sum(2 * x * (a * x - y) for x, y in zip(xs, ys)) / len(xs)
        a -= 0.1 * gradient
        self.progress({"step": step, "of": steps, "a": a})
    return {"a": a}
