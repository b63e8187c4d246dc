// Command certificates writes what a TLS test needs into a directory:
//
//	ca.pem      a certificate authority, made up on the spot
//	server.pem  a certificate it signed for the given names
//	server.key  the key to that certificate (PKCS #8)
//
// All of it is valid for a day: test certificates that last are the ones that expire in a release week.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

func main() {
	directory := flag.String("out", ".", "`DIRECTORY` to write to")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		log.Fatal("usage: certificates -out DIRECTORY NAME...")
	}

	authorityKey := newKey()
	authority := template(1, "test authority")
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	authorityDer := sign(authority, authority, authorityKey, authorityKey)

	serverKey := newKey()
	server := template(2, "test server")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, name)
		}
	}
	serverDer := sign(server, authority, serverKey, authorityKey)
	keyDer, err := x509.MarshalPKCS8PrivateKey(serverKey)
	check(err)

	write(filepath.Join(*directory, "ca.pem"), "CERTIFICATE", authorityDer)
	write(filepath.Join(*directory, "server.pem"), "CERTIFICATE", serverDer)
	write(filepath.Join(*directory, "server.key"), "PRIVATE KEY", keyDer)
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	return key
}

func template(serial int64, name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
}

func sign(cert, issuer *x509.Certificate, key, issuerKey *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, &key.PublicKey, issuerKey)
	check(err)
	return der
}

func write(path, kind string, der []byte) {
	check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
