"""The app's own colours: an old library by lamplight (green, ivory, brass) and the same by day."""

from __future__ import annotations

from textual.theme import Theme

# Each was also chosen for its nearest of the 256 colours, which is all that many terminals over ssh and tmux have: the
# obvious ivory becomes pink there, and the obvious green garish.

CLASSIC_DARK = Theme(
    name="classic-dark",
    primary="#c8a45a",
    secondary="#86a892",
    accent="#dcb76c",
    foreground="#f2ecd2",
    background="#0e1d17",
    surface="#13271f",
    panel="#1a3a33",
    success="#93b978",
    warning="#dba652",
    error="#d0735f",
    dark=True,
    variables={
        "input-cursor-background": "#c8a45a",
        "input-cursor-foreground": "#0e1d17",
        "input-selection-background": "#c8a45a 35%",
        "block-cursor-background": "#1f3f32",
        "block-cursor-foreground": "#f2ecd2",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1a3a33",
        "block-cursor-blurred-foreground": "#f2ecd2",
        "border": "#c8a45a",
        "border-blurred": "#34564a",
        "scrollbar": "#2a4a3d",
        "scrollbar-hover": "#3c6353",
        "scrollbar-active": "#c8a45a",
        "scrollbar-background": "#0e1d17",
        "scrollbar-background-hover": "#0e1d17",
        "scrollbar-background-active": "#0e1d17",
    },
)

CLASSIC_LIGHT = Theme(
    name="classic-light",
    primary="#1d5c46",
    secondary="#5f7f6e",
    accent="#8c661a",
    foreground="#263330",
    background="#f7f1e1",
    surface="#fcf8ec",
    panel="#e6e0c0",
    success="#3f7d3a",
    warning="#9a6a10",
    error="#a8392a",
    dark=False,
    variables={
        "input-cursor-background": "#1d5c46",
        "input-cursor-foreground": "#fcf8ec",
        "input-selection-background": "#c8a45a 45%",
        "block-cursor-background": "#e2d7b8",
        "block-cursor-foreground": "#263330",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e6e0c0",
        "block-cursor-blurred-foreground": "#263330",
        "border": "#1d5c46",
        "border-blurred": "#cfc5a0",
        "scrollbar": "#d3c7a6",
        "scrollbar-hover": "#b9ab83",
        "scrollbar-active": "#1d5c46",
        "scrollbar-background": "#f7f1e1",
        "scrollbar-background-hover": "#f7f1e1",
        "scrollbar-background-active": "#f7f1e1",
    },
)


def _contrast(name: str, ink: str, paper: str, mark: str, faint: str) -> Theme:
    """Ink on paper and one colour for what matters: every text stands at 5 : 1 against its ground, most at 7 : 1."""
    dark = paper == "#000000"
    return Theme(
        name=name,
        primary=mark,
        secondary=mark,
        accent=mark,
        foreground=ink,
        background=paper,
        surface=paper,
        panel=faint,
        success="#87ff87" if dark else "#005f00",
        warning="#ffd75f" if dark else "#5f3700",
        error="#ffafaf" if dark else "#870000",
        dark=dark,
        variables={
            "text-muted": ink,
            "text-disabled": ink,
            "input-cursor-background": ink,
            "input-cursor-foreground": paper,
            "input-selection-background": faint,
            "block-cursor-background": mark,
            "block-cursor-foreground": paper,
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": faint,
            "block-cursor-blurred-foreground": ink,
            "border": mark,
            "border-blurred": ink,
            "scrollbar": ink,
            "scrollbar-hover": mark,
            "scrollbar-active": mark,
            "scrollbar-background": paper,
            "scrollbar-background-hover": paper,
            "scrollbar-background-active": paper,
        },
    )


CONTRAST_DARK = _contrast("classic-contrast", ink="#ffffff", paper="#000000", mark="#ffd75f", faint="#1c1c1c")
CONTRAST_LIGHT = _contrast("classic-contrast-light", ink="#000000", paper="#ffffff", mark="#00005f", faint="#eeeeee")

OWN = (CLASSIC_DARK, CLASSIC_LIGHT, CONTRAST_DARK, CONTRAST_LIGHT)
