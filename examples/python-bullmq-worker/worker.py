"""Serves tasks of the hub's BullMQ driver from Python.

    pip install -r requirements.txt
    REDIS_URL=redis://localhost:6379 QUEUE=python python worker.py

The hub submits to the queue by name: tasks.submitTask('fit', { args: [[1, 2], [2, 4]], queue: 'python' }).
"""

import asyncio
import os
import signal
import time

from bullmq import UnrecoverableError, Worker


async def fit(task, steps=4):
    """Fits y = a * x by gradient descent, and reports after each step."""
    xs, ys = task.args
    a = 0.0
    for step in range(1, steps + 1):
        gradient = sum(2 * x * (a * x - y) for x, y in zip(xs, ys)) / len(xs)
        a -= 0.1 * gradient
        await task.progress({"step": step, "of": steps, "a": a})
    return {"a": a}


async def fail(_task, message):
    raise ValueError(message)


async def nothing(_task):
    return None


async def revoke(_task):
    # A failure that starts like this is REVOKED for the hub.
    raise UnrecoverableError("TASK_REVOKED: this worker does not want it")


TASKS = {"fit": fit, "fail": fail, "nothing": nothing, "revoke": revoke}


class Task:
    """A job as the hub writes it: data is {"args": [...], "kwargs": {...}, ...}."""

    def __init__(self, job):
        self.job = job
        self.args = job.data.get("args", [])
        self.kwargs = job.data.get("kwargs", {})
        self.attempt = job.attemptsMade + job.stalledCounter + 1
        self.reports = 0

    async def progress(self, data):
        self.reports += 1
        report = {
            "sequence": self.reports,
            "attempt": self.attempt,
            "data": data,
            "timestamp": int(time.time() * 1000),
        }
        await self.job.updateProgress(report)


async def process(job, _token):
    task = Task(job)
    expires = job.data.get("expires")
    if expires is not None and task.attempt == 1 and time.time() * 1000 >= expires:
        raise UnrecoverableError("TASK_REVOKED: it had not started when it expired")
    handler = TASKS.get(job.name)
    if handler is None:
        raise UnrecoverableError(f"this worker has no task {job.name}")
    return await handler(task, **task.kwargs)


async def main():
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = {
        "connection": os.environ.get("REDIS_URL", "redis://localhost:6379"),
        "prefix": os.environ.get("BULLMQ_PREFIX", "bull"),
        "maxStalledCount": 4,
    }
    worker = Worker(os.environ.get("QUEUE", "python"), process, options)
    await stop.wait()
    await worker.close()


asyncio.run(main())
