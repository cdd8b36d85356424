"""The models of sklearn_tasks.py: how one is made, logged to MLflow, and loaded again."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, cast

import mlflow.sklearn
from mlflow.models import infer_signature
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hub_mlflow import client
from sklearn_data import Rows

__all__ = ["Model", "fit", "loaded", "log"]

#: Where the hub looks for the model among the artifacts of the run.
_MODEL_PATH = "model"
#: The nodes of trees. MLflow saves as skops does: unlike a pickle, the file runs no code, and holds types that are named.
_TRUSTED = ["sklearn.tree._tree.Tree"]


class Model(Protocol):
    """What the tasks use of a model."""

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """One class for each row."""


def fit(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    """Trains in steps and yields the model after each one: ``(trees or iterations so far, model)``.

    :param params: ``model`` is ``random_forest`` (``trees``, ``max_depth``) or ``logistic_regression`` (``iterations``,
        ``c``); ``seed`` for both.
    """
    kind = params.get("model", "random_forest")
    if kind == "random_forest":
        yield from _forest(rows, params)
    elif kind == "logistic_regression":
        yield from _logistic(rows, params)
    else:
        raise ValueError(f"params.model has to be random_forest or logistic_regression, not {kind!r}")


def log(run_id: str, model: Model, rows: Rows) -> None:
    """Stores a model below ``model/`` of a run that the hub has opened, as an MLflow model.

    The files are made first and uploaded then, and a task that runs again after it was killed in between writes the same
    names once more. The hub registers the version; nothing else is written to the run here.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _MODEL_PATH
        with warnings.catch_warnings():
            # It would advise to load the dependencies that it has just found.
            warnings.simplefilter("ignore")
            mlflow.sklearn.save_model(
                model,
                str(path),
                signature=infer_signature(rows.x[:1], model.predict(rows.x[:1])),
                skops_trusted_types=_TRUSTED,
                pip_requirements=Path(__file__).with_name("requirements.txt").read_text().splitlines(),
            )
        client().log_artifacts(run_id, str(path), _MODEL_PATH)


def loaded(model: Mapping[str, Any]) -> Model:
    """The model that a task was given, by ``models:/<name>/<version>``; each process keeps the latest ones."""
    client()
    return _load(model["uri"], model.get("runId"))


@lru_cache(maxsize=8)
def _load(uri: str, _run_id: str | None) -> Model:
    # The run is part of the key because a model that was deleted and made again counts its versions from 1 once more.
    return cast(Model, mlflow.sklearn.load_model(uri))


def _forest(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    trees = int(params.get("trees", 60))
    depth = params.get("max_depth")
    forest = RandomForestClassifier(
        warm_start=True, random_state=int(params.get("seed", 0)), max_depth=None if depth is None else int(depth)
    )
    step = max(1, trees // 4)
    for count in [*range(step, trees, step), trees]:
        forest.set_params(n_estimators=count)
        yield count, forest.fit(rows.x, rows.y)


def _logistic(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    iterations = int(params.get("iterations", 200))
    seed = int(params.get("seed", 0))
    for count in (max(1, iterations // 4), iterations):
        regression = LogisticRegression(max_iter=count, C=float(params.get("c", 1.0)), random_state=seed)
        with warnings.catch_warnings():
            # The first steps are not meant to converge.
            warnings.simplefilter("ignore")
            yield count, make_pipeline(StandardScaler(), regression).fit(rows.x, rows.y)
