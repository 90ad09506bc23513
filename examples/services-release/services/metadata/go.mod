module example.org/shop/metadata

go 1.21
