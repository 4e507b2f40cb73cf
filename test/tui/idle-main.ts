import { writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Hunts in a case as the command does, and tells at each SIGUSR2 what it is doing: `<dist> <data> <case> <report>`. */

const [dist = '', data = '', name = '', report = ''] = process.argv.slice(2);
const { openCase } = await import(`${dist}/forensics/case/case-io.js`);
const { openCaseReader } = await import(`${dist}/forensics/case/query-io.js`);
const { createTimelineSource, SOURCE_LIMITS } = await import(`${dist}/tui/timeline-source.js`);
const { runHunt } = await import(`${dist}/tui/hunt.js`);

let writes = 0;
let questions = 0;
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = ((...args: Parameters<typeof write>) => {
  writes += 1;
  return write(...args);
}) as typeof process.stdout.write;

const reader = openCaseReader(openCase(data, name), SOURCE_LIMITS);
const counted = {
  ...reader,
  query: (...args: unknown[]) => {
    questions += 1;
    return reader.query(...args);
  },
};

const TURNS = 200;
function now(): object {
  const armed = process.getActiveResourcesInfo().filter((kind) => /Timeout|Immediate/.test(kind));
  return { writes, questions, armed };
}

process.on('SIGUSR2', async () => {
  const before = now();
  for (let i = 0; i < TURNS; i++) await setImmediate();
  writeFileSync(report, JSON.stringify({ before, after: now() }));
});

const { stdin, stdout, stderr } = process;
const view = { name, packages: new Map(), fence: 'as it is' };
const signal = new AbortController().signal;
const source = createTimelineSource(counted);
await runHunt({ view, source, stdin, stdout, stderr, colour: true, unicode: true, signal });
await reader.close();
