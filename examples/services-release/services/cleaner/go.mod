module example.org/shop/cleaner

go 1.21
