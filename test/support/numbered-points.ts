import type { AgentProcess, Answer } from './agent-process.js';
import type { Nsqd } from './nsqd.js';

/** A body for `/post`: `count` metrics whose values are the numbers from `first` on. */
export function numberedMetrics(count: number, first = 0, filler = ''): string {
  const tags = filler === '' ? undefined : { filler };
  return JSON.stringify(
    Array.from({ length: count }, (_, n) => ({ name: 'numbered', value: first + n, tags })),
  );
}

/** Posts numbered points to the namespace `web.shop`. */
export async function postNumbers(
  agent: AgentProcess,
  count: number,
  first = 0,
  filler = '',
  namespace = 'web.shop',
): Promise<Answer> {
  return agent.call(`/post?ns=${namespace}`, numberedMetrics(count, first, filler));
}

/** The numbers that came to nsqd, in their order, each as often as it came. */
export async function numbersAt(nsqd: Nsqd, namespace = 'web.shop'): Promise<number[]> {
  const messages = await nsqd.messages(`collect.${namespace}`);
  return messages
    .flatMap((message) => JSON.parse(message.toString()).points)
    .filter(({ measurement }) => measurement === 'numbered')
    .map(({ fields }) => Number(fields.value));
}

/** The numbers from 0 to below `count`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

/** Sorted, smallest first. */
export function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((one, other) => one - other);
}
