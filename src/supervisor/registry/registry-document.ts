import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { checkNamespaces, type NamespaceAnswer, type RegistryAnswer } from './known-registry.js';

/**
 * Reads a registry that is a JSON document on this machine: an object namespace → list of items.
 * Throws CodedError `registry` when the document as a whole is of no use; a namespace whose value is no list is
 * an error of that namespace alone.
 */
export async function readRegistryDocument(
  path: string,
  maxBytes: number,
  topicPrefix: string,
): Promise<RegistryAnswer> {
  const document = parseDocument(path, await readBounded(path, maxBytes));
  const { proper, problems } = checkNamespaces(Object.keys(document), topicPrefix);
  const namespaces = new Map<string, NamespaceAnswer>();
  for (const namespace of proper) {
    const items: unknown = document[namespace];
    namespaces.set(namespace, {
      id: '',
      items: Array.isArray(items)
        ? items
        : new CodedError('registry', `${path} has something else than a list of items for ${namespace}`),
    });
  }
  return { namespaces, problems };
}

async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  try {
    // Without O_NONBLOCK opening a named pipe would wait for a writer, for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error('it is no regular file');
      if (stat.size > maxBytes) throw new Error(`it is larger than the ${maxBytes} bytes that are taken`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new CodedError('registry', `cannot read the registry document ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function parseDocument(path: string, bytes: Buffer): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new CodedError('registry', `the registry document ${path} is not JSON: ${reasonOf(error)}`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new CodedError(
      'registry',
      `the registry document ${path} must be an object of namespaces, each with its list of items`,
    );
  }
  return { ...document };
}
