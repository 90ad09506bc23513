package main

import (
	"fmt"

	"example.org/modules/libs/labels"
)

func main() { fmt.Println(labels.Of("kubernetes", "kubernetescomponent18")) }
