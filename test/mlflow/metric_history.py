"""Prints the history of a metric as the stock client reads it; with a file, logs the points in that first.

usage: metric_history.py http://host:port RUN_ID KEY [POINTS.json]

A point is [value, timestamp, step], where the value is a number, "NaN", "Infinity" or "-Infinity".
"""

import json
import math
import sys

from mlflow import MlflowClient
from mlflow.entities import Metric

uri, run_id, key, *files = sys.argv[1:]
client = MlflowClient(tracking_uri=uri)
for file in files:
    with open(file, encoding="utf-8") as source:
        points = [Metric(key, float(value), timestamp, step) for value, timestamp, step in json.load(source)]
    for start in range(0, len(points), 1000):
        client.log_batch(run_id, metrics=points[start : start + 1000])
history = sorted(client.get_metric_history(run_id, key), key=lambda metric: metric.step)
print(
    "HISTORY"
    + json.dumps([["NaN" if math.isnan(item.value) else item.value, item.timestamp, item.step] for item in history])
)
