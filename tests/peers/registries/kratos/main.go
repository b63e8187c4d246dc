// Command kratos announces an instance in etcd, or lists the instances of a service, through Kratos' own registry.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-kratos/kratos/contrib/registry/etcd/v2"
	"github.com/go-kratos/kratos/v2/registry"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func main() {
	address := flag.String("etcd", "", "`HOST:PORT` of etcd")
	service := flag.String("service", "", "name of the service")
	announce := flag.String("announce", "", "`HOST:PORT` to announce; without it, list")
	flag.Parse()

	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*address}, DialTimeout: 5 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	etcdRegistry := etcd.New(client)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	if *announce == "" {
		list, err := etcdRegistry.GetService(ctx, *service)
		if err != nil {
			log.Fatal(err)
		}
		for _, instance := range list {
			text, _ := json.Marshal(instance)
			fmt.Printf("instance %s\n", text)
		}
		return
	}
	instance := &registry.ServiceInstance{
		ID:        "kratos-1",
		Name:      *service,
		Version:   "v7",
		Metadata:  map[string]string{"weight": "30", "color": "red", "zone": "z1", "owner": "kratos"},
		Endpoints: []string{"grpc://" + *announce, "http://127.0.0.1:8000"},
	}
	if err := etcdRegistry.Register(ctx, instance); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", *announce)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	if err := etcdRegistry.Deregister(context.Background(), instance); err != nil {
		log.Fatal(err)
	}
}
