"""A worker that knows nothing of the hub's helper, with Celery's own defaults: it acks tasks before they run."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("plain", broker=os.environ["HUB_CELERY_BROKER"], backend=os.environ["HUB_CELERY_BACKEND"])
app.conf.task_default_queue = "celery"
if prefix := os.environ.get("HUB_CELERY_KEY_PREFIX"):
    app.conf.broker_transport_options = {"global_keyprefix": prefix}
    app.conf.result_backend_transport_options = {"global_keyprefix": prefix}


@app.task(name="plain.add")
def add(a: float, b: float) -> float:
    return a + b
