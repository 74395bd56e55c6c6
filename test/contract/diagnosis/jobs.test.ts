import { afterAll, beforeAll } from 'vitest'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { bash, container, deployment, type Fault, job, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

/** All cases are provoked at once, on a machine that does other things too; alone they take a few seconds, or half a minute. In ms. */
const atOnce = 40_000
const inTime = 80_000
const again = 'Mend what its last lines name; `devkit up` runs it again.'

/** Never by itself while a test lasts; runs that failed stay. */
const cronSpec = { schedule: '0 0 29 2 *', failedJobsHistoryLimit: 3 }

/** A CronJob that does not run by itself while a test lasts. */
function cronJob(script: string) {
  const { spec } = job(container(bash(script))) as unknown as { readonly spec: object }
  return object('batch/v1', 'CronJob', 'report', { spec: { ...cronSpec, jobTemplate: { spec } } })
}

/** Runs a CronJob so many times by hand, one run after another; the last one may still be at it. */
function runs(...names: readonly string[]): NonNullable<Fault['afterwards']> {
  return (namespace, { kubectl }) => {
    for (const [index, name] of names.entries()) {
      kubectl(['create', 'job', name, '--from=cronjob/report', '-n', namespace])
      if (index + 1 < names.length)
        kubectl(['wait', `job/${name}`, '-n', namespace, '--for=jsonpath={.status.conditions}', '--timeout=120s'])
    }
  }
}

/** A container that fails as often as it says before it ends well; it counts in a volume. */
const endsWellAtThird = {
  ...container({
    ...bash('read -r n < /keep/n; echo $((n + 1)) > /keep/n; ((n >= 2)) || exit 1'),
    volumeMounts: [{ name: 'keep', mountPath: '/keep' }],
  }),
  name: 'migrate',
}

const onExit = (onExitCodes: object) => ({ backoffLimit: 3, podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes }] } })
const ended = (name: string, code: number) =>
  `Mend what its last lines name, or correct podFailurePolicy in Job/${name} (k8s/all.yaml:${code}); \`devkit up\` runs it again.`
const unready = { readinessProbe: { exec: { command: ['false'] } } }

