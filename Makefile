# Shorthand only: every target calls ./jejak, and `make` alone lists them.
.PHONY: help demo test check nightly doctor up
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

demo: ## from a scan to a notice, on this machine
	./jejak demo

test: ## everything, the embedded servers included
	./jejak test

check: ## the fast half: linters, types, import rules
	./jejak test --fast

nightly: ## what takes hours: 100,000 worlds, 50 seeds of deaths, an hour of chaos
	./jejak simulate --schedules 100000
	./jejak failpoints --seeds 50
	./jejak chaos --seed 1 --minutes 60 --kills 1000 --scans 2000000 --rate 1000 --poison 10000

doctor: ## what is missing here, and how to get it
	./jejak doctor

up: ## broker, database and all services in the foreground
	./jejak up
