"""The list of exported models of a training."""

from pathlib import Path

from inspector.training import Export, add_export, read_exports


def test_the_newest_export_comes_first_and_each_file_once(tmp_path):
    first = Export(Path("/x/模型.onnx"), "onnx", ("Input 1 x 3 x 32 x 32",))
    second = Export(Path("/x/best_openvino_model"), "openvino")
    for one in (first, second, first):
        add_export(tmp_path, one)
    assert read_exports(tmp_path) == [first, second]


def test_a_damaged_list_is_empty_and_a_missing_folder_only_logged(tmp_path, caplog):
    (tmp_path / "exports.json").write_text("[{}]", "utf-8")
    assert read_exports(tmp_path) == []
    add_export(tmp_path / "gone" / "x", Export(Path("a"), "onnx"))
    assert "cannot be saved" in caplog.text
