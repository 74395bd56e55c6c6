import type { Page } from './page.ts'

/** What keeps a program that runs from counting as ready: READY-140 … READY-149. */
export const probePages = {
  'READY-140': {
    means:
      'The kubelet ends a container whose liveness probe failed failureThreshold times in a row, and starts it again. It is a warning at the first kill and a failure at the third, when all that it needs is ready.',
    looks: `✗ READY-140 The kubelet kills the container web of Deployment/web, since its liveness probe fails (failureThreshold 3 × periodSeconds 10): /live on port 8080 answers 404.
    Liveness probe failed: HTTP probe failed with statuscode: 404
  → Correct the liveness probe in Deployment/web (k8s/web.yaml:31); a program that starts slowly needs a startupProbe, one that is busy a longer timeoutSeconds.`,
    causes: [
      'The program starts more slowly than the probe bears, and is ended before it listens: it has no startupProbe.',
      'The probe asks a path or port that the program does not have.',
      'The program is busy and answers later than timeoutSeconds, which is 1 where nothing is said.',
      'The probe asks more than whether the program lives, such as its database: then the whole stack restarts with that.',
      'The program hangs: the probe does what it is for.',
    ],
    remedies: [
      'Compare what the probe asks with what the program answers: the line below the message has the kubelet’s own words.',
      'Give it a startupProbe with a high failureThreshold: until that passes the liveness probe waits.',
      'Raise timeoutSeconds or failureThreshold if it is only busy.',
      'Read its last lines before it was ended: `kubectl logs POD -c CONTAINER --previous`.',
    ],
  },
  'READY-141': {
    means:
      'A probe gets no connection. It is a warning as long as the program may still be starting, for any time; and a failure where devkit sees that it listens elsewhere: after three tries at another port that its container declares, after ten tries and thirty seconds at one that nobody spoke of, or only at 127.0.0.1. It looks by the port forwarding of the API, where the user may do that.',
    looks: `✗ READY-141 The readiness probe of the container web of Deployment/web fails: nothing listens on port 8081, its program listens on 8080.
    Readiness probe failed: Get "http://10.244.0.9:8081/": dial tcp 10.244.0.9:8081: connect: connection refused
  → Write port 8080 into Deployment/web (k8s/web.yaml:24), or let the program listen on 8081.`,
    causes: [
      'The program is still starting: a migration, a cold cache, a compilation.',
      'It listens at another port than the probe asks; many programs take theirs from the variable PORT.',
      'It listens at 127.0.0.1 (`localhost`) instead of 0.0.0.0, as development servers do by themselves.',
      'It waits for something else before it listens, such as its database.',
      'The probe has a `host` that the node can’t reach: it means the pod where nothing is said.',
    ],
    remedies: [
      'Read its last lines: most programs say where they listen.',
      'Correct the port in the probe, or the one that the program is told.',
      'Let it listen at 0.0.0.0, often by HOST=0.0.0.0 or an option `--host`.',
      'Give it a startupProbe if its start takes long.',
    ],
  },
  'READY-142': {
    means:
      'An HTTP probe is answered with 404. Time rarely mends that: it is a warning at first and a failure when nothing else came for three tries and ten seconds.',
    looks: `✗ READY-142 The readiness probe of the container web of Deployment/web fails: /helthz on port 8080 answers 404.
    Readiness probe failed: HTTP probe failed with statuscode: 404
  → Correct the path in Deployment/web (k8s/web.yaml:24), or let the program answer /helthz.`,
    causes: [
      'The path is misspelt, or the program has it under a prefix.',
      'The route exists in production only: another entry point, a feature that is switched off.',
      'Another program listens at the port.',
      'The program picks its site by the Host header, and the probe sends none that it knows.',
    ],
    remedies: [
      'Compare `httpGet.path` with the routes of the program.',
      'Set `httpGet.httpHeaders` with the Host that the program expects.',
      'Let the profile put another probe in its place if the path is only missing here.',
    ],
  },
  'READY-143': {
    means:
      'An HTTP probe is answered with an error. 500 and its like are a failure after ten tries and thirty seconds, refusals such as 401 after three tries and ten seconds; 503 and what else says of itself that it will pass stays a warning until the deadline of the Deployment (progressDeadlineSeconds).',
    looks: `✗ READY-143 The readiness probe of the container web of Deployment/web fails: /ready on port 8080 answers 500.
    Readiness probe failed: HTTP probe failed with statuscode: 500
  → Read its last lines: the program itself says that it is not ready. The probe is in Deployment/web (k8s/web.yaml:24).`,
    causes: [
      'The program lacks something that its check looks at: a database, a migration, a queue.',
      'The check itself fails: an exception in its handler.',
      'The path wants a login (401, 403), which a probe does not have.',
      'The port speaks TLS and is asked by HTTP, which many servers answer with 400.',
    ],
    remedies: [
      'Read its last lines: the reason for the answer is in its log, not in the probe.',
      'Name what it needs in `dependsOn` of its service, so that its problem is told instead.',
      'Give the probe a path that needs no login.',
      'Write `scheme: HTTPS` into the probe if the port speaks TLS.',
    ],
  },
  'READY-144': {
    means:
      'A probe was not answered within its timeoutSeconds, which is 1 where nothing is said. It is a failure after ten tries and a minute of nothing else.',
    looks: `! READY-144 The readiness probe of the container web of Deployment/web fails: / on port 8080 gives no answer within 1 s.
    Readiness probe failed: Get "http://10.244.0.9:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)
  → Let the program answer sooner, or raise timeoutSeconds (1) in Deployment/web (k8s/web.yaml:24).`,
    causes: [
      'The program is busy with its start: the first request compiles or fills a cache.',
      'Its CPU limit is too small for one second.',
      'The check waits for something that does not answer, such as a database.',
      'A NetworkPolicy or a firewall drops what comes from the node.',
      'The command of an exec probe takes longer than timeoutSeconds, since it starts a program of its own.',
    ],
    remedies: [
      'Raise timeoutSeconds of the probe.',
      'Raise its CPU limit, or drop it in the profile.',
      'Let the check answer by what is known, instead of asking others each time.',
    ],
  },
  'READY-145': {
    means:
      'What listens does not speak the protocol of the probe. Where the kubelet is sure (HTTPS meets HTTP, HTTP meets TLS) it is a failure at the second try; a connection that is closed without an answer is one after ten tries and thirty seconds.',
    looks: `✗ READY-145 The readiness probe of the container web of Deployment/web fails: / on port 8443 is asked by HTTP and speaks TLS.
    Readiness probe failed: Get "http://10.244.0.9:8443/": malformed HTTP response "\\x15\\x03\\x01\\x00\\x02\\x02"
  → Write \`scheme: HTTPS\` into Deployment/web (k8s/web.yaml:24) if the program speaks TLS there; else correct the port.`,
    causes: [
      'The program speaks TLS in production and HTTP here, or the reverse, since its certificate is not there.',
      'The probe has no `scheme: HTTPS`, which is HTTP where nothing is said.',
      'The port is one for something else than HTTP: a database, gRPC, metrics.',
      'The program closes every connection: it fails at each request.',
    ],
    remedies: [
      'Write the scheme that the port speaks into the probe; certificates are not checked.',
      'Ask a port that speaks HTTP, or only for a connection with `tcpSocket`.',
      'Use a `grpc` probe for what speaks gRPC.',
    ],
  },
  'READY-146': {
    means:
      'The startup probe failed failureThreshold times, so the kubelet ended the container: its program had initialDelaySeconds + failureThreshold × periodSeconds. It is a warning at the first kill and a failure at the third.',
    looks: `✗ READY-146 The startup probe of the container web of Deployment/web gives its program 30 s (failureThreshold 3 × periodSeconds 10), then the kubelet kills it: nothing listens on port 8080.
    Startup probe failed: Get "http://10.244.0.9:8080/": dial tcp 10.244.0.9:8080: connect: connection refused
  → Raise failureThreshold in Deployment/web (k8s/web.yaml:28) if it is only slow to start; else correct what the probe asks.`,
    causes: [
      'The start takes longer here than in production: fewer CPUs, an emulated architecture, an empty cache, a debugger.',
      'It migrates a database first, and starts over from the beginning after each kill.',
      'The probe asks a port that the program never listens at.',
    ],
    remedies: [
      'Raise failureThreshold: a probe that passes early costs nothing.',
      'Move the migration into a Job or an init container.',
      'Read its last lines before it was ended: `kubectl logs POD -c CONTAINER --previous`.',
    ],
  },
  'READY-147': {
    means:
      'A startup or readiness probe names a port, and its container has no port of that name. The kubelet can’t ask and never passes it.',
    looks: `✗ READY-147 The readiness probe of the container web of Deployment/web asks the port htp, which the container does not have.
  → Write http into Deployment/web (k8s/web.yaml:24), or name the port of the container htp.`,
    causes: [
      'The name is misspelt, in the probe or in `ports` of the container.',
      'The port belongs to another container of the pod.',
      '`ports` of the container has numbers without names.',
    ],
    remedies: ['Write the name that `ports` of the same container has.', 'Write the number instead of the name.'],
  },
  'READY-148': {
    means:
      'A probe runs a command that ends with an error, or that cannot be started. What is not in the image is a failure at the second try; a command that says no is a warning until the deadline of the Deployment (progressDeadlineSeconds).',
    looks: `✗ READY-148 The readiness probe of the container db of StatefulSet/db fails: its command pg_isready -q is not in the image.
    Readiness probe errored: exec: "pg_isready": executable file not found in $PATH
  → Put the command into the image, or ask in another way in StatefulSet/db (k8s/db.yaml:24).`,
    causes: [
      'The program is not ready yet, and the command says so.',
      'The image is another than in production, and lacks curl, wget, pg_isready or a shell.',
      'The command uses `$VARIABLE` without a shell: an exec probe starts the program as it is written.',
      'The file that it looks for is written elsewhere, or by another user.',
    ],
    remedies: [
      'Run it yourself: `kubectl exec POD -c CONTAINER -- COMMAND`.',
      'Use httpGet, tcpSocket or grpc: those need nothing in the image.',
      'Write `sh -c "…"` around what needs a shell.',
    ],
  },
  'READY-149': {
    means:
      'All containers are ready, but the pod has a readiness gate: a condition that a controller is to set. It is a failure when nobody has set it for thirty seconds and nothing else is on its way that may do so.',
    looks: `✗ READY-149 The pods of Deployment/web wait for their readiness gate target-health.elbv2.k8s.aws/web, which nobody sets.
  → Install the controller that sets it, or drop readinessGates in Deployment/web (k8s/web.yaml:20).`,
    causes: [
      'The controller is the cloud’s load balancer or a service mesh, and is not in this cluster.',
      'It is there and waits for something itself.',
      'The gate’s name is misspelt.',
    ],
    remedies: [
      'Drop `readinessGates` for the laptop.',
      'Install the controller, and look at what it says about the pod: `kubectl describe pod POD`.',
    ],
  },
} as const satisfies Readonly<Record<string, Page>>
