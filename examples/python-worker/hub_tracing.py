"""Continues the trace of whoever submitted a task.

``experiment_hub.py`` uses this file when it lies beside it. It needs ``opentelemetry-api``; without that, or without an SDK
that the worker has set up, tasks run as ever. An SDK belongs into each process of the pool, since threads that export do
not survive a fork::

    @worker_process_init.connect
    def set_up_tracing(**_: Any) -> None:
        provider = TracerProvider(resource=Resource.create({"service.name": "worker"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)

Celery's own instrumentation (``opentelemetry-instrumentation-celery``) reads the same headers; where it has begun a span, this
adds none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject, Retry

try:
    from opentelemetry import context, propagate, trace
except ImportError:
    trace = None  # type: ignore[assignment]

__all__ = ["TracedTask"]

#: How Celery says that the attempt has not failed.
_NO_FAILURES = (Ignore, Reject, Retry)


class TracedTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task that runs in a span below the one that submitted it."""

    abstract = True

    @property
    def traceparent(self) -> str | None:
        """The current trace context as a W3C ``traceparent``; outside a span, the one that came with the task."""
        carrier: dict[str, str] = {}
        if trace is not None:
            propagate.inject(carrier)
        return carrier.get("traceparent") or _texts(self.request.headers).get("traceparent")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        run = partial(super().__call__, *args, **kwargs)
        # What a worker does in a task by a call, and not by a message, is part of that task.
        if trace is None or self.request.called_directly or trace.get_current_span().get_span_context().is_valid:
            return run()
        return _in_span(self, run)


def _in_span(task: Task, run: Callable[[], Any]) -> Any:
    request = task.request
    sender = propagate.extract(_texts(request.headers), context.Context())
    link = trace.get_current_span(sender).get_span_context()
    # https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
    attributes = {
        "messaging.system": "celery",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": task.name,
        "messaging.message.id": request.id,
        "experiment_hub.task.attempt": getattr(task, "attempt", int(request.retries or 0) + 1),
    }
    span = trace.get_tracer("experiment_hub").start_span(
        f"process {task.name}",
        context=sender,
        kind=trace.SpanKind.CONSUMER,
        attributes=attributes,
        links=[trace.Link(link)] if link.is_valid else [],
    )
    # Baggage of the sender included, which a span alone does not bring.
    token = context.attach(trace.set_span_in_context(span, sender))
    try:
        return run()
    except _NO_FAILURES:
        raise
    except BaseException as error:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
        raise
    finally:
        context.detach(token)
        span.end()


def _texts(headers: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: value for name, value in (headers or {}).items() if isinstance(value, str)}
