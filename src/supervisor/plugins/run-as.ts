import type { PluginUser } from '../../shared/messages.js';

/** Whom plugins run as: a user, the agent's own (undefined), or nobody yet, with the reason. */
export type RunAs = { readonly user: PluginUser | undefined } | { readonly problem: string };
