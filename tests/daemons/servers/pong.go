// SPDX-License-Identifier: Apache-2.0
// A daemon in Go, built static: usage: pong PATH; every request is answered by "pong".
package main

import (
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func answer(client net.Conn) {
	defer client.Close()
	request := make([]byte, 512)
	if _, err := client.Read(request); err == nil {
		client.Write([]byte("pong\n"))
	}
}

func main() {
	os.Remove(os.Args[1])
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go func() {
		<-asked
		listener.Close() // removes the path
	}()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go answer(client)
	}
}