testFaults(
  () => rig,
  [
    {
      what: 'a Job that fails and is not to be tried again',
      objects: [job(container(bash('echo no such table; exit 3')))],
      code: 'READY-200',
      says: 'Job/task failed as often as it may (backoffLimit 0): its container main ended with 3.',
      hint: again,
      evidence: /no such table/,
      withinMs: atOnce,
    },
    {
      what: 'a Job whose init container fails twice',
      objects: [
        job(container(), {
          pod: { initContainers: [{ ...container(bash('echo no such table; exit 4')), name: 'load' }] },
          spec: { backoffLimit: 1 },
        }),
      ],
      code: 'READY-200',
      says: 'Job/task failed as often as it may (backoffLimit 1): its init container load (1 of 1) ended with 4.',
      hint: again,
      evidence: /no such table/,
      withinMs: inTime,
    },
    {
      what: 'one of the indexes of a Job',
      objects: [
        job(container(bash('exit $JOB_COMPLETION_INDEX')), {
          spec: { completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 0, backoffLimit: 5 },
        }),
      ],
      code: 'READY-200',
      says: 'Job/task failed at its index 1: its container main ended with 1.',
      hint: again,
      withinMs: atOnce,
    },
    {
      what: 'a Job that takes longer than it may',
      objects: [job(container(bash('echo waiting for the lock; sleep infinity')), { spec: { activeDeadlineSeconds: 3 } })],
      code: 'READY-201',
      says: 'Job/task was ended: it ran longer than its activeDeadlineSeconds of 3.',
      hint: 'Read its last lines for what it waits for, or raise activeDeadlineSeconds in Job/task (k8s/all.yaml:1) if its work only takes longer.',
      evidence: /was active on the node longer|longer than specified deadline/,
      withinMs: atOnce,
    },
    {
      what: 'a Job whose init container takes longer than the Job may',
      objects: [
        job(container(), { pod: { initContainers: [{ ...container(), name: 'load' }] }, spec: { activeDeadlineSeconds: 4 } }),
      ],
      code: 'READY-201',
      says: 'Job/task was ended: it ran longer than its activeDeadlineSeconds of 4.',
      hint: 'Read its last lines for what it waits for, or raise activeDeadlineSeconds in Job/task (k8s/all.yaml:1) if its work only takes longer.',
      withinMs: atOnce,
    },
    {
      what: 'a run of a CronJob that takes much longer than those before',
      objects: [cronJob('[[ $HOSTNAME == report-b* ]] || exit 0; echo waiting for the lock; sleep infinity')],
      of: 'Job/report-b',
      afterwards: runs('report-a', 'report-b'),
      code: 'READY-202',
      severity: 'warning',
      says: /^Job\/report-b has been running for more than \d+ s; earlier runs of CronJob\/report took \d+ s at most\.$/,
      hint: 'Read its last lines for what it waits for; an activeDeadlineSeconds would end it.',
      evidence: /waiting for the lock/,
      withinMs: inTime,
    },
    {
      what: 'a pod of a Job that takes much longer than its others',
      objects: [
        job(container(bash('((JOB_COMPLETION_INDEX < 2)) || { echo waiting for the lock; sleep infinity; }')), {
          spec: { completionMode: 'Indexed', completions: 3, parallelism: 3 },
        }),
      ],
      code: 'READY-202',
      severity: 'warning',
      says: /^Job\/task has been running for more than \d+ s; its other pods took \d+ s at most\.$/,
      hint: 'Read its last lines for what it waits for; an activeDeadlineSeconds would end it.',
      evidence: /waiting for the lock/,
      withinMs: inTime,
    },
    {
      what: 'the second of two init containers',
      objects: [
        deployment(container(), {
          pod: {
            initContainers: [
              { ...container(bash('exit 0')), name: 'load' },
              { ...container(bash('echo no such table; exit 5')), name: 'migrate' },
            ],
          },
        }),
      ],
      code: 'READY-203',
      says: 'The init container migrate (2 of 2) of Deployment/web fails with 5, so no other container of it starts.',
      hint: 'Read its last lines; mend what it does in Deployment/web (k8s/all.yaml:1).',
      evidence: /no such table/,
      withinMs: inTime,
    },
    {
      what: 'the first end of an init container of a pod',
      objects: [
        object('v1', 'Pod', 'tool', {
          spec: {
            containers: [container()],
            initContainers: [{ ...container(bash('echo no such table; exit 6')), name: 'load' }],
          },
        }),
      ],
      code: 'READY-203',
      severity: 'warning',
      says: 'The init container load (1 of 1) of Pod/tool fails with 6, so no other container of it starts.',
      hint: 'Read its last lines; mend what it does in Pod/tool (k8s/all.yaml:1).',
      evidence: /no such table/,
      withinMs: atOnce,
    },
    {
      what: 'an init container that does not end',
      objects: [
        deployment(container(), {
          pod: { initContainers: [{ ...container(bash('echo waiting for the lock; sleep infinity')), name: 'wait' }] },
        }),
      ],
      code: 'READY-204',
      severity: 'warning',
      says: 'The init container wait (1 of 1) of Deployment/web has been running for more than 20 s, and the others wait for it.',
      hint: 'Read its last lines for what it waits for.',
      evidence: /waiting for the lock/,
      withinMs: inTime,
    },
    {
      what: 'an init container that waits for a workload that is not ready',
      objects: [
        object('v1', 'Service', 'db', { spec: { selector: { app: 'db' }, ports: [{ port: 5432 }] } }),
        deployment(container(unready), { name: 'db' }),
        deployment(container(), {
          pod: {
            initContainers: [
              { ...container(bash('until (: > /dev/tcp/db/5432); do echo waiting; sleep 1; done')), name: 'wait' },
            ],
          },
        }),
      ],
      code: 'READY-204',
      severity: 'warning',
      says: 'The init container wait (1 of 1) of Deployment/web has been running for more than 5 s, and the others wait for it.',
      hint: 'Read its last lines for what it waits for.',
      evidence: /waiting/,
      withinMs: atOnce,
    },
    {
      what: 'a container that serves on after the work is done',
      objects: [job([container(bash('exit 0')), { ...container({ ports: [{ containerPort: 8080 }] }), name: 'proxy' }])],
      code: 'READY-205',
      says: 'Job/task does not end: its container main is done, but proxy runs on.',
      hint: 'Make proxy an init container with `restartPolicy: Always` in Job/task (k8s/all.yaml:1): Kubernetes ends it with the last of the others.',
      withinMs: inTime,
    },
    {
      what: 'a container that runs on after the work is done',
      objects: [job([container(bash('exit 0')), { ...container(bash('echo idle; sleep infinity')), name: 'agent' }])],
      code: 'READY-205',
      severity: 'warning',
      says: 'Job/task does not end: its container main is done, but agent runs on.',
      hint: 'Make agent an init container with `restartPolicy: Always` in Job/task (k8s/all.yaml:1): Kubernetes ends it with the last of the others.',
      evidence: /idle/,
      withinMs: atOnce,
    },
    {
      what: 'the last run of a CronJob',
      objects: [cronJob('[[ $HOSTNAME == report-a* ]] || { echo no such table; exit 7; }')],
      afterwards: runs('report-a', 'report-b'),
      code: 'READY-206',
      severity: 'warning',
      says: 'The last run of CronJob/report failed: its container main ended with 7.',
      hint: 'Mend what its last lines name, then try it: `kubectl create job report-again --from=cronjob/report -n NAMESPACE`.',
      evidence: /no such table/,
      withinMs: atOnce,
    },
    {
      what: 'two runs of a CronJob',
      objects: [cronJob('exit 8')],
      afterwards: runs('report-a', 'report-b'),
      code: 'READY-206',
      says: 'The last 2 runs of CronJob/report failed: its container main ended with 8.',
      hint: 'Mend what its last lines name, then try it: `kubectl create job report-again --from=cronjob/report -n NAMESPACE`.',
      withinMs: atOnce,
    },
    {
      what: 'an exit code for which a Job is to fail at once',
      objects: [job(container(bash('echo no such table; exit 42')), { spec: onExit({ operator: 'In', values: [42] }) })],
      code: 'READY-207',
      says: 'Job/task was ended by its podFailurePolicy: its container main ended with 42.',
      hint: ended('task', 1),
      evidence: /no such table/,
      withinMs: atOnce,
    },
    {
      what: 'an exit code that is none of those that may be tried again',
      objects: [job(container(bash('exit 9')), { spec: onExit({ operator: 'NotIn', values: [75] }) })],
      code: 'READY-207',
      says: 'Job/task was ended by its podFailurePolicy: its container main ended with 9.',
      hint: ended('task', 1),
      withinMs: atOnce,
    },
    {
      what: 'a pod that is to end, and fails',
      objects: [
        object('v1', 'Pod', 'tool', {
          spec: { restartPolicy: 'Never', containers: [container(bash('echo no such table; exit 3'))] },
        }),
      ],
      code: 'READY-103',
      says: 'Pod/tool failed (its container ended with 3): its pod failed.',
      hint: 'Read its last lines; `devkit up` runs it again.',
      evidence: /no such table/,
      withinMs: atOnce,
    },
    {
      what: 'one of two containers of a pod that is to end',
      objects: [
        object('v1', 'Pod', 'tool', {
          spec: {
            restartPolicy: 'Never',
            containers: [container(bash('exit 4')), container({ ...bash('exit 0'), name: 'other' })],
          },
        }),
      ],
      code: 'READY-103',
      says: 'Pod/tool failed (its container ended with 4): its pod failed.',
      hint: 'Read its last lines; `devkit up` runs it again.',
      withinMs: atOnce,
    },
  ],
)

