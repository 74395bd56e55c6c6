import type { PagesOf } from './page.ts'

/** Why Jobs, CronJobs and init containers do not do their work. */
export const jobPages = {
  'READY-200': {
    means: 'A Job failed as often as its backoffLimit allows, and Kubernetes does not try it again.',
    looks: `✗ READY-200 Job/migrate failed as often as it may (backoffLimit 0): its container main ended with 1.
    relation "orders" already exists
  → Mend what its last lines name; \`devkit up\` runs it again.`,
    causes: [
      'Its program fails: the last lines say at what.',
      'What it needs was not ready, and it does not wait for it.',
      'It does not bear being run twice.',
      'It takes more memory than its limit: OOMKilled.',
    ],
    remedies: [
      'Mend what the last lines name, then `devkit up`.',
      'Name what it needs in `dependsOn` of its service.',
      'Raise spec.backoffLimit if a later try may do better.',
    ],
  },
  'READY-201': {
    means: 'A Job ran longer than its activeDeadlineSeconds, so Kubernetes ended it with its pods.',
    looks: `✗ READY-201 Job/migrate was ended: it ran longer than its activeDeadlineSeconds of 60.
  → Read its last lines for what it waits for, or raise activeDeadlineSeconds in Job/migrate (k8s/migrate.yaml:9) if its work only takes longer.`,
    causes: [
      'It waits for something that does not come: a lock, a service, an answer.',
      'Its work takes longer on this machine.',
      'Most of the time went by until its image was pulled or a node took it.',
    ],
    remedies: ['Read its last lines.', 'Raise activeDeadlineSeconds.', 'Name what it needs in `dependsOn` of its service.'],
  },
  'READY-202': {
    means:
      'A Job has been running for three times as long as the longest of its earlier runs, or of its own pods that are done, and for at least ten seconds longer. It may still get there, so this is a warning.',
    looks: `! READY-202 Job/report-29 has been running for more than 36 s; earlier runs of CronJob/report took 12 s at most.
  → Read its last lines for what it waits for; an activeDeadlineSeconds would end it.`,
    causes: [
      'It waits for something that does not come: a lock, a service, an answer.',
      'It has more to do this time.',
      'The machine is busy.',
    ],
    remedies: ['Read its last lines: `devkit logs`.', 'Set activeDeadlineSeconds, so that it ends some time.'],
  },
  'READY-203': {
    means:
      'An init container fails, so the containers after it do not start. Three ends of one kind while all that it needs is ready are a failure; before it is a warning.',
    looks: `✗ READY-203 The init container migrate (2 of 3) of Deployment/web fails with 1, so no other container of it starts.
    connection refused
  → Read its last lines; mend what it does in Deployment/web (k8s/web.yaml:21).`,
    causes: [
      'Its program fails: the last lines say at what.',
      'It needs a service that is not there or not ready.',
      'It may not write where it is to put something.',
    ],
    remedies: [
      'Mend what the last lines name.',
      'Name what it needs in `dependsOn` of its service.',
      'Look at its logs: `kubectl logs POD -c NAME`.',
    ],
  },
  'READY-204': {
    means:
      'An init container has been running for more than 20 seconds, or for more than 5 while a workload that its command names is not ready; the containers after it wait. A long migration is right, so this is a warning.',
    looks: `! READY-204 The init container wait (1 of 2) of Deployment/web has been running for more than 20 s, and the others wait for it.
    waiting for db:5432
  → Read its last lines for what it waits for.`,
    causes: [
      'It waits for a service that never answers: wrong name, wrong port, not deployed.',
      'It does much: a migration, a download.',
      'It is a program that does not end by itself, and belongs among the containers.',
    ],
    remedies: [
      'Read its last lines; compare the names in them with `kubectl get services`.',
      'Make it a sidecar with `restartPolicy: Always` if it is to keep running.',
    ],
  },
  'READY-205': {
    means:
      'A container of a Job is done, another runs on, and a Job ends with the last of its containers. One that serves (it has ports or probes) is a failure after 20 seconds; any other may just take longer, and stays a warning.',
    looks: `✗ READY-205 Job/migrate does not end: its container main is done, but proxy runs on.
  → Make proxy an init container with \`restartPolicy: Always\` in Job/migrate (k8s/migrate.yaml:12): Kubernetes ends it with the last of the others.`,
    causes: [
      'A proxy or agent runs beside the work, and nobody tells it that the work is done.',
      'A webhook put it there.',
      'It is work too, and takes longer.',
    ],
    remedies: [
      'Make it an init container with `restartPolicy: Always` (Kubernetes 1.29 and later).',
      'Let the work tell it to end, if it has an address for that.',
    ],
  },
  'READY-206': {
    means: 'The last run of a CronJob failed (a warning), the last two or more did, or its schedule or time zone is none.',
    looks: `✗ READY-206 The last 3 runs of CronJob/report failed: its container main ended with 1.
  → Mend what its last lines name, then try it: \`kubectl create job report-again --from=cronjob/report -n shop\`.`,
    causes: [
      'Its program fails: the last lines say at what.',
      'What it needs is not there at that time.',
      'Its time zone is not known to the cluster.',
    ],
    remedies: ['Mend what the last lines name.', 'Try it with the command of the hint.'],
  },
  'READY-207': {
    means: 'A pod of a Job ended in a way for which its podFailurePolicy says that the Job fails at once.',
    looks: `✗ READY-207 Job/migrate was ended by its podFailurePolicy: its container main ended with 42.
  → Mend what its last lines name, or correct podFailurePolicy in Job/migrate (k8s/migrate.yaml:8); \`devkit up\` runs it again.`,
    causes: [
      'Its program says by its exit code that another try is of no use.',
      'The policy means another exit code than the program.',
    ],
    remedies: ['Mend what the last lines name.', 'Compare spec.podFailurePolicy with what its program means by its exit codes.'],
  },
} satisfies Partial<PagesOf<'READY'>>
