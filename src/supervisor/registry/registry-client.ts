import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, request } from 'undici';
import { CodedError, codeOf, reasonOf } from '../../shared/coded-error.js';
import type { HostIdentity } from './host-identity.js';
import type { RegistryAddress } from './registry-address.js';
import { type AnswerHead, answerData, decodeAnswer } from './registry-answer.js';
import { requestFailure } from './request-failure.js';

/** How the registry is spoken to. */
export interface RegistryClientSettings {
  readonly address: Extract<RegistryAddress, { kind: 'http' }>;
  /** PEM file of authorities that are trusted beside the usual ones; empty for none. */
  readonly authorityFile: string;
  /** For connecting, for the head of an answer, and for each pause in its body; a request gets three at most. */
  readonly timeoutMs: number;
  /** Larger answers are refused, before and after decompression. */
  readonly maxAnswerBytes: number;
  readonly userAgent: string;
}

/** What the registry is told about this host; the keys are the registry's. */
export interface ReportBody {
  readonly uuid: readonly string[];
  readonly sn: string;
  readonly ns: readonly string[];
  readonly version: string;
  readonly commit: string;
  readonly branch: string;
  readonly buildtime: string;
  readonly goversion: string;
  readonly newhostname: string;
  readonly oldhostname: string;
  readonly newiplist: readonly string[];
  readonly oldiplist: readonly string[];
  readonly agenttype: string;
  readonly update: boolean;
  readonly utime: string;
}

/** Requests that are under way at once. */
export const REGISTRY_CONNECTIONS = 4;

/**
 * Speaks the registry's HTTP API. Lives for one round of questions: minutes lie between two, so connections are
 * not worth keeping, and a changed authority file counts from the next round on.
 * Every method throws CodedError `registry` with a sentence that names the address asked.
 */
export class RegistryClient {
  readonly #settings: RegistryClientSettings;
  readonly #agent: Agent;

  /** Throws CodedError `registry` when the authority file is of no use. */
  constructor(settings: RegistryClientSettings) {
    this.#settings = settings;
    const { timeoutMs, maxAnswerBytes, authorityFile } = settings;
    this.#agent = new Agent({
      connections: REGISTRY_CONNECTIONS,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: maxAnswerBytes,
      connect: {
        timeout: timeoutMs,
        ...(authorityFile === '' ? {} : { ca: [...rootCertificates, readAuthorities(authorityFile)] }),
      },
    });
  }

  /** Who am I: data should be an object namespace → resource id. An unknown host is registered by asking. */
  async whoAmI(identity: HostIdentity): Promise<unknown> {
    const { hostname, addresses, serial } = identity;
    return await this.#ask('POST', this.#url('api/v1/agent/ns'), {
      hostname,
      ip: addresses.join(','),
      sn: serial,
    });
  }

  /** What a namespace collects: data should be a list of items. */
  async collectItems(namespace: string): Promise<unknown> {
    const url = this.#url('api/v1/agent/resource');
    url.searchParams.set('ns', namespace);
    url.searchParams.set('type', 'collect');
    return await this.#ask('GET', url, undefined);
  }

  /** Returns when the registry has taken the report. */
  async report(body: ReportBody): Promise<void> {
    await this.#ask('POST', this.#url('api/v1/agent/report'), body);
  }

  /** Ends what is under way, with errors. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #url(path: string): URL {
    return new URL(path, this.#settings.address.base);
  }

  async #ask(method: 'GET' | 'POST', url: URL, body: object | undefined): Promise<unknown> {
    const { timeoutMs, maxAnswerBytes } = this.#settings;
    const place = `registry ${url.href}`;
    let head: AnswerHead;
    let bytes: Buffer;
    try {
      const answer = await request(url, {
        method,
        headers: this.#headers(body),
        body: body === undefined ? null : JSON.stringify(body),
        dispatcher: this.#agent,
        // The other time-outs begin anew with every byte; this one ends a server that trickles.
        signal: AbortSignal.timeout(3 * timeoutMs),
      });
      head = headOf(answer);
      bytes = Buffer.from(await answer.body.arrayBuffer());
    } catch (error) {
      if (codeOf(error) === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
        throw new CodedError(
          'registry',
          `${place} sends more than the ${maxAnswerBytes} bytes that are taken`,
        );
      }
      throw new CodedError('registry', `${place} ${requestFailure(error, timeoutMs)}`, { cause: error });
    }
    return answerData(place, head, await decodeAnswer(place, head, bytes, maxAnswerBytes));
  }

  #headers(body: object | undefined): Record<string, string> {
    const { userAgent, address } = this.#settings;
    return {
      accept: 'application/json',
      'accept-encoding': 'gzip',
      'user-agent': userAgent,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(address.authorization === undefined ? {} : { authorization: address.authorization }),
    };
  }
}

function headOf(answer: Dispatcher.ResponseData): AnswerHead {
  const header = (name: string) => {
    const value = answer.headers[name];
    return Array.isArray(value) ? value.join(', ') : (value ?? '');
  };
  return {
    status: answer.statusCode,
    contentType: header('content-type'),
    contentEncoding: header('content-encoding'),
    location: header('location'),
  };
}

function readAuthorities(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CodedError('registry', `cannot read the authorities of [agent] registryca: ${reasonOf(error)}`);
  }
  // A text without certificates is taken by TLS without a word, and fails later with a puzzling reason.
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CodedError('registry', `[agent] registryca: ${file} holds no certificate in PEM form`);
  }
  return text;
}
