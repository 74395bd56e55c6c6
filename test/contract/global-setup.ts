import { removeApiCluster } from './api-rig.ts'

/** After the layer the cluster that its files shared goes, unless `DEVKIT_TEST_KEEP` is set: who works on one file runs it again and again. */
export default function setup(): () => Promise<void> {
  return async () => {
    if (process.env['DEVKIT_TEST_KEEP'] === undefined) await removeApiCluster()
  }
}
