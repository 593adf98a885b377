# The two commands: `make run` and `make test`. Everything they need is installed into .venv at the root.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SAMPLE := runs/sample

.PHONY: run test quick check install system package windows-check windows-package clean

run: install
	rm -rf $(SAMPLE)
	$(BIN)/bearing-inspector inspect sample_data --output $(SAMPLE) \
	    --export images,video,xlsx,csv,jsonl,coco,yolo,labelme
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then $(BIN)/bearing-inspector --open sample_data; \
	    else echo "No display here: the results are in $(SAMPLE); with a display the window would open now."; fi

test: install system check
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

# What tells within two minutes whether a change broke something. Tests of torch are not even imported, which takes long.
TORCH := yolo11 cgnet dysample freqfusion layers losses rmt timm_backbones unireplknet vmamba
quick: install
	$(BIN)/python -m pytest -q -n auto --dist loadgroup -m "quick or not (slow or ui or torch)" \
	    $(addprefix --ignore=tests/plugins/,$(TORCH)) --ignore=tests/reference

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(INSTALLED)

$(INSTALLED): setup.py constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[test]'
	touch $@

# A screen and Chinese fonts for the tests of the window, and what OpenCV links to; only where missing and allowed.
system:
	@sh packaging/system.sh

# The standalone program in dist/ and its archive; BEARING_INSPECTOR_CUDA=1 with a CUDA build of torch makes the other one.
package: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pyinstaller 'setuptools>=77'
	$(BIN)/python packaging/build.py

# On Debian as root: the program under Wine, with everything made from nothing in BEARING_INSPECTOR_WINE (6 GB, default
# ~/.cache/bearing-inspector-wine); see docs/windows.md. Hours on a small machine; ONLY=doctor,inspect for some parts.
windows-check: install
	$(PYTHON) packaging/windows/check.py $(if $(ONLY),--only $(ONLY)) $(if $(LOOKS),--looks $(LOOKS))

windows-package: install
	$(PYTHON) packaging/windows/package.py $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf .venv runs build dist *.egg-info
