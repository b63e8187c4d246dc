// Command gomicro announces a node in etcd, or lists the nodes of a service, through go-micro's own registry.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go-micro.dev/v5/registry"
	"go-micro.dev/v5/registry/etcd"
)

func main() {
	address := flag.String("etcd", "", "`HOST:PORT` of etcd")
	service := flag.String("service", "", "name of the service")
	announce := flag.String("announce", "", "`HOST:PORT` to announce; without it, list")
	flag.Parse()

	etcdRegistry := etcd.NewEtcdRegistry(registry.Addrs(*address))

	if *announce == "" {
		list, err := etcdRegistry.GetService(*service)
		if err != nil {
			log.Fatal(err)
		}
		for _, found := range list {
			for _, node := range found.Nodes {
				text, _ := json.Marshal(map[string]any{"version": found.Version, "node": node, "endpoints": found.Endpoints})
				fmt.Printf("instance %s\n", text)
			}
		}
		return
	}
	record := &registry.Service{
		Name:     *service,
		Version:  "v7",
		Metadata: map[string]string{"owner": "go-micro"},
		Endpoints: []*registry.Endpoint{{
			Name:     "Greeter.Hello",
			Request:  &registry.Value{Name: "Request", Type: "Request"},
			Metadata: map[string]string{"stream": "false"},
		}},
		Nodes: []*registry.Node{{
			Id:      *service + "-1",
			Address: *announce,
			Metadata: map[string]string{
				"protocol": "grpc", "transport": "grpc", "server": "grpc", "registry": "etcd", "broker": "http", "weight": "30",
			},
		}},
	}
	if err := etcdRegistry.Register(record, registry.RegisterTTL(90*time.Second)); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", *announce)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	if err := etcdRegistry.Deregister(record); err != nil {
		log.Fatal(err)
	}
}
