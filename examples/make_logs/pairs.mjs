// The pairs of llmbar.csv, and for promptfoo a test of each: five judges, the task as the metric.

import { readFileSync } from 'node:fs';

const [header, ...lines] = readFileSync(new URL('llmbar.csv', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(','));

export const pairs = lines.map((cells) =>
  Object.fromEntries(header.map((name, i) => [name, cells[i]])),
);

const judges = header.filter((name) => !['item', 'task', 'gold'].includes(name));

export default () =>
  pairs.map(({ item, task }) => ({
    vars: { item },
    metadata: { testCaseId: item },
    assert: judges.map((judge) => ({
      type: 'llm-rubric',
      metric: task,
      value: 'Output 1 follows the instruction better.',
      provider: { id: 'file://replay.mjs', label: judge, config: { judge } },
    })),
  }));
