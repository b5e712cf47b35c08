/** NSQ topic names stop here, and the topic is the prefix and the namespace. */
const TOPIC_NAME_MAX = 64;

const NAMESPACE = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/;

/**
 * Says what is wrong with a namespace name, or undefined when nothing is.
 * The rule is the registry's: lower-case letters, digits and `-`, joined by dots; together with the topic prefix
 * it must fit an NSQ topic name.
 */
export function namespaceProblem(namespace: string, topicPrefix: string): string | undefined {
  const longest = TOPIC_NAME_MAX - topicPrefix.length;
  if (namespace.length > longest) {
    return `namespace is ${namespace.length} characters long, at most ${longest} fit an NSQ topic behind "${topicPrefix}"`;
  }
  if (!NAMESPACE.test(namespace)) {
    return `namespace ${JSON.stringify(namespace)} is not made of lower-case letters, digits and "-", joined by dots`;
  }
  return undefined;
}
