"""Logs metrics with MLflow's own client as one line of standard input after the other asks, and answers points/s.

usage: mlflow_rates.py http://host:port EXPERIMENT_ID; a line is "sync|async|batch POINTS"
"""

import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric

client = MlflowClient(sys.argv[1])


def sync(run, points):
    for step in range(points):
        client.log_metric(run, "loss", step / 7, timestamp=1700000000000 + step, step=step)


def asynchronous(run, points):
    operations = [
        client.log_metric(run, "loss", step / 7, timestamp=1700000000000 + step, step=step, synchronous=False)
        for step in range(points)
    ]
    for operation in operations:
        operation.wait()


def batch(run, points):
    for start in range(0, points, 1000):
        client.log_batch(
            run,
            metrics=[
                Metric("loss", step / 7, 1700000000000 + step, step) for step in range(start, min(start + 1000, points))
            ],
        )


work = {"sync": sync, "async": asynchronous, "batch": batch}
for line in sys.stdin:
    kind, points = line.split()
    run = client.create_run(sys.argv[2]).info.run_id
    start = time.perf_counter()
    work[kind](run, int(points))
    print(int(points) / (time.perf_counter() - start), flush=True)
