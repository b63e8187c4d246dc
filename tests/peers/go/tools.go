//go:build tools

// Package peers pins grpc-go, whose interop client is built from here as it is.
package peers

import _ "google.golang.org/grpc/interop/client"
