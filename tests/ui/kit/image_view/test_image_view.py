"""The image view on a real screen: wheel, drag, keys, pointing and selecting, as a user does them."""

import numpy as np
import pytest
from fakes import focus
from PIL import ImageGrab

from inspector.domain import Detection, Frame, Inspection, Mask, ModelInfo, Verdict
from inspector.imaging.overlay import class_colour
from inspector.ui.kit import theme
from inspector.ui.kit.image_view.image_view import MASKS_CHANGED, QUICK, ImageView
from inspector.ui.kit.image_view.viewport import STEP, fit_zoom
from inspector.ui.kit.tasks import BackgroundTasks

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
def image_view(root, selected):
    """800x600 at the top left of the screen, composing on the Tk thread."""
    widget = ImageView(root, on_select=selected.append)
    widget.place(x=0, y=0, width=800, height=600)
    root.update()
    return widget


def at(image_view: ImageView, x: float, y: float) -> tuple[int, int]:
    """Convert image to canvas coordinates."""
    viewport = image_view._viewport
    left, top = viewport.to_window((x, y))
    border = int(image_view.canvas["highlightthickness"])
    return round(left) + border, round(top) + border


def move(image_view: ImageView, x: float, y: float, event="<Motion>", **more) -> None:
    column, row = at(image_view, x, y)
    image_view.canvas.event_generate(event, x=column, y=row, **more)
    image_view.update()


def click(image_view: ImageView, x: float, y: float) -> None:
    move(image_view, x, y, "<Button-1>")
    move(image_view, x, y, "<ButtonRelease-1>")


def key(image_view: ImageView, name: str, **more) -> None:
    focus(image_view.canvas)
    image_view.update()
    image_view.canvas.event_generate(f"<Key-{name}>", **more)
    image_view.update()


def words(image_view: ImageView) -> list[str]:
    """The visible texts of the canvas."""
    canvas = image_view.canvas
    texts = [item for item in canvas.find_all() if canvas.type(item) == "text"]
    return [canvas.itemcget(item, "text") for item in texts if canvas.itemcget(item, "state") != "hidden"]


def on_screen(image_view: ImageView) -> np.ndarray:
    image_view.update()
    canvas = image_view.canvas
    left, top = canvas.winfo_rootx(), canvas.winfo_rooty()
    box = left, top, left + canvas.winfo_width(), top + canvas.winfo_height()
    return np.asarray(ImageGrab.grab(bbox=box).convert("RGB"))


def test_the_empty_state_says_what_to_do(image_view):
    assert words(image_view) == ["No image yet"]
    image_view.clear("Drop an image here")
    image_view.update()
    assert words(image_view) == ["Drop an image here"]
    assert image_view.snapshot().size == (796, 596)
    image_view.show(inspection())
    image_view.update()
    assert "Drop an image here" not in words(image_view)
    image_view.clear("Again")
    image_view.update()
    assert words(image_view) == ["Again"]
    assert image_view.zoom == 1
    for action in (
        image_view.zoom_in,
        image_view.zoom_out,
        image_view.fit,
        image_view.actual,
        lambda: image_view.pan(3, 4),
    ):
        action()
    image_view.canvas.event_generate("<Motion>", x=9, y=9)
    image_view.canvas.event_generate("<Button-4>", x=9, y=9)
    image_view.canvas.event_generate("<Button-1>", x=9, y=9)
    image_view.canvas.event_generate("<ButtonRelease-1>", x=9, y=9)
    assert image_view.selected is None


def test_what_is_on_the_screen_is_the_snapshot(image_view):
    image_view.show(inspection(), position="621 / 1000")
    seen, pyramid = on_screen(image_view)[2:-2, 2:-2], np.asarray(image_view.snapshot())
    assert pyramid.shape == seen.shape == (596, 796, 3)
    rows, columns = slice(60, 500), slice(10, 780)  # between the chips
    assert np.array_equal(seen[rows, columns], pyramid[rows, columns])
    x, y = at(image_view, 150, 150)
    tinted = np.rint(0.6 * 120 + 0.4 * np.array(class_colour(0)))[::-1]
    assert np.abs(seen[y - 2, x - 2] - tinted).max() <= 1
    assert "IMG_0620.png   621 / 1000" in words(image_view)
    assert any(text.startswith("124 %") for text in words(image_view))


