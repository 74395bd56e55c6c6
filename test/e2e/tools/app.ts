/** Files of a project by their paths: text, or text with a mode. */
export type Files = Readonly<Record<string, string>>

/** What an app for a test may differ in. */
export interface AppOptions {
  readonly project: string
  /** Name of the service, its workload and its image. */
  readonly service?: string
  readonly replicas?: number
  /** Added to the service in the config, e.g. `sync`, `ports`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Added to the whole config, e.g. `profiles`. */
  readonly top?: Readonly<Record<string, unknown>>
  /** Added to the container in the manifest, e.g. `command`, `readinessProbe`. */
  readonly container?: Readonly<Record<string, unknown>>
}

/**
 * A small app that is up in a second: one image with nothing installed, a server of a few lines of Perl that is part of every Debian.
 * It answers `/` with the content of `/app/src/page.txt` as it is now (and ends with 9 when that says `die`), and `/start` with the time at which the program began.
 * The page is at host port that devkit picks; `app/src` is synced to `/app/src`.
 */
export function app({ project, service = 'web', replicas = 1, config = {}, top = {}, container = {} }: AppOptions): Files {
  return {
    'devkit.config.json': `${JSON.stringify(
      {
        project,
        manifests: ['k8s'],
        services: {
          [service]: {
            image: imageOf(project, service),
            build: { context: 'app' },
            sync: [{ from: 'app/src', to: '/app/src' }],
            ports: [{ port: 'http' }],
            ...config,
          },
        },
        ...top,
      },
      undefined,
      2,
    )}\n`,
    'k8s/app.yaml': manifestsOf(deployment({ project, service, replicas, container }), serviceOf(service)),
    'app/Dockerfile':
      'FROM debian:bookworm-slim\nCOPY serve.pl /app/serve.pl\nCOPY src /app/src\nCMD ["perl", "/app/serve.pl"]\n',
    'app/serve.pl': server,
    'app/src/page.txt': 'the first page\n',
  }
}

/** The image as the manifests of `app` name it. */
export function imageOf(project: string, service = 'web'): string {
  return `registry.example.com/${project}/${service}`
}

/** A Deployment of the app's image. */
export function deployment({ project, service = 'web', replicas = 1, container = {} }: AppOptions): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: service },
    spec: {
      replicas,
      selector: { matchLabels: { app: service } },
      template: {
        metadata: { labels: { app: service } },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [
            {
              name: service,
              image: `${imageOf(project, service)}:1.0`,
              // not 8080, where CoreDNS answers: after a restart of the node it may have the app's old address
              ports: [{ name: 'http', containerPort: 8090 }],
              readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
              ...container,
            },
          ],
        },
      },
    },
  }
}

/** A Service with the port `http`. */
export function serviceOf(service = 'web'): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: service },
    spec: { selector: { app: service }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  }
}

/** Objects as one file of manifests, a line of dashes between two. JSON is YAML. */
export function manifestsOf(...objects: readonly object[]): string {
  return objects.map((object) => `${JSON.stringify(object, undefined, 2)}\n`).join('---\n')
}

const server = `use strict;
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';
my $start = time;
my $server = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 8090, Listen => 128, ReuseAddr => 1) or die "no port: $!";
$| = 1;
print "listening\\n";
while (1) {
  my $client = $server->accept or next;
  my $request = <$client> // '';
  while (defined(my $line = <$client>)) { last if $line =~ /^\\r?$/ }
  my $text;
  if ($request =~ m{^GET /start }) { $text = "$start\\n" }
  else {
    local $/;
    if (open my $page, '<', '/app/src/page.txt') { $text = <$page> } else { $text = "no page: $!\\n" }
  }
  exit 9 if $text =~ /^die/;
  print $client "HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: " . length($text) . "\\r\\n\\r\\n" . $text;
  close $client;
}
`
