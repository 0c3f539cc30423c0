export function findJavascriptGuest(): string | undefined
