"""The Python side of the task queue: a base class for Celery tasks that a hub submits.

Copy this file next to your tasks, or import it; it needs Celery only (5.3 or newer, Python 3.10 or newer)::

    from celery import Celery
    from experiment_hub import HubTask, configure

    app = Celery("worker", broker="amqp://…", backend="redis://…", task_cls=HubTask)
    configure(app)

    @app.task(name="model.fit", bind=True)
    def fit(self: HubTask, rows: list[list[float]], *, epochs: int = 10) -> dict[str, float]:
        for epoch in range(1, epochs + 1):
            self.progress({"epoch": epoch, "of": epochs})
        return {"loss": 0.1}

What :class:`HubTask` does beside what Celery does is in its own documentation. Where the results are in Redis, it keeps
a hash under the key of the task's result + ``.hub``, for as long as results are kept:

* ``attempt``: how many times the task was started.
* ``progress``: the latest report of :meth:`HubTask.progress`, as JSON.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, Union

from celery import Celery, Task, bootsteps
from celery.backends.redis import RedisBackend
from celery.utils.log import get_logger
from celery.worker.request import Request

try:
    from hub_tracing import TracedTask
except ImportError:
    # Copied without the file beside it: tasks run outside of any trace.
    TracedTask = Task  # type: ignore[misc]

__all__ = ["HubTask", "Json", "WorkerLost", "configure"]

_T = TypeVar("_T")
_log = get_logger(__name__)

#: What JSON can carry. NaN and the infinities are no JSON.
Json = Union[None, bool, int, float, str, Sequence["Json"], Mapping[str, "Json"]]

#: Header with the number of attempts before this message; only where there is no Redis that counts them.
_ATTEMPTS = "hub-attempts"
#: Headers that RabbitMQ or Celery's transports add to those of the submit.
_OF_BROKERS = frozenset(
    {
        "redelivered",
        "x-acquired-count",
        "x-death",
        "x-delivery-count",
        "x-first-death-exchange",
        "x-first-death-queue",
        "x-first-death-reason",
        "x-last-death-exchange",
        "x-last-death-queue",
        "x-last-death-reason",
    }
)


class WorkerLost(Exception):
    """The task lost its worker process more than ``max_losses`` times, and is not run again."""


@dataclass
class _Run:
    """One attempt. Lies on the request, since a task object is shared by all threads."""

    attempt: int
    headers: dict[str, Any]
    reports: int = 0


class _HubRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A message in the worker's main process, which sees its pool's processes die."""

    def reject(self, requeue: bool = False) -> None:
        """Gives the message back to its queue; one that nobody would count there, as a new message with the count."""
        if requeue and not self.acknowledged and not isinstance(self.task.backend, RedisBackend):
            try:
                self._send_again()
            except Exception:
                _log.exception("task %s goes back to its queue uncounted", self.id)
            else:
                self.acknowledge()
                return
        super().reject(requeue=requeue)

    def _send_again(self) -> None:
        context = self._context
        context.headers = {**_user_headers(context), _ATTEMPTS: _attempt_by_message(context)}
        self.task.signature_from_request(context, retries=context.retries).apply_async()


