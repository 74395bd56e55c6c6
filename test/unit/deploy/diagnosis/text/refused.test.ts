import { expect, test } from 'vitest'
import { refusedIn } from '../../../../../src/deploy/diagnosis/text/refused.ts'

const set = 'create Pod db-0 in StatefulSet db failed error: '
const quota =
  'exceeded quota: compute, requested: limits.memory=2Gi,pods=1, used: limits.memory=3Gi,pods=4, limited: limits.memory=4Gi,pods=4'
const lacks = [
  { resource: 'limits.memory', asked: '2Gi', used: '3Gi', limit: '4Gi' },
  { resource: 'pods', asked: '1', used: '4', limit: '4' },
]

test.each([
  [`Error creating: pods "web-7d4-x2x" is forbidden: ${quota}`, { why: 'quota', quota: 'compute', lacks }],
  [`${set}pods "db-0" is forbidden: ${quota}`, { why: 'quota', quota: 'compute', lacks }],
  [
    'create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: disk, requested: requests.storage=1Gi, used: requests.storage=0, limited: requests.storage=512Mi',
    {
      why: 'quota',
      quota: 'disk',
      lacks: [{ resource: 'requests.storage', asked: '1Gi', used: '0', limit: '512Mi' }],
    },
  ],
  // up to 1.23, and since
  [
    'Error creating: pods "web-x" is forbidden: failed quota: compute: must specify limits.cpu,limits.memory',
    { why: 'quota-unspecified', quota: 'compute', fields: ['limits.cpu', 'limits.memory'] },
  ],
  [
    'Error creating: pods "web-x" is forbidden: failed quota: compute: must specify limits.cpu for: main,proxy; limits.memory for: main',
    { why: 'quota-unspecified', quota: 'compute', fields: ['limits.cpu', 'limits.memory'] },
  ],
  [
    'Error creating: pods "web-x" is forbidden: status unknown for quota: compute, resources: pods',
    { why: 'quota-unknown', quota: 'compute' },
  ],
  [
    'Error creating: pods "web-x" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, minimum memory usage per Container is 64Mi, but request is 32Mi]',
    {
      why: 'limit-range',
      rules: [
        'maximum cpu usage per Container is 1, but limit is 2',
        'minimum memory usage per Container is 64Mi, but request is 32Mi',
      ],
    },
  ],
  [
    'Error creating: pods "web-x" is forbidden: maximum memory usage per Pod is 1Gi.  No limit is specified',
    { why: 'limit-range', rules: ['maximum memory usage per Pod is 1Gi, but no limit is specified'] },
  ],
  [
    'Error creating: pods "web-x" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000',
    { why: 'limit-range', rules: ['cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000'] },
  ],
  [
    'Error creating: pods "web-x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), host namespaces (hostNetwork=true, hostPID=true)',
    {
      why: 'pod-security',
      level: 'restricted:latest',
      rules: [
        'allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false)',
        'unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"])',
        'host namespaces (hostNetwork=true, hostPID=true)',
      ],
    },
  ],
  [
    'Error creating: admission webhook "policy.acme.test" denied the request: no latest tags.',
    { why: 'webhook-denied', webhook: 'policy.acme.test', said: 'no latest tags' },
  ],
  [
    'Error creating: admission webhook "policy.acme.test" denied the request without explanation',
    { why: 'webhook-denied', webhook: 'policy.acme.test', said: '' },
  ],
  [
    "Error creating: pods \"web-x\" is forbidden: ValidatingAdmissionPolicy 'owned' with binding 'owned' denied request: an owner is needed",
    { why: 'policy', policy: 'owned', said: 'an owner is needed' },
  ],
  [
    'Error creating: Internal error occurred: failed calling webhook "inject.acme.test": failed to call webhook: Post "https://inject.acme.svc:443/?timeout=10s": no endpoints available for service "inject"',
    {
      why: 'webhook-silent',
      webhook: 'inject.acme.test',
      said: 'failed to call webhook: Post "https://inject.acme.svc:443/?timeout=10s": no endpoints available for service "inject"',
    },
  ],
  [
    'Error creating: pods "web-x" is forbidden: error looking up service account shop/reader: serviceaccount "reader" not found',
    { why: 'account', name: 'reader' },
  ],
  [`${set}pods "db-0" is forbidden: no PriorityClass with name high was found`, { why: 'priority-class', name: 'high' }],
  [
    'Error creating: pods "web-x" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
    { why: 'runtime-class', name: 'gvisor' },
  ],
  [
    `${set}Pod "db-0" is invalid: spec.containers[0].volumeMounts[0].name: Not found: "data"`,
    { why: 'other', said: 'spec.containers[0].volumeMounts[0].name: Not found: "data"' },
  ],
])('%s', (message, refused) => {
  expect(refusedIn(message)).toEqual(refused)
})
