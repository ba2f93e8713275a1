module nodetap/tests/real/writer

go 1.24
