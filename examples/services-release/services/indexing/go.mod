module example.org/shop/indexing

go 1.21
