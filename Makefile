# What can be done with this checkout. `make` alone lists it.
# Needs Node.js 20.19 or newer, git and make. With Go, `make test` also tests against a real nsqd.

.DEFAULT_GOAL := help
.PHONY: help install build run test chaos check bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1#\2/p' $(MAKEFILE_LIST) | column -t -s '#' 2>/dev/null || \
	  sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 - \2/p' $(MAKEFILE_LIST)

install: node_modules/.package-lock.json ## install the packages, where they changed

# A linked node_modules belongs to another checkout, and npm would empty it: it is used as it stands.
node_modules/.package-lock.json: package-lock.json
	@if [ -L node_modules ]; then echo "node_modules is a link, left as it is"; else npm ci && touch $@; fi

build: install ## compile to dist/
	@node_modules/.bin/tsc
	@sh src/workers/runner/launcher/build

run: build ## try the agent: three example plugins, points on stdout, HTTP on 127.0.0.1:1232
	@./agent demo $(if $(LISTEN),--listen $(LISTEN))

test: build ## run the whole suite, with coverage; the last line counts
	@sh test/run

chaos: build ## break an agent's surroundings in random ways, look whether anything is lost; CHAOS_SEED=… replays
	@test/nsqd/build && node --enable-source-maps dist/test/chaos/main.js

check: build ## check format, lint and types
	@NO_COLOR=1 node_modules/.bin/biome ci .

bench: build ## measure, print a table and write a JSON file; PART="posts idle": some parts only
	@test/nsqd/build
	@code=0; node dist/test/bench/main.js $(PART) || code=$$?; \
	  $(if $(PART),,sh test/bench/compare || code=$$?;) exit $$code

clean: ## remove what was built; packages stay
	rm -rf dist coverage .build
