/** Variables of the agent that a process gets which loads a Golang output plugin; all else is left out. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'LD_LIBRARY_PATH',
];

/** The same for the process that only asks a library for its name: what loads there has to load later, too. */
export function passedVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const set = PASSED_ON.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(set);
}
