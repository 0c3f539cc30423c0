// A WAGI program as Go's own compiler makes it for WASI.
package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

func main() {
	path := os.Getenv("PATH_INFO")
	switch path {
	case "/hello":
		fmt.Print("content-type: text/plain\n\nHello from Go!")
	case "/headers":
		lines := []string{}
		for _, entry := range os.Environ() {
			if strings.HasPrefix(entry, "HTTP_") {
				lines = append(lines, entry)
			}
		}
		sort.Strings(lines)
		fmt.Print("content-type: text/plain\n\n" + strings.Join(lines, "\n"))
	case "/echo":
		fmt.Print("content-type: application/octet-stream\n\n")
		io.Copy(os.Stdout, os.Stdin)
	case "/panic":
		panic("kaboom")
	default:
		fmt.Print("content-type: text/plain\nstatus: 404\n\nno such path " + path)
	}
}
