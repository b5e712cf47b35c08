import { parseHostPort } from '../../shared/host-port.js';
import type { Config, OutputTable } from './config.js';

/** Sentences about settings that are allowed and that an operator should know of. */
export function configWarnings({ agent, output, outputs, http, host }: Config): readonly string[] {
  const warnings: string[] = [];
  const isOpen = !isLoopback(agent.listen);
  if (isOpen && http.tokenfile === '' && !http.insecure) {
    warnings.push(
      `[agent] listen ${agent.listen} is reachable from other hosts, which get 403 until [http] tokenfile is set`,
    );
  }
  if (isOpen && http.tokenfile === '' && http.insecure) {
    warnings.push(
      `[http] insecure = true: whoever reaches ${agent.listen} can run and change plugins here; set tokenfile instead`,
    );
  }
  if (http.tokenfile !== '' && http.insecure) {
    warnings.push('[http] insecure has no effect: tokenfile is set, so every request needs the token');
  }
  if (/:\/\/[^/\s:@]*:[^/\s@]+@/.test(agent.git)) {
    warnings.push(
      '[agent] git holds a password, which plugins can read in their own folder; an SSH key is safer',
    );
  }
  if (host.collect.includes('TIME') && host.ntpservers.length === 0) {
    warnings.push('[host] collect names TIME, which asks nobody until ntpservers names somebody');
  }
  warnings.push(...outputWarnings('[output]', output));
  for (const [index, further] of outputs.entries()) {
    warnings.push(...outputWarnings(`[[outputs]] ${index + 1}`, further));
  }
  return warnings;
}

function outputWarnings(title: string, output: OutputTable): readonly string[] {
  const { name, tls, tlsinsecure, url, tokenfile, passwordfile } = output;
  if (name === 'nsq' && tls && tlsinsecure) {
    return [`${title} tlsinsecure = true: anybody in between can pass for nsqd`];
  }
  if (name !== 'influxdb' || url === '') return [];
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:') {
    return tlsinsecure ? [`${title} tlsinsecure = true: anybody in between can pass for the database`] : [];
  }
  if ((tokenfile === '' && passwordfile === '') || isLoopback(`${hostname}:80`)) return [];
  const secret = tokenfile === '' ? 'password' : 'token';
  return [`${title} url is http: anybody in between can read the ${secret}; use https where there is a way`];
}

function isLoopback(listen: string): boolean {
  const host = parseHostPort(listen)?.host ?? '';
  return host === '::1' || host === 'localhost' || host.startsWith('127.');
}
