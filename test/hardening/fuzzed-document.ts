/** A document to feed to the configuration, and how it came about. */
export interface FuzzedDocument {
  kind: string;
  text: string;
}
