// One Python for a whole promptfoo run: questions and answers are lines of JSON on its stdio.
//
// Starting Python for every row, as promptfoo does for Python hooks, costs 100 times as much as what
// is asked of it. The worker ends when promptfoo does, and never keeps it from ending.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const PYTHON =
  process.env.PROMPTFOO_PYTHON || (process.platform === 'win32' ? 'python' : 'python3');
const MODULE = ['-P', '-m', 'panopt.shims.promptfoo.live.worker'];
const PATIENCE = Number(process.env.PANOPT_WORKER_TIMEOUT_MS) || 60_000;

let worker = null; // { child, waiting } while one is alive
let deaths = 0; // since a worker last answered
let count = 0;

function start() {
  const child = spawn(PYTHON, MODULE, { stdio: ['pipe', 'pipe', 'inherit'] });
  const mine = { child, waiting: new Map(), cause: 'it ended' };
  const end = (why) => {
    if (worker === mine) worker = null;
    if (!mine.waiting.size) return;
    deaths += 1;
    for (const { reject } of mine.waiting.values()) reject(new Error(why));
    mine.waiting.clear();
  };
  child.on('error', (error) => end(`${PYTHON} cannot be started (${error.message})`));
  child.on('close', (code, signal) => end(`${PYTHON}: ${mine.cause} (${signal ?? code})`));
  child.stdin.on('error', () => {}); // the end of the worker is told by close
  createInterface({ input: child.stdout }).on('line', (line) => {
    let answer;
    try {
      answer = JSON.parse(line);
    } catch {
      return; // no answer of ours
    }
    const asked = mine.waiting.get(answer.id);
    mine.waiting.delete(answer.id);
    deaths = 0;
    asked?.resolve(answer);
    hold(mine);
  });
  return mine;
}

// Keep Node alive while an answer is awaited, and no longer.
function hold({ child, waiting }) {
  for (const handle of [child, child.stdin, child.stdout]) {
    handle[waiting.size ? 'ref' : 'unref']?.();
  }
}

function once(question) {
  worker ??= start();
  const mine = worker;
  const id = (count += 1);
  return new Promise((resolve, reject) => {
    const clock = setTimeout(() => {
      mine.cause = `no answer in ${PATIENCE} ms`;
      mine.child.kill('SIGKILL');
    }, PATIENCE);
    const settle = (then) => (value) => (clearTimeout(clock), then(value));
    mine.waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
    hold(mine);
    mine.child.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
  });
}

/** Ask the worker; a worker that died is started again, once for each question. */
export async function ask(question) {
  if (deaths > 3) throw new Error(`${PYTHON} -m ${MODULE[2]} does not stay up`);
  try {
    return await once(question);
  } catch {
    return once(question);
  }
}

const told = new Set();

/** Say something on stderr, once. */
export function tell(text) {
  if (!told.has(text)) process.stderr.write(`panopt: ${text}\n`);
  told.add(text);
}

/** Write as JSON whatever promptfoo holds: live providers may refer to themselves. */
export function plain(value) {
  try {
    return JSON.stringify(value);
  } catch {
    const above = [];
    return JSON.stringify(value, function (_, inner) {
      if (typeof inner === 'bigint') return String(inner);
      if (typeof inner !== 'object' || inner === null) return inner;
      while (above.length && above.at(-1) !== this) above.pop();
      if (above.includes(inner)) return undefined;
      above.push(inner);
      return inner;
    });
  }
}
