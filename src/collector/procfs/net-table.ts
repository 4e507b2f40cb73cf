/** One line of /proc/PID/net/tcp or tcp6 (proc_pid_net(5)). */
export type SocketLine = {
  readonly type: 'ipv4' | 'ipv6';
  readonly local: Address;
  readonly remote: Address;
  readonly state: SocketState;
  /** Decimal; what `socket:[…]` in /proc/PID/fd says. */
  readonly inode: string;
};

export type Address = { readonly ip: string; readonly port: number };
/** `connecting`: asked and not yet answered; `open`: answered, perhaps half closed. */
export type SocketState = 'listening' | 'connecting' | 'open';

/** include/net/tcp_states.h; the rest hold no program's socket any more. */
const STATES: { readonly [code: string]: SocketState | undefined } = {
  '01': 'open',
  '02': 'connecting',
  '04': 'open',
  '05': 'open',
  '08': 'open',
  '09': 'open',
  '0A': 'listening',
  '0B': 'open',
};

/** Sockets that somebody holds. Lines that can't be read are passed over. */
export function parseSocketTable(text: string): SocketLine[] {
  const sockets: SocketLine[] = [];
  for (const line of text.split('\n')) {
    const [, local, remote, code, , , , , , inode] = line.trim().split(/\s+/);
    const state = STATES[code ?? ''];
    // No inode: closed by its program, or not yet accepted by one.
    if (state === undefined || inode === undefined || inode === '0') continue;
    const [from, to] = [parseAddress(local ?? ''), parseAddress(remote ?? '')];
    if (from === undefined || to === undefined) continue;
    const type = from.ip.includes(':') ? 'ipv6' : 'ipv4';
    sockets.push({ type, local: from, remote: to, state, inode });
  }
  return sockets;
}

/**
 * Hexadecimal, each 32-bit word in the machine's own order, which is little-endian wherever we run. An IPv4 address in
 * IPv6 clothes (::ffff:…) is given as IPv4: it is IPv4 on the wire.
 */
function parseAddress(text: string): Address | undefined {
  const [, hex, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(text) ?? [];
  if (hex === undefined || port === undefined) return undefined;
  const bytes = Buffer.from(hex, 'hex').swap32();
  return { ip: bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes), port: Number.parseInt(port, 16) };
}

/** RFC 5952. */
function formatIpv6(bytes: Buffer): string {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (mapped) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  const zeros = longestZeros(groups);
  if (zeros.length < 2) return groups.join(':');
  return `${groups.slice(0, zeros.from).join(':')}::${groups.slice(zeros.from + zeros.length).join(':')}`;
}

/** The first of the longest runs of zero groups (section 4.2.3). */
function longestZeros(groups: readonly string[]): { readonly from: number; readonly length: number } {
  let best = { from: 0, length: 0 };
  for (let from = 0; from < groups.length; from += 1) {
    let length = 0;
    while (groups[from + length] === '0') length += 1;
    if (length > best.length) best = { from, length };
  }
  return best;
}
