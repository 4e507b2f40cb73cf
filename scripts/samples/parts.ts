import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expectedBlobs } from '../../src/bundle/index-lines.ts';
import { inspectBundle } from '../../src/bundle/inspect-io.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { splitBundle, writeDelta } from '../../src/bundle/volumes/split-io.ts';
import type { Expectation, SampleMaker } from './write.ts';

const TRUSTED: Expectation = { verdict: 'trusted' };
/** A part is a bundle that lacks blobs: by itself nobody may believe it whole. */
const LACKING: Expectation = { verdict: 'refused', check: 'blobs', code: 'BLOB_MISSING' };
/** A third of the sample's rules and the head fit in. */
const VOLUME_BYTES = 24 * 1024;

/** A bundle of each kind besides rules. */
export async function writeKinds(target: string, maker: SampleMaker): Promise<Record<string, Expectation>> {
  const config = await maker.buildFiles('enclave-settings-1', 'config/enclave', {
    'config.yaml': 'agent:\n  interval_ms: 500\n',
  });
  await maker.sign(config.directory, 'alice');
  await packBundle(config.directory, join(target, 'enclave-settings-1.bundle.tar'));
  const update = await maker.buildFiles('tools-1', 'update/tools', {
    'README.txt': 'What lies in an update is unpacked, never run.\n',
    'share/words.txt': 'one\ntwo\nthree\n',
  });
  await maker.sign(update.directory, 'dave');
  await packBundle(update.directory, join(target, 'tools-1.bundle.tar'));
  return { 'enclave-settings-1.bundle.tar': TRUSTED, 'tools-1.bundle.tar': TRUSTED };
}

/** The second bundle as a delta on the first, and in volumes. */
export async function writeParts(target: string, first: string, second: string): Promise<Record<string, Expectation>> {
  const { entries } = await inspectBundle(first);
  await writeDelta(second, join(target, 'linux-baseline-2.delta.tar'), new Set(expectedBlobs(entries).keys()));
  mkdirSync(join(target, 'volumes'));
  const prefix = join(target, 'volumes', 'linux-baseline-2');
  const { volumes } = await splitBundle(second, prefix, { size: VOLUME_BYTES });
  const names = volumes.map(({ file }) => file.slice(target.length + 1));
  return { 'linux-baseline-2.delta.tar': LACKING, ...Object.fromEntries(names.map((name) => [name, LACKING])) };
}
