/** A screen whose lines are not what they must be: drawing them throws. `<dist>` */

const { runHunt } = await import(`${process.argv[2]}/tui/hunt.js`);
const { stdin, stdout, stderr } = process;
const source = { count: async () => 1, rows: async () => [{ row: 0 }] };
const view = { name: 'broken', packages: new Map(), fence: '' };
const signal = new AbortController().signal;
try {
  await runHunt({ view, source, stdin, stdout, stderr, colour: true, unicode: true, signal });
} catch (error) {
  process.stderr.write(`it was told: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
