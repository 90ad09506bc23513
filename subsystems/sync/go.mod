module plat/sync

go 1.22
