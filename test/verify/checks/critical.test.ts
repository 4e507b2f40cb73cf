import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE } from '../../../src/bundle/format.ts';
import { parseStatement } from '../../../src/bundle/statement.ts';
import { parseEnvelope } from '../../../src/core/dsse.ts';
import { checkCritical } from '../../../src/verify/checks/critical.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeBundle } from '../../support/trust.ts';

const statement = parseStatement(parseEnvelope(makeBundle().envelope, BUNDLE_PAYLOAD_TYPE).payload);

describe('what a publisher calls critical', () => {
  it('passes when it is nothing', () => expect(checkCritical(statement)).toContain('nothing'));

  it.each([[['urn:x:new']], [['a', 'b']], [['constructor']], [['']]])(
    '%j is refused: nobody here knows it',
    (critical) => {
      expectCode(() => checkCritical({ ...statement, critical }), 'CRITICAL_UNKNOWN');
    },
  );
});
