import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSocketTable } from '../../src/collector/procfs/net-table.ts';
import { textFields } from '../../src/collector/procfs/read-io.ts';
import { parseStatLine, ttyName } from '../../src/collector/procfs/stat-line.ts';
import { cgroupPath, containerId, parseCapabilities, parseStatusFile } from '../../src/collector/procfs/status-file.ts';
import { runs } from '../support/slow.ts';

const REST =
  'S 4780 4786 29272 34817 -1 4194304 97 0 0 0 0 0 0 0 20 0 3 0 375640 3133440 382 18446744073709551615 94247260680192 ' +
  '94247260700073 140732906447008 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 2 3 4 5 6 7 256\n';

function stat(comm: Uint8Array | string, rest = REST): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.from('4836 ('), Buffer.from(comm), Buffer.from(`) ${rest}`)]));
}

describe('a stat line', () => {
  it('is read', () => {
    expect(parseStatLine(stat('cat'))).toEqual({
      pid: 4836,
      comm: new Uint8Array(Buffer.from('cat')),
      state: 'S',
      ppid: 4780,
      group: 4786,
      session: 29_272,
      tty: 34_817,
      isKernelThread: false,
      threads: 3,
      start: '375640',
      image: '94247260680192 140732906447008',
      hasImage: true,
      exitStatus: 256,
    });
  });

  it('is not misled by any name: spaces, parentheses, newlines, bytes that are no text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 15 }), (comm) => {
        const read = parseStatLine(stat(comm));
        expect(Buffer.from(read?.comm ?? [])).toEqual(Buffer.from(comm));
        expect(read?.ppid).toBe(4780);
      }),
      { numRuns: runs(300, 10_000) },
    );
    expect(parseStatLine(stat(') R 1 1 (x'))?.ppid).toBe(4780);
  });

  it('tells kernel threads, and where there is nothing to compare', () => {
    expect(parseStatLine(stat('kworker/0:1', REST.replace('4194304', '69238880')))?.isKernelThread).toBe(true);
    const blind = REST.replace('94247260680192', '1').replace('140732906447008', '0');
    expect(parseStatLine(stat('cat', blind))?.hasImage).toBe(false);
  });

  it.each(['', '4836', '4836 (cat', '(cat) S', 'x (cat) S 1', '4836 (cat) S 1 2 3'])('is not %j', (line) => {
    expect(parseStatLine(new Uint8Array(Buffer.from(line)))).toBeUndefined();
  });

  it('names terminals', () => {
    expect([34_816, 34_817, 1025, 0, 2048].map(ttyName)).toEqual(['pts/0', 'pts/1', 'tty1', undefined, undefined]);
    expect(ttyName((137 << 8) | 5)).toBe('pts/261');
  });
});

describe('a status file', () => {
  const file = 'Name:\tUid:\\t7\nTracerPid:\t12\nUid:\t1000\t0\t0\t0\nGid:\t1001\t5\t5\t5\nCapEff:\t0000000000080004\n';

  it('is read past a name that imitates it', () => {
    expect(parseStatusFile(file)).toEqual({ realUid: '1000', uid: '0', realGid: '1001', gid: '5', tracer: 12 });
    expect(parseCapabilities(file)).toBe((1n << 19n) | (1n << 2n));
  });

  it('cut short is none', () => {
    expect(parseStatusFile(file.slice(0, 40))).toBeUndefined();
    expect(parseCapabilities('')).toBeUndefined();
  });
});

describe('a cgroup file', () => {
  const id = 'a'.repeat(64);
  const path = (text: string) => {
    const bytes = cgroupPath(Buffer.from(text));
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  };

  it.each([
    ['0::/user.slice/app.scope\n', '/user.slice/app.scope'],
    ['9:name=systemd:/\n4:memory:/a:b\n0::/\n', '/a:b'],
    ['4:memory:/legacy\n0::/unified\n', '/unified'],
    ['0::/\n', undefined],
    ['', undefined],
    ['nonsense', undefined],
  ])('%j has the path %j', (text, expected) => {
    expect(path(text)).toBe(expected);
  });

  it.each([
    [`/system.slice/docker-${id}.scope`, id],
    [`/kubepods/burstable/pod1/${id}`, id],
    [`/docker/${id}/init.scope`, id],
    [`/libpod-${id}.scope/container`, id],
    ['/user.slice', undefined],
    [`/x${id}`, undefined],
  ])('of %s names the container', (text, expected) => {
    expect(containerId(text)).toBe(expected);
  });
});

describe('a table of sockets', () => {
  const line = (local: string, remote: string, state: string, inode: string) =>
    `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0\n`;
  const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

  it('is read, in the spelling of RFC 5952, IPv4 in IPv6 clothes as IPv4', () => {
    const table =
      HEAD +
      line('0100007F:1F90', '00000000:0000', '0A', '11') +
      line('B80D0120000000000000000001000000:01BB', '0000000000000000FFFF00000100007F:C001', '01', '12') +
      line('00000000000000000000000000000000:0016', '00000000000000000000000000000000:0000', '0A', '13') +
      line('00000000000000000000000001000000:0016', 'B80D0120010000000000000001000000:0000', '02', '14');
    expect(parseSocketTable(table)).toEqual([
      {
        type: 'ipv4',
        local: { ip: '127.0.0.1', port: 8080 },
        remote: { ip: '0.0.0.0', port: 0 },
        state: 'listening',
        inode: '11',
      },
      {
        type: 'ipv6',
        local: { ip: '2001:db8::1', port: 443 },
        remote: { ip: '127.0.0.1', port: 49_153 },
        state: 'open',
        inode: '12',
      },
      { type: 'ipv6', local: { ip: '::', port: 22 }, remote: { ip: '::', port: 0 }, state: 'listening', inode: '13' },
      {
        type: 'ipv6',
        local: { ip: '::1', port: 22 },
        remote: { ip: '2001:db8:0:1::1', port: 0 },
        state: 'connecting',
        inode: '14',
      },
    ]);
  });

  it('leaves out what nobody holds, and what it can not read', () => {
    const gone = line('0100007F:1F90', '0100007F:1F91', '06', '0') + line('0100007F:1F90', '0100007F:1F91', '01', '0');
    expect(parseSocketTable(`${HEAD}${gone}   0: zz 11\n\n`)).toEqual([]);
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(parseSocketTable(text)).toBeInstanceOf(Array);
      }),
      { numRuns: runs(100, 5000) },
    );
  });
});

describe('a name from outside', () => {
  it('is text where it can be, and has its bytes beside it where it can not', () => {
    expect(textFields('process_name', Buffer.from('bäsh\u001b[2J'))).toEqual({ process_name: 'bäsh\u001b[2J' });
    expect(textFields('process_name', Uint8Array.of(0x61, 0xff, 0x62))).toEqual({
      process_name: 'a\ufffdb',
      process_name_raw: 'Yf9i',
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { process_name = '', process_name_raw } = textFields('process_name', bytes);
        expect(process_name.isWellFormed()).toBe(true);
        const back =
          process_name_raw === undefined ? Buffer.from(process_name) : Buffer.from(process_name_raw, 'base64');
        expect(back).toEqual(Buffer.from(bytes));
      }),
      { numRuns: runs(200, 5000) },
    );
  });
});
