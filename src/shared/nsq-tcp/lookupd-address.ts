import { CodedError } from '../coded-error.js';

/** Where an nsqlookupd answers in HTTP. */
export interface LookupdAddress {
  /** For people: without what a URL may hold of a secret. */
  readonly text: string;
  /** What lists its nodes. */
  readonly nodesUrl: URL;
}

const HOST_AND_PORT = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]@?#]+):\d{1,5}$/;

/**
 * Reads `host:4161`, `http://host:4161` or `https://host/path`; an IPv6 address stands in brackets.
 * Throws CodedError `nsq-options` for anything else.
 */
export function parseLookupdAddress(text: string): LookupdAddress {
  const isUrl = text.includes('://');
  const url = isUrl || HOST_AND_PORT.test(text) ? parseUrl(isUrl ? text : `http://${text}`) : undefined;
  if (url === undefined || !isHttp(url) || url.search !== '' || url.hash !== '') {
    throw new CodedError(
      'nsq-options',
      `"${text.replace(/^(.*:\/\/)?.*@/, '$1')}" is no address of an nsqlookupd: write host:port or a URL, ` +
        'for example 127.0.0.1:4161 or http://127.0.0.1:4161',
    );
  }
  const folder = url.pathname.replace(/\/$/, '');
  const nodesUrl = new URL(url);
  nodesUrl.pathname = `${folder}/nodes`;
  return { text: isUrl ? url.host + folder : text, nodesUrl };
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function isHttp(url: URL): boolean {
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '' && url.port !== '0';
}
