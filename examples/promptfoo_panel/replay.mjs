// A promptfoo provider that replays recorded verdicts: no model is called.
//
// As a judge (config.judge) it gives the verdict that pairs.csv holds for the pair: 1 where it judged
// output 1 the better one, else 0. As what is under test it gives the mark of the pair, since the
// recorded verdicts come without the texts.

export default class Replay {
  constructor({ config }) {
    this.judge = config?.judge;
  }

  id() {
    return `replay:${this.judge ?? 'pair'}`;
  }

  async callApi(_, { vars }) {
    if (!this.judge) return { output: `[pair ${vars.item}]` };
    const recorded = String(vars[this.judge] ?? '');
    if (recorded === '') return { output: 'No verdict was recorded.' };
    const score = Number(recorded);
    const reason = `recorded winner: output ${score ? 1 : 2}`;
    return { output: JSON.stringify({ reason, score, pass: score === 1 }) };
  }
}
