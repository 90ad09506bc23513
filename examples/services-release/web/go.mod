module example.org/shop/web

go 1.21
