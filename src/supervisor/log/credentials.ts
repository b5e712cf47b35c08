/**
 * What may be shown of addresses. Passwords and tokens stand in them in front of an `@`, and in the query of web
 * addresses; all that hides them is here.
 */

/** `scheme://user:password@host/path`; the user part is everything up to the last `@` before the path. */
const URL_ADDRESS = /^([a-z][a-z0-9+.-]*):\/\/(?:([^/]*)@)?([^/@]*)(\/.*)?$/i;
const URL_IN_TEXT = /\b([a-z][a-z0-9+.-]*):\/\/([^\s/@'"]*(?:@[^\s/@'"]*)*)@/gi;

/** Shortest secret that is looked for in plain text; a shorter one would hit ordinary words. */
const SHORTEST_SECRET = 4;

/** The address as it may be shown and stored: without password, token or query. The user of ssh is no secret. */
export function withoutCredentials(address: string): string {
  const url = URL_ADDRESS.exec(address);
  if (url === null) return withoutUserInfo(address);
  const [, scheme = '', userInfo = '', host = '', path = ''] = url;
  const place = `${host}${path}`;
  return `${scheme}://${shownUser(scheme, userInfo)}${isWeb(scheme) ? withoutQuery(place) : place}`;
}

/** A text of git's or of a server's, without the credentials of the address and of any other URL in it. */
export function hideCredentials(text: string, address: string): string {
  let shown = text;
  for (const secret of secretsOf(address)) shown = shown.replaceAll(secret, '***');
  return shown.replace(URL_IN_TEXT, (_all, scheme: string, userInfo: string) => {
    return `${scheme}://${shownUser(scheme, userInfo)}`;
  });
}

/** Any text for the log: hides `user:password@` of addresses, and any `user@` of a web address, usually a token. */
export function withoutPasswords(text: string): string {
  if (!text.includes('@')) return text;
  return text
    .replace(/(https?:\/\/)[^/\s@"']{1,1000}@/gi, '$1***@')
    .replace(/(:\/\/[^/\s:@"']{0,200}):[^/\s@"']{1,1000}@/g, '$1:***@');
}

/** Of an address in no known form, `user:password@host:path` among them. */
function withoutUserInfo(address: string): string {
  return withoutQuery(address)
    .replace(/(:\/\/)[^/]*@/, '$1')
    .replace(/^[^/@]*:[^/@]*@/, '');
}

function withoutQuery(place: string): string {
  return place.replace(/[?#].*$/s, '');
}

function isWeb(scheme: string): boolean {
  return /^https?$/i.test(scheme);
}

/** What stays of `user:password@`: with http even the user may be a token. */
function shownUser(scheme: string, userInfo: string): string {
  const [user = ''] = userInfo.split(':');
  return user === '' || isWeb(scheme) ? '' : `${user}@`;
}

/** Password, token and query of an address, as written and decoded; the longest first. */
function secretsOf(address: string): string[] {
  const url = URL_ADDRESS.exec(address);
  if (url === null) return [];
  const [, scheme = '', userInfo = '', , path = ''] = url;
  const separator = userInfo.indexOf(':');
  const written: string[] = separator === -1 ? [] : [userInfo.slice(separator + 1)];
  if (isWeb(scheme)) {
    written.push(separator === -1 ? userInfo : userInfo.slice(0, separator));
    written.push(/\?([^#]*)/.exec(path)?.[1] ?? '');
  }
  const secrets = new Set(written.flatMap((secret) => [secret, decoded(secret)]));
  return [...secrets]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .sort((one, other) => other.length - one.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded: as written, then.
    return text;
  }
}
