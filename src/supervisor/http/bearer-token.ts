import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';

/** What may stand behind `Bearer` in a header. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;
const BEARER = /^bearer +([\x21-\x7e]+) *$/i;

/** The secret that callers must show; only its hash is kept. */
export class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digest(token);
  }

  /** Compares in a time that says nothing about how much of a wrong token is right. */
  isShownBy(authorization: string | undefined): boolean {
    const shown = BEARER.exec(authorization ?? '')?.[1];
    return shown !== undefined && timingSafeEqual(digest(shown), this.#digest);
  }
}

/**
 * Reads the token from its file, where it stands alone on one line.
 * @throws CodedError `tokenfile` when it cannot be read or holds no token
 */
export function readTokenFile(path: string, log: Log): BearerToken {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(path, 'utf8').trim();
    mode = statSync(path).mode;
  } catch (thrown) {
    throw new CodedError('tokenfile', `[http] tokenfile ${path} cannot be read: ${reasonOf(thrown)}`, {
      cause: thrown,
    });
  }
  if (!TOKEN.test(text)) {
    throw new CodedError(
      'tokenfile',
      `[http] tokenfile ${path} must hold one token: one line of printable characters without blanks, for example from "openssl rand -hex 32"`,
    );
  }
  if ((mode & 0o007) !== 0) {
    log.warn(
      { file: path },
      'the token file is open to every user of this host; chmod 600 keeps the token to the agent',
    );
  }
  return new BearerToken(text);
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
