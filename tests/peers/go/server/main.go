// Command server serves grpc-go's interop test service.
//
// grpc-go has such a command too. It listens on all addresses and on a port that must be known beforehand, so this
// one stands in for it: same services, but on loopback, on a free port that it prints. Beside them it has grpc-go's health
// service, and the one by which gRPC's tests with xDS set what that says.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`HOST:PORT` to listen on")
	certFile := flag.String("tls-cert", "", "certificate chain (PEM); plain text without")
	keyFile := flag.String("tls-key", "", "private key (PEM)")
	withoutHealth := flag.Bool("without-health", false, "leaves the health service out")
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
	if !*withoutHealth {
		status := health.NewServer()
		healthgrpc.RegisterHealthServer(server, status)
		setter := &healthSetter{status: status}
		setter.set(healthgrpc.HealthCheckResponse_SERVING)
		testgrpc.RegisterXdsUpdateHealthServiceServer(server, setter)
	}

	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}

// healthSetter sets the health of the test service.
type healthSetter struct {
	testgrpc.UnimplementedXdsUpdateHealthServiceServer
	status *health.Server
}

func (s *healthSetter) SetServing(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	s.set(healthgrpc.HealthCheckResponse_SERVING)
	return &testgrpc.Empty{}, nil
}

func (s *healthSetter) SetNotServing(context.Context, *testgrpc.Empty) (*testgrpc.Empty, error) {
	s.set(healthgrpc.HealthCheckResponse_NOT_SERVING)
	return &testgrpc.Empty{}, nil
}

func (s *healthSetter) set(status healthgrpc.HealthCheckResponse_ServingStatus) {
	s.status.SetServingStatus(testgrpc.TestService_ServiceDesc.ServiceName, status)
}
