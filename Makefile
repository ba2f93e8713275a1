# The one door for people and CI. `make` alone lists the targets.

SHELL := /bin/bash
export NODETAP_BIN ?= $(CURDIR)/target/debug/nodetap

.PHONY: help run test lint bench golden dashboards fuzz soak image install-test

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and start nodetap on what this machine has
	cargo build --release --locked -p cli
	./target/release/nodetap up

test: install-test ## install what tests need, and run them all
	cargo build --locked -p cli
	tests/real/components/prepare.sh
	cargo test --locked --workspace --exclude tests
	cargo test --locked -p tests

lint: ## format, lints and the repository's laws
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked -p tests --test laws

bench: ## measure against the promised numbers; prints ratios
	cargo build --release --locked -p cli -p bench
	./target/release/bench all

golden: ## write the goldens anew; look at `git diff` afterwards
	cargo build --locked -p cli
	UPDATE_GOLDEN=1 cargo test --locked --workspace golden

dashboards: ## write the dashboards of Grafana and Kibana anew (needs Go); look at `git diff` afterwards
	cd dashboards/generator && go run . ..

fuzz: ## fuzz every reader of foreign bytes for a minute each
	fuzz/run.sh

soak: ## the situations at length: a thousand kills, thirty megabytes a second
	cargo build --locked -p cli
	NODETAP_SOAK=1 NODETAP_KILLS=1000 NODETAP_PATIENCE=600 cargo test --locked -p tests --test it

image: ## a static binary in an OCI image, made without a daemon: target/nodetap-image.tar
	deploy/image/build.sh

install-test:
	@tests/install.sh
