# The two commands: `make run` and `make test`. Everything they need is installed into .venv at the root.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SAMPLE := runs/sample

.PHONY: run test check install system package clean

run: install
	rm -rf $(SAMPLE)
	$(BIN)/bearing-inspector inspect sample_data --output $(SAMPLE) \
	    --export images,video,xlsx,csv,jsonl,coco,yolo,labelme
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then $(BIN)/bearing-inspector --open sample_data; \
	    else echo "No display here: the results are in $(SAMPLE); with a display the window would open now."; fi

test: install system check
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(INSTALLED)

$(INSTALLED): setup.py constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[test]'
	mkdir -p .venv/typing && ln -sfn ../../plugins .venv/typing/inspector_plugins
	touch $@

# A screen and Chinese fonts for the tests of the window, and what OpenCV links to; only where missing and allowed.
system:
	@sh packaging/system.sh

# The standalone program in dist/ and its archive; BEARING_INSPECTOR_CUDA=1 with a CUDA build of torch makes the other one.
package: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pyinstaller 'setuptools>=77'
	$(BIN)/python packaging/build.py

clean:
	rm -rf .venv runs build dist *.egg-info
