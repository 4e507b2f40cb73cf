import { writeSync } from 'node:fs';
import { versionLine } from './version-line.ts';

const argv = process.argv.slice(2);
const [only] = argv;
if (argv.length === 1 && (only === '--version' || only === 'version')) {
  // The fast path: scripts ask this often, and everything else takes longer to load than to answer.
  writeVersion();
} else {
  const { runInProcess } = await import('./process-io.ts');
  await runInProcess(argv);
}

function writeVersion(): void {
  try {
    writeSync(1, `${versionLine()}\n`);
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    // A reader that went away is no failure; a full disk is.
    if (code === 'EPIPE') return;
    process.exitCode = 1;
    process.stderr.write(`daemoneye: the version could not be written: ${message} [OUTPUT_FAILED]\n`);
  }
}
