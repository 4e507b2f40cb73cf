import type { BundleKind } from '../bundle/format.ts';

/**
 * The fixed role table (docs/formats.md, "Trust root"): what each role may sign. Nothing else counts, and a document
 * can't name the role it wants to be judged by.
 */
export const ROLES = {
  root: 'root versions, downgrade and floor-reset statements',
  rules: 'bundles of kind rules',
  updates: 'bundles of kind update',
  config: 'bundles of kind config',
  heads: 'heads statements',
  enrol: 'enrolments of hosts and operators',
  receipt: 'receipts',
  evidence: 'evidence packages',
  witness: 'cosignatures of checkpoints',
  'operator:viewer': 'commands of a viewer',
  'operator:hunter': 'commands of a hunter',
  'operator:approver': 'approvals',
  'operator:admin': 'commands of an administrator',
} as const;

export type Role = keyof typeof ROLES;

export function isRole(name: string): name is Role {
  return Object.hasOwn(ROLES, name);
}

/** The role whose threshold a bundle of this kind needs. A `trust` bundle carries only roots, so root keys sign it. */
export const ROLE_OF_KIND: Readonly<Record<BundleKind, Role>> = {
  rules: 'rules',
  update: 'updates',
  config: 'config',
  trust: 'root',
};
