package naming

// Of names a resource.
func Of(parts ...string) string {
	name := ""
	for _, part := range parts {
		name += "/" + part
	}
	return name[1:]
}
