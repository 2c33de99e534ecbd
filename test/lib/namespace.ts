// A network and mount namespace of a test's own, where port 53 is free and resolv.conf is whatever the test says.
import { Child } from './child.js';
import { tempFolder } from './temp-folder.js';
import { toolPath } from './tools.js';

export interface Namespace {
  /** Put in front of a command, it runs that command inside, in the working directory given. */
  enter(folder?: string): readonly string[];
  stop(): Promise<void>;
}

/**
 * Makes a namespace with loopback up (127.0.0.0/8 and ::1) and nothing beyond, this resolv.conf, and names looked up by DNS alone.
 * `setup` are further shell commands to run inside first.
 */
export async function startNamespace(
  resolvConf: string,
  setup: readonly string[] = [],
): Promise<Namespace> {
  const folder = tempFolder();
  const resolv = folder.write('resolv.conf', resolvConf);
  const nsswitch = folder.write('nsswitch.conf', 'hosts: dns\n');
  const script = [
    'ip link set lo up',
    `mount --bind '${resolv}' /etc/resolv.conf`,
    `mount --bind '${nsswitch}' /etc/nsswitch.conf`,
    ...setup,
    'echo up',
    'exec sleep 600',
  ].join(' && ');
  const child = await Child.start({
    command: [toolPath('unshare'), '--net', '--mount', '/bin/sh', '-c', script],
    ready: /^up$/m,
  }).catch((error: unknown) => {
    folder.remove();
    throw error;
  });
  const of = `/proc/${child.pid}/ns`;
  const nsenter = [toolPath('nsenter'), `--net=${of}/net`, `--mount=${of}/mnt`, '--'];
  return {
    // Entering a mount namespace leaves the working directory behind.
    enter: (folder = '/') => [...nsenter, toolPath('env'), '-C', folder],
    async stop() {
      await child.stop();
      folder.remove();
    },
  };
}
