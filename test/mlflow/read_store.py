"""Opens an MLflow store, or asks a server, with the stock client and prints everything in it as JSON.

usage: read_store.py sqlite:////path/mlflow.db|http://host:port DOWNLOAD_FOLDER
"""

import json
import math
import sqlite3
import sys
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import ViewType


def everything(search, **arguments):
    """All items of a search that comes in pages."""
    token = None
    while True:
        page = search(page_token=token, **arguments)
        yield from page
        token = page.token
        if not token:
            return


def number(value):
    return "NaN" if math.isnan(value) else value


def point(metric):
    return [number(metric.value), metric.timestamp, metric.step]


def artifacts(client, run_id, path=None):
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from artifacts(client, run_id, entry.path)
        else:
            yield entry


def experiment(item):
    return {
        "id": item.experiment_id,
        "name": item.name,
        "location": item.artifact_location,
        "stage": item.lifecycle_stage,
        "created": item.creation_time,
        "updated": item.last_update_time,
        "tags": dict(item.tags),
    }


def run(client, item, folder):
    info, data = item.info, item.data
    target = Path(folder, info.run_id)
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for entry in artifacts(client, info.run_id):
        copy = client.download_artifacts(info.run_id, entry.path, str(target))
        files[entry.path] = [entry.file_size, Path(copy).read_bytes().hex()]
    return {
        "id": info.run_id,
        "experiment": info.experiment_id,
        "name": info.run_name,
        "user": info.user_id,
        "status": info.status,
        "start": info.start_time,
        "end": info.end_time,
        "stage": info.lifecycle_stage,
        "uri": info.artifact_uri,
        "params": dict(data.params),
        "tags": dict(data.tags),
        "latest": {key: number(value) for key, value in data.metrics.items()},
        "histories": {
            key: [
                point(metric)
                for metric in sorted(
                    client.get_metric_history(info.run_id, key), key=lambda m: (m.step, m.timestamp, m.value)
                )
            ]
            for key in data.metrics
        },
        "inputs": [
            {
                "name": used.dataset.name,
                "digest": used.dataset.digest,
                "type": used.dataset.source_type,
                "source": used.dataset.source,
                "schema": used.dataset.schema,
                "profile": used.dataset.profile,
                "tags": {tag.key: tag.value for tag in used.tags},
            }
            for used in sorted(item.inputs.dataset_inputs, key=lambda used: used.dataset.name)
        ],
        "files": files,
    }


def version(client, item):
    return {
        "version": str(item.version),
        "source": item.source,
        "run": item.run_id or None,
        "status": item.status,
        "description": item.description or "",
        "tags": dict(item.tags),
        "aliases": sorted(item.aliases),
        "location": client.get_model_version_download_uri(item.name, item.version),
    }


def model(client, item):
    found = [client.get_model_version(item.name, v.version) for v in everything(client.search_model_versions, filter_string=f"name='{item.name}'")]
    return {
        "name": item.name,
        "description": item.description or "",
        "tags": dict(item.tags),
        "aliases": {alias: str(number) for alias, number in item.aliases.items()},
        "by_alias": {alias: str(client.get_model_version_by_alias(item.name, alias).version) for alias in item.aliases},
        "versions": [version(client, v) for v in sorted(found, key=lambda v: int(v.version))],
    }


def file(path):
    """What only the database itself tells."""
    with sqlite3.connect(path) as connection:
        return {
            "integrity": [row[0] for row in connection.execute("PRAGMA integrity_check")],
            "foreign_keys": [list(row) for row in connection.execute("PRAGMA foreign_key_check")],
            "revision": connection.execute("SELECT version_num FROM alembic_version").fetchone()[0],
            "journal": connection.execute("PRAGMA journal_mode").fetchone()[0],
        }


def main(uri, folder):
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiments = sorted(everything(client.search_experiments, view_type=ViewType.ALL), key=lambda e: int(e.experiment_id))
    runs = everything(
        client.search_runs, experiment_ids=[e.experiment_id for e in experiments], run_view_type=ViewType.ALL
    )
    dump = {
        "experiments": [experiment(item) for item in experiments],
        "runs": [run(client, client.get_run(item.info.run_id), folder) for item in sorted(runs, key=lambda r: r.info.run_id)],
        "models": [model(client, item) for item in sorted(everything(client.search_registered_models), key=lambda m: m.name)],
    }
    if uri.startswith("sqlite:"):
        dump |= file(uri.removeprefix("sqlite:///"))
    print("DUMP" + json.dumps(dump))


main(*sys.argv[1:])
