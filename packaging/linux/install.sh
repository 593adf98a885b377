#!/bin/sh
# Puts Bearing Inspector into this user's menu and opens recipes (*.bearing) with it. Nothing is copied, and no
# administrator is needed: the program stays in this folder. uninstall.sh takes it out again.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
mkdir -p "$data/applications" "$data/mime/packages"
# Quoted as an argument of the entry's Exec line, then as a value of the entry, then for sed.
quoted=$(printf '%s' "$here/bearing-inspector" | sed -e 's/[\\"`$]/\\&/g' -e 's/%/%%/g' -e 's/\\/\\\\/g')
icon=$(printf '%s' "$here/bearing-inspector.png" | sed 's/\\/\\\\/g')
for_sed() { printf '%s' "$1" | sed -e 's/[\\&|]/\\&/g'; }
sed -e "s|@PROGRAM@|$(for_sed "$quoted")|" -e "s|@ICON@|$(for_sed "$icon")|" \
    "$here/bearing-inspector.desktop" > "$data/applications/bearing-inspector.desktop"
cp "$here/bearing-recipe.xml" "$data/mime/packages/"
command -v update-mime-database >/dev/null 2>&1 && update-mime-database "$data/mime" >/dev/null 2>&1 || true
command -v update-desktop-database >/dev/null 2>&1 && update-desktop-database "$data/applications" >/dev/null 2>&1 || true
echo "Bearing Inspector is in the menu. / Bearing Inspector 已加入菜单。"
