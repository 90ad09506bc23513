package labels

import "example.org/modules/libs/naming"

// Of labels a resource.
func Of(provider, name string) string { return "name=" + naming.Of(provider, name) }
