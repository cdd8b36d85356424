"""A worker with an SDK of OpenTelemetry: each process writes the spans that end to HUB_SPANS, a JSON object a line."""

from __future__ import annotations

import json
import os
from typing import Any

from celery.signals import worker_process_init
from contract_tasks import app
from experiment_hub import HubTask
from opentelemetry import baggage, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor


def _line(span: ReadableSpan) -> str:
    return json.dumps(json.loads(span.to_json())) + "\n"


@worker_process_init.connect
def set_up_tracing(**_: Any) -> None:
    provider = TracerProvider()
    out = open(os.environ["HUB_SPANS"], "a")  # noqa: SIM115  # As long as the process lives.
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=_line)))
    trace.set_tracer_provider(provider)


@app.task(name="traced.train", bind=True)
def train(self: HubTask, *, experiment: str, **_: Any) -> dict[str, Any]:
    with trace.get_tracer("worker").start_as_current_span("fit"):
        seen = {"traceparent": self.traceparent, "tenant": baggage.get_baggage("tenant")}
    return {"model": {"json": seen}, "metrics": {"loss": 0.5}}


@app.task(name="traced.fail", bind=True, max_retries=1)
def fail(self: HubTask) -> None:
    if self.attempt == 1:
        raise self.retry(countdown=0)
    raise ValueError("no luck")
