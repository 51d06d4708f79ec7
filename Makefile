# What people do here; `make help` lists it. Everything that is made lands in build/.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PROGRAMS := ironic_cpi registry nodectl
TOOL := go tool -modfile=tools/go.mod
CHECKS := $(patsubst %/go.mod,%,$(wildcard tools/*/go.mod))
SHELL_FILES := $(wildcard bin/*) .ci/run
SHFMT := -i 2 -ci
YAML_RULES := document-start: disable, indentation: {spaces: consistent}, comments: {min-spaces-from-content: 1}, \
	line-length: {max: 130}
BENCH ?= .
COUNT ?= 1

.DEFAULT_GOAL := build
.PHONY: build test test-unit test-long bench lint fmt docs demo help bootstrap $(PROGRAMS:%=build/%)

build: $(PROGRAMS:%=build/%) ## static programs: build/ironic_cpi (the default)

$(PROGRAMS:%=build/%): build/%:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./src/cmd/$*

bootstrap: # Debian packages for the tests; a moment where all are there
	@bin/bootstrap

test: bootstrap build ## every test, also those against a real Ironic, Keystone and WebDAV server
	bin/test

test-unit: ## tests that need neither root nor network
	go test -short ./src/...

test-long: bootstrap build ## also what is too slow for every run: race detector, fuzzing, long tests
	LONG=1 bin/test

bench: bootstrap build ## benchmarks, into build/bench.txt; BENCH=regexp COUNT=n, then compare with benchstat
	mkdir -p build
	go test -run '^$$' -bench '$(BENCH)' -benchmem -p 1 -count $(COUNT) -timeout 60m -tags integration ./src/... > build/bench.txt; \
		status=$$?; grep -v -e '^PASS' -e '^ok' -e 'no test files' build/bench.txt; exit $$status

lint: bootstrap ## golangci-lint, deadcode, go mod tidy, shellcheck, shfmt, yamllint, codespell
	$(TOOL) golangci-lint run ./src/...
	bin/dead-code
	go mod tidy -diff
	cd tools && go mod tidy -diff
	for module in $(CHECKS); do (cd $$module && go vet ./...) || exit 1; done
	shellcheck -x $(SHELL_FILES)
	$(TOOL) shfmt -d $(SHFMT) $(SHELL_FILES)
	yamllint -s -d '{extends: default, rules: {$(YAML_RULES)}}' $$(git ls-files '*.yml' '*.yaml')
	codespell --skip '*.sum,go.mod,*/go.mod,*/testdata/*' --ignore-words-list pasword $$(git ls-files)

fmt: ## format Go and shell
	$(TOOL) golangci-lint fmt ./src/...
	$(TOOL) shfmt -w $(SHFMT) $(SHELL_FILES)

docs: ## write the reference documents again from the code
	UPDATE=1 go test -count=1 -run Docs ./src/cmd/... ./src/cpi/... ./src/conductor/... ./src/driver/...

demo: build ## a VM's whole life on servers that do not exist, shown request by request
	go run ./src/cmd/demo -cpi build/ironic_cpi -dir build/demo

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
