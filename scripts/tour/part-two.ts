import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Lineage, PLANTED_SECRET } from './lineage.ts';
import { type Run, type Stage, TourFailure } from './stage.ts';

const RULE = 'de-linux-0001';
const PACKAGE = 'tour-1.evidence.tar';
/** Little memory, and more steps than there is time for. */
const ENDLESS =
  'SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c WHERE a.range + b.range + c.range < 0';
const WORKSTATION = ['--data', 'workstation'];
const POLL_MS = 100;
const PATIENCE_MS = 40_000;

type Alert = {
  readonly alert_id: string;
  readonly rule_id: string;
  readonly started_trace?: string;
  readonly latency_ms?: number;
  readonly fields?: { readonly parent_entity?: string };
};

/** From a live process to a question answered. @param fingerprint of the trust root that part one made */
export async function watchAndAsk(stage: Stage, folder: string, fingerprint: string): Promise<void> {
  await using lineage = new Lineage();
  const agent = stage.background(['agent', 'run', '--quiet', '--interval', '100']);
  try {
    const trace = await watch(stage, folder, lineage);
    await exportEvidence(stage, trace);
    await stage.daemoneye(['agent', 'stop']);
    searchForSecret(stage, folder);
    await judge(stage, folder, fingerprint);
    await ask(stage, trace);
  } finally {
    await agent.end();
  }
}

async function watch(stage: Stage, folder: string, lineage: Lineage): Promise<string> {
  stage.step('The agent watches this machine with the rules of that bundle, as whoever runs the tour');
  await stage.daemoneye(['agent', 'status', '--wait'], { show: statusLines });

  stage.step('A real process named like a web server starts a shell, and the shell a client');
  const { pid, port } = await lineage.start(folder);
  stage.say(`nginx (pid ${pid}) -> sh -> a client of 127.0.0.1:${port}, with a password among its arguments`);
  const alert = await until(stage, 'the alert', async () => {
    const { stdout } = await stage.quietly(['alerts', 'list', '--json']);
    const { alerts } = JSON.parse(stdout) as { readonly alerts: readonly Alert[] };
    // The machine may have other web servers that start shells.
    return alerts.find(
      ({ rule_id: rule, fields }) => rule === RULE && fields?.parent_entity?.split(':').at(2) === `${pid}`,
    );
  });
  const { started_trace: trace, latency_ms: latency } = alert;
  if (latency === undefined || trace === undefined) throw new TourFailure('the alert has no latency, or no trace');
  await stage.daemoneye(['alerts', 'show', alert.alert_id], { show: firstLines });
  stage.say(`from exec to alert: ${latency} ms`);
  await until(stage, 'the connection in the trace', () =>
    answers(stage, `SELECT 1 FROM connections WHERE trace_id = '${trace}' AND destination_port = ${port}`),
  );
  await lineage.end();
  await until(stage, 'the end of the trace', () =>
    answers(stage, `SELECT 1 FROM traces WHERE trace_id = '${trace}' AND ended IS NOT NULL`),
  );
  stage.say('the trace follows it until it ends, and commits to how many lines that were');
  return trace;
}

async function exportEvidence(stage: Stage, trace: string): Promise<void> {
  stage.step("This host's logs are enrolled under the trust root, and the trace becomes a sealed package");
  await stage.quietly(['trust', 'enrol', 'request', '--out', 'plant-7.enrolment.json']);
  await stage.daemoneye(['trust', 'enrol', 'host', 'plant-7.enrolment.json', '--key', 'keys/TEST-ONLY-carol.key.pem']);
  await stage.quietly(['trust', 'enrol', 'accept', 'plant-7.enrolment.json']);
  await stage.daemoneye(['evidence', 'export', '--trace', trace, '--out', PACKAGE, '--reason', 'the tour']);
}

