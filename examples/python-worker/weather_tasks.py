"""The tasks of the quickstart's demo on scikit-learn: the Python twins of examples/quickstart/weather.tasks.ts.

They have the arguments and results of the JavaScript tasks (src/experiment/task-contract.ts), so the application does not
notice which of them answers. Only the forest is another one, and with it the figures.

Models travel as files: ``train`` leaves one in ``outputDir``, ``predict`` and ``evaluate`` read it from the ``path`` of
the model. Both are folders in the ``work_dir`` of the application, which this worker has to see under the same path.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import skops.io
from celery import shared_task
from sklearn.ensemble import RandomForestClassifier

from experiment_hub import HubTask

_DATA = Path(__file__).resolve().parent.parent / "quickstart" / "data" / "seattle-weather.csv"
_FEATURES = ("precipitation", "temp_max", "temp_min", "wind")
_MODEL_FILE = "model.skops"
#: The nodes of the trees. Unlike a pickle, a file of skops holds data of types that are named here, and runs no code.
_TRUSTED = ["sklearn.tree._tree.Tree"]


class Day(NamedTuple):
    """One day of the data."""

    date: str
    #: ms since 1970, of its start in UTC.
    time: float
    features: list[float]
    weather: str


def _load_days() -> list[Day]:
    with _DATA.open(newline="") as lines:
        return [
            Day(
                date=row["date"],
                time=datetime.fromisoformat(row["date"]).replace(tzinfo=timezone.utc).timestamp() * 1000,
                features=[float(row[name]) for name in _FEATURES],
                weather=row["weather"],
            )
            for row in csv.DictReader(lines)
        ]


#: All days, the oldest first.
_DAYS = _load_days()


@shared_task(name="weather.train", bind=True)
def train(
    self: HubTask, *, params: Mapping[str, Any], trigger: Mapping[str, Any], outputDir: str, **_: Any
) -> dict[str, Any]:
    """Trains on the ``trainDays`` before the holdout, scores on the holdout, and leaves the model in ``outputDir``."""
    days, holdout = _windows(params, trigger["at"])
    trees, seed = int(params["trees"]), int(params["seed"])
    for count in (10, trees):
        forest = _fit(days, count, seed)
        accuracy = _score(forest, holdout)
        self.progress({"step": count, "metrics": {"accuracy": accuracy}})
    # The very first model has nobody to be compared with, so it may learn from its holdout in the end.
    if params.get("refit") is True:
        days = [*days, *holdout]
        forest = _fit(days, trees, seed)
    skops.io.dump(forest, Path(outputDir) / _MODEL_FILE)
    return {
        "model": {"path": _MODEL_FILE},
        "metrics": {"accuracy": accuracy},
        "params": {"trained_from": days[0].date, "trained_until": days[-1].date, "rows": len(days)},
    }


@shared_task(name="weather.predict")
def predict(*, model: Mapping[str, Any], rows: Sequence[Any], **_: Any) -> dict[str, Any]:
    """The weather of each row. A row without the four numbers is an error of its own."""
    vectors = [_vector(row) for row in rows]
    sound = [vector for vector in vectors if vector is not None]
    found = iter(_forest_in(model["path"]).predict(sound).tolist() if sound else [])
    return {
        "predictions": [None if vector is None else next(found) for vector in vectors],
        "errors": {str(index): "it lacks a number" for index, vector in enumerate(vectors) if vector is None},
    }


@shared_task(name="weather.evaluate")
def evaluate(
    *, params: Mapping[str, Any], trigger: Mapping[str, Any], models: Sequence[Mapping[str, Any]], **_: Any
) -> dict[str, list[float]]:
    """The accuracy of each model on the days just before the trigger, which the new one was not trained on."""
    _train, holdout = _windows(params, trigger["at"])
    return {"scores": [_score(_forest_in(model["path"]), holdout) for model in models]}


def _windows(params: Mapping[str, Any], at: float) -> tuple[list[Day], list[Day]]:
    """The days to train on, and the holdout behind them, of what is known at a time (ms since 1970)."""
    known = [day for day in _DAYS if day.time <= at]
    start = len(known) - int(params["holdoutDays"])
    return known[max(0, start - int(params["trainDays"])) : start], known[start:]


def _fit(days: Sequence[Day], trees: int, seed: int) -> RandomForestClassifier:
    forest = RandomForestClassifier(n_estimators=trees, max_features=1.0, random_state=seed)
    return forest.fit([day.features for day in days], [day.weather for day in days])


def _score(forest: RandomForestClassifier, days: Sequence[Day]) -> float:
    predicted: list[str] = forest.predict([day.features for day in days]).tolist()
    return sum(day.weather == weather for day, weather in zip(days, predicted)) / len(days)


@lru_cache(maxsize=8)
def _forest_in(folder: str) -> RandomForestClassifier:
    """The model in a folder; each process keeps the latest. The files of a version never change."""
    return skops.io.load(Path(folder) / _MODEL_FILE, trusted=_TRUSTED)


def _vector(row: Any) -> list[float] | None:
    """The features of a row, or None when one of them is missing or no number."""
    values = [row.get(name) for name in _FEATURES] if isinstance(row, Mapping) else []
    # True and False are ints in Python; in JSON they are no numbers.
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return numbers if len(numbers) == len(_FEATURES) and all(map(math.isfinite, numbers)) else None
