import { isMainThread, parentPort } from 'node:worker_threads';

/** The main of a thread: does each job as it comes. A job that throws ends the thread. */
export function answerJobs<Job, Answer>(work: (job: Job) => Answer): void {
  if (isMainThread || parentPort === null) return;
  const port = parentPort;
  port.on('message', (job: Job) => port.postMessage(work(job)));
}
