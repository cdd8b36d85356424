"""Tests of the worker's tasks on a store of MLflow of their own: ``python -m unittest`` in this folder.

They need the whole of mlflow, which has the store, where the worker needs mlflow-skinny only.
"""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

_FOLDER = tempfile.TemporaryDirectory(prefix="hub-worker-test-")
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{_FOLDER.name}/mlflow.db"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# The tasks are of the class that the app names.
import app as _app  # noqa: F401
import sklearn_data
import sklearn_models
import sklearn_tasks

_DATA = {"dataset": "digits", "driftFrom": 1000}
#: Row 900 is the latest one that is known.
_TRIGGER = {"id": "t", "reason": "manual", "at": 900_000}


class _Case(unittest.TestCase):
    client: MlflowClient
    experiment: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.client = MlflowClient()
        folder = Path(_FOLDER.name, cls.__name__).as_uri()
        cls.experiment = cls.client.create_experiment(cls.__name__, artifact_location=folder)

    def run_id(self) -> str:
        return str(self.client.create_run(self.experiment).info.run_id)

    def train(self, run_id: str, **changes: Any) -> dict[str, Any]:
        kwargs = {"params": {"trees": 10}, "data": _DATA, "trigger": _TRIGGER, **changes}
        result: dict[str, Any] = sklearn_tasks.train(runId=run_id, experiment="e", outputDir="/nowhere", **kwargs)
        return result

    def reference(self, run_id: str, name: str) -> dict[str, Any]:
        """The model of a run as a version, as the hub refers to it."""
        try:
            self.client.create_registered_model(name)
        except MlflowException:
            pass
        version = self.client.create_model_version(name, f"runs:/{run_id}/model", run_id)
        return {
            "name": name,
            "version": version.version,
            "runId": run_id,
            "uri": f"models:/{name}/{version.version}",
            "path": None,
        }


class Train(_Case):
    def test_returns_figures_and_logs_none_of_them(self) -> None:
        run_id = self.run_id()
        result = self.train(run_id)
        self.assertEqual(result["model"], {"logged": True})
        self.assertGreater(result["metrics"]["accuracy"], 0.7)
        self.assertEqual(result["params"]["last_row"], 900)
        data = self.client.get_run(run_id).data
        self.assertEqual((data.metrics, data.params), ({}, {}))

    def test_a_second_attempt_replaces_what_a_first_one_left_half_done(self) -> None:
        run_id = self.run_id()
        for name in ("MLmodel", "model.skops", "requirements.txt"):
            self.client.log_text(run_id, "half", f"model/{name}")
        first = self.train(run_id)
        files = sorted(file.path for file in self.client.list_artifacts(run_id, "model"))
        model = mlflow.sklearn.load_model(f"runs:/{run_id}/model")
        self.assertEqual(self.train(run_id), first)
        self.assertEqual(sorted(file.path for file in self.client.list_artifacts(run_id, "model")), files)
        again = mlflow.sklearn.load_model(f"runs:/{run_id}/model")
        features = sklearn_data.load(_DATA).rows.x
        np.testing.assert_array_equal(model.predict(features), again.predict(features))

    def test_the_model_of_a_run_that_has_ended_is_not_touched(self) -> None:
        run_id = self.run_id()
        self.client.set_terminated(run_id, "KILLED")
        with self.assertRaisesRegex(RuntimeError, "has ended"):
            self.train(run_id)
        self.assertEqual(self.client.list_artifacts(run_id, "model"), [])

    def test_every_model_learns_every_data_set(self) -> None:
        now = {**_TRIGGER, "at": 2e12}
        for model in ("logistic_regression", "random_forest", "gradient_boosting"):
            for dataset in ("breast_cancer", "wine"):
                with self.subTest(model=model, dataset=dataset):
                    run_id = self.run_id()
                    result = self.train(run_id, params={"model": model}, data={"dataset": dataset}, trigger=now)
                    self.assertGreater(result["metrics"]["accuracy"], 0.85)
                    # Its file is read without trusting what it names itself.
                    loaded = sklearn_models.loaded(self.reference(run_id, f"{model}-{dataset}"))
                    rows = sklearn_data.load({"dataset": dataset}).rows
                    stock = mlflow.sklearn.load_model(f"runs:/{run_id}/model")
                    np.testing.assert_array_equal(loaded.predict(rows.x), stock.predict(rows.x))

    def test_the_model_has_a_signature_and_an_example_that_predicts(self) -> None:
        run_id = self.run_id()
        self.train(run_id)
        model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
        self.assertEqual(model.metadata.signature.inputs.inputs[0].shape, (-1, 64))
        self.assertEqual(len(model.predict(model.input_example)), 3)

    def test_says_what_is_wrong(self) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"params": {"model": "forest"}}, "one of random_forest, gradient_boosting, logistic_regression, not 'forest'"),
            ({"params": {"tress": 1}}, "random_forest has no params tress; it has trees, max_depth"),
            ({"data": None}, "data has to be an object with dataset, driftFrom, seed, not None"),
            ({"data": {"dataset": "iris"}}, "one of breast_cancer, digits, wine, not 'iris'"),
            ({"data": {"dataset": "wine", "driftfrom": 3}}, "data has to be an object with dataset, driftFrom"),
            ({"trigger": {**_TRIGGER, "at": -1}}, "no row is known"),
        ]
        run_id = self.run_id()
        for changes, message in wrong:
            with self.subTest(message), self.assertRaises(ValueError) as caught:
                self.train(run_id, **changes)
            self.assertIn(message, str(caught.exception))
        self.assertEqual(self.client.list_artifacts(run_id), [])


