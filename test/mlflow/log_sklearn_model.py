"""Trains a model with scikit-learn and logs it twice: as MLflow 3 does (a logged model, which is registered as version
1 of "iris"), and as MLflow 2 did (files among the run's artifacts, below "model2").

usage: log_sklearn_model.py http://host:port FOLDER
"""

import json
import sys
from pathlib import Path

import mlflow
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

uri, folder = sys.argv[1:]
mlflow.set_tracking_uri(uri)
mlflow.set_experiment("scikit-learn")
features, labels = load_iris(return_X_y=True)
model = RandomForestClassifier(n_estimators=20, random_state=1).fit(features, labels)
# Named, because MLflow would find them out by installing and importing the model.
requirements = ["scikit-learn"]
# MLflow's other format wants to know which of scikit-learn's own types to trust.
form = mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE
with mlflow.start_run() as run:
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        registered_model_name="iris",
        input_example=features[:5],
        pip_requirements=requirements,
        serialization_format=form,
    )
    saved = Path(folder, "saved")
    mlflow.sklearn.save_model(model, saved, pip_requirements=requirements, serialization_format=form)
    mlflow.log_artifacts(str(saved), "model2")
print(
    "MODEL"
    + json.dumps({"experimentId": run.info.experiment_id, "runId": run.info.run_id, "modelId": info.model_id})
)
