module lab.test/minikube

go 1.25.0

require k8s.io/minikube v1.38.1
