import type { Config } from './config.js';

/** Of the prefixes that stand in front of a namespace the one that leaves it the least room in a topic's name. */
export function longestTopicPrefix({ output, outputs }: Pick<Config, 'output' | 'outputs'>): string {
  const others = outputs.filter(({ name }) => name === 'nsq').map(({ topicprefix }) => topicprefix);
  return others.reduce(
    (longest, prefix) => (prefix.length > longest.length ? prefix : longest),
    output.topicprefix,
  );
}
