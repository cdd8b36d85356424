"""Twins of the tasks in src/taskqueue/contract/contract-tasks.ts, for the contract suite of the celery driver.

test/support/celery-worker.ts starts it, with ``experiment_hub`` of examples/python-worker on PYTHONPATH. Environment:

HUB_CELERY_BROKER, HUB_CELERY_BACKEND   URLs as Celery takes them
HUB_CELERY_QUEUES                       names of the queues, with commas between; the first is the default
HUB_CELERY_QUEUE_TYPE                   RabbitMQ only: classic (default) or quorum
HUB_CELERY_MAX_PRIORITY                 RabbitMQ only: x-max-priority of the queues
HUB_CELERY_KEY_PREFIX                   Redis only: global_keyprefix of broker and results
HUB_CELERY_CONF                         JSON object with more settings of Celery, which win
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from celery import Celery
from experiment_hub import HubTask, configure
from kombu import Exchange, Queue


def _queue(name: str) -> Queue:
    arguments: dict[str, Any] = {}
    if os.environ.get("HUB_CELERY_QUEUE_TYPE") == "quorum":
        arguments["x-queue-type"] = "quorum"
    if priority := os.environ.get("HUB_CELERY_MAX_PRIORITY"):
        arguments["x-max-priority"] = int(priority)
    exchange = Exchange(name, type="direct")
    return Queue(name, exchange, routing_key=name, queue_arguments=arguments or None)


def _app() -> Celery:
    made = Celery(
        "contract",
        broker=os.environ["HUB_CELERY_BROKER"],
        backend=os.environ["HUB_CELERY_BACKEND"],
        task_cls=HubTask,
    )
    configure(made)
    names = os.environ.get("HUB_CELERY_QUEUES", "celery").split(",")
    made.conf.update(
        task_queues=[_queue(name) for name in names],
        task_default_queue=names[0],
        task_default_exchange=names[0],
        task_default_routing_key=names[0],
    )
    if prefix := os.environ.get("HUB_CELERY_KEY_PREFIX"):
        made.conf.broker_transport_options = {"global_keyprefix": prefix}
        made.conf.result_backend_transport_options = {"global_keyprefix": prefix}
    made.conf.update(json.loads(os.environ.get("HUB_CELERY_CONF", "{}")))
    return made


app = _app()


class ContractError(Exception):
    """The error of tasks that are meant to fail."""


@app.task(name="contract.echo", bind=True)
def echo(self: HubTask, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {
        "args": list(args),
        "kwargs": kwargs,
        "headers": self.hub_headers,
        "taskId": self.request.id,
        "name": self.name,
        "attempt": self.attempt,
    }


@app.task(name="contract.add")
def add(a: float, b: float) -> float:
    return a + b


@app.task(name="contract.nothing")
def nothing() -> None:
    return None


@app.task(name="contract.fail")
def fail(message: str) -> None:
    raise ContractError(message)


@app.task(name="contract.flaky", bind=True)
def flaky(self: HubTask, failures: int) -> int:
    if self.attempt <= failures:
        raise ContractError(f"attempt {self.attempt} fails")
    return self.attempt


@app.task(name="contract.progress", bind=True)
def progress(self: HubTask, steps: int, ms: float = 0) -> int:
    for step in range(1, steps + 1):
        self.progress({"step": step, "of": steps})
        time.sleep(ms / 1000)
    return steps


@app.task(name="contract.sleep")
def sleep(ms: float) -> str:
    time.sleep(ms / 1000)
    return "slept"


@app.task(name="contract.spin")
def spin(ms: float) -> str:
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end:
        pass
    return "spun"


@app.task(name="contract.unserializable")
def unserializable() -> dict[str, Any]:
    return {"fine": 1, "other": object()}


@app.task(name="contract.exit", bind=True)
def exit_(self: HubTask, times: int) -> int:
    if self.attempt <= times:
        os._exit(3)
    return self.attempt


_runs = 0


@app.task(name="contract.next")
def next_() -> int:
    global _runs
    _runs += 1
    return _runs


class _Retried(Exception):
    pass


@app.task(name="contract.retried", bind=True, autoretry_for=(_Retried,), default_retry_delay=0, max_retries=None)
def retried(self: HubTask, failures: int, exits: int = 0) -> dict[str, Any]:
    """Not in TypeScript: ends its worker in the first ``exits`` attempts, then is retried by its own decorator in the
    next ``failures`` ones, then returns attempt, retries and headers."""
    if self.attempt <= exits:
        os._exit(3)
    if self.attempt <= exits + failures:
        raise _Retried(f"attempt {self.attempt} is retried")
    return {"attempt": self.attempt, "retries": self.request.retries, "headers": self.hub_headers}


@app.task(name="contract.raw", bind=True)
def raw(self: HubTask) -> dict[str, Any]:
    """Not in TypeScript: what Celery tells the task of its message."""
    request = self.request
    return {"headers": request.headers, "delivery_info": request.delivery_info, "properties": request.properties}
