"""The preview on a real screen: wheel, drag, keys, pointing and selecting, as a user does them."""

import numpy as np
import pytest
from PIL import ImageGrab

from inspector.domain import Detection, Frame, Inspection, Mask, ModelInfo, Verdict
from inspector.imaging.overlay import class_colour
from inspector.ui import theme
from inspector.ui.preview import MASKS_CHANGED, QUICK, Preview
from inspector.ui.viewport import STEP, fit_zoom
from inspector.ui.work import Tasks

SQUARE = Mask(100, 100, np.ones((60, 60), bool))
FOUND = (
    Detection("裂纹", 0.91, (100, 100, 160, 160), SQUARE),
    Detection("pit", 0.5, (110, 110, 120, 120), Mask(110, 110, np.ones((10, 10), bool)), 1),
    Detection("box", 0.7, (500, 300, 560, 340), None, 2),
)


def frame(width=640, height=480, name="IMG_0620.png", value=120) -> Frame:
    return Frame(np.full((height, width, 3), value, np.uint8), 0, name)


def inspection(found=FOUND, **of_frame) -> Inspection:
    return Inspection(frame(**of_frame), tuple(found), Verdict("NG"), ModelInfo("best.pt", "", "yolo11n-seg", ("a",)))


@pytest.fixture
def selected() -> list:
    return []


@pytest.fixture
def preview(root, selected):
    """800x600 at the top left of the screen, composing on the Tk thread."""
    widget = Preview(root, on_select=selected.append)
    widget.place(x=0, y=0, width=800, height=600)
    root.update()
    return widget


def at(preview: Preview, x: float, y: float) -> tuple[int, int]:
    """Where a place of the picture lies on the canvas."""
    viewport = preview._viewport
    left, top = viewport.to_window((x, y))
    border = int(preview.canvas["highlightthickness"])
    return round(left) + border, round(top) + border


def move(preview: Preview, x: float, y: float, event="<Motion>", **more) -> None:
    column, row = at(preview, x, y)
    preview.canvas.event_generate(event, x=column, y=row, **more)
    preview.update()


def click(preview: Preview, x: float, y: float) -> None:
    move(preview, x, y, "<Button-1>")
    move(preview, x, y, "<ButtonRelease-1>")


def key(preview: Preview, name: str, **more) -> None:
    preview.canvas.focus_force()
    preview.update()
    preview.canvas.event_generate(f"<Key-{name}>", **more)
    preview.update()


def words(preview: Preview) -> list[str]:
    """The texts that are seen on the canvas."""
    canvas = preview.canvas
    texts = [item for item in canvas.find_all() if canvas.type(item) == "text"]
    return [canvas.itemcget(item, "text") for item in texts if canvas.itemcget(item, "state") != "hidden"]


def on_screen(preview: Preview) -> np.ndarray:
    preview.update()
    canvas = preview.canvas
    left, top = canvas.winfo_rootx(), canvas.winfo_rooty()
    box = left, top, left + canvas.winfo_width(), top + canvas.winfo_height()
    return np.asarray(ImageGrab.grab(bbox=box).convert("RGB"))


def test_the_empty_state_says_what_to_do(preview):
    assert words(preview) == ["No picture yet"]
    preview.clear("Drop a picture here")
    preview.update()
    assert words(preview) == ["Drop a picture here"]
    assert preview.snapshot().size == (796, 596)
    preview.show(inspection())
    preview.update()
    assert "Drop a picture here" not in words(preview)
    preview.clear("Again")
    preview.update()
    assert words(preview) == ["Again"]
    assert preview.zoom == 1
    for action in (preview.zoom_in, preview.zoom_out, preview.fit, preview.actual, lambda: preview.pan(3, 4)):
        action()
    preview.canvas.event_generate("<Motion>", x=9, y=9)
    preview.canvas.event_generate("<Button-4>", x=9, y=9)
    preview.canvas.event_generate("<Button-1>", x=9, y=9)
    preview.canvas.event_generate("<ButtonRelease-1>", x=9, y=9)
    assert preview.selected is None


