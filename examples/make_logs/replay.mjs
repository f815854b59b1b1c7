// A promptfoo provider that replays recorded verdicts: no model is called.
//
// As a target (config.system) it gives the mark of its story, since the recorded verdicts come
// without the stories' texts. As a judge (config.judge) it gives the score hanna.csv holds for that
// story, put from 1..5 onto 0..1, and passes it from 0.5 on; where the source holds no readable
// score it answers with a sentence, as a judge that does not keep to the form.

import { readFileSync } from 'node:fs';

const CRITERION = 'relevance';
const [header, ...lines] = readFileSync(new URL('hanna.csv', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(','));
const recorded = new Map(
  lines
    .map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i]])))
    .filter((row) => row.criterion === CRITERION)
    .map((row) => [`${row.story_prompt} ${row.system}`, row]),
);

export default class Replay {
  constructor({ config }) {
    this.config = config;
  }

  id() {
    return `replay:${this.config.judge ?? this.config.system}`;
  }

  async callApi(prompt) {
    const output = this.config.judge ? this.judge(prompt) : this.story(prompt);
    const [promptTokens, completion] = [prompt, output].map((text) => text.split(/\s+/).length);
    return {
      output,
      tokenUsage: { prompt: promptTokens, completion, total: promptTokens + completion },
    };
  }

  story(prompt) {
    return `[story ${prompt.match(/p\d+/)[0]} by ${this.config.system}]`;
  }

  judge(prompt) {
    const [, item, system] = prompt.match(/\[story (p\d+) by ([^\]]+)\]/);
    const rating = recorded.get(`${item} ${system}`)[this.config.judge];
    if (rating === '') return 'No rating was recorded.';
    const score = Math.round(((Number(rating) - 1) / 4) * 1e4) / 1e4;
    return JSON.stringify({ reason: `recorded rating ${rating} of 5`, score, pass: score >= 0.5 });
  }
}
