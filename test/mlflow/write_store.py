"""Logs to a store, or to a server, with the stock client, as a user of MLflow would beside the hub.

usage: write_store.py sqlite:////path/mlflow.db|http://host:port RUN_ID ARTIFACT_LOCATION
"""

import sys

from mlflow import MlflowClient

uri, run_id, location = sys.argv[1:]
client = MlflowClient(tracking_uri=uri, registry_uri=uri)
client.log_metric(run_id, "from-python", float("nan"), timestamp=5, step=1)
client.log_metric(run_id, "from-python", 2.5, timestamp=6, step=2)
client.log_param(run_id, "from-python", "p")
client.set_tag(run_id, "from-python", "t")
client.log_text(run_id, "written by Python", "python/note.txt")
client.create_registered_model("python-model")
client.create_model_version("python-model", "s3://bucket/model", run_id)
client.set_registered_model_alias("python-model", "champion", 1)
experiment = client.create_experiment("python-experiment", artifact_location=location)
run = client.create_run(experiment, run_name="python-run", tags={"kind": "python"})
client.log_text(run.info.run_id, "in a folder of its own", "a/b.txt")
