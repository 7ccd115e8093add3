"""A small SVG pen: shapes, gradients and groups, written compactly and always in the same order."""

from __future__ import annotations

from demo.draw.colour import mix

Stop = tuple[float, str]


def num(value: float) -> str:
    """A coordinate with at most one decimal, as short as it can be written."""
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


class Pen:
    """Collects the elements of one picture. Coordinates are those of the 800 x 800 view box."""

    def __init__(self, width: int = 800, height: int = 800) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []
        self._defs: dict[str, str] = {}

    def _put(self, tag: str, geometry: str, paint: dict[str, object]) -> None:
        extra = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in paint.items())
        self._parts.append(f"<{tag} {geometry}{extra}/>")

    def rect(self, x: float, y: float, w: float, h: float, fill: str, r: float = 0, **paint: object) -> None:
        corner = f' rx="{num(r)}"' if r else ""
        self._put(
            "rect",
            f'x="{num(x)}" y="{num(y)}" width="{num(w)}" height="{num(h)}"{corner} fill="{fill}"',
            paint,
        )

    def oval(self, x: float, y: float, rx: float, ry: float, fill: str, **paint: object) -> None:
        geometry = f'cx="{num(x)}" cy="{num(y)}" rx="{num(rx)}" ry="{num(ry)}" fill="{fill}"'
        self._put("ellipse", geometry, paint)

    def disc(self, x: float, y: float, r: float, fill: str, **paint: object) -> None:
        self._put("circle", f'cx="{num(x)}" cy="{num(y)}" r="{num(r)}" fill="{fill}"', paint)

    def ring(self, x: float, y: float, r: float, stroke: str, width: float, **paint: object) -> None:
        self.disc(x, y, r, "none", stroke=stroke, stroke_width=num(width), **paint)

    def path(self, d: str, fill: str, **paint: object) -> None:
        self._put("path", f'd="{d}" fill="{fill}"', paint)

    def line(self, d: str, stroke: str, width: float, **paint: object) -> None:
        self.path(
            d,
            "none",
            stroke=stroke,
            stroke_width=num(width),
            stroke_linecap="round",
            stroke_linejoin="round",
            **paint,
        )

    def group(self, transform: str, opacity: float = 1) -> None:
        fade = f' opacity="{opacity}"' if opacity != 1 else ""
        self._parts.append(f'<g transform="{transform}"{fade}>')

    def clip(self, d: str) -> None:
        """Open a group that shows only what lies inside the path."""
        name = self._define(f'<clipPath id="@"><path d="{d}"/></clipPath>')
        self._parts.append(f'<g clip-path="url(#{name})">')

    def end(self) -> None:
        self._parts.append("</g>")

    def _define(self, markup: str) -> str:
        return self._defs.setdefault(markup, f"d{len(self._defs)}")

    def fade(self, stops: list[Stop], x: float = 1, y: float = 0) -> str:
        """A linear gradient in the direction (x, y); the paint to fill with."""
        body = "".join(f'<stop offset="{num(at * 100)}%" stop-color="{colour}"/>' for at, colour in stops)
        markup = f'<linearGradient id="@" x1="0" y1="0" x2="{num(x)}" y2="{num(y)}">{body}</linearGradient>'
        return f"url(#{self._define(markup)})"

    def glow(self, colour: str, inner: float, outer: float = 0) -> str:
        """A radial gradient of one colour from opacity `inner` to `outer`."""
        stop = '<stop offset="{}" stop-color="' + colour + '" stop-opacity="{}"/>'
        body = stop.format(0, inner) + stop.format(1, outer)
        return f'url(#{self._define(f"""<radialGradient id="@">{body}</radialGradient>""")})'

    def sheen(self, colour: str) -> str:
        """Soft light from the upper left on a flat face."""
        return self.fade(
            [(0, mix(colour, "#ffffff", 0.2)), (0.55, colour), (1, mix(colour, "#1d2130", 0.16))], 1, 1
        )

    def round(self, colour: str) -> str:
        """Light across a standing cylinder."""
        dark = mix(colour, "#1d2130", 0.24)
        return self.fade(
            [(0, mix(dark, colour, 0.45)), (0.25, mix(colour, "#ffffff", 0.3)), (0.55, colour), (1, dark)]
        )

    def shadow(self, x: float, y: float, rx: float, ry: float = 26) -> None:
        self.oval(x, y, rx, ry, self.glow("#2a2233", 0.42))

    def svg(self, title: str) -> str:
        """The finished document with `title` (plain text, escaped here) as its accessible name."""
        safe = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        defs = "".join(markup.replace('"@"', f'"{name}"', 1) for markup, name in self._defs.items())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img">'
            f"<title>{safe}</title><defs>{defs}</defs>{''.join(self._parts)}</svg>\n"
        )
