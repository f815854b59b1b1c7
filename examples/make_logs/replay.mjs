// A promptfoo provider that replays recorded verdicts: no model is called.
//
// As the target it gives the mark of its pair, since the recorded verdicts come without the pair's
// texts. As a judge (config.judge) it gives the verdict llmbar.csv holds for that pair: score 1
// where it judged output 1 the better one, 0 where output 2. Where the source holds no verdict it
// answers with a sentence, as a judge that does not keep to the form.

import { pairs } from './pairs.mjs';

const recorded = new Map(pairs.map((pair) => [pair.item, pair]));

export default class Replay {
  constructor({ config }) {
    this.judge = config?.judge;
  }

  id() {
    return `replay:${this.judge ?? 'pair'}`;
  }

  async callApi(prompt) {
    const [mark, item] = prompt.match(/\[pair ([a-z]+-\d+)\]/);
    const output = this.judge ? this.verdict(item) : mark;
    const [promptTokens, completion] = [prompt, output].map((text) => text.split(/\s+/).length);
    return {
      output,
      tokenUsage: { prompt: promptTokens, completion, total: promptTokens + completion },
    };
  }

  verdict(item) {
    const winner = { 1: 'output 1', 0: 'output 2' }[recorded.get(item)[this.judge]];
    if (winner === undefined) return 'No verdict was recorded.';
    const pass = winner === 'output 1';
    return JSON.stringify({ reason: `recorded winner: ${winner}`, score: Number(pass), pass });
  }
}
