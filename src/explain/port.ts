import type { PagesOf } from './page.ts'

/** Ports of this machine. */
export const portPages: PagesOf<'PORT'> = {
  'PORT-101': {
    means: 'A port of this machine that the config asks for is listened on already.',
    looks: `✗ PORT-101 Port 8080 of this machine is taken.
  → Stop what listens there (\`ss -ltnp 'sport = :8080'\` shows it), or choose another ports[].host.`,
    causes: [
      'A program runs there: the same service started by hand, or another project.',
      'A container of this machine publishes it; the message then names it.',
      'Another cluster of kind was made with it.',
    ],
    remedies: [
      'Stop what listens there.',
      'Choose another number in `ports[].host`, or leave it out: devkit then chooses a free one.',
    ],
  },
  'PORT-102': {
    means:
      'Ports of the host are fixed when a cluster is made. This one was made without the port that a service asks for now, and none is left over.',
    looks: `✗ PORT-102 The cluster was made without a host port for web (8080).
  → Run \`devkit down\`, then \`devkit up\`: host ports are fixed when a cluster is made.`,
    causes: [
      'A service or `ports[].host` was added to the config after the cluster was made.',
      'Several environments share the cluster and have used up its spare ports.',
    ],
    remedies: [
      'Make the cluster anew: `devkit down`, then `devkit up`. It asks before data goes.',
      'Remove environments that are no longer needed: `devkit down` with their `--env`.',
    ],
  },
}
