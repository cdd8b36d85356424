"""What tasks of an experiment read from MLflow and store there beside their model.

MLFLOW_TRACKING_URI says where MLflow is.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow

__all__ = ["answer", "client", "rows_of"]

_RESULT = "predictions.json"


def client() -> mlflow.MlflowClient:
    """A client of the MLflow that the hub uses, too; RuntimeError where nobody has said which that is."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        # MLflow would make an empty store in the working directory, and find no run there.
        raise RuntimeError("set MLFLOW_TRACKING_URI to the server that the hub uses, and start the worker again")
    # Its own retries would keep a task busy for many minutes; the hub has a deadline, and runs a task again.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
    return mlflow.MlflowClient()


def rows_of(kwargs: Mapping[str, Any]) -> list[Any]:
    """The rows of a predict task, from its arguments or from ``rowsUri``."""
    uri = kwargs.get("rowsUri")
    if uri is None:
        return list(kwargs["rows"])
    run_id, path = _parse(uri)
    with tempfile.TemporaryDirectory() as folder:
        file = client().download_artifacts(run_id, path, folder)
        found = json.loads(Path(file).read_text("utf-8"))
    if not isinstance(found, list):
        raise ValueError(f"{uri} holds no array of rows")
    return found


def answer(kwargs: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The result of a predict task: as it is, or stored beside the rows when they came by reference."""
    uri = kwargs.get("rowsUri")
    if uri is None:
        return result
    run_id, _path = _parse(uri)
    folder = kwargs["resultDir"]
    client().log_text(run_id, json.dumps(result, allow_nan=False), f"{folder}/{_RESULT}")
    return {"resultUri": f"runs:/{run_id}/{folder}/{_RESULT}"}


def _parse(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition(":/")
    run_id, _, path = rest.partition("/")
    # Whoever can submit a task must not have the worker read what is no run's.
    if scheme != "runs" or not run_id or not path or ".." in path.split("/"):
        raise ValueError(f"{uri!r} is not runs:/<run id>/<path>")
    return run_id, path
