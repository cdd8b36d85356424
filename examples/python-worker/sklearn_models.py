"""The models of sklearn_tasks.py: how one is made, logged to MLflow, and loaded again."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, cast

import mlflow.sklearn
import skops.io
from mlflow.artifacts import download_artifacts
from mlflow.models import infer_signature
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hub_mlflow import client
from sklearn_data import Rows

__all__ = ["Model", "ensure_running", "fit", "loaded", "log"]

#: Where the hub looks for the model among the artifacts of the run.
_MODEL_PATH = "model"
_FILE = "model.skops"
#: The nodes of trees. MLflow saves as skops does: unlike a pickle, the file runs no code, and holds types that are named.
_TRUSTED = ["sklearn.tree._tree.Tree"]
#: What the model needs, for those who serve it. MLflow would find it out by loading it in a process of its own.
_REQUIREMENTS = [f"{name}=={version(name)}" for name in ("scikit-learn", "skops")]
#: Rows of a model's input example.
_EXAMPLE = 3
#: Params that every model has; the first two are those of the tasks.
_COMMON = ("train_rows", "holdout_rows", "model", "seed")


class Model(Protocol):
    """What the tasks use of a model."""

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """One class for each row."""


def fit(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    """Trains in steps and yields the model after each one: ``(trees or iterations so far, model)``.

    :param params: ``model`` is ``random_forest`` (``trees``, ``max_depth``), ``gradient_boosting`` (``trees``,
        ``max_depth``, ``learning_rate``) or ``logistic_regression`` (``iterations``, ``c``); ``seed`` for all of them.
    :raises ValueError: for a model or a param that there is not; a misspelt one would train something else unnoticed
    """
    kind = params.get("model", "random_forest")
    if kind not in _MODELS:
        raise ValueError(f"params.model has to be one of {', '.join(_MODELS)}, not {kind!r}")
    train, own = _MODELS[kind]
    if unknown := sorted(set(params) - {*own, *_COMMON}):
        raise ValueError(f"{kind} has no params {', '.join(unknown)}; it has {', '.join((*own, *_COMMON))}")
    return train(rows, params)


def ensure_running(run_id: str) -> None:
    """A task can be run again when its run has long ended, with a version that predicts: its files never change.

    :raises RuntimeError: when the run has ended
    """
    status = client().get_run(run_id).info.status
    if status != "RUNNING":
        raise RuntimeError(f"run {run_id} has ended ({status}): nobody waits for its model any more")


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
                signature=infer_signature(rows.x[:_EXAMPLE], model.predict(rows.x[:_EXAMPLE])),
                input_example=rows.x[:_EXAMPLE],
                serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
                skops_trusted_types=_TRUSTED,
                pip_requirements=_REQUIREMENTS,
            )
        client().log_artifacts(run_id, str(path), _MODEL_PATH)


def loaded(model: Mapping[str, Any]) -> Model:
    """The model that a task was given, by ``models:/<name>/<version>``; each process keeps the latest ones."""
    client()
    return _load(model["uri"], model.get("runId"))


@lru_cache(maxsize=8)
def _load(uri: str, _run_id: str | None) -> Model:
    # The run is part of the key because a model that was deleted and made again counts its versions from 1 once more.
    with tempfile.TemporaryDirectory() as folder:
        # mlflow.sklearn.load_model trusts the types that the model itself names.
        path = Path(download_artifacts(uri, dst_path=folder)) / _FILE
        return cast(Model, skops.io.load(path, trusted=_TRUSTED))


def _forest(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    trees = int(params.get("trees", 60))
    depth = params.get("max_depth")
    forest = RandomForestClassifier(
        warm_start=True, random_state=int(params.get("seed", 0)), max_depth=None if depth is None else int(depth)
    )
    return _grow(forest, trees, rows)


def _boosting(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    boosting = GradientBoostingClassifier(
        warm_start=True,
        random_state=int(params.get("seed", 0)),
        max_depth=int(params.get("max_depth", 3)),
        learning_rate=float(params.get("learning_rate", 0.1)),
    )
    return _grow(boosting, int(params.get("trees", 30)), rows)


def _grow(ensemble: Any, trees: int, rows: Rows) -> Iterator[tuple[int, Model]]:
    step = max(1, trees // 4)
    for count in [*range(step, trees, step), trees]:
        ensemble.set_params(n_estimators=count)
        yield count, ensemble.fit(rows.x, rows.y)


def _logistic(rows: Rows, params: Mapping[str, Any]) -> Iterator[tuple[int, Model]]:
    iterations = int(params.get("iterations", 200))
    seed = int(params.get("seed", 0))
    for count in (max(1, iterations // 4), iterations):
        regression = LogisticRegression(max_iter=count, C=float(params.get("c", 1.0)), random_state=seed)
        with warnings.catch_warnings():
            # The first steps are not meant to converge.
            warnings.simplefilter("ignore")
            yield count, make_pipeline(StandardScaler(), regression).fit(rows.x, rows.y)


_MODELS: dict[str, tuple[Callable[[Rows, Mapping[str, Any]], Iterator[tuple[int, Model]]], tuple[str, ...]]] = {
    "random_forest": (_forest, ("trees", "max_depth")),
    "gradient_boosting": (_boosting, ("trees", "max_depth", "learning_rate")),
    "logistic_regression": (_logistic, ("iterations", "c")),
}
