module github.com/tierra-cloud/tierra/tools

go 1.26.0

require github.com/tierra-cloud/tierra v0.0.0

replace github.com/tierra-cloud/tierra => ../
