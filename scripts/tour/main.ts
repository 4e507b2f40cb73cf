/**
 * The tour: the product's loop on this machine, for real, in a temporary folder. Run by `npm start`.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { publishAndApply } from './part-one.ts';
import { watchAndAsk } from './part-two.ts';
import { Stage, TourFailure } from './stage.ts';

const ROOT = resolve(import.meta.dirname, '../..');

async function main(): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
  const folder = mkdtempSync(join(tmpdir(), 'daemoneye-tour-'));
  try {
    cpSync(join(ROOT, 'keys', 'example'), join(folder, 'keys'), { recursive: true });
    const started = performance.now();
    const stage = new Stage(ROOT, folder, interrupted.signal);
    const fingerprint = await publishAndApply(stage, ROOT, folder);
    await watchAndAsk(stage, folder, fingerprint);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`\nThat was the loop, in ${seconds} s; its folder is removed again. To try next:\n`);
    process.stdout.write(NEXT);
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) {
      process.stderr.write('\nThe tour was interrupted; its folder is removed.\n');
      return 130;
    }
    if (!(error instanceof TourFailure)) throw error;
    process.stderr.write(`\nThe tour stopped: ${error.message}\n`);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const NEXT = `
  bin/daemoneye bundle verify bundles/samples/linux-baseline-2.bundle.tar --trust bundles/samples/root
  bin/daemoneye bundle verify bundles/samples/hostile/flipped-byte.bundle.tar --trust bundles/samples/root
  bin/daemoneye --help
  npm test

Read on: README.md, docs/formats.md (check everything with openssl and b3sum alone), docs/threat-model.md.
`;

process.exitCode = await main();
