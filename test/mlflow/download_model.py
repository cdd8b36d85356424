"""Downloads the files of a model into a folder with the stock client.

usage: download_model.py http://host:port MODEL_URI FOLDER
"""

import sys

import mlflow

uri, model, folder = sys.argv[1:]
mlflow.set_tracking_uri(uri)
mlflow.artifacts.download_artifacts(artifact_uri=model, dst_path=folder)
