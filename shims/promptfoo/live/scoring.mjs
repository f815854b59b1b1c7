// promptfoo's assertScoringFunction: turns the judges that ran into one panel verdict, which gates.
//
//   defaultTest:
//     assertScoringFunction: file://.../scoring.mjs:panel
//
// Options come from the environment, see scoring.py, or from a file of your own:
//
//   import { panelWith } from '.../scoring.mjs';
//   export const panel = panelWith({ rule: 'median', min_successful: 3 });

import { ask, plain, tell } from './worker.mjs';

/** Make a scoring function with options of its own. */
export function panelWith(options) {
  return async (namedScores, context) => {
    try {
      const asked = {
        threshold: context?.threshold,
        componentResults: context?.componentResults ?? [],
      };
      const { result, note } = await ask({
        do: 'panel',
        scores: plain(namedScores ?? {}),
        context: plain(asked),
        options: plain(options ?? {}),
      });
      if (note) tell(note);
      return result;
    } catch (error) {
      tell(`no panel verdict: ${error.message}`);
      return {
        pass: false,
        score: 0,
        reason: `panopt: no panel verdict, the row is failed: ${error.message}`,
        metadata: { panel: { outcome: 'no_votes', reason: error.message } },
      };
    }
  };
}

// No default export: promptfoo would look for `panel` inside it.
export const panel = panelWith({});
