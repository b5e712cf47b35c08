/** Keeps the package koffi from whatever is loaded afterwards, as if the machine had none that works. */
import Module from 'node:module';

const loader = Module as unknown as { _load: (request: string, ...rest: readonly unknown[]) => unknown };
const load = loader._load;

loader._load = (request, ...rest) => {
  if (request === 'koffi') throw new Error('koffi is kept away');
  return load(request, ...rest);
};
