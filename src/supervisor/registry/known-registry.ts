import { z } from 'zod';
import { CodedError } from '../../shared/coded-error.js';
import { namespaceProblem } from '../../shared/namespace.js';
import { HOST_ITEM_TYPES, type RegistryProblem } from './registry-view.js';

/** What came of asking for a namespace: items not checked yet, or why there are none to be had. */
export interface NamespaceAnswer {
  readonly id: string;
  readonly items: readonly unknown[] | CodedError;
}

/** What a registry said when it was asked for everything. */
export interface RegistryAnswer {
  readonly namespaces: ReadonlyMap<string, NamespaceAnswer>;
  readonly problems: readonly RegistryProblem[];
}

/** What is known of a namespace. */
export interface KnownNamespace {
  readonly id: string;
  /** Not checked yet, but without what nobody here reads. */
  readonly items: readonly unknown[];
  /** Why the items are older ones; undefined when they are what the registry says now. */
  readonly failure: string | undefined;
}

/** What is known of a registry, by namespace. */
export type KnownRegistry = ReadonlyMap<string, KnownNamespace>;

/** More namespaces than any host is in; what goes on beyond is an accident. */
const NAMESPACES_MAX = 5000;

/**
 * Divides the namespaces that a registry names into proper ones and problems.
 * Throws CodedError `registry` when there are too many to be true.
 */
export function checkNamespaces(
  names: readonly string[],
  topicPrefix: string,
): { readonly proper: readonly string[]; readonly problems: readonly RegistryProblem[] } {
  if (names.length > NAMESPACES_MAX) {
    throw new CodedError(
      'registry',
      `the registry names ${names.length} namespaces, at most ${NAMESPACES_MAX} are taken`,
    );
  }
  const proper: string[] = [];
  const problems: RegistryProblem[] = [];
  for (const namespace of names) {
    const reason = namespaceProblem(namespace, topicPrefix);
    if (reason === undefined) proper.push(namespace);
    else problems.push({ namespace, name: undefined, reason });
  }
  return { proper, problems };
}

/** What is known after an answer: a namespace that could not be asked for keeps its items. */
export function learn(before: KnownRegistry, answer: RegistryAnswer): KnownRegistry {
  const known = new Map<string, KnownNamespace>();
  for (const [namespace, { id, items }] of answer.namespaces) {
    if (items instanceof CodedError) {
      known.set(namespace, { id, items: before.get(namespace)?.items ?? [], failure: items.message });
    } else {
      known.set(namespace, { id, items: items.flatMap(relevantPart), failure: undefined });
    }
  }
  return known;
}

/** The form of what is known in the state folder. */
export function knownToState(known: KnownRegistry): unknown {
  return {
    version: 1,
    namespaces: Array.from(known, ([namespace, { id, items }]) => ({ namespace, id, items })),
  };
}

/** Reads back what `knownToState` made. Throws when it is something else. */
export function knownFromState(state: unknown, topicPrefix: string): KnownRegistry {
  const { namespaces } = STATE.parse(state);
  const { proper } = checkNamespaces(
    namespaces.map((entry) => entry.namespace),
    topicPrefix,
  );
  const usable = new Set(proper);
  return new Map(
    namespaces
      .filter((entry) => usable.has(entry.namespace))
      .map(({ namespace, id, items }) => [
        namespace,
        { id, items, failure: 'the registry was not asked yet' },
      ]),
  );
}

const STATE = z.object({
  version: z.literal(1),
  namespaces: z.array(z.object({ namespace: z.string(), id: z.string(), items: z.array(z.unknown()) })),
});

const RELEVANT_TYPES: ReadonlySet<unknown> = new Set(['PLUGIN', 'GOPLUGIN', ...HOST_ITEM_TYPES]);

/** An item without what is in its lists and objects, or nothing for a type that is not for us. Keeps memory and state small. */
function relevantPart(item: unknown): unknown[] {
  if (typeof item !== 'object' || item === null) return [null];
  const { measurement_type: type } = { measurement_type: undefined, ...item };
  if (typeof type === 'string' && !RELEVANT_TYPES.has(type)) return [];
  return [Object.fromEntries(Object.entries(item).map(([field, value]) => [field, emptied(value)]))];
}

/** Nobody here reads lists and objects; that there is one where a text should be must show all the same. */
function emptied(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? {} : value;
}
