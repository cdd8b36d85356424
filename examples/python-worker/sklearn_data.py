"""The rows that the tasks of sklearn_tasks.py train on: scikit-learn's bundled data sets, in the order of time.

Row ``i`` of a data set (in an order that a seed shuffles) becomes known ``i`` seconds after 1970, so that the time of a
trigger says which rows a training may use. Every fourth row is never trained on: what holds out a model is the same for
all of them, and a gate that compares two models on those rows compares them on what neither has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, cast

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

__all__ = ["Data", "Rows", "load"]

#: The data sets, by the name that an experiment's ``data.dataset`` has for them.
_LOADERS: dict[str, Callable[[], Any]] = {
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
}
_KEYS = {"dataset", "driftFrom", "seed"}
#: One row of so many is held out.
_HOLDOUT = 4


@dataclass(frozen=True)
class Rows:
    """Rows with their labels: ``x`` is rows × features, ``y`` one class for each row."""

    x: NDArray[np.float64]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Data:
    """All rows of a data set, the oldest first."""

    rows: Rows

    def time(self, index: int) -> int:
        """When a row became known, ms since 1970."""
        return index * 1000

    def known(self, at: float, window: int) -> range:
        """The indexes of the latest ``window`` rows that are known at a time (ms since 1970)."""
        end = max(0, min(len(self.rows), int(at // 1000) + 1))
        return range(max(0, end - window), end)

    def training(self, at: float, window: int) -> Rows:
        """What a model may be trained on."""
        return self._pick([i for i in self.known(at, window) if i % _HOLDOUT])

    def holdout(self, at: float, window: int) -> Rows:
        """What it is scored on."""
        return self._pick([i for i in self.known(at, window) if i % _HOLDOUT == 0])

    def slice(self, start: int, stop: int) -> Rows:
        """The rows from ``start`` on, before ``stop``."""
        return Rows(self.rows.x[start:stop], self.rows.y[start:stop])

    def _pick(self, indexes: list[int]) -> Rows:
        if not indexes:
            raise ValueError("no row is known at the time of the trigger")
        return Rows(self.rows.x[indexes], self.rows.y[indexes])


def load(data: Mapping[str, Any]) -> Data:
    """The data that an experiment names: ``{"dataset": "digits", "seed": 0, "driftFrom": 900}``.

    :param data: ``seed`` orders the rows (default 0); from row ``driftFrom`` on (default: never) every feature is turned
        round between its least and its greatest value, as a sensor with the wrong sign would do.
    :raises ValueError: that says what is wrong
    """
    if not isinstance(data, Mapping) or set(data) - _KEYS:
        raise ValueError(f"data has to be an object with {', '.join(sorted(_KEYS))}, not {data!r}")
    name = data.get("dataset")
    if name not in _LOADERS:
        raise ValueError(f"data.dataset has to be one of {', '.join(sorted(_LOADERS))}, not {name!r}")
    drift = data.get("driftFrom")
    return _load(cast(str, name), int(data.get("seed", 0)), None if drift is None else int(drift))


@lru_cache(maxsize=4)
def _load(name: str, seed: int, drift_from: int | None) -> Data:
    bunch = _LOADERS[name]()
    order = np.random.default_rng(seed).permutation(len(bunch.target))
    x = np.asarray(bunch.data, dtype=np.float64)[order]
    y = np.asarray(bunch.target, dtype=np.int64)[order]
    if drift_from is not None:
        x[drift_from:] = x.min(axis=0) + x.max(axis=0) - x[drift_from:]
    return Data(Rows(x, y))
