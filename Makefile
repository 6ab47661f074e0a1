# make        lists the targets
# make demo   shows the program at work
# make test   runs all tests
.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail

GO        ?= go
ARGS      ?=
FUZZTIME  ?= 10s
# Packages tested at once. Each database package runs a Postgres of its own, so more than two starve a small machine.
P         ?= 2
TIMEOUT   ?= 15m
RUN       ?= ./...

LINT      := $(GO) tool -modfile=tools/lint/go.mod golangci-lint
BUF       := $(GO) tool -modfile=tools/go.mod buf

.PHONY: help demo build test attacks check fmt vet lint generate generated rules bench corpus fuzz-short install-deps install-test-deps clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS=...  arguments of demo and bench      RUN=./store/...  packages to test"

demo: install-deps build ## start Postgres, NATS and sample mailboxes in one process and print each event (ARGS=--help)
	@exec bin/mailintake demo $(ARGS)

build: ## build the static binary bin/mailintake
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/mailintake ./cmd/mailintake

test: install-test-deps ## run all tests, against a real Dovecot too, with the race detector (RUN=./store/...)
	MAILINTAKE_REQUIRE_DOVECOT=1 $(GO) test -race -shuffle=on -timeout $(TIMEOUT) -p $(P) $(RUN)
	@if [ '$(RUN)' = ./... ]; then $(MAKE) --no-print-directory attacks; fi

attacks: ## time and memory of the parser on hostile mail, which the race detector would distort (make test runs it too)
	$(GO) test -count=1 -v -run '^Test(Packed)?(AttackTime|Memory)$$' ./ingest/mime

check: fmt vet lint generated rules ## everything that reads the code without running it

fmt: ## fail if a file is not formatted
	@files=$$(gofmt -l .) || exit; [ -z "$$files" ] || { echo "not formatted, run gofmt -w on:" $$files >&2; exit 1; }

vet: ## go vet
	$(GO) vet ./...

lint: ## golangci-lint and buf lint
	$(LINT) run ./...
	$(BUF) lint

generate: ## write the Go beside the protos anew
	$(BUF) generate

generated: ## fail if generated files are not what generate would write
	tools/check-generated.sh

rules: ## fail if a package imports what it may not
	$(GO) test ./internal/rules

bench: install-test-deps ## measure against mbsync and mpop on this machine (ARGS=...)
	@tools/install-deps.sh peers
	$(GO) run ./internal/bench $(ARGS)

fuzz-short: ## run each fuzz target for FUZZTIME=10s
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

corpus: ## compare the parser with others on their test mail and write docs/corpus.md
	$(GO) test ./ingest/mime ./ingest/tnef ./ingest/reply -p 1 -count=1 -run '^TestCorpus(Bounces)?$$' -table $(CURDIR)/docs/corpus.md
	@grep '^|' docs/corpus.md

install-deps: ## install what the demo needs and the machine lacks: postgresql
	@tools/install-deps.sh postgresql

install-test-deps: ## install what the tests need besides: a C compiler for -race, and Dovecot
	@tools/install-deps.sh postgresql race dovecot

clean: ## remove what make built
	rm -rf bin coverage.out
