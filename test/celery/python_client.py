"""What a Python program does with the same broker and results. Prints one line of JSON.

read ID…                state and result of tasks, by AsyncResult
wait ID                 the result of a task, which it waits for
submit NAME ARGS ID     submits a task by apply_async; ARGS is JSON
canvas                  chain, group, link and link_error, of the tasks of canvas_tasks.py
events FILE ID          events of a task until its end; FILE is made when it listens
"""

from __future__ import annotations

import json
import pathlib
import sys
import uuid
from typing import Any

from canvas_tasks import app, mourn, step
from celery import chain, group
from celery.result import AsyncResult

#: How long anything may take, in s.
DEADLINE = 30


def seen(task_id: str) -> dict[str, Any]:
    found = AsyncResult(task_id, app=app)
    result = found.result
    failed = isinstance(result, BaseException)
    return {
        "state": found.state,
        "result": {"type": type(result).__name__, "args": list(result.args)} if failed else result,
        "traceback": found.traceback,
    }


def wait(task_id: str) -> Any:
    return AsyncResult(task_id, app=app).get(timeout=DEADLINE)


def submit(name: str, args: str, task_id: str) -> str:
    return str(app.send_task(name, args=json.loads(args), task_id=task_id).id)


def canvas() -> dict[str, Any]:
    last = chain(step.s(1), step.s(10), step.si(100), step.s(1000)).apply_async()
    ids = [last.id]
    while last.parent is not None:
        last = last.parent
        ids.insert(0, last.id)
    members = group(step.s(1), step.s(2), step.s(3)).apply_async()
    linked = [str(uuid.uuid4()), str(uuid.uuid4())]
    links = [step.s(5).set(task_id=linked[0]), step.si(7).set(task_id=linked[1])]
    first = step.apply_async((1,), link=links)
    mourner = str(uuid.uuid4())
    fail = app.tasks["contract.fail"].apply_async(("on purpose",), link_error=mourn.s().set(task_id=mourner))
    return {
        "chain": results(ids),
        "group": {"id": members.id, **results([member.id for member in members])},
        "link": results([first.id, *linked]),
        "linkError": {"failed": fail.id, **results([mourner])},
    }


def results(ids: list[str]) -> dict[str, Any]:
    return {"ids": ids, "results": [wait(one) for one in ids]}


def events(file: str, task_id: str) -> list[dict[str, Any]]:
    caught: list[dict[str, Any]] = []

    def catch(event: dict[str, Any]) -> None:
        if event.get("uuid") == task_id:
            caught.append(event)
        if event["type"] in ("task-succeeded", "task-failed") and event.get("uuid") == task_id:
            receiver.should_stop = True

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": catch})
        receiver.on_consume_ready = lambda *_args, **_kwargs: pathlib.Path(file).touch()
        receiver.capture(limit=None, timeout=DEADLINE, wakeup=False)
    return caught


COMMANDS: dict[str, Any] = {
    "read": lambda *ids: [seen(one) for one in ids],
    "wait": wait,
    "submit": submit,
    "canvas": canvas,
    "events": events,
}

if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps(COMMANDS[command](*arguments)))
