// Command server serves grpc-go's interop test service.
//
// grpc-go has such a command too. It listens on all addresses and on a port that must be known beforehand, so this
// one stands in for it: same services, but on loopback, on a free port that it prints.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`HOST:PORT` to listen on")
	certFile := flag.String("tls-cert", "", "certificate chain (PEM); plain text without")
	keyFile := flag.String("tls-key", "", "private key (PEM)")
	flag.Parse()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{orca.CallMetricsServerOption(nil)}
	if *certFile != "" {
		creds, err := credentials.NewServerTLSFromFile(*certFile, *keyFile)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(creds))
	}
	server := grpc.NewServer(options...)
	metrics := orca.NewServerMetricsRecorder()
	if err := orca.Register(server, orca.ServiceOptions{ServerMetricsProvider: metrics}); err != nil {
		log.Fatal(err)
	}
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer(interop.NewTestServerOptions{MetricsRecorder: metrics}))

	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
