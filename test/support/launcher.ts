import { reasonOf } from '../../src/shared/coded-error.js';
import { cLibrary } from '../../src/shared/native/c-library.js';
import { Launcher } from '../../src/workers/runner/launcher/launcher.js';

/** Why there is no launcher to test; undefined when there is one. Where everything must be tested there has to be. */
export const NO_LAUNCHER: string | undefined = whyNot();

function whyNot(): string | undefined {
  const { library } = cLibrary();
  if (library === undefined) return 'the C library cannot be called here';
  try {
    new Launcher(library);
    return undefined;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    return reasonOf(error);
  }
}
