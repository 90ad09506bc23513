module example.org/modules

go 1.20
