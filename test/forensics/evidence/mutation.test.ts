import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runs } from '../../support/slow.ts';
import { type Files, filesOf, judgeFiles, reseal } from './forge.ts';
import { exportOf, judge, trustOf, writeHost } from './sample.ts';

let scratch: string;
let bytes: Uint8Array;
let files: Files;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  const host = await writeHost(scratch);
  const tar = join(scratch, 'plant-7-1.evidence.tar');
  await exportOf([host], tar);
  bytes = new Uint8Array(readFileSync(tar));
  files = await filesOf(tar);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const out = () => join(scratch, 'mutant.tar');

it('a package with one changed byte is never trusted, and never a crash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (place, by) => {
      const at = place % bytes.length;
      writeFileSync(
        out(),
        bytes.map((byte, i) => (i === at ? byte ^ by : byte)),
      );
      expect((await judge(out())).verdict).toBe('refused');
    }),
    { numRuns: runs(60, 3000) },
  );
});

it('nor is one that was cut, or of which a stretch was taken out or doubled', async () => {
  const cut = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 4096 }), fc.constantFrom('end', 'out', 'double'));
  await fc.assert(
    fc.asyncProperty(cut, async ([place, length, how]) => {
      const at = place % bytes.length;
      const [before, stretch, after] = [bytes.slice(0, at), bytes.slice(at, at + length), bytes.slice(at + length)];
      const mutant = { end: [before], out: [before, after], double: [before, stretch, stretch, after] }[how] ?? [];
      writeFileSync(out(), Buffer.concat(mutant));
      expect((await judge(out())).verdict).toBe('refused');
    }),
    { numRuns: runs(40, 2000) },
  );
});

it('nor is one that somebody changed who may seal packages: whatever of the content it is', async () => {
  // Schemas are for readers without this program, and decide nothing.
  const deciding = [...files.keys()].filter((path) => path.startsWith('data/') && !path.startsWith('data/schemas'));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...deciding),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (path, place, by) => {
        const changed = new Map(files);
        const before = files.get(path) ?? new Uint8Array();
        changed.set(
          path,
          before.map((byte, i) => (i === place % before.length ? byte ^ by : byte)),
        );
        let sealed: Files;
        try {
          sealed = reseal(changed, ['clerk-a']);
        } catch {
          // package.json is no JSON any more: the forger gives up before the verifier does.
          return;
        }
        const report = judgeFiles(sealed, trustOf());
        const isHarmless = path === 'data/package.json' && saysTheSame(changed.get(path), before);
        if (!isHarmless) expect(report.verdict).toBe('refused');
      },
    ),
    { numRuns: runs(60, 3000) },
  );
});

/** But for when it was made, and by which program: nothing here can know better. */
function saysTheSame(changed: Uint8Array | undefined, before: Uint8Array): boolean {
  const [a, b] = [changed ?? before, before].map((bytes) => {
    const { createdAt: _, builder: __, ...rest } = JSON.parse(Buffer.from(bytes).toString());
    return JSON.stringify(rest);
  });
  return a === b;
}