testTwins(
  () => rig,
  [
    {
      what: 'a Job that succeeds at its second try',
      objects: [
        object('v1', 'ConfigMap', 'late', { data: { yes: 'no' } }),
        job(
          container({
            ...bash('[[ $LATE == yes ]]'),
            env: [{ name: 'LATE', valueFrom: { configMapKeyRef: { name: 'late', key: 'yes' } } }],
          }),
          {
            spec: { backoffLimit: 4 },
          },
        ),
      ],
      warns: ['READY-103'],
      afterwards: (namespace, { kubectl }) => {
        kubectl(['wait', 'job/task', '-n', namespace, '--for=jsonpath={.status.failed}=1', '--timeout=120s'])
        kubectl(['patch', 'configmap', 'late', '-n', namespace, '-p', '{"data":{"yes":"yes"}}'])
      },
    },
    {
      what: 'a run of a CronJob that takes somewhat longer',
      objects: [cronJob('[[ $HOSTNAME == report-a* ]] || sleep 6')],
      of: 'Job/report-b',
      afterwards: runs('report-a', 'report-b'),
      // on a busy machine it takes much longer
      warns: ['READY-202'],
    },
    {
      what: 'an init container that fails twice before it ends well',
      objects: [
        deployment(container(), { pod: { volumes: [{ name: 'keep', emptyDir: {} }], initContainers: [endsWellAtThird] } }),
      ],
      warns: ['READY-203'],
    },
    {
      what: 'a long migration',
      objects: [deployment(container(), { pod: { initContainers: [{ ...container(bash('sleep 26')), name: 'migrate' }] } })],
      warns: ['READY-204'],
    },
    {
      what: 'a sidecar, as Kubernetes means it',
      objects: [
        job(container(bash('sleep 1')), {
          pod: { initContainers: [{ ...container(), name: 'proxy', restartPolicy: 'Always' }] },
        }),
      ],
    },
    {
      what: 'two containers of a Job of which one takes longer',
      warns: ['READY-205'],
      objects: [job([container(bash('exit 0')), { ...container(bash('sleep 3')), name: 'slow' }])],
    },
  ],
)
