// Command gozero announces an address in etcd, or lists the addresses under a key, through go-zero's own discovery.
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

	"github.com/zeromicro/go-zero/core/discov"
	"github.com/zeromicro/go-zero/core/logx"
)

func main() {
	address := flag.String("etcd", "", "`HOST:PORT` of etcd")
	service := flag.String("service", "", "key of the service")
	announce := flag.String("announce", "", "`HOST:PORT` to announce; without it, list")
	flag.Parse()
	logx.Disable()

	if *announce == "" {
		subscriber, err := discov.NewSubscriber([]string{*address}, *service)
		if err != nil {
			log.Fatal(err)
		}
		for _, value := range subscriber.Values() {
			text, _ := json.Marshal(map[string]string{"address": value})
			fmt.Printf("instance %s\n", text)
		}
		return
	}
	publisher := discov.NewPublisher([]string{*address}, *service, *announce)
	if err := publisher.KeepAlive(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", *announce)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	// What revokes the lease is a goroutine that Stop wakes up, and nothing says when it has.
	publisher.Stop()
	time.Sleep(time.Second)
}
