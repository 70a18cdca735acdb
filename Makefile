# Everything here needs Go; `make race` and `make check` need a C compiler too.
# A target that lacks something says what.

GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME     ?= 30s
BENCHTIME    ?= 1s
# A bare answer's processor time to a governed read's, at least. It was 0.28 to
# 0.32 on a busy machine; what makes a read half as dear again falls under this.
READ_FLOOR   ?= 0.20

.PHONY: help test check fmt vet lint race vuln docs fuzz bench guard build man image demo

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

test: ## run all tests; installs Chromium and npm packages if it may
	@.ci/need go
	@.ci/web
	go test ./...

check: fmt vet docs lint race vuln ## what has to pass before a push

fmt: ## is everything formatted?
	@.ci/need go
	@files=$$(gofmt -l .) && { test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }; }

vet: ## go vet
	@.ci/need go
	go vet ./...

lint: ## static analysis by .golangci.yml
	@.ci/need go
	go run $(GOLANGCI_LINT) run ./...

race: ## run all tests under the race detector
	@.ci/need go cc
	@.ci/web
	go test -race -timeout 30m ./...

vuln: ## look for known vulnerabilities that the code reaches
	@.ci/need go
	@.ci/vuln

docs: ## are the tests and files that the docs name there?
	@.ci/docs

fuzz: ## run each fuzz target for FUZZTIME
	@.ci/need go
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; done

bench: ## run all benchmarks
	@.ci/need go
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

guard: ## does a governed read cost what it did?
	@.ci/need go
	go test -count=1 -run StayCheap ./vault ./api
	go run ./cmd/sayso bench --subjects 2000 --rounds 3 --round 1s --connections 64 --floor $(READ_FLOOR)

build: ## build bin/sayso
	@.ci/need go
	CGO_ENABLED=0 go build -trimpath -o bin/sayso ./cmd/sayso

man: build ## write the manual pages to bin/man/man1
	bin/sayso man bin/man/man1

image: ## build the container image, where an engine runs; IMAGE=name:tag
	@.ci/image

demo: ## the story on the terminal, then a vault to try
	@.ci/need go
	go run ./cmd/sayso demo
