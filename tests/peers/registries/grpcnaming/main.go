// Command grpcnaming announces an endpoint in etcd, or lists the endpoints of a target, through etcd's naming package
// for grpc-go.
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

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

func main() {
	address := flag.String("etcd", "", "`HOST:PORT` of etcd")
	service := flag.String("service", "", "the target")
	announce := flag.String("announce", "", "`HOST:PORT` to announce; without it, list")
	flag.Parse()

	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*address}, DialTimeout: 5 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	manager, err := endpoints.NewManager(client, *service)
	if err != nil {
		log.Fatal(err)
	}

	if *announce == "" {
		// What the resolver for grpc-go listens to, and not `List`: the two decode separately.
		watch, err := manager.NewWatchChannel(ctx)
		if err != nil {
			log.Fatal(err)
		}
		for _, update := range <-watch {
			text, _ := json.Marshal(update)
			fmt.Printf("instance %s\n", text)
		}
		return
	}
	lease, err := client.Grant(ctx, 15)
	if err != nil {
		log.Fatal(err)
	}
	key := *service + "/" + *announce
	endpoint := endpoints.Endpoint{Addr: *announce, Metadata: map[string]any{"weight": 30, "owner": "grpc"}}
	if err := manager.AddEndpoint(ctx, key, endpoint, clientv3.WithLease(lease.ID)); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", *announce)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	if err := manager.DeleteEndpoint(context.Background(), key); err != nil {
		log.Fatal(err)
	}
}
