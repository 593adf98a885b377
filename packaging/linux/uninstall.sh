#!/bin/sh
# Takes Bearing Inspector out of this user's menu. Results stay where they are. Settings, history and plugins are
# removed only after a yes; then delete this folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
rm -f "$data/applications/bearing-inspector.desktop" "$data/mime/packages/bearing-recipe.xml"
command -v update-mime-database >/dev/null 2>&1 && update-mime-database "$data/mime" >/dev/null 2>&1 || true
kept=${BEARING_INSPECTOR_HOME:-$data/Bearing Inspector}
[ -e "$here/portable" ] && kept=$here/data
if [ -d "$kept" ]; then
    echo "Results are kept. Remove settings, history and plugins in $kept too? / 检测结果会保留。是否同时删除设置、历史记录和插件？"
    printf '[y/N] '
    read -r answer || answer=""
    case $answer in
        y | Y | yes)
            # What the program keeps there, by name: results may lie in the same folder.
            for name in history.sqlite3 history.sqlite3-wal history.sqlite3-shm settings.json window.json window.lock trainings.json to-open \
                plugins plugins-state plugin-data logs ultralytics; do
                rm -rf "${kept:?}/$name"
            done
            rmdir "$kept" 2>/dev/null || true
            echo "Removed. / 已删除。" ;;
        *) echo "Kept. / 已保留。" ;;
    esac
fi
if [ -d "$here/results" ]; then
    echo "Results lie in $here/results: move them away first. / 检测结果在 $here/results 中，请先移走。"
fi
echo "Now delete the folder $here. / 现在可以删除文件夹 $here。"
