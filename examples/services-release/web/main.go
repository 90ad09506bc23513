// Command web serves the files of a folder.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := http.ListenAndServe(":"+os.Getenv("PORT"), http.FileServer(http.Dir(os.Args[1]))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