class HubTask(TracedTask):
    """A task that a hub can follow: it counts attempts, reports progress, and survives the loss of its worker.

    * A task whose worker process dies runs again (``acks_late``, ``reject_on_worker_lost``), at most ``max_losses``
      times; once more and it is FAILURE with :class:`WorkerLost`. Where the results are not in Redis, the death of a
      whole worker, main process included, is counted by quorum queues only; a classic queue knows of one at most.
    * Before it runs, its state is STARTED with ``{"pid", "hostname", "attempt"}``, whatever ``task_track_started`` is.
    * Time limits and ``revoke(terminate=True)`` end it in the prefork pool only.

    A subclass that overrides :meth:`before_start` has to call this one.
    """

    abstract = True
    Request = _HubRequest
    acks_late = True
    reject_on_worker_lost = True
    #: :meth:`before_start` publishes STARTED itself, with the attempt; Celery's would only double it.
    track_started = False
    #: How often the task may lose its worker process and run again.
    max_losses: int = 4

    @property
    def attempt(self) -> int:
        """This attempt, from 1. Retries count, and so do runs after the loss of a worker."""
        return self._run.attempt

    @property
    def hub_headers(self) -> dict[str, Any]:
        """The headers that were given with the submit."""
        return dict(self._run.headers)

    @property
    def run_id(self) -> str | None:
        """The experiment run that the task belongs to: header ``hub_run_id``, or else the argument ``runId``."""
        return self._told("hub_run_id", "runId")

    @property
    def experiment(self) -> str | None:
        """The name of the experiment that the task belongs to: header ``hub_experiment``, or else ``experiment``."""
        return self._told("hub_experiment", "experiment")

    def progress(self, data: Json) -> None:
        """Reports how far the task is; whoever follows it gets the reports in order.

        :param data: anything that JSON can carry; TypeError otherwise, NaN and the infinities included.
        """
        run = self._run
        report = {
            "sequence": run.reports + 1,
            "attempt": run.attempt,
            "data": data,
            "timestamp": int(time.time() * 1000),
        }
        try:
            text = json.dumps(report, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"progress() takes what JSON can carry: {error}") from error
        run.reports += 1
        if not self._publishes:
            return
        backend = self.backend
        if isinstance(backend, RedisBackend):
            key = _hub_key(backend, self.request.id)

            def keep() -> None:
                with backend.client.pipeline() as pipe:
                    pipe.hset(key, "progress", text)
                    if backend.expires:
                        pipe.expire(key, backend.expires)
                    pipe.execute()

            _persist(backend, keep)
        self.update_state(state="PROGRESS", meta=json.loads(text))

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Counts the attempt, gives up a task that was lost too often, and publishes STARTED."""
        run = self._begin()
        lost = run.attempt - 1 - int(self.request.retries or 0)
        if lost > self.max_losses:
            self._uncount(run)
            raise WorkerLost(f"the task lost its worker process {lost} times and is not run again")
        if self._publishes:
            meta = {"pid": os.getpid(), "hostname": self.request.hostname, "attempt": run.attempt}
            self.update_state(state="STARTED", meta=meta)

    @property
    def _run(self) -> _Run:
        """The attempt of the current request; outside a worker, where nothing counts it, one that is made up."""
        run = vars(self.request).get("hub_run")
        return run if isinstance(run, _Run) else self._begin()

    @property
    def _publishes(self) -> bool:
        request = self.request
        if request.called_directly or request.is_eager:
            return False
        ignored = vars(request).get("ignore_result")
        return not (self.ignore_result if ignored is None else ignored)

    def _told(self, header: str, argument: str) -> str | None:
        """What a header says; the tasks of an experiment have it as an argument."""
        value = self._run.headers.get(header, (self.request.kwargs or {}).get(argument))
        return None if value is None else str(value)

    def _begin(self) -> _Run:
        """Makes the run of the current request. Counts it, so it is called once a request."""
        request = self.request
        attempt = self._count()
        headers = _user_headers(request)
        # A retry takes these along: without what the broker said of this message, which is not true of the next one.
        request.headers = headers if isinstance(self.backend, RedisBackend) else {**headers, _ATTEMPTS: attempt}
        run = _Run(attempt, headers)
        request.hub_run = run
        return run

    def _count(self) -> int:
        request = self.request
        retries = int(request.retries or 0)
        if request.called_directly or request.is_eager:
            return 1 + retries
        if isinstance(self.backend, RedisBackend):
            return _count_in_redis(self.backend, request.id, again=retries > 0 or _is_redelivered(request))
        return _attempt_by_message(request)

    def _uncount(self, run: _Run) -> None:
        """Takes back an attempt that does not run."""
        if isinstance(self.backend, RedisBackend):
            key = _hub_key(self.backend, self.request.id)
            _persist(self.backend, partial(self.backend.client.hset, key, "attempt", run.attempt - 1))


def configure(app: Celery) -> None:
    """Sets what a hub expects of its workers, and what keeps tasks from getting lost. Call it before overriding any."""
    app.conf.update(
        # Pickle would let whoever can write to the broker run code here.
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        # A task whose worker is killed runs again, instead of staying PENDING for ever.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Before it writes a state, Celery reads the one that is stored, and that read it does not repeat by itself: a task
        # that starts, reports or ends while Redis is away would fail, and be acked without any state.
        result_backend_always_retry=True,
        result_backend_max_sleep_between_retries_ms=1_000,
        # Takes no task that it cannot start; another worker can.
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
    )
    app.steps["worker"].add(_PoolWatch)


class _PoolWatch(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Looks each second for processes that died.

    The worker is woken up when a process dies, but often finds it still dying; then it looks again after up to 5 s.
    """

    requires = {"celery.worker.components:Hub", "celery.worker.components:Pool"}

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(1.0, worker.pool.maintain_pool)


def _user_headers(request: Any) -> dict[str, Any]:
    headers = request.headers or {}
    return {name: value for name, value in headers.items() if name != _ATTEMPTS and name not in _OF_BROKERS}


def _is_redelivered(request: Any) -> bool:
    return bool((request.delivery_info or {}).get("redelivered"))


def _attempt_by_message(request: Any) -> int:
    """What a message tells of its attempt, where nothing counts it."""
    headers = request.headers or {}
    # A retry is a message of its own, which the broker counts from the start.
    before = int(headers.get(_ATTEMPTS, request.retries or 0))
    return before + 1 + int(headers.get("x-delivery-count", _is_redelivered(request)))


def _hub_key(backend: RedisBackend, task_id: str) -> bytes:
    key = backend.get_key_for_task(task_id)
    return (key if isinstance(key, bytes) else str(key).encode()) + b".hub"


def _count_in_redis(backend: RedisBackend, task_id: str, *, again: bool) -> int:
    """Counts an attempt in the hash of the task.

    :param again: whether it is the same submit; a new one with an id that was used before starts anew.
    """
    key = _hub_key(backend, task_id)

    def count() -> int:
        with backend.client.pipeline() as pipe:
            if not again:
                pipe.delete(key)
            pipe.hincrby(key, "attempt", 1)
            if backend.expires:
                pipe.expire(key, backend.expires)
            return int(pipe.execute()[0 if again else 1])

    return _persist(backend, count)


def _persist(backend: RedisBackend, work: Callable[[], _T]) -> _T:
    """Tries it again while Redis is away, like Celery does for results."""
    result: _T = backend.ensure(work, ())
    return result
