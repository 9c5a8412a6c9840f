"""The Python steps of MCP-Forge: units of work behind the step protocol (see `protocol`).

Each module that is named in `__main__.STEPS` holds one step: a function `run(step: Step) -> dict` that
reads `step.spec`, reports through `step`, and returns its figures. Modules import heavy libraries inside
`run`, so that a bad spec or a missing package is answered at once and as an event.
"""
