"""How the components of storage are drawn, in every figure: colour and hatch."""

COMPONENTS = {
    "source": ("#c9d1d9", ""),
    "outbox": ("#f6d7a7", "..."),
    "wal": ("#f6d7a7", "oo"),
    "log": ("#f3e3d3", "////"),
    "copy": ("#cfe6f5", "...."),
    "events": ("#efd3e2", "xxxx"),
    "snapshots": ("#e2d5ee", "----"),
    "archive": ("#dcd0c4", "||||"),
    "read_model": ("#cfeadf", "\\\\\\\\"),
    "dead_letters": ("#f5c6c0", "++"),
}
