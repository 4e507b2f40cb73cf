import type { CommandClass } from 'clipanion';
import type { CliContext } from './command.ts';

/** One command: a line for the overview, and how to load it. Nothing of it is loaded until it is called. */
export type CommandEntry = {
  readonly summary: string;
  readonly load: () => Promise<CommandClass<CliContext>>;
};

/** What a noun stands for, in the overview; single words such as `version` need no noun. */
export const NOUNS: Readonly<Record<string, string>> = {
  keys: 'signing keys',
  trust: 'trust roots: which keys hold which role, and how many must agree',
  bundle: 'signed bundles of rules',
  ledger: 'append-only logs and what they prove',
};

/**
 * Every command, by the words that call it: `noun verb`, or one word. In the order the overview shows them.
 * Each class repeats these words in its `paths`; a test compares the two.
 */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  init: {
    summary: 'make the data directory of this host',
    load: async () => (await import('./commands/init.ts')).Init,
  },
  'keys generate': {
    summary: 'make a signing key pair',
    load: async () => (await import('./commands/keys/generate.ts')).KeysGenerate,
  },
  'keys show': {
    summary: 'tell the keyid and public half of a key file',
    load: async () => (await import('./commands/keys/show.ts')).KeysShow,
  },
  'trust init': {
    summary: 'start a trust root, or its next version',
    load: async () => (await import('./commands/trust/init.ts')).TrustInit,
  },
  'trust add-key': {
    summary: 'list a public key in the draft',
    load: async () => (await import('./commands/trust/add-key.ts')).TrustAddKey,
  },
  'trust set-role': {
    summary: 'say which keys hold a role and how many must sign',
    load: async () => (await import('./commands/trust/set-role.ts')).TrustSetRole,
  },
  'trust revoke': {
    summary: 'revoke keys or documents in the draft',
    load: async () => (await import('./commands/trust/revoke.ts')).TrustRevoke,
  },
  'trust sign': {
    summary: 'sign the draft, or a copy of it',
    load: async () => (await import('./commands/trust/sign.ts')).TrustSign,
  },
  'trust finish': {
    summary: 'gather the signatures and make the next version',
    load: async () => (await import('./commands/trust/finish.ts')).TrustFinish,
  },
  'trust show': {
    summary: 'show a trust root, or the one pinned here',
    load: async () => (await import('./commands/trust/show.ts')).TrustShow,
  },
  'trust pin': {
    summary: 'pin a trust root here by its fingerprint',
    load: async () => (await import('./commands/trust/pin.ts')).TrustPin,
  },
  'bundle build': {
    summary: 'build an unsigned bundle, reproducibly',
    load: async () => (await import('./commands/bundle/build.ts')).BundleBuild,
  },
  'bundle sign': {
    summary: 'add a signature to a bundle',
    load: async () => (await import('./commands/bundle/sign.ts')).BundleSign,
  },
  'bundle pack': {
    summary: 'pack a bundle into one file for a stick',
    load: async () => (await import('./commands/bundle/pack.ts')).BundlePack,
  },
  'bundle inspect': {
    summary: 'look into a bundle without trusting it',
    load: async () => (await import('./commands/bundle/inspect.ts')).BundleInspect,
  },
  'bundle verify': {
    summary: 'check a bundle and say whether it is trusted',
    load: async () => (await import('./commands/bundle/verify.ts')).BundleVerify,
  },
  'bundle apply': {
    summary: 'verify a bundle and make it the active one',
    load: async () => (await import('./commands/bundle/apply.ts')).BundleApply,
  },
  'bundle list': {
    summary: 'list what is active here',
    load: async () => (await import('./commands/bundle/list.ts')).BundleList,
  },
  'ledger status': {
    summary: 'tell size, head and key of a log',
    load: async () => (await import('./commands/ledger/status.ts')).LedgerStatus,
  },
  'ledger verify': {
    summary: 'check a log from its first line',
    load: async () => (await import('./commands/ledger/verify.ts')).LedgerVerify,
  },
  'ledger prove': {
    summary: 'make a proof that an entry is in a log',
    load: async () => (await import('./commands/ledger/prove.ts')).LedgerProve,
  },
  'ledger check-proof': {
    summary: 'check such a proof, without the log',
    load: async () => (await import('./commands/ledger/check-proof.ts')).LedgerCheckProof,
  },
  'ledger checkpoint': {
    summary: 'print the newest signed checkpoint of a log',
    load: async () => (await import('./commands/ledger/checkpoint.ts')).LedgerCheckpoint,
  },
  'ledger consistency': {
    summary: 'prove that one state of a log extends another',
    load: async () => (await import('./commands/ledger/consistency.ts')).LedgerConsistency,
  },
  completions: {
    summary: 'print a completion script for a shell',
    load: async () => (await import('./commands/completions.ts')).Completions,
  },
  version: {
    summary: 'tell what is running here',
    load: async () => (await import('./commands/version.ts')).Version,
  },
};
