import enrolmentSchema from '../../../schemas/enrolment.schema.json' with { type: 'json' };
import envelopeSchema from '../../../schemas/envelope.schema.json' with { type: 'json' };
import eventSchema from '../../../schemas/event.schema.json' with { type: 'json' };
import genesisSchema from '../../../schemas/genesis.schema.json' with { type: 'json' };
import packageSchema from '../../../schemas/package.schema.json' with { type: 'json' };
import rangeSchema from '../../../schemas/range-proof.schema.json' with { type: 'json' };

/** The contracts that travel in a package, by name: for readers who have nothing of ours. */
export const EMBEDDED_SCHEMAS: Readonly<Record<string, object>> = {
  enrolment: enrolmentSchema,
  envelope: envelopeSchema,
  event: eventSchema,
  genesis: genesisSchema,
  package: packageSchema,
  'range-proof': rangeSchema,
};
