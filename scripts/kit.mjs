// `npm run kit`: lays out everything in one folder that runs on a machine without Node.js, npm or a network.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pinnedRuntime, ROOT } from './runtime.mjs';
import { main, setup } from './setup.mjs';

/** What is carried over as it is. */
const PARTS = ['bin', 'dist', 'rules', 'keys', 'bundles', 'docs', 'LICENSE', 'README.md', 'package.json'];
const SCRIPTS = ['scripts/tour', 'scripts/samples/baseline.ts'];

const TOUR = `#!/bin/sh
# The tour, with what lies in this folder alone.
here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd -P) || exit 1
exec "$here/node_modules/@RUNTIME@/bin/node" "$here/scripts/tour/main.ts" "$@"
`;

await main(async () => {
  await setup();
  const { version } = readJson(join(ROOT, 'package.json'));
  const folder = join(ROOT, 'kit', `daemoneye-${version}-${process.platform}-${process.arch}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of [...PARTS, ...SCRIPTS]) {
    mkdirSync(dirname(join(folder, part)), { recursive: true });
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  const packages = runtimePackages();
  for (const path of packages) copyPackage(path, folder);
  writeFileSync(join(folder, 'tour'), TOUR.replace('@RUNTIME@', runtimePackage()));
  chmodSync(join(folder, 'tour'), 0o755);
  const mebibytes = Math.round(sizeOf(folder) / 2 ** 20);
  process.stdout.write(
    `kit: ${folder}\n     ${packages.length} packages, ${mebibytes} MiB; try ${join(folder, 'tour')}\n`,
  );
  return 0;
});

/** The production part of the lockfile, as far as this platform has it. */
function runtimePackages() {
  const { packages } = readJson(join(ROOT, 'package-lock.json'));
  return Object.entries(packages)
    .filter(([path, entry]) => path !== '' && entry.dev !== true && existsSync(join(ROOT, path)))
    .map(([path]) => path)
    .sort();
}

/** Nested packages have entries of their own; of the Node.js package only the program is needed. */
function copyPackage(path, folder) {
  const from = join(ROOT, path);
  const isRuntime = basename(path) === runtimePackage();
  cpSync(from, join(folder, path), {
    recursive: true,
    filter: (source) => {
      const inside = source.slice(from.length);
      if (inside.startsWith('/node_modules')) return false;
      return !isRuntime || !/^\/(?:include|share)(?:\/|$)/.test(inside);
    },
  });
}

function runtimePackage() {
  return pinnedRuntime()[0];
}

function sizeOf(folder) {
  let size = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) size += statSync(join(entry.parentPath, entry.name)).size;
  }
  return size;
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
