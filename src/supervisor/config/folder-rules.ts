import { realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';

/** Folders that belong to the system and are never the agent's alone. */
const SYSTEM_FOLDERS: ReadonlySet<string> = new Set(
  `/ /bin /boot /dev /dev/shm /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /opt /root /run /run/user /sbin /srv
  /tmp /usr /usr/bin /usr/include /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/etc
  /usr/local/lib /usr/local/sbin /usr/local/share /usr/sbin /usr/share /usr/src /var /var/cache /var/lib /var/log
  /var/mail /var/opt /var/run /var/spool /var/tmp /var/www`.split(/\s+/),
);

/** Folders of other people: whatever is directly below is somebody's own. */
const FOLDERS_OF_HOMES: ReadonlySet<string> = new Set(['/home', '/run/user']);

/** Not on any disk. */
const KERNEL_FOLDERS: readonly string[] = ['/proc', '/sys'];

/** True for a folder that must never be emptied or change its owner, as the agent does with its own. */
export function isSystemFolder(folder: string, home: string): boolean {
  return [folder, realFolder(folder)].some(
    (path) =>
      SYSTEM_FOLDERS.has(path) ||
      path === home ||
      FOLDERS_OF_HOMES.has(dirname(path)) ||
      KERNEL_FOLDERS.some((kernel) => isWithin(path, kernel)),
  );
}

/** True when the paths name the same folder, or `inner` is somewhere below `outer`; links are followed. */
export function isFolderWithin(inner: string, outer: string): boolean {
  return isWithin(inner, outer) || isWithin(realFolder(inner), realFolder(outer));
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}

/** The path with links followed as far as it exists. */
function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realFolder(parent), basename(path));
  }
}
