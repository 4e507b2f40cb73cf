// `npm run build`, and the first step of everything else: dependencies as locked, dist/ as the sources.
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { SetupError } from './runtime.mjs';

/** @returns {Promise<void>} @throws SetupError */
export async function setup() {
  await installDependencies();
  await build();
}

/** Runs a script's main function; a SetupError ends it with a sentence and status 1. */
export async function main(action) {
  try {
    process.exitCode = (await action()) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`daemoneye: ${error.message}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(setup);