def test_what_is_on_the_screen_is_the_snapshot(preview):
    preview.show(inspection(), position="621 / 1000")
    seen, picture = on_screen(preview)[2:-2, 2:-2], np.asarray(preview.snapshot())
    assert picture.shape == seen.shape == (596, 796, 3)
    rows, columns = slice(60, 500), slice(10, 780)  # between the chips
    assert np.array_equal(seen[rows, columns], picture[rows, columns])
    x, y = at(preview, 150, 150)
    tinted = np.rint(0.6 * 120 + 0.4 * np.array(class_colour(0)))[::-1]
    assert np.abs(seen[y - 2, x - 2] - tinted).max() <= 1
    assert "IMG_0620.png   621 / 1000" in words(preview)
    assert any(text.startswith("124 %") for text in words(preview))


def test_views_masks_and_opacity(preview):
    preview.show(inspection())

    def colours():
        return np.unique(np.asarray(preview.snapshot()).astype(np.int32) @ (1, 256, 65536))

    result = len(colours())
    preview.set_view("original")
    assert len(colours()) == 2  # the picture and the ground
    preview.set_view("side_by_side")
    assert result <= len(colours()) + 30
    image = np.asarray(preview.snapshot())
    assert preview.zoom == pytest.approx(fit_zoom((640, 480), (395, 596)))
    assert (image[:, :395] == (120, 120, 120)).all(2).sum() > 100_000
    preview.set_view("result")
    for off in (preview.set_masks, preview.set_boxes, preview.set_labels, preview.set_outline):
        off(False)
    assert len(colours()) == 2
    preview.set_masks(True)
    preview.set_opacity(7)
    x, y = at(preview, 150, 150)
    assert tuple(np.asarray(preview.snapshot())[y, x]) == class_colour(0)[::-1]
    preview.set_hidden({"裂纹", "pit"})
    assert len(colours()) == 2
    with pytest.raises(ValueError, match="a view is one of original, result, side_by_side, not 'both'"):
        preview.set_view("both")


@pytest.mark.parametrize(
    ("event", "more", "factor"),
    [("<Button-4>", {}, STEP), ("<Button-5>", {}, 1 / STEP), ("<MouseWheel>", {"delta": 240}, STEP**2)],
)
def test_the_wheel_zooms_at_the_pointer(preview, event, more, factor):
    preview.show(inspection())
    preview._zoom(4, (400, 300))
    before = preview.zoom
    place = preview._viewport.to_picture((150, 420))
    preview.canvas.event_generate(event, x=152, y=422, **more)
    preview.update()
    assert preview.zoom == pytest.approx(before * factor)
    x, y = preview._viewport.to_window(place)
    assert abs(x - 150) <= 2
    assert abs(y - 420) <= 2


def test_the_wheel_in_the_right_pane_acts_on_its_place(preview):
    preview.show(inspection())
    preview.set_view("side_by_side")
    preview.update()
    place = preview._viewport.to_picture((100, 300))
    right = 100 + 401 + 2
    for _ in range(4):
        preview.canvas.event_generate("<Button-4>", x=right, y=302)
    preview.update()
    x, y = preview._viewport.to_window(place)
    assert abs(x - 100) <= 3
    assert abs(y - 300) <= 3


def test_dragging_moves_the_picture_and_selects_nothing(preview, selected):
    preview.show(inspection())
    preview.actual()
    preview.update()
    origin = preview._viewport.origin
    canvas = preview.canvas
    canvas.event_generate("<Button-1>", x=300, y=300)
    canvas.event_generate("<B1-Motion>", x=302, y=301)
    assert preview._viewport.origin == origin, "a hand that trembles does not drag"
    canvas.event_generate("<B1-Motion>", x=330, y=280)
    assert canvas["cursor"] == "fleur"
    canvas.event_generate("<B1-Motion>", x=350, y=290)
    canvas.event_generate("<ButtonRelease-1>", x=350, y=290)
    preview.update()
    assert preview._viewport.origin == (origin[0] + 50, origin[1] - 10)
    assert selected == []
    assert canvas["cursor"] in ("", "hand2")


