import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A fresh directory, removed when the running test ends. Call inside a test. */
export function tempDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
