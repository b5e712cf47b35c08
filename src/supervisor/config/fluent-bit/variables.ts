/** Values of variables: those of `@SET` and `env:`, else those of the environment. */
export class Variables {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #values = new Map<string, string>();

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  /** From now on it goes before the environment. */
  set(name: string, value: string): void {
    this.#values.set(name, value);
  }

  /**
   * Fills in every `${NAME}`. One that has no value becomes nothing, and stands in `unset`; what is filled in is not
   * looked at again.
   */
  expand(text: string): { readonly text: string; readonly unset: readonly string[] } {
    const unset: string[] = [];
    const filled = text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      const value = this.#values.get(name.trim()) ?? this.#environment[name.trim()];
      if (value === undefined) unset.push(name);
      return value ?? '';
    });
    return { text: filled, unset };
  }
}

/** Of a variable that has no value. */
export function unsetSentence(name: string): string {
  return `the variable \${${name}} has no value, so nothing stands in its place`;
}
