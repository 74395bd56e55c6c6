import type { PagesOf } from './page.ts'
import { readyImagePages } from './ready-image.ts'
import { jobPages } from './ready-jobs.ts'
import { nodePages } from './ready-nodes.ts'
import { probePages } from './ready-probes.ts'
import { referencePages } from './ready-references.ts'
import { refusalPages } from './ready-refusals.ts'
import { schedulingPages } from './ready-scheduling.ts'
import { servicePages } from './ready-services.ts'
import { readyStartPages } from './ready-start.ts'
import { storagePages } from './ready-storage.ts'

/** What keeps a workload from getting ready. */
export const readyPages: PagesOf<'READY'> = {
  ...readyImagePages,
  ...readyStartPages,
  'READY-102': {
    means:
      'The time of `--timeout` (5 minutes where nothing is said) is over, and nothing was seen that could not mend itself: the containers run or wait, the workload just does not get ready. Claims and custom resources are awaited too.',
    looks: `✗ READY-102 Deployment/web is not ready in time: 0 of 1 pods are ready. Readiness probe failed: HTTP probe failed with statuscode: 503
  → Read its last lines and its probes; \`--timeout\` waits longer.`,
    causes: [
      'Its readiness probe does not pass: wrong path, port or scheme, or the program answers with an error.',
      'It starts more slowly than the time allows: a first migration, a cold cache, a busy machine.',
      'Its image is large and still being pulled.',
      'Its program waits for another service that never comes.',
      'A Service that leads to it has no endpoint: its selector or port names something else.',
      'A claim is not bound or a custom resource not ready, since its controller is not there or has not done its work.',
    ],
    remedies: [
      'Read what the message says last: it is what Kubernetes complained of, such as a probe with its answer.',
      'Look at `devkit status`, then at the pod: `kubectl describe pod POD`.',
      'Compare the probe with what the program listens on.',
      'Give it more time with `--timeout 15m` if it is only slow.',
    ],
  },
  'READY-103': {
    means:
      'A Job gave up: its back-off limit or deadline is reached, or it failed three times in a row while nothing was on its way that it may have been waiting for.',
    looks: `✗ READY-103 Job/migrate failed (its container ended with 1): it failed 3 times.
    psycopg.errors.DuplicateTable: relation "orders" already exists
  → Read its last lines; \`devkit up\` runs it again.`,
    causes: [
      'Its program failed: the last lines below the message say at what.',
      'It ran before the database or service that it needs was ready, and does not try again.',
      'It did part of its work at an earlier run and does not bear being run twice.',
      'It took longer than `activeDeadlineSeconds`.',
    ],
    remedies: [
      'Mend what its last lines name, then `devkit up`: a Job that failed is run again.',
      'Name what it needs in `dependsOn` of its service.',
      'Raise `spec.activeDeadlineSeconds` or `spec.backoffLimit` if its work is only slow.',
    ],
  },
  'READY-105': {
    means:
      'The scheduler finds no node for a pod, for a reason that has no code of its own. It is called after 15 seconds: a volume may be on its way.',
    looks: `✗ READY-105 No node can take a pod of Deployment/web: 0/1 nodes are available: 1 cannot allocate all claims.
  → Compare what Deployment/web (k8s/web.yaml:1) asks of nodes with \`kubectl describe nodes\`.`,
    causes: [
      'A plugin of the scheduler keeps nodes from the pod: devices that are claimed, volumes of a driver.',
      'A claim that the pod uses is not bound, since no volume fits it or nobody makes one.',
      'There are no nodes at all.',
    ],
    remedies: [
      'Read the message: it is what the scheduler says of each node.',
      'Compare it with `kubectl describe nodes` and `kubectl get persistentvolumeclaims`.',
    ],
  },
  'READY-106': {
    means:
      'The kubelet or the container runtime cannot make the container, for a reason that has no code of its own: the pod has its node, what it refers to is there. It is called after ten seconds, or a minute of an image.',
    looks: `✗ READY-106 The container web of Deployment/web cannot be created: missing value for NOPE.
  → Correct Deployment/web (k8s/web.yaml:12).`,
    causes: [
      'A field of the container asks for what the node has not: a seccomp or AppArmor profile, a device.',
      'A value cannot be filled in: a variable of `subPathExpr` that is not set.',
      'The runtime is in the middle of something, or broken: a name that is still reserved, a file system that is full.',
      'Its image cannot be had, and what the runtime says of it is of no known sort.',
    ],
    remedies: [
      'Read the message: it is what the kubelet or the runtime says, word for word.',
      'Compare it with the pod: `kubectl describe pod POD`.',
      'Take the field that it names out of the manifest, or out of what a laptop gets by a patch of the profile `dev`.',
    ],
  },
  'READY-107': {
    means:
      'An object that is no workload says itself that waiting will not make it ready, so that nothing is waited for: a claim is in the phase Lost, or the newest generation of a custom resource has the condition Stalled.',
    looks: `✗ READY-107 GitRepository/app cannot become ready: its condition Stalled is True (invalid URL).
  → Mend what it says, then run this again.`,
    causes: [
      'A custom resource asks for what its controller cannot do: a wrong address, a reference to what is not there, values that contradict each other.',
      'The volume that a claim was bound to was removed: what was in it is gone with it, or in a volume that nobody is bound to.',
    ],
    remedies: [
      'Read the message: it is what the controller says. `kubectl describe` of the object has all conditions and events.',
      'Correct the manifest of the custom resource; a controller that has given up looks again when its object changes.',
      'Delete a claim that is Lost (`kubectl delete pvc NAME`) when its data is elsewhere or not needed: `devkit up` makes it anew, empty.',
    ],
  },
  ...referencePages,
  ...storagePages,
  ...refusalPages,
  ...probePages,
  ...servicePages,
  ...schedulingPages,
  ...jobPages,
  ...nodePages,
}
