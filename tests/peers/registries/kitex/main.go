// Command kitex announces an instance in etcd, or lists the instances of a service, through Kitex' own registry and
// resolver.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/cloudwego/kitex/pkg/registry"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	etcd "github.com/kitex-contrib/registry-etcd"
)

func main() {
	address := flag.String("etcd", "", "`HOST:PORT` of etcd")
	service := flag.String("service", "", "name of the service")
	announce := flag.String("announce", "", "`HOST:PORT` to announce; without it, list")
	flag.Parse()

	if *announce == "" {
		resolver, err := etcd.NewEtcdResolver([]string{*address})
		if err != nil {
			log.Fatal(err)
		}
		callee := rpcinfo.NewEndpointInfo(*service, "", nil, nil)
		ctx := context.Background()
		result, err := resolver.Resolve(ctx, resolver.Target(ctx, callee))
		if err != nil {
			log.Fatal(err)
		}
		for _, instance := range result.Instances {
			owner, _ := instance.Tag("owner")
			text, _ := json.Marshal(map[string]any{
				"address": instance.Address().String(), "weight": instance.Weight(), "owner": owner,
			})
			fmt.Printf("instance %s\n", text)
		}
		return
	}
	etcdRegistry, err := etcd.NewEtcdRegistry([]string{*address})
	if err != nil {
		log.Fatal(err)
	}
	listen, err := net.ResolveTCPAddr("tcp", *announce)
	if err != nil {
		log.Fatal(err)
	}
	info := &registry.Info{
		ServiceName: *service,
		Addr:        listen,
		Weight:      30,
		Tags:        map[string]string{"owner": "kitex"},
	}
	if err := etcdRegistry.Register(info); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", *announce)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	if err := etcdRegistry.Deregister(info); err != nil {
		log.Fatal(err)
	}
}
