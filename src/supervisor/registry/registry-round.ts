import pLimit from 'p-limit';
import { CodedError } from '../../shared/coded-error.js';
import { jsonKind } from '../../shared/json-kind.js';
import type { HostIdentity } from './host-identity.js';
import { checkNamespaces, type NamespaceAnswer, type RegistryAnswer } from './known-registry.js';
import { REGISTRY_CONNECTIONS, type RegistryClient } from './registry-client.js';

/**
 * Asks the registry who this host is and what each of its namespaces collects. After `patienceMs` no further
 * namespace is asked for, so that a registry that hangs does not hold up a host with hundreds of them for hours.
 * Throws CodedError `registry` when the first question fails; what fails later is the error of its namespace.
 */
export async function askRegistry(
  client: RegistryClient,
  identity: HostIdentity,
  topicPrefix: string,
  patienceMs: number,
): Promise<RegistryAnswer> {
  const resources = resourcesOf(await client.whoAmI(identity));
  const { proper, problems } = checkNamespaces([...resources.keys()], topicPrefix);
  const giveUpAt = performance.now() + patienceMs;
  const limit = pLimit(REGISTRY_CONNECTIONS);
  const answers = await limit.map(proper, async (namespace): Promise<[string, NamespaceAnswer]> => {
    const items =
      performance.now() < giveUpAt
        ? await itemsOf(client, namespace)
        : new CodedError(
            'registry',
            `not asked for any more, the registry took longer than ${patienceMs / 1000} s`,
          );
    return [namespace, { id: resources.get(namespace) ?? '', items }];
  });
  return { namespaces: new Map(answers), problems };
}

function resourcesOf(data: unknown): Map<string, string> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new CodedError(
      'registry',
      `the registry answers "who am I" with ${kindOf(data)} where an object of namespaces should be`,
    );
  }
  return new Map(
    Object.entries(data).map(([namespace, id]) => [
      namespace,
      typeof id === 'string' || typeof id === 'number' ? String(id) : '',
    ]),
  );
}

async function itemsOf(client: RegistryClient, namespace: string): Promise<readonly unknown[] | CodedError> {
  try {
    const data = await client.collectItems(namespace);
    if (Array.isArray(data)) return data;
    return new CodedError(
      'registry',
      `the registry answers with ${kindOf(data)} where a list of items should be`,
    );
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

function kindOf(data: unknown): string {
  return data === undefined ? 'no data' : jsonKind(data);
}
