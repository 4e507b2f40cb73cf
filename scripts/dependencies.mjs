// Installs exactly what package-lock.json says, when node_modules holds anything else.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODULES, npmCommand, pinnedRuntime, ROOT, SetupError } from './runtime.mjs';
import { announce, capture, tail } from './steps.mjs';

const LOG = join(ROOT, 'npm-ci.log');

// Whatever the user's own npm settings are: development tools and the pinned runtime (an optional package) are needed,
// install scripts are not (no package here has one that matters, and they are the usual way of an attack), and an
// engine that suits the pinned runtime but not the machine's is no reason to stop.
const ARGUMENTS = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-engine-strict'];
const QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--loglevel=warn'];

/** @returns {Promise<void>} @throws SetupError */
export async function installDependencies() {
  if (isInstalled()) return;
  const step = announce('dependencies');
  const npm = npmCommand();
  const options = { cwd: ROOT, shell: npm.shell };
  const { ok, output } = await capture(npm.command, [...npm.args, ...ARGUMENTS, ...QUIET], options);
  if (!ok) {
    step.failed();
    writeFileSync(LOG, output);
    const told = tail(withoutEngineNoise(output));
    throw new SetupError(
      `npm ci could not install the dependencies; is the registry reachable? All of it is in ${LOG}\n${told}`,
    );
  }
  rmSync(LOG, { force: true });
  const [name, binary] = pinnedRuntime();
  if (!existsSync(binary)) {
    step.failed();
    throw new SetupError(`npm installed no ${name}; does its configuration leave out optional packages?`);
  }
  step.done(`dependencies: ${Object.keys(readLock(join(MODULES, '.package-lock.json')) ?? {}).length} packages`);
}

/** npm on an older Node.js warns of packages that want a newer one; they get it. */
export function withoutEngineNoise(output) {
  return output.replace(/^npm warn EBADENGINE.*\n?/gim, '');
}

/** Whether node_modules is what the lockfile asks for on this machine, by whatever command it was made. */
export function isInstalled(modules = MODULES, lockFile = join(ROOT, 'package-lock.json')) {
  const wanted = readLock(lockFile) ?? {};
  // npm writes it last, so an interrupted install has none.
  const present = readLock(join(modules, '.package-lock.json'));
  if (present === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    const other = present[path];
    if (path === '' || (other === undefined && mayBeAbsent(entry))) continue;
    if (other?.version !== entry.version || other?.integrity !== entry.integrity) return false;
    if (!existsSync(join(modules, '..', path, 'package.json'))) return false;
  }
  return Object.keys(present).every((path) => wanted[path] !== undefined);
}

/** npm leaves out optional packages for other machines, and what only those need. */
function mayBeAbsent({ optional, os, cpu, libc }) {
  if (optional !== true) return false;
  const suits = (list, value) => list === undefined || [list].flat().includes(value);
  const isForSomeMachine = os !== undefined || cpu !== undefined;
  return !(isForSomeMachine && suits(os, process.platform) && suits(cpu, process.arch) && suits(libc, libcName()));
}

function libcName() {
  if (process.platform !== 'linux') return undefined;
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** @returns {Record<string, any> | undefined} the `packages` of a lockfile */
function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
