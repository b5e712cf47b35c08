import type { IncomingMessage } from 'node:http';
import { quoted } from '../../shared/quoted.js';
import type { BearerToken } from './bearer-token.js';
import { RequestError } from './errors.js';
import { isLoopback, type OwnHosts, parseAuthority, plainHost } from './host-names.js';

/** Who may ask over TCP. Requests of the unix socket are let in by its file mode and never come here. */
export interface AccessRules {
  /** Undefined: none is asked for. */
  readonly token: BearerToken | undefined;
  /** Takes requests of other hosts without a token. */
  readonly insecure: boolean;
  readonly ownHosts: OwnHosts;
  /** `[http] hosts`: names of proxies in front of the agent, whose pages are ours on every port. */
  readonly proxyHosts: readonly string[];
}

/** Characters of a foreign name in a sentence. */
const SHOWN_MAX = 100;

const WAY_OUT_FOREIGN_PAGE = 'call it without a browser, or add the name to [http] hosts';

/** Decides about each request that comes over TCP. */
export class Access {
  readonly #rules: AccessRules;
  readonly #proxyHosts: ReadonlySet<string>;
  /** The last `Host` header that was found to be ours; clients send the same one again and again. */
  #lastOwnHost: string | undefined;

  constructor(rules: AccessRules) {
    this.#rules = rules;
    this.#proxyHosts = new Set(rules.proxyHosts.map(plainHost));
  }

  /**
   * Why a request is refused; undefined when it is let in.
   *
   * Pages of other sites are refused whatever else they bring, a token too. The `Host` header is only looked at where
   * no token is asked for: a page that reaches the agent under a name of its own (DNS rebinding) has no token, while an
   * operator who has one may come by any name.
   */
  refusal(request: IncomingMessage): RequestError | undefined {
    const { token } = this.#rules;
    const page = this.#foreignPage(request);
    if (page !== undefined) return page;
    if (token !== undefined)
      return token.isShownBy(request.headers.authorization) ? undefined : unauthorized();
    return this.#otherHost(request) ?? this.#foreignName(request);
  }

  #foreignPage(request: IncomingMessage): RequestError | undefined {
    const { origin, referer } = request.headers;
    const site = request.headers['sec-fetch-site'];
    if (origin !== undefined && !this.#isOwnPage(origin, request)) {
      return refused(
        'foreign-page',
        `pages of ${quoted(origin, SHOWN_MAX)} may not call this agent; ${WAY_OUT_FOREIGN_PAGE}`,
      );
    }
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return refused('foreign-page', `pages of other sites may not call this agent; ${WAY_OUT_FOREIGN_PAGE}`);
    }
    if (referer !== undefined && !this.#isOwnPage(referer, request)) {
      return refused(
        'foreign-page',
        `pages of another site may not call this agent; ${WAY_OUT_FOREIGN_PAGE}`,
      );
    }
    return undefined;
  }

  /**
   * True for a page of this very server: under one of our names, and on the port that the browser calls now or that
   * the server listens on. A page of another port of this host is somebody else's.
   */
  #isOwnPage(address: string, request: IncomingMessage): boolean {
    if (!URL.canParse(address)) return false;
    const page = new URL(address);
    if (page.protocol !== 'http:' && page.protocol !== 'https:') return false;
    const host = plainHost(page.hostname);
    if (this.#proxyHosts.has(host)) return true;
    if (!this.#rules.ownHosts.includes(host)) return false;
    if (page.host === request.headers.host?.toLowerCase()) return true;
    return page.protocol === 'http:' && Number(page.port || 80) === request.socket.localPort;
  }

  #otherHost(request: IncomingMessage): RequestError | undefined {
    if (this.#rules.insecure || isLoopback(request.socket.remoteAddress ?? '')) return undefined;
    return refused(
      'other-host',
      'requests from other hosts are refused as long as no token is set; set [http] tokenfile and send its token, or allow everybody with [http] insecure = true',
    );
  }

  #foreignName(request: IncomingMessage): RequestError | undefined {
    const name = request.headers.host;
    // Only HTTP/1.0 comes without, and no browser speaks that.
    if (name === undefined || name === this.#lastOwnHost) return undefined;
    const authority = parseAuthority(name);
    if (authority !== undefined && this.#rules.ownHosts.includes(authority.host)) {
      this.#lastOwnHost = name;
      return undefined;
    }
    return refused(
      'foreign-page',
      `${quoted(name, SHOWN_MAX)} is no name of this host; call it by its address, or add the name to [http] hosts`,
    );
  }
}

function unauthorized(): RequestError {
  return new RequestError(
    'unauthorized',
    'this agent wants a token; send the one of its [http] tokenfile in a header "Authorization: Bearer <token>"',
    { 'WWW-Authenticate': 'Bearer realm="agent"', Connection: 'close' },
  );
}

function refused(code: 'foreign-page' | 'other-host', message: string): RequestError {
  return new RequestError(code, message, { Connection: 'close' });
}
