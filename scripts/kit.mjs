// `npm run kit`: lays out everything in one folder that runs on a machine without Node.js, npm or a network.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { howToRun, licences } from './kit-notices.mjs';
import { pinnedRuntime, ROOT, SetupError } from './runtime.mjs';
import { main, setup } from './setup.mjs';

/** What is carried over as it is, beside what the tour is made of. */
const PARTS = ['bin', 'dist', 'rules', 'keys', 'bundles', 'docs', 'LICENSE', 'README.md'];
const TOUR = 'scripts/tour';
/** Of a package: what only compilers, debuggers and readers of its history use. */
const NOT_RUN =
  /(?:\.d\.[cm]?ts|\.map|\/CHANGELOG\.md)$|^node_modules\/(?:node-[^/]+\/(?:include|share)|openpgp\/(?:lightweight|dist\/(?!node\/openpgp\.mjs$)))/;
/** The build's own notes, with paths of this machine in them. */
const HIDDEN = /(?:^|\/)\./;

const TOUR_LAUNCHER = `#!/bin/sh
# The tour, with what lies in this folder alone.
here=$(CDPATH='' cd -P -- "\${0%/*}/" && pwd -P) || exit 1
unset NODE_OPTIONS NODE_PATH
exec "$here/@RUNTIME@" "$here/${TOUR}/main.ts" "$@"
`;

/**
 * Lays a kit out in an empty folder. The program must be built.
 * @param {string} folder
 * @param {{place?: (from: string, to: string) => void}} options place: puts a file there; copies it by default
 * @returns {{packages: string[], withoutLicence: string[], bytes: number}} @throws SetupError
 */
export function layOutKit(folder, { place = copyFileSync } = {}) {
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new SetupError(`${folder} is not empty`);
  const packages = runtimePackages();
  const files = [...PARTS.flatMap(filesIn), ...tourFiles(), ...packages.flatMap(packageFiles)];
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    place(join(ROOT, file), join(folder, file));
  }
  const notices = licences(ROOT, packages);
  const manifest = readJson('package.json');
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write('package.json', `${JSON.stringify(manifestOfKit(manifest), null, 2)}\n`);
  write('THIRD-PARTY-LICENSES.txt', notices.text);
  write('START-HERE.txt', howToRun({ version: manifest.version, platform: platformName() }));
  write('tour', TOUR_LAUNCHER.replace('@RUNTIME@', relative(ROOT, pinnedRuntime()[1])));
  chmodSync(join(folder, 'tour'), 0o755);
  const sums = checksums(folder);
  write('SHA256SUMS', sums.text);
  return { packages, withoutLicence: notices.without, bytes: sums.bytes };
}

/** The production part of the lockfile, as far as this platform has it. */
function runtimePackages() {
  return Object.entries(readJson('package-lock.json').packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
    .filter((path) => existsSync(join(ROOT, path)))
    .sort();
}

/** Of a package what runs; nested packages have entries of their own. */
function packageFiles(path) {
  return filesIn(path).filter((file) => !file.slice(path.length).includes('/node_modules/') && !NOT_RUN.test(file));
}

/** The tour and what its parts import from elsewhere, however many parts it has. */
function tourFiles() {
  const found = new Set(filesIn(TOUR));
  for (const file of found) {
    if (!/\.[cm]?[jt]s$/.test(file)) continue;
    for (const [, specifier] of readFileSync(join(ROOT, file), 'utf8').matchAll(/\bfrom ["'](\.[^"']+)["']/g)) {
      found.add(relative(ROOT, resolve(ROOT, dirname(file), specifier)));
    }
  }
  return [...found];
}

/** Paths from the root of all files in a folder of the project, or the file itself. */
function filesIn(part) {
  const path = join(ROOT, part);
  if (statSync(path).isFile()) return [part];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !HIDDEN.test(relative(path, file)))
    .map((file) => relative(ROOT, file));
}

/** What says that these are modules, and of which version; nothing that npm would do. */
function manifestOfKit({ name, version, description, license, type, bin, dependencies }) {
  return { name, version, description, license, type, private: true, bin, dependencies };
}

/** As `sha256sum -c` reads them. */
function checksums(folder) {
  let bytes = 0;
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  const lines = paths.map((path) => {
    const content = readFileSync(path);
    bytes += content.length;
    return `${createHash('sha256').update(content).digest('hex')}  ${relative(folder, path)}\n`;
  });
  return { text: lines.join(''), bytes };
}

function platformName() {
  return `${process.platform}-${process.arch}`;
}

function readJson(file) {
  return JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
}

async function run() {
  await setup();
  const folder = join(ROOT, 'kit', `daemoneye-${readJson('package.json').version}-${platformName()}`);
  rmSync(folder, { recursive: true, force: true });
  const { packages, withoutLicence, bytes } = layOutKit(folder);
  process.stdout.write(`kit: ${folder}\n     ${packages.length} packages, ${Math.round(bytes / 2 ** 20)} MiB\n`);
  if (withoutLicence.length > 0) process.stdout.write(`     no licence text in: ${withoutLicence.join(', ')}\n`);
  process.stdout.write(`     try ${join(folder, 'tour')}; ${basename(folder)}/START-HERE.txt says more\n`);
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(run);
