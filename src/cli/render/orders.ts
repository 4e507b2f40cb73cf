import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import type { AnyOrder } from '../../ledger/orders.ts';

/** An order about a log in words, for who signs it. */
export function renderOrder(order: AnyOrder): string[] {
  const { origin, genesis, reason, issuedAt } = order;
  return [
    `of the log ${escapeForTerminal(origin)} (${genesis}):`,
    `  ${whatOf(order)}`,
    `  because: ${escapeForTerminal(reason)}`,
    `  issued ${issuedAt}`,
  ];
}

function whatOf(order: AnyOrder): string {
  if ('root' in order) return `the first ${count(order.to, 'line')}, whose root is ${order.root}, are dropped`;
  if ('seq' in order) return `the sealed ${order.field} of entry ${order.seq}, ${order.commit}, is destroyed`;
  if ('hold' in order) return `the legal hold of entry ${order.hold} ends`;
  const to = order.to === undefined ? 'on' : `to before ${order.to}`;
  return `entries from ${order.from} ${to} are under a legal hold`;
}
