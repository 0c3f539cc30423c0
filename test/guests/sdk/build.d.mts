export function findSdkGuests(): ReadonlyMap<string, string | undefined>
