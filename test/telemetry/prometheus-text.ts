/** One line of values. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)(?: \\d+)?$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/gy;

/**
 * Reads the text format strictly: every line, one type for each name before its samples, no sample twice.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function parseMetrics(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map<string, string>();
  const seen = new Set<string>();
  return text
    .slice(0, -1)
    .split('\n')
    .flatMap((line): Sample[] => {
      if (line === '') return [];
      const comment = COMMENT.exec(line);
      if (comment !== null) {
        const [, kind, name = '', rest = ''] = comment;
        if (kind === 'TYPE') {
          if (types.has(name)) throw new Error(`${name} has two types`);
          types.set(name, rest);
        }
        return [];
      }
      const sample = SAMPLE.exec(line);
      if (sample === null) throw new Error(`no line of the text format: ${line}`);
      const [, name = '', labels = '', number = ''] = sample;
      const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
      if (!types.has(family)) throw new Error(`${name} comes before its type`);
      const key = `${name}{${labels}}`;
      if (seen.has(key)) throw new Error(`${key} is there twice`);
      seen.add(key);
      return [{ name, labels: parseLabels(labels, line), value: parseNumber(number, line) }];
    });
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`labels that are none: ${line}`);
    const [, name = '', value = ''] = match;
    labels[name] = value.replace(/\\(["\\n])/g, (_all, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

function parseNumber(text: string, line: string): number {
  const value = Number(text.replace('Inf', 'Infinity'));
  if (Number.isNaN(value) && text !== 'NaN' && text !== 'Nan') throw new Error(`no number: ${line}`);
  return value;
}
