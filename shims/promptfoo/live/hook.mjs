// promptfoo's afterEach hook: writes what a certificate says of each row into the row.
//
//   promptfoo eval -x file://.../hook.mjs:afterEach -x file://.../hook.mjs:afterAll
//
// PANOPT_CERTIFICATE names the certificate. Whatever goes wrong is told once on stderr; the row
// stays as promptfoo made it.

import { ask, plain, tell } from './worker.mjs';

/** Decide on one graded row: named scores, and flat metadata that the web UI filters by. */
export async function afterEach(context) {
  const row = context?.result;
  if (!row?.gradingResult?.componentResults) return undefined;
  try {
    const test = row.testCase ?? context.test;
    const kept = {
      testIdx: row.testIdx,
      promptIdx: row.promptIdx,
      vars: row.vars,
      namedScores: row.namedScores,
      testCase: {
        id: test?.id,
        assert: test?.assert,
        metadata: test?.metadata,
        options: { provider: test?.options?.provider },
      },
      gradingResult: { componentResults: row.gradingResult.componentResults },
    };
    const { result, note } = await ask({ do: 'decide', row: plain(kept) });
    if (note) tell(note);
    return result ? { result } : undefined;
  } catch (error) {
    tell(`no decision was written: ${error.message}`);
    return undefined;
  }
}

/** Say when the run ends what was decided, and whether the certificate seems to fit. */
export async function afterAll() {
  try {
    const { note } = await ask({ do: 'summary' });
    if (note) tell(note);
  } catch (error) {
    tell(`no summary: ${error.message}`);
  }
}
