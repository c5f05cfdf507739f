"""Where the texts of a figure are."""


def texts_of(ax):
    """Return the texts of axes that are seen: labels, ticks, factors, legend."""
    texts = [] if ax.get_legend() is None else list(ax.get_legend().get_texts())
    for axis, limits, i in (
        (ax.xaxis, ax.get_xlim(), 0),
        (ax.yaxis, ax.get_ylim(), 1),
    ):
        if axis.get_visible():
            texts += [axis.label, axis.get_offset_text()]
            texts += [
                tick
                for tick in axis.get_ticklabels()
                if limits[0] <= tick.get_position()[i] <= limits[1]
            ]
    return [text for text in texts if text.get_visible() and text.get_text()]


def assert_apart(figure, texts):
    """Texts lie neither on each other nor outside of the figure."""
    # A turned text takes less than the box around it.
    boxes = [t.get_window_extent() for t in texts if not t.get_rotation() % 90]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0, texts[i]
        assert figure.bbox.y0 <= box.y0, texts[i]
        assert box.x1 <= figure.bbox.x1, texts[i]
        assert box.y1 <= figure.bbox.y1, texts[i]
        assert not any(box.overlaps(other) for other in boxes[i + 1 :]), texts[i]
