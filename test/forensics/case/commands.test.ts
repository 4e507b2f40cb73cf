import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError, inside, jsonOf, ROOT } from '../../support/cli.ts';
import { ROLES, rootDocument, rootFile } from '../../support/trust.ts';
import { ALERTS, INCIDENT, makeLog, makePackage } from './sample.ts';

const data = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
const root = join(data, '1.root.dsse.json');
let file: string;

const run = (...args: readonly string[]) => inside([...args, '--data', data]);

beforeAll(async () => {
  const logs = [await makeLog(data, { events: INCIDENT }), await makeLog(data, { log: 'agent', events: ALERTS })];
  ({ file } = await makePackage(data, logs));
  writeFileSync(root, rootFile(rootDocument({ roles: { ...ROLES, enrol: { keys: ['enroller'] } } })).bytes);
});

afterAll(() => rmSync(data, { recursive: true, force: true }));

type Schema = {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly $defs?: object;
  readonly properties?: { readonly [name: string]: Schema };
  readonly items?: Schema;
};

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(join(ROOT, 'schemas', `${name}.schema.json`), 'utf8')) as Schema;
}

describe('case', () => {
  it('is made, filled, listed, asked and drawn', async () => {
    expect((await run('case', 'create', 'demo')).code).toBe(0);
    const added = await run('case', 'add', 'demo', file, '--trust', root);
    expect(added.code).toBe(0);
    expect(added.stdout).toContain('added sample-1: 13 lines, 3 withheld; the case now has 1 package');
    expect((await run('case', 'list')).stdout).toMatch(
      /^demo {2}since .*, 1 package\n {2}sample-1 {2}13 lines, 3 withheld/,
    );

    const sql = 'SELECT process_name, destination_port, user_id FROM connections';
    const asked = await run('case', 'query', 'demo', sql);
    expect(asked.stdout).toBe('process_name  destination_port  user_id\ncurl          8080              –\n');
    expect(asked.stderr).toMatch(/^1 row, masked, /);

    const drawn = await run('case', 'lineage', 'demo', 'trace-1');
    expect(drawn.stdout).toMatch(
      /^pid 1 \(not seen\)\n└─ nginx \[100\][\s\S]*└─ sh \[101\][\s\S]*└─ curl \[102\][\s\S]*⇄ tcp/,
    );
    expect((await run('case', 'lineage', 'demo', '102')).stdout).not.toContain('[103]');
    // The question behind the tree is one that anybody may ask.
    const canned = await run('case', 'lineage', 'demo', "it's", '--sql');
    expect((await run('case', 'query', 'demo', canned.stdout)).code).toBe(0);
  });

  it('prints JSON as its schemas say', async () => {
    const made = jsonOf<{ packages: unknown[] }>(await run('case', 'create', 'json', '--json'), 'case-create');
    expect(made.packages).toEqual([]);
    const add = async (path: string) =>
      jsonOf<{ status: string; case?: { document: unknown } }>(
        await run('case', 'add', 'json', path, '--trust', root, '--json'),
        'case-add',
      );
    const added = await add(file);
    expect([added.status, (await add(file)).status]).toEqual(['added', 'unchanged']);
    const changed = join(data, 'changed-json.tar');
    writeFileSync(changed, readFileSync(file).fill('X', 5000, 5001));
    expect((await add(changed)).status).toBe('refused');
    const { cases } = jsonOf<{ cases: unknown[] }>(await run('case', 'list', '--json'), 'case-list');
    expect(cases).toContainEqual(added.case?.document);

    const sql = 'SELECT process_name, destination_port, user_id FROM connections';
    const asked = jsonOf<{ rows: unknown }>(await run('case', 'query', 'json', sql, '--json'), 'case-query');
    expect(asked.rows).toEqual([['curl', 8080, null]]);
    const drawn = jsonOf<{ processes?: { name?: string }[]; sql: string }>(
      await run('case', 'lineage', 'json', '102', '--json'),
      'case-lineage',
    );
    expect(drawn.processes?.map(({ name }) => name)).toContain('curl');
    const canned = jsonOf(await run('case', 'lineage', 'json', '102', '--sql', '--json'), 'case-lineage');
    expect(canned).toEqual({ sql: drawn.sql });
  });

  it('has schemas that repeat the documents of others word for word', () => {
    const without = ({ $schema: _, $id: __, title: ___, $defs: ____, ...rest }: Schema) => rest;
    const ownWords = ({ description: _, ...rest }: Schema) => rest;
    const [document, report, packed] = ['case', 'cli/report', 'package'].map(schemaOf);
    const { properties: adding } = schemaOf('cli/case-add');
    expect(ownWords(adding?.['report'] ?? {})).toEqual(without(report ?? {}));
    expect(ownWords(adding?.['case']?.properties?.['document'] ?? {})).toEqual(without(document ?? {}));
    expect(ownWords(adding?.['package'] ?? {})).toEqual(document?.properties?.['packages']?.items);
    expect(schemaOf('cli/case-list').properties?.['cases']?.items).toEqual(without(document ?? {}));
    expect(schemaOf('cli/case-create').properties).toMatchObject(document?.properties ?? {});
    const exporting = schemaOf('cli/evidence-export');
    expect(ownWords(exporting.properties?.['package'] ?? {})).toEqual(without(packed ?? {}));
    expect(exporting.$defs).toEqual(packed?.$defs);
    for (const verb of ['request', 'host', 'operator', 'sign', 'accept'])
      expect(schemaOf('enrolment').$defs).toMatchObject(schemaOf(`cli/trust-enrol-${verb}`).$defs ?? {});
  });

  it('refuses to read a file, and answers the next question', async () => {
    expectError(await run('case', 'query', 'demo', `SELECT * FROM read_text('${root}')`), 'SQL_REFUSED', 1);
    expectError(await run('case', 'query', 'demo', "ATTACH 'x.duckdb' AS x"), 'SQL_REFUSED', 1);
    expect((await run('case', 'query', 'demo', 'SELECT count(*) n FROM lines')).stdout).toBe('n\n13\n');
  });

  it('lets nothing from evidence act on the terminal', async () => {
    const { stdout } = await run('case', 'query', 'demo', 'SELECT process_name FROM processes WHERE process_pid = 103');
    expect(stdout).toBe('process_name\ne\\u{202e}vil\\x1b[31m\n');
  });

  it('adds nothing that is not trusted, and says why', async () => {
    const changed = join(data, 'changed.tar');
    const bytes = readFileSync(file);
    bytes.write('X', bytes.indexOf('"process_name":"nginx"') + '"process_name":"'.length);
    writeFileSync(changed, bytes);
    const ran = await run('case', 'add', 'demo', changed, '--trust', root);
    expect(ran.code).toBe(3);
    // Lines are wrapped to the width of the terminal.
    const told = ran.stdout.replace(/\s+/g, ' ');
    expect(told).toMatch(/refused.*procmond of host host-a, line \d+ \(seq 4\).*Nothing was added\./);
    expectError(await run('case', 'add', 'demo', join(data, 'gone.tar'), '--trust', root), 'NOT_FOUND', 1);
  });

  it('is told when it is misnamed', async () => {
    expectError(await run('case', 'create', 'Demo!'), 'CASE_NAME', 2);
    expectError(await run('case', 'query', 'nope', 'SELECT 1'), 'CASE_NOT_FOUND', 1);
    expectError(await run('case', 'create', 'demo'), 'CASE_EXISTS', 1);
  });
});
