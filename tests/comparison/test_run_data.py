from tfhashtag.comparison.run_data import tidy


def test_tidy_links_equal_files_and_drops_checkpoints(tmp_path):
    for run in ("a", "b"):
        (tmp_path / run / "data" / "deep").mkdir(parents=True)
        (tmp_path / run / "data" / "deep" / "same").write_text("same")
        (tmp_path / run / "data" / "other").write_text(run)
        (tmp_path / run / "checkpoints").mkdir()
        (tmp_path / run / "checkpoints" / "last.npz").write_text("x")
    tidy(tmp_path / "b", [tmp_path / "a" / "data", tmp_path / "b" / "data"])
    assert not (tmp_path / "b" / "checkpoints").exists()
    assert (tmp_path / "a" / "checkpoints").exists()
    one, other = (tmp_path / run / "data" / "deep" / "same" for run in ("a", "b"))
    assert one.samefile(other) and other.read_text() == "same"
    assert (tmp_path / "b" / "data" / "other").read_text() == "b"
    assert {path.name for path in (tmp_path / "b" / "data").rglob("*")} == {"deep", "same", "other"}
