# SPDX-License-Identifier: MIT
#
# Every target that needs a compiler or Vulkan first runs tools/setup.sh, which installs what is missing and is silent
# where nothing is. Arguments for the programs go into ARGS: make train ARGS="-preset tiny -steps 100"

GO ?= go
ARGS ?=
PKGS ?= ./...

.PHONY: help setup train sample test test-all fuzz mutate counts check race validate spv spv-verify sid-root test-coopmat test-sid compile gpu-kit report bench ladder ladder-sid clean

help: ## print this list
	@echo 'make TARGET [ARGS="..."] [PKGS="./kernels/..."]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing: C compiler, Vulkan loader, driver
	@sh tools/setup.sh

train: setup ## train on the built-in faces, or ARGS="-data FOLDER_OR_ZIP"
	@$(GO) run ./train $(ARGS)

sample: setup ## draw pictures from the newest run, or ARGS="-checkpoint FILE"
	@$(GO) run ./sample $(ARGS)

test: setup ## run the tests, minutes; REQUIRE_GPU=1 fails where there is no Vulkan device
	@$(GO) run ./tools/devices || [ "$$REQUIRE_GPU" != 1 ]
	$(GO) test $(PKGS) $(ARGS)

test-all: setup ## the same with the whole sweep of kernels: every shader's every specialization, 10 minutes of compiling and more
	JITVK_TESTS=all $(GO) test -count=1 -timeout 40m $(PKGS) $(ARGS)

fuzz: setup ## draw thousands of new calls of every kernel against float64; CHECKS=2000 an op
	$(GO) test -count=1 -timeout 6h -run '^TestProperties$$' ./kernels -v -rapid.checks=$(or $(CHECKS),2000) $(ARGS)

mutate: setup ## plant faults in a copy, one at a time: a test must notice each (needs glslc; installs it)
	@sh tools/setup.sh glslc
	@$(GO) run ./tools/mutate $(ARGS)

counts: setup ## print the number of shaders, ops, compared outputs and planted faults
	@$(GO) run ./tools/counts $(ARGS)

check: setup ## formatting, vet, staticcheck, import direction, shaders, manifest, docs
	@$(GO) run ./tools/check $(ARGS)

race: setup ## run the engine's tests under the race detector, and under cgo's check of every pointer that is written
	$(GO) test -count=1 -race ./engine $(ARGS)
	GOEXPERIMENT=cgocheck2 $(GO) test -count=1 ./engine $(ARGS)

validate: ## run the tests under the Khronos validation layer (installs it); any message fails
	@sh tools/setup.sh validation
	JITVK_VALIDATE=1 $(GO) test -count=1 -timeout 20m $(PKGS) $(ARGS)

spv: ## compile the shaders that changed (needs glslc; installs it) and update shaders/MANIFEST
	@sh tools/setup.sh glslc
	@$(GO) run ./tools/spv $(ARGS)

spv-verify: ## recompile every shader and require the committed bytes
	@sh tools/setup.sh glslc
	@$(GO) run ./tools/spv -verify $(ARGS)

sid-root: ## make ~/.cache/jitvk/sid: Debian sid's Mesa and glslc (needs debootstrap and root)
	@sh tools/sid.sh root

test-coopmat: setup sid-root ## run the GPU tests on sid's Mesa, whose CPU driver has cooperative matrices
	REQUIRE_GPU=1 $(GO) test -count=1 -exec '$(CURDIR)/tools/sid.sh exec' $(or $(filter-out ./...,$(PKGS)),./engine/... ./kernels/...) $(ARGS)

test-sid: test-coopmat

compile: setup ## hold the code of every pipeline, for an AMD GPU that need not be there, to a table; ARGS=-write renews it
	@$(GO) run ./tools/compile $(ARGS)

gpu-kit: setup ## make the folder gpu-kit: ten minutes of tests and measurements for a machine with a GPU and no Go
	@$(GO) run ./tools/gpukit $(ARGS)

report: setup ## write jitvk-report.md, a file about this machine's device to attach to an issue
	@$(GO) run ./tools/report $(ARGS)

bench: setup ## time kernels, training steps and sampling beside BLAS, memcpy and PyTorch; ARGS="-all", "-write NAME"
	@$(GO) run ./tools/bench -json runs/bench.json $(ARGS)

ladder: setup ## time every rung of every ladder; put the tables and bars into docs/kernels (wants a quiet machine)
	$(GO) run ./tools/ladder -write -json docs/kernels/ladder.json $(ARGS)
	$(GO) run ./tools/figures

ladder-sid: setup sid-root ## the same on sid's Mesa, for the rungs that need its matrix unit
	$(GO) run -exec '$(CURDIR)/tools/sid.sh exec' ./tools/ladder -write -json docs/kernels/ladder.json $(ARGS)
	$(GO) run ./tools/figures

clean: ## remove what tools leave in the checkout; runs/ stays
	rm -rf .cache bin
