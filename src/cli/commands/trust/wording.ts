export const DROPPED_SIGNATURES = 'The draft changed, so the signatures it had are dropped: everybody signs again.';
