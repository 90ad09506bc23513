module plat/arc

go 1.22
