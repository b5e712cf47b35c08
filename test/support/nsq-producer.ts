import type { TestContext } from 'node:test';
import {
  NsqProducer,
  type NsqProducerOptions,
  type ProducerEvent,
  type ProducerEventKind,
} from '../../src/shared/nsq-tcp/producer.js';
import { waitUntil } from './wait-until.js';

/** A producer and what it has told so far. */
export interface StartedProducer {
  readonly producer: NsqProducer;
  readonly events: readonly ProducerEvent[];
  kinds(): ProducerEventKind[];
  /** Waits for the first event of this kind. */
  event(kind: ProducerEventKind): Promise<ProducerEvent>;
  /** Publishes texts to a topic, each as a message. */
  publish(topic: string, messages: readonly string[]): Promise<void>[];
}

/** A producer that does not wait long before it tries a server again; it is closed when the test ends. */
export function startProducer(
  test: Pick<TestContext, 'after'>,
  options: NsqProducerOptions,
): StartedProducer {
  const events: ProducerEvent[] = [];
  const producer = new NsqProducer({
    backOffBaseMs: 5,
    backOffCapMs: 20,
    lookupdPollMs: 100,
    ...options,
    onEvent: (event) => events.push(event),
  });
  test.after(() => producer.close());
  return {
    producer,
    events,
    kinds: () => events.map(({ kind }) => kind),
    event: (kind) =>
      waitUntil(`the producer tells ${kind}`, () => events.find((event) => event.kind === kind)),
    publish: (topic, messages) => messages.map((message) => producer.publish(topic, Buffer.from(message))),
  };
}

/** `message 0`, `message 1`, … */
export function numbered(count: number, prefix = 'message'): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix} ${at}`);
}
