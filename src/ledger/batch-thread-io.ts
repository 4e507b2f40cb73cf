import { workerData } from 'node:worker_threads';
import { answerJobs } from '../threads/answer-io.ts';
import { createHashFunction } from './hashing.ts';
import { type BatchContext, BatchReader, type PlainBatch } from './line-batch.ts';

/** The main of a thread that looks at lines; nothing else imports it. */

/** Lines in memory that both threads see, so that nothing is copied, and nothing is lost with this thread. */
export type BatchJob = { readonly room: SharedArrayBuffer; readonly length: number; readonly firstSeq: number };

const context = workerData as BatchContext;
const reader = new BatchReader(context, await createHashFunction(context.hash));

answerJobs(({ room, length, firstSeq }: BatchJob): PlainBatch | undefined =>
  reader.read(new Uint8Array(room, 0, length), firstSeq),
);
