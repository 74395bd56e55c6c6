import { afterAll, beforeAll, test } from 'vitest'
import type { KubeObject } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { type Project, projectOn } from './program.ts'

// Admission webhooks that are down. They concern the namespaces of their tests alone.

let rig: ApiRig
const id = `t-webhooks-${process.pid}`
const configurations: string[] = []

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(async () => {
  rig.kubectl(['delete', 'validatingwebhookconfiguration', '--ignore-not-found', ...configurations])
  await rig[Symbol.asyncDispose]()
})

const settings: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { a: 'one' } }

/** A project in a namespace of its own, whose ConfigMap `settings` a webhook has to agree to. */
function projectUnder(name: string, url: string): Project {
  const namespace = rig.namespace(`${id}-${name}`)
  configurations.push(namespace)
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: namespace },
    webhooks: [
      {
        name: `${name}.devkit.test`,
        clientConfig: { url },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 1,
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        matchConditions: [{ name: 'settings', expression: "object.metadata.name == 'settings'" }],
        rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE', 'UPDATE'] }],
      },
    ],
  }
  rig.kubectl(['create', '-f', '-'], JSON.stringify(configuration))
  const project = projectOn(rig, namespace)
  project.write(settings)
  return project
}

test.concurrent.for([
  { name: 'refuses', hostOf: () => '127.0.0.1:9', why: /connection refused/ },
  // nobody has that address in the network of the node, which looks for it for longer than the webhook may take
  { name: 'hangs', hostOf: (node: string) => node.replace(/\d+$/, '251'), why: /deadline exceeded|no route to host/ },
])('a webhook that $name is named with its configuration, at once (APPLY-106)', async ({ name, hostOf, why }, { expect }) => {
  const node = rig.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'])
  const project = projectUnder(name, `https://${hostOf(node)}/`)
  // a configuration counts from moments after it was made
  await expect.poll(async () => (await project.run(['up'])).problems, { timeout: 30_000 }).toHaveLength(1)
  const began = performance.now()
  const { code, problems } = await project.run(['up'])
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(code).toBe(1)
  expect(problems[0]?.message).toMatch(why)
  expect(problems).toMatchObject([
    {
      code: 'APPLY-106',
      message: expect.stringContaining(
        `k8s/all.yaml:1: ConfigMap/settings: the webhook ${name}.devkit.test of ValidatingWebhookConfiguration/${id}-${name}, which has to agree, does not answer: `,
      ),
      hint: expect.stringContaining(`kubectl delete validatingwebhookconfiguration/${id}-${name}`),
    },
  ])
})
