/**
 * What MLflow's server sends, field by field as in its protocol buffers turned into JSON: unset fields and empty lists are
 * left out, and 64-bit integers may come as numbers or as text. See https://mlflow.org/docs/latest/api_reference/rest-api.html
 */

/** A 64-bit integer: a number on the servers seen so far, text by the rules of protocol buffers. */
export type WireInteger = number | string;
/** A double: a number, or `NaN`, `Infinity`, `-Infinity` as text. */
export type WireDouble = number | string;

/** A tag or param. */
export interface WirePair {
  key?: string;
  value?: string;
}

/** An experiment. */
export interface WireExperiment {
  experiment_id?: string;
  name?: string;
  artifact_location?: string;
  lifecycle_stage?: string;
  creation_time?: WireInteger;
  last_update_time?: WireInteger;
  tags?: WirePair[];
}

/** A metric point; `run_id` in bulk answers only. */
export interface WireMetric {
  key?: string;
  value?: WireDouble;
  timestamp?: WireInteger;
  step?: WireInteger;
  run_id?: string;
}

/** A data set with the tags of its use. */
export interface WireDatasetInput {
  tags?: WirePair[];
  dataset?: {
    name?: string;
    digest?: string;
    source_type?: string;
    source?: string;
    schema?: string;
    profile?: string;
  };
}

/** A run. */
export interface WireRun {
  info?: {
    run_id?: string;
    /** The older name of `run_id`. */
    run_uuid?: string;
    run_name?: string;
    experiment_id?: string;
    user_id?: string;
    status?: string;
    start_time?: WireInteger;
    end_time?: WireInteger;
    artifact_uri?: string;
    lifecycle_stage?: string;
  };
  data?: { metrics?: WireMetric[]; params?: WirePair[]; tags?: WirePair[] };
  inputs?: { dataset_inputs?: WireDatasetInput[]; model_inputs?: { model_id?: string }[] };
  /** MLflow 3 only. */
  outputs?: { model_outputs?: { model_id?: string; step?: WireInteger }[] };
}

/** A registered model. */
export interface WireRegisteredModel {
  name?: string;
  description?: string;
  creation_timestamp?: WireInteger;
  last_updated_timestamp?: WireInteger;
  tags?: WirePair[];
  aliases?: { alias?: string; version?: WireInteger }[];
}

/** A model version. */
export interface WireModelVersion {
  name?: string;
  version?: WireInteger;
  description?: string;
  source?: string;
  run_id?: string;
  model_id?: string;
  status?: string;
  status_message?: string;
  creation_timestamp?: WireInteger;
  last_updated_timestamp?: WireInteger;
  tags?: WirePair[];
  aliases?: string[];
}

/** A logged model of MLflow 3. */
export interface WireLoggedModel {
  info?: {
    model_id?: string;
    experiment_id?: string;
    name?: string;
    model_type?: string;
    source_run_id?: string;
    status?: string | number;
    artifact_uri?: string;
    creation_timestamp_ms?: WireInteger;
    last_updated_timestamp_ms?: WireInteger;
    tags?: WirePair[];
  };
  data?: { params?: WirePair[]; metrics?: WireMetric[] };
}
