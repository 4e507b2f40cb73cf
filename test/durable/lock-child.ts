import { acquireLock } from '../../src/durable/lock-io.ts';

// Takes the lock named on the command line, says so, and waits to be killed.
const lock = acquireLock(process.argv[2] ?? '');
process.stdout.write(`locked ${lock.path}\n`);
process.stdin.resume();
