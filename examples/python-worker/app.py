"""A minimal Celery worker: the Python side of the task queue.

Start it with ``celery -A app worker`` in this folder. CELERY_BROKER_URL and CELERY_RESULT_BACKEND say where broker and
results are; without them it uses a RabbitMQ and a Redis on this machine.
"""

import os
import platform

from celery import Celery

app = Celery(
    "experiment_hub",
    broker=os.environ.get("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://127.0.0.1:6379/0"),
)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    # A task whose worker is killed runs again, instead of staying PENDING for ever.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_track_started=True,
    broker_connection_retry_on_startup=True,
)


@app.task(name="hub.ping")
def ping(*args, **kwargs):
    """Answers with what it was given, and by whom."""
    return {"args": list(args), "kwargs": kwargs, "python": platform.python_version()}