def test_views_masks_and_opacity(image_view):
    image_view.show(inspection())

    def colours():
        return np.unique(np.asarray(image_view.snapshot()).astype(np.int32) @ (1, 256, 65536))

    result = len(colours())
    image_view.set_view("original")
    assert len(colours()) == 2  # the image and the ground
    image_view.set_view("side_by_side")
    assert result <= len(colours()) + 30
    image = np.asarray(image_view.snapshot())
    assert image_view.zoom == pytest.approx(fit_zoom((640, 480), (395, 596)))
    assert (image[:, :395] == (120, 120, 120)).all(2).sum() > 100_000
    image_view.set_view("result")
    for off in (image_view.set_masks, image_view.set_boxes, image_view.set_labels, image_view.set_outline):
        off(False)
    assert len(colours()) == 2
    image_view.set_masks(True)
    image_view.set_opacity(7)
    x, y = at(image_view, 150, 150)
    assert tuple(np.asarray(image_view.snapshot())[y, x]) == class_colour(0)[::-1]
    image_view.set_hidden({"裂纹", "pit"})
    assert len(colours()) == 2
    with pytest.raises(ValueError, match="a view is one of original, result, side_by_side, not 'both'"):
        image_view.set_view("both")


@pytest.mark.parametrize(
    ("event", "more", "factor"),
    [("<Button-4>", {}, STEP), ("<Button-5>", {}, 1 / STEP), ("<MouseWheel>", {"delta": 240}, STEP**2)],
)
def test_the_wheel_zooms_at_the_pointer(image_view, event, more, factor):
    image_view.show(inspection())
    image_view._zoom(4, (400, 300))
    before = image_view.zoom
    place = image_view._viewport.to_image((150, 420))
    image_view.canvas.event_generate(event, x=152, y=422, **more)
    image_view.update()
    assert image_view.zoom == pytest.approx(before * factor)
    x, y = image_view._viewport.to_window(place)
    assert abs(x - 150) <= 2
    assert abs(y - 420) <= 2


def test_the_wheel_in_the_right_pane_acts_on_its_place(image_view):
    image_view.show(inspection())
    image_view.set_view("side_by_side")
    image_view.update()
    place = image_view._viewport.to_image((100, 300))
    right = 100 + 401 + 2
    for _ in range(4):
        image_view.canvas.event_generate("<Button-4>", x=right, y=302)
    image_view.update()
    x, y = image_view._viewport.to_window(place)
    assert abs(x - 100) <= 3
    assert abs(y - 300) <= 3


def test_dragging_moves_the_image_and_selects_nothing(image_view, selected):
    image_view.show(inspection())
    image_view.actual()
    image_view.update()
    origin = image_view._viewport.origin
    canvas = image_view.canvas
    canvas.event_generate("<Button-1>", x=300, y=300)
    canvas.event_generate("<B1-Motion>", x=302, y=301)
    assert image_view._viewport.origin == origin, "a hand that trembles does not drag"
    canvas.event_generate("<B1-Motion>", x=330, y=280)
    assert canvas["cursor"] == "fleur"
    canvas.event_generate("<B1-Motion>", x=350, y=290)
    canvas.event_generate("<ButtonRelease-1>", x=350, y=290)
    image_view.update()
    assert image_view._viewport.origin == (origin[0] + 50, origin[1] - 10)
    assert selected == []
    assert canvas["cursor"] in ("", "hand2")


def test_keys(image_view):
    changes = []
    image_view.bind(MASKS_CHANGED, changes.append)
    image_view.show(inspection())
    image_view.update()
    fitted = image_view.zoom
    key(image_view, "plus")
    assert image_view.zoom == pytest.approx(fitted * STEP)
    key(image_view, "minus")
    assert image_view.zoom == pytest.approx(fitted)
    key(image_view, "1")
    assert image_view.zoom == 1
    key(image_view, "plus")
    origin = image_view._viewport.origin
    key(image_view, "Left", state=1)
    assert image_view._viewport.origin == (origin[0] + theme.px(60), origin[1])
    key(image_view, "Left")
    assert image_view._viewport.origin == (origin[0] + theme.px(60), origin[1]), "the plain arrows are the page's"
    key(image_view, "f", state=4)
    assert image_view.zoom == STEP, "with Ctrl it is the window's"
    key(image_view, "f")
    assert image_view.zoom == pytest.approx(fitted)
    key(image_view, "m")
    assert not image_view.render_options.masks
    assert len(changes) == 1
    key(image_view, "M")
    assert image_view.render_options.masks


