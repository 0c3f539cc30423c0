module wagi

go 1.21
