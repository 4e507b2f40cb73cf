import type { Time } from '../core/time.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import type { ListedChannel, Overview } from './overview-io.ts';
import type { WaitingBundle } from './waiting-io.ts';

/** One thing for a person to do. `part` is where it stands on the screen. */
export type Step =
  | { readonly part: 'active'; readonly what: 'pin' | 'first-bundle' }
  | { readonly part: 'waiting'; readonly what: 'go-on'; readonly waiting: WaitingBundle }
  | { readonly part: 'stale'; readonly what: 'root-expired'; readonly version: number; readonly expires: Time }
  | {
      readonly part: 'stale';
      /** In the order of how bad it is. */
      readonly what: 'revoked' | 'expired' | 'behind' | 'unproven';
      readonly channel: string;
      readonly reason: string;
      /** A receipt is out that may be answered. */
      readonly asked: boolean;
    }
  | { readonly part: 'carry-out'; readonly what: 'receipt'; readonly untold: number }
  | { readonly part: 'carry-out'; readonly what: 'answer'; readonly open: number }
  | { readonly part: 'carry-out'; readonly what: 'witness'; readonly log: string; readonly entries: number }
  | { readonly part: 'carry-out'; readonly what: 'damaged-log'; readonly log: string };

/** How far witnesses have seen a log of this host. */
export type LogStanding = {
  /** Its directory. */
  readonly log: string;
  /** Entries under its head, and how many of them some witness has cosigned; undefined where no head is to be trusted. */
  readonly known: { readonly entries: number; readonly cosigned: number } | undefined;
};

export type AgendaInput = {
  readonly overview: Overview;
  readonly root: TrustRoot | undefined;
  readonly floor: Time;
  /** Entries since the last receipt of which a new one would tell. */
  readonly untold: number;
  /** Receipts that nobody has answered yet. */
  readonly openReceipts: number;
  /** Whether a heads statement was ever accepted. */
  readonly hasHeads: boolean;
  readonly logs: readonly LogStanding[];
};

/** What is to be done at this enclave, the most pressing first within each part. */
export function agendaOf(input: AgendaInput): readonly Step[] {
  const { overview, root, openReceipts, untold } = input;
  const stale = staleSteps(input);
  const isUnproven = stale.some(({ what }) => what === 'unproven');
  const isReceiptDue = untold > 0 || (isUnproven && openReceipts === 0);
  return [
    ...firstSteps(input),
    ...overview.waiting.map((waiting) => ({ part: 'waiting', what: 'go-on', waiting }) as const),
    ...stale,
    ...(root !== undefined && isReceiptDue ? [{ part: 'carry-out', what: 'receipt', untold } as const] : []),
    ...(openReceipts > 0 ? [{ part: 'carry-out', what: 'answer', open: openReceipts } as const] : []),
    ...input.logs.flatMap((log) => logSteps(log, root)),
  ];
}

function firstSteps({ overview, root }: AgendaInput): readonly Step[] {
  if (root === undefined) return [{ part: 'active', what: 'pin' }];
  return overview.channels.length === 0 ? [{ part: 'active', what: 'first-bundle' }] : [];
}

const PRESSING = ['root-expired', 'revoked', 'expired', 'behind', 'unproven'] as const;
type StaleStep = Extract<Step, { readonly part: 'stale' }>;

function staleSteps(input: AgendaInput): readonly StaleStep[] {
  const { overview, root, floor } = input;
  const steps = overview.channels.flatMap((channel) => staleChannel(channel, input));
  if (root !== undefined && root.expires < floor) {
    steps.push({ part: 'stale', what: 'root-expired', version: root.version, expires: root.expires });
  }
  return steps.sort((a, b) => PRESSING.indexOf(a.what) - PRESSING.indexOf(b.what));
}

function staleChannel(
  { channel, active, newest, freshness }: ListedChannel,
  { hasHeads, openReceipts }: AgendaInput,
): StaleStep[] {
  const step = (what: 'revoked' | 'expired' | 'behind' | 'unproven', reason: string): StaleStep[] => [
    { part: 'stale', what, channel, reason, asked: openReceipts > 0 },
  ];
  if (active.revoked !== undefined) return step('revoked', active.revoked.reason);
  if (freshness.status === 'expired') return step('expired', freshness.reason);
  if (freshness.status === 'fresh') return [];
  if (newest !== undefined && newest.seq > active.seq) {
    return step('behind', `seq ${newest.seq} is out, as of ${newest.asOf}`);
  }
  return step('unproven', hasHeads ? freshness.reason : 'never shown to be fresh: no heads statement came yet');
}

/** Where nobody is a witness, nobody waits for a request. */
function logSteps({ log, known }: LogStanding, root: TrustRoot | undefined): readonly Step[] {
  if (known === undefined) return [{ part: 'carry-out', what: 'damaged-log', log }];
  const entries = known.entries - known.cosigned;
  const isWitnessed = known.cosigned > 0 || root?.roles.has('witness') === true;
  return isWitnessed && entries > 0 ? [{ part: 'carry-out', what: 'witness', log, entries }] : [];
}