def test_the_focus_is_seen(image_view):
    image_view.show(inspection())
    before = on_screen(image_view)[300, 0]
    focus(image_view.canvas)
    image_view.update()
    primary = tuple(value // 257 for value in image_view.winfo_rgb(theme.tokens().primary))
    assert tuple(on_screen(image_view)[300, 0]) == primary != tuple(before)


def test_pointing_at_a_defect_describes_it(image_view):
    image_view.show(inspection())
    image_view.update()
    move(image_view, 150, 150)
    assert image_view.render_options.hovered == 0
    assert "裂纹  0.91\narea 3,600 px²" in words(image_view)
    assert image_view.canvas["cursor"] == "hand2"
    move(image_view, 115, 115)
    assert image_view.render_options.hovered == 1, "the smallest"
    move(image_view, 520, 310)
    assert "box  0.70\nbox 60 × 40 px" in words(image_view)
    move(image_view, 300, 300)
    assert image_view.render_options.hovered is None
    assert not any("px" in text for text in words(image_view))
    move(image_view, 150, 150)
    image_view.set_hidden({"裂纹"})
    image_view.update()
    assert image_view.render_options.hovered is None
    image_view.set_hidden(())
    image_view.canvas.event_generate("<Leave>")
    assert image_view.render_options.hovered is None
    image_view.set_view("original")
    move(image_view, 150, 150)
    assert image_view.render_options.hovered is None, "what is not drawn is not described"


def test_the_description_stays_in_the_window(image_view):
    corners = [(0, 0), (630, 0), (0, 470), (630, 470)]
    image_view.show(inspection([Detection("裂纹", 0.9, (x, y, x + 10, y + 10)) for x, y in corners]))
    image_view.update()
    for number, (x, y) in enumerate(corners):
        move(image_view, x + 5, y + 5)
        assert image_view.render_options.hovered == number
        left, top, right, bottom = image_view.canvas.bbox(image_view._about._ground)
        assert left >= 0
        assert top >= 0
        assert right <= 800
        assert bottom <= 600


def test_clicking_selects(image_view, selected):
    image_view.show(inspection())
    image_view.update()
    zoom = image_view.zoom
    click(image_view, 150, 150)
    click(image_view, 115, 115)
    assert image_view.selected == 1
    click(image_view, 300, 300)
    assert selected == [0, 1, None]
    assert image_view.selected is None
    assert image_view.zoom == zoom, "what one clicks at does not jump away"


def test_selecting_centres_and_marks(image_view, selected):
    image_view.show(inspection())
    image_view.update()
    plain = np.asarray(image_view.snapshot())
    image_view.select(0, centre=False)
    assert not np.array_equal(np.asarray(image_view.snapshot()), plain)
    image_view.select(2)
    x, y = image_view._viewport.to_window((530, 320))
    assert abs(x - 398) <= 1
    assert abs(y - 298) <= 1
    assert image_view.selected == 2
    assert selected == [], "only a click is told"
    image_view.select(None)
    assert image_view.selected is None
    with pytest.raises(IndexError):
        image_view.select(99)


def test_the_view_is_kept_in_a_stream(image_view):
    image_view.show(inspection())
    image_view._zoom(3, (100, 100))
    view = image_view._viewport
    image_view.select(0, centre=False)
    image_view.show(inspection(value=90))
    assert image_view._viewport == view
    assert image_view.selected is None, "the defects are others"
    image_view.show(frame(value=80))
    assert image_view._viewport == view
    image_view.show(frame(width=641))
    assert image_view._viewport.fitted
    image_view._zoom(3, (100, 100))
    image_view.show(frame(width=641), keep_view=False)
    assert image_view._viewport.fitted


def test_the_window_changes_its_size(image_view, root):
    image_view.show(inspection())
    image_view.place_configure(width=400, height=300)
    root.update()
    assert image_view.zoom == pytest.approx(fit_zoom((640, 480), (396, 296)))
    assert image_view.snapshot().size == (396, 296)
    assert on_screen(image_view).shape[:2] == (300, 400)
    image_view.place_configure(width=1, height=1)
    root.update()
    assert image_view.snapshot().size == (1, 1)


def test_long_names_are_cut_and_hints_give_way(image_view, root):
    image_view.show(frame(name="很长的名字" * 60))
    image_view.place_configure(width=150, height=200)
    root.update()
    shown = words(image_view)
    assert any(text.endswith("…") for text in shown)
    assert any(text.endswith(" %") for text in shown)
    left, _, right, _ = image_view.canvas.bbox(image_view._file._ground)
    assert left >= 0
    assert right <= 150


def test_another_theme(image_view, root):
    image_view.show(frame(width=300))
    root.update()
    theme.configure("dark")
    root.update()
    dark = tuple(value // 257 for value in image_view.winfo_rgb(theme.tokens().canvas))
    assert image_view.snapshot().getpixel((1, 300)) == dark
    theme.configure("light")


def test_a_hidden_preview_draws_when_it_is_seen(image_view, root):
    image_view.place_forget()
    root.update()
    image_view.show(inspection())
    root.update()
    assert image_view._dirty
    image_view.place(x=0, y=0, width=800, height=600)
    root.update()
    assert not image_view._dirty
    assert (on_screen(image_view)[300, 400] == 120).all()


@pytest.fixture
def tasks(root):
    """Real threads, pumped every few milliseconds as the window does."""
    tasks = BackgroundTasks(lambda error: pytest.fail(str(error)))

    def pump():
        tasks.pump()
        root.after(5, pump)

    pump()
    yield tasks
    tasks.close()


def test_composed_on_a_worker_the_latest_frame_wins(root, tasks, wait):
    image_view = ImageView(root, tasks=tasks)
    image_view.place(x=0, y=0, width=800, height=600)
    root.update()
    for value in range(10, 200, 3):
        image_view.show(inspection([], value=value))
        root.update()
    wait(lambda: not image_view._busy and not image_view._dirty)
    assert (on_screen(image_view)[300, 400] == value).all()
    assert image_view._pyramid.fine


def test_a_very_large_image_is_shown_roughly_first_and_finely_soon(root, tasks, wait):
    image_view = ImageView(root, tasks=tasks)
    image_view.place(x=0, y=0, width=800, height=600)
    root.update()
    stripes = np.zeros((3000, 4000, 3), np.uint8)
    stripes[:, ::2] = 200
    assert stripes.size / 3 > QUICK
    image_view.show(Frame(stripes, 0, "a"))
    image_view.select(None)
    root.update_idletasks()
    assert not image_view._pyramid.fine
    wait(lambda: image_view._pyramid.fine and not image_view._busy and not image_view._dirty)
    assert np.abs(on_screen(image_view)[300, 400].astype(int) - 100).max() <= 2, "the mean of the stripes"


def test_an_image_that_cannot_be_drawn_leaves_the_last_one(root, tasks, wait, faults, monkeypatch):
    image_view = ImageView(root, tasks=tasks)
    image_view.place(x=0, y=0, width=800, height=600)
    image_view.show(inspection())
    wait(lambda: not image_view._busy and not image_view._dirty)

    def fails(*_):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("inspector.ui.kit.image_view.compositor.compose", fails)
        image_view.zoom_in()
        wait(lambda: faults.found and not image_view._busy)
    assert "no room" in faults.found.pop()
    image_view.show(inspection([], value=33))
    wait(lambda: not image_view._busy and not image_view._dirty)
    assert (on_screen(image_view)[300, 400] == 33).all()


def test_destroyed_while_a_worker_draws(root, tasks, wait):
    image_view = ImageView(root, tasks=tasks)
    image_view.place(x=0, y=0, width=800, height=600)
    root.update()
    image_view.show(inspection())
    root.update_idletasks()
    assert image_view._busy
    image_view.destroy()
    done = []
    root.after(200, done.append, True)
    wait(lambda: done)
