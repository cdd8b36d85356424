"""The tasks of the bench for a Celery worker; as a program, submits them as each line of standard input asks.

usage: celery_rates.py amqp://… redis://… PREFIX; a line is "KIND QUEUE COUNT" and is answered with a number:
default      tasks/s of apply_async through RabbitMQ as Celery comes, which waits for no confirm; results in Redis
confirmed    the same with confirm_publish
ignoring     as default, with ignore_result: no result is subscribed to
redis        tasks/s of apply_async through Redis
late, plain  runs COUNT tasks from apply_async() to get(), one after the other; answers the median in ms
percentile   COUNT is the percentile of all that ran for QUEUE, "late" or "plain", after the first call
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from celery import Celery, Task
from experiment_hub import HubTask, configure


def make(broker: str, backend: str, prefix: str, **transport: Any) -> Celery:
    made = Celery("bench", broker=broker, backend=backend, set_as_current=False)
    configure(made)
    made.conf.broker_transport_options = transport
    made.conf.result_backend_transport_options = {"global_keyprefix": prefix}

    # Of this app alone: the others have tasks of the same names.
    @made.task(name="bench.late", base=HubTask, shared=False)
    def late(a: int, b: int) -> int:
        return a + b

    @made.task(name="bench.plain", base=Task, acks_late=False, shared=False)
    def plain(a: int, b: int) -> int:
        return a + b

    @made.task(name="bench.rows", shared=False)
    def rows(*_args: Any, **_kwargs: Any) -> None:
        return None

    return made


def nearest(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, percent * len(values) // 100)]


def serve(amqp: str, redis: str, prefix: str) -> None:
    default = make(amqp, redis, prefix)
    apps = {
        "default": default,
        "confirmed": make(amqp, redis, prefix, confirm_publish=True),
        "ignoring": default,
        "redis": make(redis, redis, prefix, global_keyprefix=prefix),
    }
    args, kwargs = json.loads(os.environ["BENCH_ARGUMENTS"])
    trips: dict[str, list[float]] = {"late": [], "plain": []}
    warm: set[str] = set()

    def submits(kind: str, queue: str, count: int) -> float:
        task = apps[kind].tasks["bench.rows"]
        options = {"queue": queue, **({"ignore_result": True} if kind == "ignoring" else {})}
        start = time.perf_counter()
        for _ in range(count):
            task.apply_async(args, kwargs, **options)
        return count / (time.perf_counter() - start)

    def round_trips(kind: str, queue: str, count: int) -> float:
        task = default.tasks[f"bench.{kind}"]
        times = []
        for number in range(count):
            start = time.perf_counter()
            if task.apply_async((number, 1), queue=queue).get(timeout=60) != number + 1:
                raise AssertionError("another task's result")
            times.append((time.perf_counter() - start) * 1000)
        if kind in warm:
            trips[kind] += times
        warm.add(kind)
        return nearest(times, 50)

    for line in sys.stdin:
        kind, queue, count = line.split()
        if kind in apps:
            answer = submits(kind, queue, int(count))
        elif kind == "percentile":
            answer = nearest(trips[queue], int(count))
        else:
            answer = round_trips(kind, queue, int(count))
        print(answer, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
else:
    # What a worker is told by its environment.
    app = make(os.environ["HUB_CELERY_BROKER"], os.environ["HUB_CELERY_BACKEND"], os.environ["HUB_CELERY_KEY_PREFIX"])
