import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Thread } from '../../src/threads/thread-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const ANSWER = join(import.meta.dirname, '../../src/threads/answer-io.ts');

/** A thread of its own main, on a machine of two cores. */
function startWith(source: string): Thread<unknown, unknown> {
  const main = join(tempDirectory(), 'main');
  writeFileSync(`${main}.ts`, source);
  const thread = Thread.start<unknown, unknown>(main, { cores: 2 });
  if (thread === undefined) throw new Error('there is no thread here');
  return thread;
}

const answering = (work: string) =>
  startWith(`import { answerJobs } from ${JSON.stringify(ANSWER)};\nanswerJobs(${work});`);

describe('Thread', () => {
  it('answers jobs in their order', async () => {
    await using thread = answering('(job) => job * 2');
    const jobs = Array.from({ length: 100 }, (_, i) => i);
    expect(await Promise.all(jobs.map((job) => thread.run(job)))).toEqual(jobs.map((job) => job * 2));
    expect(thread.pending).toBe(0);
  });

  it('takes buffers over instead of copying them', async () => {
    await using thread = answering('(bytes) => bytes.length');
    const bytes = new Uint8Array(4096);
    const answer = thread.run(bytes, [bytes.buffer]);
    expect(bytes.length).toBe(0);
    expect(await answer).toBe(4096);
  });

  it('does not start on one core, where it would only cost', () => {
    expect(Thread.start('nowhere', { cores: 1 })).toBeUndefined();
  });

  it('that dies of a job rejects that one, those behind it and those after it', async () => {
    await using thread = answering('(job) => { if (job === 1) throw new Error("no"); return job; }');
    const [first, second, third] = [thread.run(0), thread.run(1), thread.run(2)];
    expect(await first).toBe(0);
    await Promise.all([expectCodeAsync(second, 'THREAD_ENDED'), expectCodeAsync(third, 'THREAD_ENDED')]);
    expect(thread.alive).toBe(false);
    await expectCodeAsync(thread.run(3), 'THREAD_ENDED');
  });

  it('that exits, runs out of memory or can not be loaded is a dead one', async () => {
    for (const source of [
      'process.exit(0);',
      'const all = []; for (;;) all.push(new Array(1e5).fill(0.5));',
      'this is no program',
    ]) {
      await using thread = startWith(source);
      await expectCodeAsync(thread.run(1), 'THREAD_ENDED');
    }
    await using nothing = Thread.start<number, number>(join(tempDirectory(), 'absent'), { cores: 2 });
    await expectCodeAsync(nothing?.run(1) ?? Promise.resolve(), 'THREAD_ENDED');
  });

  it('ends when it is closed, in the middle of a job that has no end', async () => {
    const thread = answering('() => { for (;;); }');
    const endless = thread.run(1);
    const settled = expectCodeAsync(endless, 'THREAD_ENDED');
    await thread.close();
    await settled;
  });
});
