import rootSchema from '../../schemas/root.schema.json' with { type: 'json' };

/** A draft is a root that may still lack keys. Whether its roles add up is judged before anybody signs it. */
export const DRAFT_SCHEMA = {
  ...rootSchema,
  $id: `${rootSchema.$id}:draft`,
  properties: { ...rootSchema.properties, keys: { ...rootSchema.properties.keys, minProperties: 0 } },
};
