import type { Page } from './page.ts'

/** What keeps Services from leading to a workload, and programs from reaching them: READY-157 … READY-160. */
export const servicePages = {
  'READY-157': {
    means:
      'The last lines of a container that ended or is not ready say that a host could not be resolved, and the namespace has no Service of that name. It is a failure when no Service has come after some seconds and nothing else is on its way.',
    looks: `✗ READY-157 The container web of Deployment/web asks for the host postgress, and there is no Service of that name.
    Error: getaddrinfo ENOTFOUND postgress
  → Write postgres in the place of postgress in Deployment/web (k8s/web.yaml:19).`,
    causes: [
      'The name is misspelt in a variable, a ConfigMap or an argument.',
      'The Service is in another namespace, and the name lacks it: NAME.NAMESPACE.',
      'The manifests of what it asks for are not among those of the config.',
      'It is a host of production that only exists there.',
    ],
    remedies: [
      'Correct the name at the place in the message.',
      'Add the manifests of the Service to `manifests` of the config.',
      'Let the profile set the variable to what stands in for it here.',
    ],
  },
  'READY-158': {
    means:
      'A Service has a selector, and no pod of the namespace has those labels, so nothing answers there. It is a failure of the workload whose last lines say that it does not get through to it.',
    looks: `✗ READY-158 Service/db selects no pod: it asks for app=postgres, the pods of StatefulSet/db have app=db.
    Error: connect ECONNREFUSED 10.96.12.7:5432
  → Write app: db into the selector of Service/db (k8s/db.yaml:40), or label the pods as it asks.`,
    causes: [
      'The labels were renamed in one place only: the template of the pods or the selector.',
      'A label of a Helm release or of a kustomize component is in the selector and not in the template.',
      'The workload that it is for is not among the manifests.',
    ],
    remedies: [
      'Write the same labels into `spec.selector` of the Service and `spec.template.metadata.labels` of the workload.',
      'Look at what it leads to: `kubectl get endpointslices`.',
    ],
  },
  'READY-159': {
    means:
      'A Service leads to a port of pods that are ready, and nobody takes a connection there: who asks the Service is refused. devkit looks by the port forwarding of the API, where the user may do that.',
    looks: `✗ READY-159 Service/web leads to port 8081 of the pods of Deployment/web, where nothing listens; they have 8080.
  → Write 8080 into targetPort of Service/web (k8s/web.yaml:44), or let the program listen on 8081.`,
    causes: [
      'targetPort is the number that the Service itself has, or one of another service.',
      'Nothing is said for targetPort, which then is the same as `port`.',
      'The program takes its port from a variable, and that says another.',
    ],
    remedies: [
      'Write the port that the program listens on into targetPort.',
      'Name the port in the container and write the name into targetPort: then the two cannot part.',
      'Give the container a readiness probe that asks that port.',
    ],
  },
  'READY-160': {
    means:
      'targetPort of a Service is a name, and no container behind it has a port of that name. Kubernetes leaves the port out, so nothing answers there.',
    looks: `✗ READY-160 Service/web leads to the port htp of its pods, and no container of Deployment/web has a port of that name.
  → Write http into targetPort of Service/web (k8s/web.yaml:44), or name the port of the container htp.`,
    causes: [
      'The name is misspelt, in the Service or in `ports` of the container.',
      '`ports` of the container has a number without a name.',
      'The Service leads to another workload than was meant, by a label that both have.',
    ],
    remedies: ['Write the name that `ports` of the container has.', 'Write the number instead of the name.'],
  },
} as const satisfies Readonly<Record<string, Page>>
