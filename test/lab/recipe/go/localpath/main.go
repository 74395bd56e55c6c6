// A volume provisioner for a one-node cluster: each claim gets a directory of the node, as kind's default class does it.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v10/controller"
)

const (
	provisionerName = "rancher.io/local-path"
	volumes         = "/var/local-path-provisioner"
)

type directories struct{}

func (directories) Provision(_ context.Context, options controller.ProvisionOptions) (*core.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	path := filepath.Join(volumes, options.PVName+"_"+claim.Namespace+"_"+claim.Name)
	if err := makeOpenDirectory(path); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: options.PVName},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			PersistentVolumeSource:        core.PersistentVolumeSource{HostPath: hostPath(path)},
			VolumeMode:                    claim.Spec.VolumeMode,
			NodeAffinity:                  onlyOn(options.SelectedNode.Labels[core.LabelHostname]),
		},
	}, controller.ProvisioningFinished, nil
}

func (directories) Delete(_ context.Context, volume *core.PersistentVolume) error {
	return os.RemoveAll(volume.Spec.HostPath.Path)
}

// makeOpenDirectory lets any user of any pod write; MkdirAll alone is subject to the umask.
func makeOpenDirectory(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777)
}

func hostPath(path string) *core.HostPathVolumeSource {
	kind := core.HostPathDirectoryOrCreate
	return &core.HostPathVolumeSource{Path: path, Type: &kind}
}

func onlyOn(hostname string) *core.VolumeNodeAffinity {
	here := core.NodeSelectorRequirement{Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{hostname}}
	return &core.VolumeNodeAffinity{Required: &core.NodeSelector{
		NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{here}}},
	}}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	config, err := rest.InClusterConfig()
	if err != nil {
		klog.Fatal(err)
	}
	controller.NewProvisionController(klog.Background(), kubernetes.NewForConfigOrDie(config), provisionerName, directories{},
		controller.LeaderElection(false)).Run(ctx)
}
