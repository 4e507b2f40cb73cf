import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { inside, type Ran, ROOT } from './cli.ts';

/** A publisher's trust root made with the commands, signed by the example keys. */

export function publicKey(name: string): string {
  return join(ROOT, `keys/example/TEST-ONLY-${name}.pub.pem`);
}

export function privateKey(name: string): string {
  return join(ROOT, `keys/example/TEST-ONLY-${name}.key.pem`);
}

/** Runs a command that must succeed. */
export async function ok(...args: readonly string[]): Promise<Ran> {
  const ran = await inside(args);
  expect(ran.code, `daemoneye ${args.join(' ')}: ${ran.stderr}${ran.stdout}`).toBe(0);
  return ran;
}

/** Runs a command with --json that must succeed. */
export async function told<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse((await ok(...args, '--json')).stdout) as T;
}

/** A draft of version 1: two of alice, bob and carol hold root and rules. */
export async function draftRoot(directory: string): Promise<void> {
  await ok('trust', 'init', directory, '--expires', '365d', '--enclave', 'plant-7');
  const names = ['alice', 'bob', 'carol'];
  for (const name of names) await ok('trust', 'add-key', directory, publicKey(name), '--operator', name);
  const holders = ['--threshold', '2', ...names.flatMap((name) => ['--key', name])];
  for (const role of ['root', 'rules']) await ok('trust', 'set-role', directory, role, ...holders);
}

/** Signs what is there and finishes it. @returns the fingerprint */
export async function finishRoot(directory: string, ...signers: readonly string[]): Promise<string> {
  for (const name of signers) await ok('trust', 'sign', directory, '--key', privateKey(name));
  return (await told<{ fingerprint: string }>('trust', 'finish', directory)).fingerprint;
}

/** Builds and signs a bundle of one rule of the library. @returns its directory */
export async function publish(
  folder: string,
  name: string,
  options: { readonly root: string; readonly signers: readonly string[]; readonly after?: string },
): Promise<string> {
  const source = join(folder, `${name}.source`);
  mkdirSync(source);
  cpSync(join(ROOT, 'rules/linux/ptrace-attach.yaml'), join(source, 'ptrace-attach.yaml'));
  const out = join(folder, name);
  const place = options.after === undefined ? ['--channel', 'rules/linux'] : ['--after', options.after];
  await ok('bundle', 'build', source, '--kind', 'rules', ...place, '--root', options.root, '--out', out);
  for (const signer of options.signers) await ok('bundle', 'sign', out, '--key', privateKey(signer));
  return out;
}
