/** The C functions that a host calls, in the order of a plugin's life. */
export const PLUGIN_SYMBOLS = [
  'FLBPluginPreRegister',
  'FLBPluginRegister',
  'FLBPluginInit',
  'FLBPluginOutputPreRun',
  'FLBPluginFlushCtx',
  'FLBPluginFlush',
  'FLBPluginOutputPreExit',
  'FLBPluginExitCtx',
  'FLBPluginExit',
  'FLBPluginUnregister',
] as const;

/** Which of them a library exports, and what it lacks. */
export interface SymbolCheck {
  readonly exported: readonly string[];
  /** Required and not there; one of two as `A or B`. */
  readonly missing: readonly string[];
}

const REQUIRED: readonly (readonly string[])[] = [
  ['FLBPluginRegister'],
  ['FLBPluginInit'],
  ['FLBPluginFlushCtx', 'FLBPluginFlush'],
];

/** Compares what a library exports with what a host needs. */
export function checkSymbols(exported: ReadonlySet<string>): SymbolCheck {
  return {
    exported: PLUGIN_SYMBOLS.filter((name) => exported.has(name)),
    missing: REQUIRED.filter((oneOf) => !oneOf.some((name) => exported.has(name))).map((oneOf) =>
      oneOf.join(' or '),
    ),
  };
}