def test_keys(preview):
    changes = []
    preview.bind(MASKS_CHANGED, changes.append)
    preview.show(inspection())
    preview.update()
    fitted = preview.zoom
    key(preview, "plus")
    assert preview.zoom == pytest.approx(fitted * STEP)
    key(preview, "minus")
    assert preview.zoom == pytest.approx(fitted)
    key(preview, "1")
    assert preview.zoom == 1
    key(preview, "plus")
    origin = preview._viewport.origin
    key(preview, "Left", state=1)
    assert preview._viewport.origin == (origin[0] + theme.px(60), origin[1])
    key(preview, "Left")
    assert preview._viewport.origin == (origin[0] + theme.px(60), origin[1]), "the plain arrows are the page's"
    key(preview, "f", state=4)
    assert preview.zoom == STEP, "with Ctrl it is the window's"
    key(preview, "f")
    assert preview.zoom == pytest.approx(fitted)
    key(preview, "m")
    assert not preview.look.masks
    assert len(changes) == 1
    key(preview, "M")
    assert preview.look.masks


def test_the_focus_is_seen(preview):
    preview.show(inspection())
    before = on_screen(preview)[300, 0]
    preview.canvas.focus_force()
    preview.update()
    primary = tuple(value // 257 for value in preview.winfo_rgb(theme.tokens().primary))
    assert tuple(on_screen(preview)[300, 0]) == primary != tuple(before)


def test_pointing_at_a_defect_describes_it(preview):
    preview.show(inspection())
    preview.update()
    move(preview, 150, 150)
    assert preview.look.hovered == 0
    assert "裂纹  0.91\narea 3,600 px²" in words(preview)
    assert preview.canvas["cursor"] == "hand2"
    move(preview, 115, 115)
    assert preview.look.hovered == 1, "the smallest"
    move(preview, 520, 310)
    assert "box  0.70\nbox 60 × 40 px" in words(preview)
    move(preview, 300, 300)
    assert preview.look.hovered is None
    assert not any("px" in text for text in words(preview))
    move(preview, 150, 150)
    preview.set_hidden({"裂纹"})
    preview.update()
    assert preview.look.hovered is None
    preview.set_hidden(())
    preview.canvas.event_generate("<Leave>")
    assert preview.look.hovered is None
    preview.set_view("original")
    move(preview, 150, 150)
    assert preview.look.hovered is None, "what is not drawn is not described"


def test_the_description_stays_in_the_window(preview):
    corners = [(0, 0), (630, 0), (0, 470), (630, 470)]
    preview.show(inspection([Detection("裂纹", 0.9, (x, y, x + 10, y + 10)) for x, y in corners]))
    preview.update()
    for number, (x, y) in enumerate(corners):
        move(preview, x + 5, y + 5)
        assert preview.look.hovered == number
        left, top, right, bottom = preview.canvas.bbox(preview._about._ground)
        assert left >= 0
        assert top >= 0
        assert right <= 800
        assert bottom <= 600


def test_clicking_selects(preview, selected):
    preview.show(inspection())
    preview.update()
    zoom = preview.zoom
    click(preview, 150, 150)
    click(preview, 115, 115)
    assert preview.selected == 1
    click(preview, 300, 300)
    assert selected == [0, 1, None]
    assert preview.selected is None
    assert preview.zoom == zoom, "what one clicks at does not jump away"


def test_selecting_centres_and_marks(preview, selected):
    preview.show(inspection())
    preview.update()
    plain = np.asarray(preview.snapshot())
    preview.select(0, centre=False)
    assert not np.array_equal(np.asarray(preview.snapshot()), plain)
    preview.select(2)
    x, y = preview._viewport.to_window((530, 320))
    assert abs(x - 398) <= 1
    assert abs(y - 298) <= 1
    assert preview.selected == 2
    assert selected == [], "only a click is told"
    preview.select(None)
    assert preview.selected is None
    with pytest.raises(IndexError):
        preview.select(99)


def test_the_view_is_kept_in_a_stream(preview):
    preview.show(inspection())
    preview._zoom(3, (100, 100))
    view = preview._viewport
    preview.select(0, centre=False)
    preview.show(inspection(value=90))
    assert preview._viewport == view
    assert preview.selected is None, "the defects are others"
    preview.show(frame(value=80))
    assert preview._viewport == view
    preview.show(frame(width=641))
    assert preview._viewport.fitted
    preview._zoom(3, (100, 100))
    preview.show(frame(width=641), keep_view=False)
    assert preview._viewport.fitted


def test_the_window_changes_its_size(preview, root):
    preview.show(inspection())
    preview.place_configure(width=400, height=300)
    root.update()
    assert preview.zoom == pytest.approx(fit_zoom((640, 480), (396, 296)))
    assert preview.snapshot().size == (396, 296)
    assert on_screen(preview).shape[:2] == (300, 400)
    preview.place_configure(width=1, height=1)
    root.update()
    assert preview.snapshot().size == (1, 1)


def test_long_names_are_cut_and_hints_give_way(preview, root):
    preview.show(frame(name="很长的名字" * 60))
    preview.place_configure(width=150, height=200)
    root.update()
    shown = words(preview)
    assert any(text.endswith("…") for text in shown)
    assert any(text.endswith(" %") for text in shown)
    left, _, right, _ = preview.canvas.bbox(preview._file._ground)
    assert left >= 0
    assert right <= 150


def test_another_theme(preview, root):
    preview.show(frame(width=300))
    root.update()
    theme.use("dark")
    root.update()
    dark = tuple(value // 257 for value in preview.winfo_rgb(theme.tokens().canvas))
    assert preview.snapshot().getpixel((1, 300)) == dark
    theme.use("light")


def test_a_hidden_preview_draws_when_it_is_seen(preview, root):
    preview.place_forget()
    root.update()
    preview.show(inspection())
    root.update()
    assert preview._dirty
    preview.place(x=0, y=0, width=800, height=600)
    root.update()
    assert not preview._dirty
    assert (on_screen(preview)[300, 400] == 120).all()


@pytest.fixture
def tasks(root):
    """Real threads, pumped every few milliseconds as the window does."""
    tasks = Tasks(lambda error: pytest.fail(str(error)))

    def pump():
        tasks.pump()
        root.after(5, pump)

    pump()
    yield tasks
    tasks.close()


def test_composed_on_a_worker_the_latest_frame_wins(root, tasks, wait):
    preview = Preview(root, tasks=tasks)
    preview.place(x=0, y=0, width=800, height=600)
    root.update()
    for value in range(10, 200, 3):
        preview.show(inspection([], value=value))
        root.update()
    wait(lambda: not preview._busy and not preview._dirty)
    assert (on_screen(preview)[300, 400] == value).all()
    assert preview._picture.fine


def test_a_very_large_picture_is_shown_roughly_first_and_finely_soon(root, tasks, wait):
    preview = Preview(root, tasks=tasks)
    preview.place(x=0, y=0, width=800, height=600)
    root.update()
    stripes = np.zeros((3000, 4000, 3), np.uint8)
    stripes[:, ::2] = 200
    assert stripes.size / 3 > QUICK
    preview.show(Frame(stripes, 0, "a"))
    preview.select(None)
    root.update_idletasks()
    assert not preview._picture.fine
    wait(lambda: preview._picture.fine and not preview._busy and not preview._dirty)
    assert np.abs(on_screen(preview)[300, 400].astype(int) - 100).max() <= 2, "the mean of the stripes"


def test_a_picture_that_cannot_be_drawn_leaves_the_last_one(root, tasks, wait, faults, monkeypatch):
    preview = Preview(root, tasks=tasks)
    preview.place(x=0, y=0, width=800, height=600)
    preview.show(inspection())
    wait(lambda: not preview._busy and not preview._dirty)

    def fails(*_):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("inspector.ui.composing.compose", fails)
        preview.zoom_in()
        wait(lambda: faults.found and not preview._busy)
    assert "no room" in faults.found.pop()
    preview.show(inspection([], value=33))
    wait(lambda: not preview._busy and not preview._dirty)
    assert (on_screen(preview)[300, 400] == 33).all()


def test_destroyed_while_a_worker_draws(root, tasks, wait):
    preview = Preview(root, tasks=tasks)
    preview.place(x=0, y=0, width=800, height=600)
    root.update()
    preview.show(inspection())
    root.update_idletasks()
    assert preview._busy
    preview.destroy()
    done = []
    root.after(200, done.append, True)
    wait(lambda: done)
