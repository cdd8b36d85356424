"""Tasks of an experiment on scikit-learn whose models travel by MLflow, so that worker and hub share no files.

MLFLOW_TRACKING_URI says where MLflow is. The arguments and results are those of src/experiment/task-contract.ts; what the
experiment's ``data`` and ``params`` may hold is in sklearn_data.py and sklearn_models.py. With ``tasks.modelsBy: uri`` the
hub leaves it to these tasks to fetch models.

The hub is the one writer of metrics, params and tags: ``train`` reports its metrics and returns them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from celery import shared_task

import sklearn_data
import sklearn_models
from experiment_hub import HubTask
from hub_mlflow import answer, rows_of

#: Latest known rows that a training uses, and that models are scored on.
_TRAIN_ROWS = 600
_HOLDOUT_ROWS = 400


@shared_task(name="sklearn.train", bind=True)
def train(
    self: HubTask, *, runId: str, params: Mapping[str, Any], trigger: Mapping[str, Any], data: Mapping[str, Any], **_: Any
) -> dict[str, Any]:
    """Trains on the rows that are known at the trigger, and stores the model with the run."""
    sklearn_models.ensure_running(runId)
    known = sklearn_data.load(data)
    rows = known.training(trigger["at"], int(params.get("train_rows", _TRAIN_ROWS)))
    holdout = known.holdout(trigger["at"], int(params.get("holdout_rows", _HOLDOUT_ROWS)))
    accuracy = 0.0
    model: sklearn_models.Model | None = None
    for step, model in sklearn_models.fit(rows, params):
        accuracy = _accuracy(model, holdout)
        self.progress({"step": step, "metrics": {"accuracy": accuracy}})
    assert model is not None
    sklearn_models.log(runId, model, rows)
    return {
        "model": {"logged": True},
        "metrics": {"accuracy": accuracy},
        "params": {"rows": len(rows), "holdout": len(holdout), "last_row": known.known(trigger["at"], 1)[-1]},
    }


@shared_task(name="sklearn.predict")
def predict(*, model: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
    """The class of each row, which is a list of as many numbers as the model has features."""
    rows = rows_of(kwargs)
    estimator = sklearn_models.loaded(model)
    width = int(getattr(estimator, "n_features_in_", 0))
    sound = [row if _is_vector(row, width) else None for row in rows]
    vectors = [row for row in sound if row is not None]
    found = iter(estimator.predict(np.asarray(vectors)).tolist() if vectors else [])
    return answer(
        kwargs,
        {
            "predictions": [None if row is None else next(found) for row in sound],
            "errors": {str(i): f"it is no list of {width} numbers" for i, row in enumerate(sound) if row is None},
        },
    )


@shared_task(name="sklearn.evaluate")
def evaluate(
    *,
    params: Mapping[str, Any],
    trigger: Mapping[str, Any],
    data: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    **_: Any,
) -> dict[str, list[float]]:
    """The accuracy of each model on the rows that are held out, which none of them was trained on."""
    holdout = sklearn_data.load(data).holdout(trigger["at"], int(params.get("holdout_rows", _HOLDOUT_ROWS)))
    return {"scores": [_accuracy(sklearn_models.loaded(model), holdout) for model in models]}


@shared_task(name="sklearn.rows")
def rows(*, data: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Rows from ``start`` on, before ``stop``, for an application that has no data of its own yet.

    With their labels, the times at which those became known (ms since 1970), and how many rows there are in all.
    """
    known = sklearn_data.load(data)
    part = known.slice(start, stop)
    times = [known.time(start + i) for i in range(len(part))]
    return {"rows": part.x.tolist(), "labels": part.y.tolist(), "times": times, "total": len(known.rows)}


def _accuracy(model: sklearn_models.Model, rows: sklearn_data.Rows) -> float:
    return float(np.mean(model.predict(rows.x) == rows.y))


def _is_vector(row: Any, width: int) -> bool:
    """Whether it is a list of finite numbers. True and False are ints in Python; in JSON they are no numbers."""
    return (
        isinstance(row, list)
        and len(row) == width
        and all(isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in row)
    )
