# Two commands on a fresh machine: `make demo`, `make test`. See README.md.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.tracking_nodes_installed
BAG ?=

# A sourced distribution brings rclpy and the messages; without one the wheels of the extra do.
EXTRAS := $(if $(ROS_DISTRO),test,ros,test)
VENV_OPTIONS := $(if $(ROS_DISTRO),--system-site-packages)

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench pictures lint clean

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(STAMP) ## Create .venv with everything that is needed

demo: $(STAMP) ## Replay a bag into a tracker node over DDS, score it: out/demo/ (BAG=... to choose)
	@$(VENV)/bin/python -m tracking_nodes.nodes.demo $(if $(BAG),--bag "$(BAG)")

test: $(STAMP) ## Run all tests (TRACKING_DATA=... for those on real sequences)
	@$(VENV)/bin/python -m pytest -q --numprocesses logical --maxprocesses 4 --dist worksteal

bench: $(STAMP) ## Measure how fast every tracker is here, beside OpenCV's: out/bench/
	@$(VENV)/bin/tracking_benchmark bench --background --crop-frames 4 --peer csrt --peer kcf \
	  --peer mil --peer nano --peer vit --out out/bench

pictures: $(STAMP) ## Make docs/pictures anew; that of the report needs chromium
	@$(VENV)/bin/python docs/make_pictures.py

lint: $(STAMP) ## Check style as ament_flake8 and ament_pep257 do, package.xml, and types
	@$(VENV)/bin/python -m flake8 tracking_nodes test launch interfaces docs setup.py
	@$(VENV)/bin/python -m pydocstyle tracking_nodes test launch interfaces docs setup.py
	@$(VENV)/bin/python -c 'from catkin_pkg.package import parse_package as parse; \
	  parse("package.xml").validate()'
	@! command -v xmllint > /dev/null || xmllint --noout package.xml
	@$(VENV)/bin/python -m mypy tracking_nodes

clean: ## Remove .venv and everything generated
	rm -rf $(VENV) build out .pytest_cache *.egg-info

$(STAMP): setup.py setup.cfg package.xml $(wildcard interfaces/*.py interfaces/*/* interfaces/*/msg/*)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || { \
	  echo '$(PYTHON) must be Python 3.10, 3.11 or 3.12; choose one: make PYTHON=python3.12 ...'; \
	  exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV_OPTIONS) $(VENV) || { \
	  echo 'No virtual environment; on Debian or Ubuntu: apt install python3-venv'; exit 1; }
	@echo 'Installing what setup.py declares into $(VENV) (PyTorch is large: some minutes) ...'
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  vot-toolkit==0.9.0
	@$(VENV)/bin/python interfaces/build.py
	@touch $@
