import { codeOf, reasonOf, rootErrorOf } from '../../shared/coded-error.js';

/**
 * Says in words why a request came to nothing, for use behind a server's address.
 * Errors of connections have codes that mean little to an operator, or no text at all when several addresses of a
 * host were tried.
 */
export function requestFailure(error: unknown, timeoutMs: number): string {
  const cause = rootErrorOf(error);
  const sentence = SENTENCES[codeOf(cause) ?? ''];
  if (sentence !== undefined) return sentence(timeoutMs / 1000);
  if (cause instanceof Error && cause.name === 'TimeoutError')
    return `did not finish its answer in ${(3 * timeoutMs) / 1000} s`;
  return `cannot be asked: ${reasonOf(cause).replace(/\s+/g, ' ').trim() || codeOf(cause) || 'unknown reason'}`;
}

const UNKNOWN_AUTHORITY = () =>
  'has a certificate of an authority that is not known here; name its PEM file in [agent] registryca';

const NO_TLS = () => 'does not speak TLS; is it an http address?';

const SENTENCES: Readonly<Record<string, (seconds: number) => string>> = {
  ECONNREFUSED: () => 'refuses connections; is the registry running there?',
  ENOTFOUND: () => 'has a host name that is not known',
  EAI_AGAIN: () => 'has a host name that cannot be looked up now',
  ECONNRESET: () => 'closed the connection in the middle of an answer',
  EHOSTUNREACH: () => 'is on a host that cannot be reached',
  ENETUNREACH: () => 'is in a network that cannot be reached',
  UND_ERR_SOCKET: () => 'closed the connection in the middle of an answer',
  UND_ERR_CONNECT_TIMEOUT: (seconds) => `did not take a connection in ${seconds} s`,
  UND_ERR_HEADERS_TIMEOUT: (seconds) => `did not begin an answer in ${seconds} s`,
  UND_ERR_BODY_TIMEOUT: (seconds) => `stopped in the middle of an answer for ${seconds} s`,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: () => 'has a certificate that has run out',
  ERR_TLS_CERT_ALTNAME_INVALID: () => 'has a certificate for another host name',
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};
