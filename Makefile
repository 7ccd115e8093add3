# Every target sets itself up in .venv: see embedded/bootstrap.py. Without make: python3 -m embedded.bootstrap run

.DEFAULT_GOAL := help
.PHONY: help run test check test-browser bench simulate reset mutants

# The first Python that works; the bootstrap itself looks for 3.11 or newer and says so when there is none.
BOOTSTRAP = @for python in "$$PYTHON" python3.11 python3 python3.12 python3.13 python; do \
	if [ -n "$$python" ] && "$$python" -c "import sys; sys.exit(sys.version_info < (3, 8))" 2>/dev/null; then exec "$$python" -m embedded.bootstrap $@; fi; done; \
	echo "Python 3.11 or newer is needed and no Python was found: install it from https://www.python.org/downloads/" >&2; exit 1

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: ## start the whole shop on this machine (PORT=8000) and print where everything is
	$(BOOTSTRAP)

test: ## lint, types, walls and every test, browser tests included
	$(BOOTSTRAP)

check: ## lint, format, types and walls only
	$(BOOTSTRAP)

test-browser: ## the browser tests only
	$(BOOTSTRAP)

bench: ## measure the shop
	$(BOOTSTRAP)

mutants: ## plant known bugs in a copy; each must turn a named test red
	$(BOOTSTRAP)

simulate: ## play SEEDS=100 random histories of the shop, or the one of SEED=123 step by step
	$(BOOTSTRAP)

reset: ## stop everything and delete all data under var/
	$(BOOTSTRAP)