class Data(unittest.TestCase):
    def test_no_row_that_is_held_out_is_ever_trained_on(self) -> None:
        known = sklearn_data.load({"dataset": "digits"})
        numbers = {row.tobytes(): number for number, row in enumerate(known.rows.x)}
        trained: set[int] = set()
        scored: set[int] = set()
        for latest in range(100, 1797, 97):
            for window in (50, 2000):
                trained |= {numbers[row.tobytes()] for row in known.training(known.time(latest), window).x}
                scored |= {numbers[row.tobytes()] for row in known.holdout(known.time(latest), window).x}
                self.assertEqual(known.known(known.time(latest), window)[-1], latest)
        self.assertFalse(trained & scored)
        self.assertGreater(min(len(trained), len(scored)), 400)

    def test_a_drift_changes_the_later_rows_only(self) -> None:
        plain = sklearn_data.load({"dataset": "digits"}).rows
        drifted = sklearn_data.load(_DATA).rows
        np.testing.assert_array_equal(drifted.x[:1000], plain.x[:1000])
        self.assertTrue((drifted.x[1000:] != plain.x[1000:]).any(axis=1).all())
        np.testing.assert_array_equal(drifted.y, plain.y)

    def test_gives_rows_in_parts(self) -> None:
        part = sklearn_tasks.rows(data=_DATA, start=1790, stop=5000)
        self.assertEqual([len(part[key]) for key in ("rows", "labels", "times")], [7, 7, 7])
        self.assertEqual((part["total"], part["times"][0]), (1797, 1_790_000))
        json.dumps(part, allow_nan=False)


class Predict(_Case):
    def setUp(self) -> None:
        self.trained = self.run_id()
        self.train(self.trained)
        self.model = self.reference(self.trained, "predicts")
        self.rows = sklearn_tasks.rows(data=_DATA, start=0, stop=50)["rows"]

    def test_a_bad_row_is_an_error_of_its_own(self) -> None:
        rows = [self.rows[0], [1], "row", [True] * 64, [float("nan")] * 64, self.rows[0]]
        result = sklearn_tasks.predict(experiment="e", model=self.model, rows=rows)
        self.assertEqual(sorted(result["errors"]), ["1", "2", "3", "4"])
        self.assertEqual([label is None for label in result["predictions"]], [False, True, True, True, True, False])
        self.assertEqual(
            sklearn_tasks.predict(experiment="e", model=self.model, rows=[]), {"predictions": [], "errors": {}}
        )

    def test_rows_by_reference_are_answered_by_reference(self) -> None:
        inline = sklearn_tasks.predict(experiment="e", model=self.model, rows=self.rows)
        run_id = self.run_id()
        self.client.log_text(run_id, json.dumps(self.rows), "in/rows.json")
        kwargs = {"rows": [], "rowsUri": f"runs:/{run_id}/in/rows.json", "resultDir": "out/1"}
        for _attempt in range(2):
            result = sklearn_tasks.predict(experiment="e", model=self.model, **kwargs)
            self.assertEqual(result, {"resultUri": f"runs:/{run_id}/out/1/predictions.json"})
            self.assertEqual(mlflow.artifacts.load_dict(result["resultUri"]), inline)

    def test_reads_rows_of_runs_only(self) -> None:
        for uri in ("/etc/passwd", "file:///etc/passwd", "runs:/x/../../etc/passwd", "http://h/x", "runs:/x"):
            with self.assertRaisesRegex(ValueError, "is not runs:/<run id>/<path>"):
                sklearn_tasks.predict(experiment="e", model=self.model, rows=[], rowsUri=uri, resultDir="out")

    def test_evaluates_models_on_rows_that_none_has_seen(self) -> None:
        other = self.run_id()
        self.train(other, params={"trees": 1, "max_depth": 1})
        models = [self.model, self.reference(other, "predicts")]
        kwargs = {"experiment": "e", "runId": "r", "params": {}, "data": _DATA, "trigger": _TRIGGER}
        better, worse = sklearn_tasks.evaluate(metric="accuracy", models=models, **kwargs)["scores"]
        self.assertGreater(better, worse)


def tearDownModule() -> None:
    _FOLDER.cleanup()


if __name__ == "__main__":
    unittest.main()
