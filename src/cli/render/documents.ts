import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { DowngradeDocument } from '../../verify/downgrade.ts';
import type { FloorResetDocument } from '../../verify/floor-reset.ts';
import type { HeadsDocument } from '../../verify/heads.ts';
import type { ReceiptDocument } from '../../verify/receipt.ts';

/** Short signed documents in words, a line each fact, for who signs or accepts them. Names are fenced by their schemas. */

export function renderHeads({ channels, answers, issuedAt, expires }: HeadsDocument): string[] {
  return [
    `the newest as of ${issuedAt} (until ${expires}):`,
    ...Object.entries(channels).map(([channel, { seq, payload }]) => `  ${channel}  seq ${seq}  ${payload}`),
    ...answers.map((nonce) => `  answers receipt ${nonce}`),
  ];
}

export function renderDowngrade({
  channel,
  from,
  to,
  audience,
  reason,
  issuedAt,
  expires,
}: DowngradeDocument): string[] {
  return [
    `on ${channel}, once, where ${from} is active:`,
    `  go back to ${to}`,
    `  for ${audience.join(', ') || 'every enclave'}: ${escapeForTerminal(reason)}`,
    `  issued ${issuedAt}, valid until ${expires}`,
  ];
}

export function renderFloorReset({ host, answers, from, to, reason, issuedAt }: FloorResetDocument): string[] {
  return [
    `at the host ${host}, once, in answer to its receipt ${answers}:`,
    `  the time floor is not ${from} but ${to}: ${escapeForTerminal(reason)}`,
    `  issued ${issuedAt}`,
  ];
}

export function renderReceipt({ nonce, host, enclave, root, floor, channels, refused }: ReceiptDocument): string[] {
  const where = enclave === undefined ? `host ${host}` : `enclave ${enclave}, host ${host}`;
  return [
    `receipt ${nonce} of ${where}`,
    `  trust root ${root.version}, time floor ${floor}`,
    ...Object.entries(channels).map(([channel, { active }]) => `  ${channel}  seq ${active.seq}  ${active.payload}`),
    ...refused.map(({ payload, check }) => `  refused ${payload} because of ${check}`),
  ];
}
