package main

import (
	"fmt"

	"example.org/modules/libs/naming"
)

func main() { fmt.Println(naming.Of("kubernetes", "kubernetescomponent19")) }