/** Everything the host wrote and the package, byte for byte. */
function searchForSecret(stage: Stage, folder: string): void {
  const secret = Buffer.from(PLANTED_SECRET);
  const files = [...filesIn(join(folder, 'data')), join(folder, PACKAGE)];
  const found = files.filter((file) => readFileSync(file).includes(secret));
  if (found[0] !== undefined) throw new TourFailure(`the password is in ${relative(folder, found[0])}`);
  stage.say(`the password was searched for in ${files.length} files of the host and the package: it is in none`);
}

async function judge(stage: Stage, folder: string, fingerprint: string): Promise<void> {
  stage.step('On a workstation that knows nothing but the root: the package is judged');
  await stage.quietly(['init', ...WORKSTATION]);
  await stage.quietly(['trust', 'pin', 'root/1.root.dsse.json', '--fingerprint', fingerprint, ...WORKSTATION]);
  await stage.daemoneye(['evidence', 'verify', PACKAGE, ...WORKSTATION]);

  stage.step('The same package with one character changed: refused, naming the log and the line');
  const changed = changeOneCharacter(readFileSync(join(folder, PACKAGE)));
  writeFileSync(join(folder, 'changed-1.evidence.tar'), changed);
  await stage.daemoneye(['evidence', 'verify', 'changed-1.evidence.tar', ...WORKSTATION], {
    expect: 3,
    show: failures,
  });
}

/** Of the shell's name, in the first line of the package that tells of it. Length, and so the tar around it, stay. */
function changeOneCharacter(tar: Buffer): Buffer {
  const at = tar.indexOf('"process_name":"sh"');
  if (at < 0) throw new TourFailure('no line of the package tells of the shell');
  const changed = Buffer.from(tar);
  changed.write('a', at + '"process_name":"'.length);
  return changed;
}

async function ask(stage: Stage, trace: string): Promise<void> {
  stage.step('It becomes a case; a hypothesis prints the lineage as a tree');
  await stage.daemoneye(['case', 'create', 'tour', ...WORKSTATION]);
  await stage.daemoneye(['case', 'add', 'tour', PACKAGE, ...WORKSTATION], { show: lastLine });
  await stage.daemoneye(['case', 'lineage', 'tour', trace, ...WORKSTATION]);

  stage.step('A question that reads a file is refused, one that never ends is stopped, and the next one is answered');
  const query = (sql: string) => ['case', 'query', 'tour', sql, ...WORKSTATION];
  await stage.daemoneye(query("SELECT * FROM read_text('/etc/passwd')"), { expect: 1, show: errors });
  await stage.daemoneye(query(ENDLESS), { expect: 1, show: errors });
  const next = 'SELECT process_name, destination_ip, destination_port FROM connections';
  const { stdout } = await stage.daemoneye(query(next));
  if (!stdout.includes('127.0.0.1')) throw new TourFailure('the connection of the lineage is not in the case');
}

/** Asks the running agent. @returns whether there is a row */
async function answers(stage: Stage, sql: string): Promise<true | undefined> {
  const { stdout } = await stage.quietly(['query', sql, '--json']);
  const { rows } = JSON.parse(stdout) as { readonly rows: readonly unknown[] };
  return rows.length > 0 ? true : undefined;
}

/** @throws TourFailure when it doesn't come about; an interrupted tour ends at the next command */
async function until<T>(stage: Stage, what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new TourFailure(`${what} did not come about in ${PATIENCE_MS / 1000} s`);
    await stage.pause(POLL_MS);
  }
}

function* filesIn(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile()) yield path;
  }
}

function statusLines({ stdout }: Run): readonly string[] {
  return stdout.split('\n').filter((line) => /^(collector|sees|rules|limit) /.test(line));
}

function firstLines({ stdout }: Run): readonly string[] {
  return stdout.trimEnd().split('\n').slice(0, 8);
}

function lastLine({ stdout }: Run): readonly string[] {
  return stdout.trimEnd().split('\n').slice(-1);
}

function failures({ stdout }: Run): readonly string[] {
  const lines = stdout.split('\n');
  return lines.slice(
    0,
    lines.findIndex((line) => / skip /.test(line)),
  );
}

function errors({ stderr }: Run): readonly string[] {
  return stderr.trimEnd().split('\n');
}
