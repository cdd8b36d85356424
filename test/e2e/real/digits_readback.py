"""What MLflow's own client and the loaded champion say of an experiment, as JSON on standard output.

Arguments: name of the experiment and of its model, file with rows (JSON) that the champion predicts.
"""

import json
import sys

import mlflow.sklearn
import numpy as np
from mlflow import MlflowClient

name, rows_file = sys.argv[1:]
client = MlflowClient()
experiment = client.get_experiment_by_name(name)
runs = []
for run in client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]):
    runs.append(
        {
            "runId": run.info.run_id,
            "status": run.info.status,
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": {
                key: [
                    [point.step, point.value, point.timestamp]
                    for point in client.get_metric_history(run.info.run_id, key)
                ]
                for key in run.data.metrics
            },
            "artifacts": sorted(file.path for file in client.list_artifacts(run.info.run_id, "model")),
        }
    )
versions = [
    {"version": version.version, "runId": version.run_id, "source": version.source, "tags": version.tags}
    for version in client.search_model_versions(f"name = '{name}'")
]
with open(rows_file) as file:
    rows = np.asarray(json.load(file))
champion = mlflow.sklearn.load_model(f"models:/{name}@champion")
print(
    json.dumps(
        {
            "runs": runs,
            "versions": sorted(versions, key=lambda version: int(version["version"])),
            "champion": client.get_model_version_by_alias(name, "champion").version,
            "predictions": champion.predict(rows).tolist(),
        }
    )
)
