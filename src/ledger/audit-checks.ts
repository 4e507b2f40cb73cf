import { equalBytes } from '../core/bytes.ts';
import type { Checkpoint } from '../core/checkpoint.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Audit } from './audit.ts';
import { type CheckList, OR_A_COPY, type Outcome, type Problem } from './check-list.ts';
import { currentEpoch, type Epochs, lastHeads } from './epochs.ts';
import type { LedgerErrorCode } from './errors.ts';
import { LOG_PRUNE } from './format.ts';
import type { Genesis } from './genesis.ts';
import type { Heads } from './heads.ts';
import type { HistoryAudit } from './history-audit.ts';
import type { TreeAudit } from './tree-audit.ts';

/** A finished pass along the lines, and what it is judged by. */
export type Audited = {
  readonly genesis: Genesis;
  readonly epochs: Epochs;
  readonly heads: Heads;
  readonly audit: Audit;
  readonly tree: TreeAudit;
  readonly history: HistoryAudit;
  /** Names in entries/ that can't be part of the log. */
  readonly surplus: readonly string[];
  readonly anchors: readonly Checkpoint[];
};

/** The checks on what a pass found: `lines`, `tree`, `history`, `signatures`, `clock`, `anchors`. */
export function judgeAudit(list: CheckList, audited: Audited | undefined): void {
  const lines = list.run('lines', audited, checkLines);
  const whole = lines === undefined ? undefined : audited;
  list.run('tree', whole, checkTree);
  list.run('history', whole, checkHistory);
  list.run('signatures', whole, checkSignatures);
  list.run('clock', whole, checkClock);
  list.run('anchors', whole, checkAnchors);
}

function checkLines({ audit, epochs, heads, surplus }: Audited): Outcome<true> | Problem {
  if (audit.lines !== undefined) return audit.lines;
  const signed = heads.newest.checkpoint.size;
  const { size, unfinished, recoveries } = audit;
  if (size < signed)
    return problem('LINES_MISSING', `the head covers ${signed} lines, and only ${size} are there; ${OR_A_COPY}`);
  const { start } = currentEpoch(epochs);
  if (epochs.length > 1 && size <= start) {
    return problem(
      'LINES_MISSING',
      `its key was changed at line ${start}, and only ${size} are there: it was cut back`,
    );
  }
  const [stranger] = surplus;
  if (stranger !== undefined) {
    return problem('FILE_SURPLUS', `${escapeForTerminal(stranger)} can't be part of this log, which ends before it`);
  }
  const { pruned, prunes } = audit;
  if (pruned > prunes.to) {
    const by = prunes.unapproved === undefined ? '' : ` and counts: ${escapeForTerminal(prunes.unapproved)}`;
    const reason = `the first ${pruned} lines are gone, and the log has no ${LOG_PRUNE} entry that says so${by} (${prunes.to} may be)`;
    return problem('PRUNE_UNRECORDED', reason);
  }
  const parts = [`${size} lines, each attached to the one before it`];
  if (pruned > 0) parts.push(`of the first ${pruned}, dropped as a ${LOG_PRUNE} entry says, only the hashes are left`);
  if (size > signed) parts.push(`the last ${size - signed} not signed yet`);
  if (unfinished > 0) parts.push(`${unfinished} bytes of an unfinished line after them not counted`);
  if (recoveries > 0) parts.push(`${recoveries} recoveries from a crash are recorded`);
  return {
    value: true,
    reason: parts.join('; '),
    detail: { lines: size, unsigned: size - signed, unfinished, recoveries, ...(pruned > 0 ? { pruned } : {}) },
  };
}

function checkTree({ audit, genesis, epochs, heads, tree }: Audited): Outcome<true> | Problem {
  for (const checkpoint of signedHeads(heads)) {
    const { size } = checkpoint;
    if (agrees(audit, checkpoint)) continue;
    const first =
      tree.wrongLeaf === undefined ? '' : `; by the tree files the first other line is seq ${tree.wrongLeaf}`;
    return problem('ROOT_MISMATCH', `the first ${size} lines are not the ones that were signed${first}`);
  }
  for (const last of lastHeads(epochs, genesis)) {
    if (agrees(audit, last)) continue;
    const reason = `the first ${last.size} lines are not the ones that an earlier key of the log signed last`;
    return problem('ROOT_MISMATCH', reason);
  }
  if (tree.wrong !== undefined) {
    const { level, index } = tree.wrong;
    const reason = `the hash ${index} in tree/${level} is not that of the lines; open the log for writing to rewrite it`;
    return problem('TREE_MISMATCH', reason);
  }
  const missing = tree.missing > 0 ? `; ${tree.missing} hashes are not stored, and can be derived` : '';
  const reason = `the lines give the root that the head signs${missing}`;
  return { value: true, reason, detail: { missing: tree.missing } };
}

/** Every head that the lines must give the root of. */
export function signedHeads({ newest, older, more = [] }: Heads): Checkpoint[] {
  return [newest, ...(older === undefined ? [] : [older]), ...more].map(({ checkpoint }) => checkpoint);
}

function checkHistory({ history }: Audited): Outcome<true> | Problem {
  if (history.problem !== undefined) return history.problem;
  return { value: true, reason: `${history.agreed} earlier checkpoints, signed, and of the same lines` };
}

function checkSignatures({ audit }: Audited): Outcome<true> | Problem {
  if (audit.signature !== undefined) return audit.signature;
  const reason = audit.signed === 0 ? 'no line is signed by itself' : `${audit.signed} signed lines, all by known keys`;
  return { value: true, reason, detail: { signed: audit.signed } };
}

function checkClock({ audit }: Audited): Outcome<true> | Problem {
  if (audit.clock !== undefined) return audit.clock;
  const reason = audit.jumps === 0 ? 'no clock went back' : `every step back of a clock is recorded (${audit.jumps})`;
  return { value: true, reason, detail: { jumps: audit.jumps } };
}

function checkAnchors({ audit, anchors, genesis }: Audited): Outcome<true> | Problem {
  for (const anchor of anchors) {
    const { origin, size } = anchor;
    if (origin !== genesis.origin) {
      return problem('ANCHOR_ORIGIN', `a checkpoint of ${escapeForTerminal(origin)} says nothing about this log`);
    }
    if (size > audit.size) {
      return problem(
        'ANCHOR_AHEAD',
        `${size} lines are known elsewhere, and only ${audit.size} are here: it was cut back`,
      );
    }
    if (!agrees(audit, anchor)) {
      return problem(
        'ANCHOR_MISMATCH',
        `elsewhere the first ${size} lines are known to be others: the log was rewritten`,
      );
    }
  }
  const anchored = Math.max(0, ...anchors.map(({ size }) => size));
  const unanchored = audit.size - anchored;
  const known =
    anchors.length === 0
      ? 'no checkpoint known elsewhere was given'
      : `${anchored} lines are known elsewhere, unchanged`;
  return { value: true, reason: `${known}; ${unanchored} lines are unanchored`, detail: { anchored, unanchored } };
}

function agrees(audit: Audit, { size, root }: Checkpoint): boolean {
  const found = audit.rootAt(size);
  return found !== undefined && equalBytes(found, root);
}

function problem(code: LedgerErrorCode, reason: string): Problem {
  return { code, reason };
}
