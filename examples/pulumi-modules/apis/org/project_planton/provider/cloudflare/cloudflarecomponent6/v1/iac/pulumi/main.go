package main

import (
	"fmt"

	"example.org/modules/libs/labels"
)

func main() { fmt.Println(labels.Of("cloudflare", "cloudflarecomponent6")) }
