"""Prints, for each path of a JSON list in a file, whether MLflow keeps an artifact under that very name."""

import json
import sys

from mlflow.utils.uri import validate_path_is_safe


def is_kept(path: str) -> bool:
    try:
        return validate_path_is_safe(path) == path
    except Exception:
        return False


with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps([is_kept(path) for path in json.load(file)]))
