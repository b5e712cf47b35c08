/** The ways to a repository that the agent knows, by git's own names; which of them may be used is configuration. */
export const GIT_PROTOCOLS = ['https', 'ssh', 'git', 'http', 'file'] as const;

/** One of them. */
export type GitProtocol = (typeof GIT_PROTOCOLS)[number];
