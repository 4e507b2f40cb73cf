import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { takeSnapshot } from '../../src/collector/snapshot-io.ts';
import { validateEvent } from '../../src/core/event.ts';

describe.skipIf(process.platform !== 'linux')('a snapshot', () => {
  it('has this process, its sockets, and no argument of anybody', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const events = await takeSnapshot({ host: 'testhost', hashes: false, environment: true });
    for (const { type, data } of events) validateEvent(type, data);
    const own = events.find(
      ({ type, data }) => type === 'process.snapshot' && 'process_pid' in data && data.process_pid === process.pid,
    );
    expect(own?.data).toMatchObject({
      process_parent_pid: process.ppid,
      argv_state: 'captured',
      env_state: 'captured',
    });
    expect(own?.data).toMatchObject({ lost: ['process_hash_sha256', 'process_hash_blake3'] });
    const { port } = server.address() as { port: number };
    const listening = events.find(
      ({ type, data }) => type === 'network.listen' && 'destination_port' in data && data.destination_port === port,
    );
    expect(listening?.data).toMatchObject({
      process_pid: process.pid,
      destination_ip: '127.0.0.1',
      network_type: 'ipv4',
    });
    for (const argument of process.argv.slice(1)) expect(JSON.stringify(events)).not.toContain(`"${argument}"`);
    const pids = events.flatMap(({ type, data }) =>
      type === 'process.snapshot' && 'process_pid' in data ? [data.process_pid] : [],
    );
    expect(new Set(pids).size).toBe(pids.length);
  });
});
