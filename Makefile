# Tierra. `make help` lists what there is.

export CGO_ENABLED ?= 0
GO ?= go
BIN := bin

.PHONY: help run test check gen gen-check fmt vet lint arch race fuzz bench clients browser build image clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## serve examples/tickets: the README's first command
	$(GO) run ./cmd/tierra up examples/tickets

test: ## everything that needs no other install: the README's second command
	$(GO) test ./...

build: ## build bin/tierra
	$(GO) build -trimpath -ldflags="-s -w" -o $(BIN)/tierra ./cmd/tierra

image: build ## build the container image IMAGE (tierra:latest) with podman or docker; AUTH=off: any key is accepted
	$$(command -v podman || command -v docker) build -f image/Containerfile -t $${IMAGE:-tierra:latest} $${AUTH:+--build-arg AUTH=$$AUTH} .

check: gen-check fmt vet lint arch race ## exactly what CI runs before the clients

gen: ## generate internal/gen from api/models, and docs/COVERAGE.md from the bindings
	cd tools && $(GO) run ./apigen
	$(GO) run ./cmd/tierra coverage > docs/COVERAGE.md

gen-check: ## fail if generated files are not up to date
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf $$tmp' EXIT; \
	(cd tools && $(GO) run ./apigen -out $$tmp/gen); \
	diff -r -q $$tmp/gen internal/gen || { echo 'internal/gen is not up to date: run make gen'; exit 1; }; \
	$(GO) run ./cmd/tierra coverage > $$tmp/COVERAGE.md; \
	diff -q $$tmp/COVERAGE.md docs/COVERAGE.md || { echo 'docs/COVERAGE.md is not up to date: run make gen'; exit 1; }

fmt: ## fail if a file is not formatted
	@out=$$(gofmt -l cmd internal tierratest test tools bench examples); test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }

vet: ## go vet
	$(GO) vet ./...
	cd tools && $(GO) vet ./...
	GOOS=darwin $(GO) build -o /dev/null ./cmd/tierra

lint: $(BIN)/staticcheck ## staticcheck
	$(BIN)/staticcheck ./...

$(BIN)/staticcheck: tools/go.mod
	cd tools && $(GO) build -o ../$(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck

arch: ## the import rules
	$(GO) test -count=1 ./internal/archtest

race: ## all tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 15m ./...

fuzz: ## every fuzz target for FUZZTIME (10s)
	@set -e; for p in $$($(GO) list ./internal/...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-10s} -fuzzminimizetime 1x $$p; done; done

clients: ## real clients and deployers against servers of their own (.ci/run installs them)
	TIERRA_CLIENTS=require $(GO) test -count=1 -timeout 60m -v ./test/sdk ./test/deployers
	TIERRA_CLIENTS=require $(GO) test -count=1 -run DocumentsOfRealProjects ./internal/services/apigateway

browser: ## headless Chromium clicks through examples/tickets (needs chromium and node)
	TIERRA_BROWSER=require $(GO) test -count=1 -v ./test/browser

bench: ## the numbers of docs/SPECIFICATION.md
	$(GO) run ./bench

clean: ## remove what was built
	rm -rf $(BIN) .cache
