"""Copies a folder to or from a run's artifacts with the stock client, and prints the size of each artifact.

usage: copy_artifacts.py http://host:port RUN_ID upload|download FOLDER ARTIFACT_PATH
"""

import json
import sys

from mlflow import MlflowClient

uri, run_id, direction, folder, path = sys.argv[1:]
client = MlflowClient(tracking_uri=uri)


def sizes(below):
    for entry in client.list_artifacts(run_id, below):
        if entry.is_dir:
            yield from sizes(entry.path)
        else:
            # The server leaves the size of an empty file out.
            yield entry.path, entry.file_size or 0


if direction == "upload":
    client.log_artifacts(run_id, folder, path)
else:
    client.download_artifacts(run_id, path, folder)
print("SIZES" + json.dumps(dict(sizes(path))))
