"""Pictures of the demo catalogue, drawn as SVG. Every picture is a function of its product alone."""
