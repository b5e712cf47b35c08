import { readlinkSync } from 'node:fs';
import { childrenOfRow, type NotedChild } from '../../src/shared/child-table.js';
import { groupMembers } from './processes.js';

/** Those of the children in a row of the child table that are programs by now, in a group of their own. */
export function begunChildren(childTable: SharedArrayBuffer, row: number): NotedChild[] {
  return childrenOfRow(childTable, row).filter(
    ({ pid }) => groupMembers(pid).includes(pid) && isProgram(pid),
  );
}

/** A child is the agent for a moment. */
function isProgram(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) !== readlinkSync('/proc/self/exe');
  } catch {
    return false;
  }
}
